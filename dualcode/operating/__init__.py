"""What operators look at: the doctor's checks, what servers and runs do now, and the same for Prometheus.

Nothing is imported here: the command line's help must not wait for it.
"""
