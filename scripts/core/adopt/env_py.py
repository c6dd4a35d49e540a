"""What a project's env.py says about its models, as a module of its own: see `carry`. It is read, not run."""

import ast
import builtins
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PACKAGE = "migration_models"
"""The package that gets what is carried over."""
FILTERS = ("include_name", "include_object", "render_item")
"""Functions of env.py that this environment asks, too."""
NOT_NEEDED = {
    "compare_type": "types are compared in the database",
    "compare_server_default": "defaults are compared in the database",
    "process_revision_directives": "this environment writes revisions in its own way",
}
"""Functions of env.py that have no work here, and why."""
NOT_ASKED = "this environment does not use it"
_HERE = {"alembic", "context", "asyncio", "logging", "os", "sys", "dotenv", "load_dotenv"}
"""Modules and names that belong to the running of env.py."""
RUNNING = {("alembic", "context"): "Alembic", ("flask", "current_app"): "Flask"}
"""Names that modules give only while a program runs."""
_ACTS = {"connect", "begin", "execute", "create_all", "drop_all", "dispose", "upgrade"}
"""Methods that work on a database. Calls of them register nothing."""
_HEAD = '''"""What the env.py of {project} says about its models. `make adopt` wrote this; from now on it is yours."""

'''


@dataclass(frozen=True)
class Function:
    """A function that env.py gives to context.configure()."""

    name: str
    module: str


@dataclass
class Carried:
    text: str = ""
    """The module; nothing if the metadata needs none."""
    functions: list[str] = field(default_factory=list)
    """The functions that the module has."""
    not_carried: list[str] = field(default_factory=list)
    """What it cannot have, and why."""


@dataclass(frozen=True)
class _Source:
    text: str
    body: Sequence[ast.stmt]
    own: frozenset[str]
    """The packages of the project."""

    def binding(self, name: str) -> list[ast.stmt]:
        return [one for one in self.body if name in _bound(one)]


def carry(text: str, project: str, own: Sequence[str], functions: Mapping[str, Function]) -> Carried:
    """Return the parts of env.py that describe the models: its metadata, its filters, and what registers them.

    `own`: the top-level packages of the project. `functions`: those given to context.configure(), by its options.
    """
    source = _Source(text, _flat(ast.parse(text)), frozenset(own))
    found = Carried()
    metadata = _given(source.body, "target_metadata")
    if metadata is None:
        found.not_carried.append("target_metadata: no call of context.configure() in env.py gives it")
        return found
    chosen = {place for place, one in enumerate(source.body) if _registers(one, source)}
    if problem := _close(source, _names(metadata), chosen):
        found.not_carried.append(f"target_metadata: {problem}")
        return found
    lines = [f"metadata = {ast.unparse(metadata)}"]
    for option, function in functions.items():
        lines += _filter(source, option, function, found, chosen)
    statements = [_written(text, source.body[place]) for place in sorted(chosen)]
    found.text = _HEAD.format(project=project) + "\n".join([*statements, "", *lines, ""])
    return found


def assembled(project: str, reference: str, modules: Sequence[str], functions: Mapping[str, Function]) -> Carried:
    """Return a module that imports the modules which define tables, and names the metadata by its reference.

    It is for an env.py whose own way to the metadata exists only while it runs.
    """
    own = {name.partition(".")[0] for name in modules}
    source, found = _Source("", [], frozenset(own)), Carried()
    module, _, name = reference.partition(":")
    lines = [*(f"import {one}" for one in modules), f"import {module}", "", f"metadata = {module}.{name}"]
    for option, function in functions.items():
        lines += _filter(source, option, function, found, set())
    found.text = _HEAD.format(project=project) + "\n".join([*dict.fromkeys(lines), ""])
    return found


def _filter(source: _Source, option: str, function: Function, found: Carried, chosen: set[int]) -> list[str]:
    """Add a function to what is carried. Return the line that gives it the name of its option, if it has another."""
    if option not in FILTERS:
        found.not_carried.append(f"{option}={function.name}: {NOT_NEEDED.get(option, NOT_ASKED)}")
        return []
    value = _given(source.body, option) or ast.Name(function.name.rpartition(".")[2], ast.Load())
    tried = set(chosen)
    if problem := _close(source, _names(value), tried):
        if function.module.partition(".")[0] in source.own and function.name.isidentifier():
            found.functions.append(option)
            return [f"from {function.module} import {function.name} as {option}"]
        found.not_carried.append(f"{option}: {problem}")
        return []
    chosen |= tried
    found.functions.append(option)
    spelled = ast.unparse(value)
    return [] if spelled == option else [f"{option} = {spelled}"]


def _written(text: str, statement: ast.stmt) -> str:
    """Return the source of a statement, with its decorators. A function that was inside of another one moves out."""
    first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : statement.end_lineno]))


def _flat(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of the module, and the functions that are defined inside of others."""
    nested = [
        one
        for outer in tree.body
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for one in ast.walk(outer)
        if isinstance(one, ast.FunctionDef) and one is not outer
    ]
    return [*tree.body, *nested]


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = set[str]()
    for one in ast.walk(statement):
        if isinstance(one, ast.alias):
            found.add(one.asname or one.name.partition(".")[0])
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
    return found


def _names(node: ast.AST) -> set[str]:
    """Return the names that an expression or a statement needs from outside."""
    used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    inner = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    inner |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    return used - inner - {*dir(builtins)}


def _given(body: Sequence[ast.stmt], option: str) -> ast.expr | None:
    """Return what a call of context.configure() gives for an option."""
    for call in (one for statement in body for one in ast.walk(statement) if isinstance(one, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "configure":
            for keyword in call.keywords:
                if keyword.arg == option:
                    return keyword.value
    return None


def _modules(statement: ast.stmt) -> Iterator[str]:
    """Yield the modules that a statement imports."""
    for one in ast.walk(statement):
        if isinstance(one, ast.Import):
            yield from (alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            yield one.module or ""


def _registers(statement: ast.stmt, source: _Source) -> bool:
    """Return whether a statement may register models or plug-ins: it imports a module of the project, or calls one."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return True
    tops = {name.partition(".")[0] for name in _modules(statement)}
    if tops & {*source.own, "alembic_utils", "alembic_postgresql_enum"}:
        return not _names(statement) & _HERE
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    if isinstance(statement.value.func, ast.Attribute) and statement.value.func.attr in _ACTS:
        return False
    called = next((one.id for one in ast.walk(statement.value.func) if isinstance(one, ast.Name)), "")
    imported = [one for one in source.binding(called) if _registers(one, source)]
    return bool(imported) and not _close(source, _names(statement), set())


def _close(source: _Source, names: set[str], chosen: set[int]) -> str:
    """Add the statements that give these names, and what they need. Return why that is not possible, or nothing."""
    waiting, done = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in done or name == "__file__":
            continue
        done.add(name)
        binding = source.binding(name)
        if not binding:
            return f"it uses {name}, which env.py does not give at its top"
        for one in binding:
            if running := _runs_in(name, one):
                return f"it uses {name}, which exists only while {running} runs (line {one.lineno})"
            chosen.add(source.body.index(one))
            waiting += _names(one)
    return ""


def _runs_in(name: str, statement: ast.stmt) -> str:
    """Return the program without which a name that the statement gives has no value; nothing for an ordinary name."""
    if isinstance(statement, ast.ImportFrom):
        every = [alias.name for alias in statement.names if name in (alias.asname, alias.name)]
        return next((program for one in every if (program := RUNNING.get((statement.module or "", one)))), "")
    return "Alembic" if "alembic.context" in _modules(statement) else ""
