"""`python -m dualcode.eval`, the same as `dualcode eval`."""

from dualcode.cli.main import main

if __name__ == "__main__":
    main(prefix=("eval",), program="python -m dualcode.eval")
