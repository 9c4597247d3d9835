"""The vLLM servers: start, stop, look. `python -m dualcode.serving`, `dualcode serve`.

`pair.start`, `pair.stop`, `pair.status` and `logs.logs` do the work; `running.running` tells what runs.
Nothing is imported here: the command line's help must not wait for it.
"""
