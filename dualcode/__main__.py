"""`python -m dualcode`, the same as `dualcode`."""

from dualcode.cli.main import main

if __name__ == "__main__":
    main(program="python -m dualcode")
