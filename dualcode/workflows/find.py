"""Where workflows are found: files in `workflows/` of the working folder, and those that dualcode carries."""

from pathlib import Path

from dualcode import resources
from dualcode.errors import UnknownNameError, WorkflowError

ROOM = "workflows"
DEFAULT = "plan-implement"
SUFFIXES = (".yaml", ".yml")


def find_workflow(name: str) -> Path:
    """Return the file of a workflow, by its path or by its name: that of the file without its end.

    Raises UnknownNameError with the nearest names, or WorkflowError for a path that is no file.
    """
    if "/" in name or name.endswith(SUFFIXES):
        if not Path(name).is_file():
            raise WorkflowError(
                f"{name} is no file", hint="a workflow's file, or a name: dualcode workflow list"
            )
        return Path(name)
    known = workflow_files()
    if name not in known:
        raise UnknownNameError("workflow", name, known, hint="dualcode workflow list, or a file's path")
    return known[name]


def workflow_files() -> dict[str, Path]:
    """Return name -> file; one of the working folder wins over dualcode's of the same name."""
    found: dict[str, Path] = {}
    for room in resources.rooms(ROOM):
        for path in sorted(each for end in SUFFIXES for each in room.glob(f"*{end}")):
            found.setdefault(path.stem, path)
    return found
