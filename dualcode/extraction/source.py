"""Python source as statements: what each binds, changes and needs. Nothing here executes code."""

import ast
import symtable
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dualcode.extraction.bounds import LONGEST, TOO_LARGE, UNCOMPILABLE, grows, may_grow, too_large_to_parse

_FILE = "<reply>"
_READERS = frozenset(
    {"abs", "all", "any", "bool", "dict", "enumerate", "filter", "float", "format", "frozenset", "getattr",
     "hasattr", "help", "hash", "id", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "pow",
     "print", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "type", "zip"}
)  # fmt: skip
"""Builtins that alter none of their arguments."""

_CONSUMERS = frozenset({"all", "any", "deque", "list", "next", "set", "sum", "tuple"})
"""What goes through an iterator, so that `list(map(xs.append, ys))` is a loop."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Fault:
    """Why a text does not parse; `line` counts from 1 and is 0 where no line is to blame."""

    line: int
    reason: str


def parse(text: str, longest: int = LONGEST) -> ast.Module | Fault:
    """Return the syntax tree, or what is wrong with the text: of at most `longest` characters."""
    if too_large_to_parse(text, longest):
        return Fault(0, TOO_LARGE)
    try:
        return ast.parse(text)
    except SyntaxError as error:
        return Fault(error.lineno or 0, error.msg)
    except UNCOMPILABLE as error:
        return Fault(0, type(error).__name__)


def compiles(text: str) -> bool:
    """Tell whether the text compiles as a module, without what would blow up (`bounds`)."""
    try:
        program: str | ast.Module = text
        if may_grow(text):
            if too_large_to_parse(text):
                return False
            program = ast.parse(text)
            if grows(program):
                return False
        compile(program, _FILE, "exec", dont_inherit=True)
    except UNCOMPILABLE:
        return False
    return True


@dataclass(frozen=True)
class Statement:
    """One statement of a module's top level, with its text and the comment lines right above it."""

    source: str
    node: ast.stmt
    cut_short: bool = False
    """Whether lines that followed were given up to make it parse."""

    @cached_property
    def binds(self) -> frozenset[str]:
        """The module names that the statement assigns, defines or imports."""
        return frozenset(name for node in walk_scope([self.node]) for name in names_bound(node))

    @cached_property
    def changes(self) -> frozenset[str]:
        """The names whose objects the statement alters in place: `memo[0] = 1`, `xs.sort()`."""
        return frozenset(_changed(self.node))

    @cached_property
    def uses(self) -> frozenset[str]:
        """The module and builtin names that the statement reads, also from inside functions."""
        try:
            tables = [symtable.symtable(self.source, _FILE, "exec")]
        except UNCOMPILABLE:
            return frozenset(n.id for n in ast.walk(self.node) if isinstance(n, ast.Name))
        names: set[str] = set()
        # From Python 3.12 on a comprehension's own names stand in the table of what holds it.
        passing = _names_in_passing(walk_scope([self.node])) - self.binds
        while tables:
            table = tables.pop()
            tables.extend(table.get_children())
            module = table.get_type() == "module"
            for symbol in table.get_symbols():
                own = symbol.is_assigned() and symbol.get_name() in passing
                if (symbol.is_referenced() and not own) if module else symbol.is_global():
                    names.add(symbol.get_name())
        return frozenset(names)

    @cached_property
    def hands_over(self) -> frozenset[str]:
        """The names that a bare call passes on as they are, so that they may be altered: `fill(table, 3)`."""
        return frozenset(_handed_over(self.node))

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names that bare calls of the statement call: `init()`."""
        return frozenset(call.func.id for call in _bare_calls(self.node) if isinstance(call.func, ast.Name))

    @cached_property
    def sets_globals(self) -> frozenset[str]:
        """The names outside it that a function alters or assigns when it is called."""
        return _sets_globals(self.node) if isinstance(self.node, Function) else frozenset()

    @cached_property
    def decorators(self) -> frozenset[str]:
        """The names that its decorators are, are made by, or belong to: `@register`, `@shapes.add("x")`."""
        return frozenset(filter(None, map(_root_name, getattr(self.node, "decorator_list", ()))))

    @property
    def alias_of(self) -> str | None:
        """The name whose object, or a method of it, the statement gives one more name: `add = xs.append`."""
        match self.node:
            case ast.Assign(targets=[ast.Name()], value=ast.Name() | ast.Attribute() as value):
                while isinstance(value, ast.Attribute):
                    value = value.value
                return value.id if isinstance(value, ast.Name) else None
            case _:
                return None

    @property
    def imports(self) -> bool:
        """Whether the statement is an import."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)

    @property
    def from_future(self) -> bool:
        """Whether the statement must stand first in its module."""
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"

    def defines(self, name: str) -> bool:
        """Tell whether the statement gives the name a meaning: a definition with a body, a value."""
        if name not in self.binds or self.imports:
            return False
        return not (isinstance(self.node, Function) and is_stub(self.node))


