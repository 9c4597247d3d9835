"""Runs in the jail: prints every readable file that may be a copy of a task's fix. Needs no package."""

import json
import os
import sys

MOST = 4 << 20


def main() -> None:
    """Walk all that is shown but the tree, and look at what has the name of a package or of a file."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - any Python
        spec = json.load(file)
    skipped = {"/proc", "/sys", "/dev", *sys.argv[2:]}
    names = {each.lower() for each in spec["names"]}
    for folder, folders, files in os.walk("/"):
        folders[:] = [each for each in folders if os.path.join(folder, each) not in skipped]  # noqa: PTH118
        for each in folders:
            path = os.path.join(folder, each)  # noqa: PTH118
            if each.lower() in names and os.path.exists(os.path.join(path, "__init__.py")):  # noqa: PTH110, PTH118
                print(path + ", a package of the tree's name")  # noqa: T201
        for each in files:
            whole = os.path.join(folder, each)  # noqa: PTH118
            archive = each.endswith((".whl", ".tar.gz", ".zip")) and each.lower().split("-")[0] in names
            if archive or (each in spec["files"] and holds(whole, spec["lines"])):
                print(whole + ", which holds the fix" if not archive else whole)  # noqa: T201


def holds(path: str, lines: "list[str]") -> bool:
    """Tell whether a file has a line of the fix."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            text = file.read(MOST)
    except OSError:
        return False
    return any(line in text for line in lines)


main()
