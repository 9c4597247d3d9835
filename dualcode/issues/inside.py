"""Runs pytest in the jail; run by path, with the tree's Python, and without this package.

Its arguments are a JSON file: `tree`, `packages`, `roots`, `report` and pytest's own `arguments`. The tree's
folders come last on the import path, so that nothing in it stands in for pytest or for Python's own modules,
and every test case in the report carries its id.
"""

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


class Named:
    """Writes each test's id into its report."""

    @staticmethod
    def pytest_collection_modifyitems(items: "list[pytest.Item]") -> None:  # noqa: D102
        for item in items:
            item.user_properties.append(("nodeid", item.nodeid))


def main() -> None:
    """Run what was asked for."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - any Python
        spec = json.load(file)
    sys.path[:] = [each for each in sys.path if each and not each.startswith(spec["tree"])]
    sys.path.append(spec["packages"])
    import pytest

    sys.path += spec["roots"]
    os.chdir(spec["tree"])
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    options += ["-o", "addopts="]
    options += ["--import-mode=append", "-o", "junit_family=xunit1", "--junitxml", spec["report"]]
    sys.exit(pytest.main([*options, "--rootdir", spec["tree"], *spec["arguments"]], plugins=[Named]))


main()
