"""`python -m dualcode.serving`, the same as `dualcode serve`."""

from dualcode.cli.main import main

if __name__ == "__main__":
    main(prefix=("serve",), program="python -m dualcode.serving")