def split(text: str, tree: ast.Module) -> list[Statement]:
    """Cut a module's text into its statements. Loose comments between two of them are left out."""
    lines = text.split("\n")
    statements: list[Statement] = []
    previous_end = 0
    starts = [min(part.lineno for part in (node, *getattr(node, "decorator_list", ()))) for node in tree.body]
    for node, start, next_start in zip(tree.body, starts, [*starts[1:], len(lines) + 1], strict=False):
        end = node.end_lineno or node.lineno
        if start <= previous_end or next_start <= end:
            source = ast.unparse(node)  # several statements on one line
        else:
            first = start - 1
            while first > previous_end and lines[first - 1].startswith("#"):
                first -= 1
            source = "\n".join(lines[first:end])
        statements.append(Statement(source, node))
        previous_end = end
    return statements


def is_stub(function: Function) -> bool:
    """Tell whether the function has no body of its own: a docstring, `pass`, `...`, NotImplementedError."""
    for node in function.body:
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Raise() if any(getattr(n, "id", "") == "NotImplementedError" for n in ast.walk(node)):
                pass
            case _:
                return False
    return True


def function_named(statements: Iterable[Statement], name: str) -> Function | None:
    """Return the last function of that name at the top level."""
    found: Function | None = None
    for statement in statements:
        if isinstance(statement.node, Function) and statement.node.name == name:
            found = statement.node
    return found


def falls_through(function: Function) -> bool:
    """Tell whether a call may end without a result; one that yields is never said to."""
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function)):
        return False
    return _falls_through(function.body)


def names_bound(node: ast.AST) -> list[str]:
    """Return the names that a node itself assigns, captures, defines, imports or takes as parameters.

    That of an exception is none of them: it is gone after its handler.
    """
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.partition(".")[0] for alias in names]
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
        case _:
            return []


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Walk a function's body without entering the scopes inside it."""
    return walk_scope(function.body)


def annotation_names(statements: Iterable[Statement]) -> set[str]:
    """Return the names that annotations mention."""
    roots: list[ast.AST] = []
    for statement in statements:
        for node in ast.walk(statement.node):
            if isinstance(node, ast.AnnAssign):
                roots.append(node.annotation)
            elif isinstance(node, Function) and node.returns is not None:
                roots.append(node.returns)
            elif isinstance(node, ast.arg) and node.annotation is not None:
                roots.append(node.annotation)
    return {node.id for root in roots for node in ast.walk(root) if isinstance(node, ast.Name)}


def reindent(text: str, indent: int) -> str:
    """Move a block of lines so that its shallowest line stands at the indent."""
    return textwrap.indent(textwrap.dedent(text), " " * indent)


