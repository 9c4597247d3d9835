"""Scope discipline by a rule that needs no judge."""

from collections.abc import Callable, Collection

HIGHEST, LOWEST = 10, 1


def scope_score(changed: Collection[str], in_scope: Callable[[str], bool] | None) -> int | None:
    """Return 10, less a point for each changed file outside the task's `paths_in_scope`, and no less than 1.

    None where there is nothing to score: no file was changed, or the task has no opinion (`in_scope` is
    None). Ten unrelated files lose all that can be lost, however large the fix is; one costs one point.
    """
    if in_scope is None or not changed:
        return None
    outside = sum(not in_scope(path) for path in set(changed))
    return max(LOWEST, HIGHEST - outside)
