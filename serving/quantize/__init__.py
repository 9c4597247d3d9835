"""Makes 4-bit checkpoints and checks them: each module is run by the Python of an environment of its own.

Nothing here imports dualcode, whose dependencies those environments do not have.
"""
