"""The guard: what speaks against a fix, without any hidden test."""

import ast

from dualcode.bench.bench import Bench
from dualcode.solution import Program
from dualcode.steps import Review, fix
from dualcode.task import Task
from dualcode.team import Team
from dualcode.together import together

ATTEMPTS = 2


async def guarded_fix(task: Task, team: Team, draft: Program, review: Review) -> Program:
    """Return the coder's fix, or the draft if something speaks against both of its attempts.

    A refused fix is asked for once more, with the reason.
    """
    refusal = ""
    for _ in range(ATTEMPTS):
        fixed = await fix(team.coder, task, draft, review, objection=refusal)
        refusal = await objection(team.bench, task, draft, fixed)
        if not refusal:
            return fixed
    return draft


async def objection(bench: Bench, task: Task, draft: Program, fixed: Program) -> str:
    """Return why the fix must not replace the draft, in words for a writer; "" if nothing does."""
    if not fixed.compiles or not fixed.defines_entry_point:
        return f"it holds no program that compiles and defines `{task.entry_point}`."
    before, after = signature(draft, task.entry_point), signature(fixed, task.entry_point)
    if before is not None and after != before:
        return f"it changes the parameters of `{task.entry_point}` from `({before})` to `({after})`."
    was, now = await together(bench.examine(task, draft), bench.examine(task, fixed))
    if now.worse_than(was):
        return f"it fails a test that your first program passes:\n{now.failure}"
    return ""


def signature(program: Program, entry_point: str) -> str | None:
    """Return the names of a function's parameters as source, or None if the program does not define it."""
    if not program.compiles:
        return None
    for node in reversed(ast.parse(program.text).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry_point:
            return _names(node.args)
    return None


def _names(arguments: ast.arguments) -> str:
    """Return parameters without annotations, which a fix may add, but with their defaults' places."""
    bare = ast.arguments(
        posonlyargs=[_bare(each) for each in arguments.posonlyargs],
        args=[_bare(each) for each in arguments.args],
        vararg=_bare(arguments.vararg) if arguments.vararg else None,
        kwonlyargs=[_bare(each) for each in arguments.kwonlyargs],
        kw_defaults=arguments.kw_defaults,
        kwarg=_bare(arguments.kwarg) if arguments.kwarg else None,
        defaults=arguments.defaults,
    )
    return ast.unparse(bare)


def _bare(argument: ast.arg) -> ast.arg:
    return ast.arg(arg=argument.arg)