def _falls_through(body: Sequence[ast.stmt]) -> bool:
    last = body[-1] if body else None
    match last:
        case ast.Return():
            return last.value is None
        case ast.Raise():
            return False
        case ast.If():
            return _falls_through(last.body) or _falls_through(last.orelse)
        case ast.With() | ast.AsyncWith():
            return _falls_through(last.body)
        case ast.Try():
            if last.finalbody and not _falls_through(last.finalbody):
                return False
            ways = [last.orelse or last.body, *(handler.body for handler in last.handlers)]
            return any(map(_falls_through, ways))
        case ast.Match():
            return any(_falls_through(case.body) for case in last.cases)
        case ast.While():
            endless = isinstance(last.test, ast.Constant) and bool(last.test.value)
            return not endless or any(isinstance(node, ast.Break) for node in ast.walk(last))
        case _:
            return True


def walk_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk nodes, in no order, without entering the scopes of functions and classes inside them.

    Their decorators, defaults, annotations and bases are of the scope around them.
    """
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        match node:
            case ast.comprehension(target=target):  # the names of its target are its own
                inner = [each for each in ast.walk(target) if isinstance(each, ast.Attribute | ast.Subscript)]
                stack += [*inner, node.iter, *node.ifs]
            case ast.Lambda(args=args):
                stack += _around(args)
            case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
                stack += [*_around(args), *node.decorator_list, *([node.returns] if node.returns else [])]
            case ast.ClassDef():
                stack += [*node.decorator_list, *node.bases, *node.keywords]
            case _:
                stack.extend(ast.iter_child_nodes(node))


def _around(parameters: ast.arguments) -> list[ast.expr]:
    """Return the defaults and annotations of parameters."""
    notes = (each.annotation for each in ast.walk(parameters) if isinstance(each, ast.arg))
    return [each for each in (*parameters.defaults, *parameters.kw_defaults, *notes) if each is not None]


def _names_in_passing(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that stand for something within a comprehension, or a handler of exceptions, alone."""
    nodes = list(nodes)
    targets = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    names = {name for target in targets for node in ast.walk(target) for name in names_bound(node)}
    return names | {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}


def _sets_globals(function: Function) -> frozenset[str]:
    nodes = list(own_nodes(function))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= _names_in_passing(nodes)
    own |= {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    outside = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    altered = {name for node in function.body for name in (*_changed(node), *_handed_over(node))}
    inner = (_sets_globals(node) for node in nodes if isinstance(node, Function))
    return frozenset(outside | (altered.union(*inner) - (own - outside)))


def _changed(statement: ast.stmt) -> Iterator[str]:
    yield from _changed_in_passing(statement)
    for node in walk_scope([statement]):
        target: ast.AST | None = None
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            target = node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            target = node.value.func
        root = _root_name(target) if isinstance(target, ast.Attribute | ast.Subscript) else None
        if root is not None:
            yield root


def _changed_in_passing(statement: ast.stmt) -> Iterator[str]:
    """Yield what a loop in the form of an expression alters: `[xs.append(y) for y in ys]`."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    while isinstance(value, ast.Call) and value.args and _root_name(value.func) in _CONSUMERS:
        value = value.args[0]
    match value:
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.Call(func=ast.Lambda()):
            called = (node.func for node in ast.walk(value) if isinstance(node, ast.Call))
        case ast.Call(func=ast.Name(id="map" | "filter"), args=[first, *_]):
            inner = (node.func for node in ast.walk(first) if isinstance(node, ast.Call))
            called = iter([first, *inner])
        case _:
            return
    yield from filter(None, (_root_name(each) for each in called if isinstance(each, ast.Attribute)))


def _bare_calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """Yield the calls that stand as statements of the module, also in loops, branches and comprehensions."""
    for node in walk_scope([statement]):
        if isinstance(node, ast.Expr):
            yield from (part for part in walk_scope([node.value]) if isinstance(part, ast.Call))


def _handed_over(statement: ast.stmt) -> Iterator[str]:
    for call in _bare_calls(statement):
        if isinstance(call.func, ast.Name) and call.func.id in _READERS:
            continue
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            root = (
                _root_name(argument)
                if isinstance(argument, ast.Name | ast.Attribute | ast.Subscript)
                else None
            )
            if root is not None:
                yield root


def _root_name(node: ast.AST) -> str | None:
    while True:
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else None
