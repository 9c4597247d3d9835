"""`python -m dualcode.figures`, the same as `dualcode figures`."""

from dualcode.cli.main import main

if __name__ == "__main__":
    main(prefix=("figures",), program="python -m dualcode.figures")
