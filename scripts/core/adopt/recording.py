"""What a project's own env.py does. This runs alone, in a process of its own, with the packages of that project.

    python -P recording.py QUESTION.json

It upgrades a throwaway database with the env.py of a copy of the project, and writes what it saw. Every connection of
SQLAlchemy leads to the throwaway database, whatever address the project names. It imports nothing of scripts/.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIMPLE = (str, int, bool, type(None))
UNCONDITIONAL = re.compile(r"((?:^|;)\s*CREATE\s+EXTENSION\s+)(?!IF\s+NOT\b)", re.IGNORECASE)
"""An administrator may have created the extension before."""
DOUBLED = 2 * "%"
"""How an ini file, and a raw statement for psycopg2, have a percent sign."""


def main(question: Path) -> None:
    asked = json.loads(question.read_text(encoding="utf-8"))
    sys.path[:0] = asked["paths"]
    sys.argv[:] = ["alembic"]  # some programs look at their own name
    os.chdir(asked["folder"])
    seen: dict[str, Any] = {"looked_at": [], "connected": False, "ran": False, "project": asked["project"]}
    seen |= {name: [] for name in ("statements", "doubled")} | {"options": {}}
    _watch_variables(seen["looked_at"], re.compile(asked["names"]))
    try:
        found = _described(asked) if asked["reference"] else _recorded(asked, seen)
    except BaseException as error:
        known = {name: seen[name] for name in ("looked_at", "connected")}
        found = {**known, "error": _error(error, asked["project"])}
    Path(asked["answer"]).write_text(json.dumps(found), encoding="utf-8")


def _described(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of one metadata, when only its own module is imported."""
    from functools import reduce
    from importlib import import_module

    module, _, name = asked["reference"].partition(":")
    metadata: Any = reduce(getattr, name.split("."), import_module(module))
    several = metadata if isinstance(metadata, list | tuple) else [getattr(metadata, "metadata", metadata)]
    return {"tables": sorted(name for one in several for name in one.tables)}


def _recorded(asked: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    _redirect(asked["url"], seen)
    _watch(EnvironmentContext, seen)
    toml = {"toml_file": asked["toml"]} if asked["toml"] else {}
    with _flask(asked) as flask:
        config = flask or Config(asked["ini"], ini_section=asked["section"], **toml)
        config.set_main_option("sqlalchemy.url", asked["given"].replace("%", DOUBLED))
        _upgrade(lambda: command.upgrade(config, "heads"))
    script = seen.pop("script", None)
    if script is None:
        raise RuntimeError("env.py has not called context.configure()")
    options = seen.pop("options")
    metadata = options.get("target_metadata")
    several = list(metadata) if isinstance(metadata, list | tuple) else [metadata] if metadata is not None else []
    return {
        **seen,
        "env": str(Path(script.env_py_location).resolve()),
        "revisions": {one.revision: str(Path(one.path).resolve()) for one in script.walk_revisions()},
        "heads": list(script.get_heads()),
        "simple": {name: value for name, value in options.items() if isinstance(value, SIMPLE)},
        "functions": {name: _place(value) for name, value in options.items() if callable(value)},
        "objects": [
            name for name, value in options.items() if not isinstance(value, SIMPLE) and value and not callable(value)
        ],
        "tables": sorted(name for one in several for name in one.tables),
        "references": [_references(one, asked["project"]) for one in several],
        "defining": sorted({name for one in several for name in _defining(one, asked["project"])}),
        "modules": {name: str(path) for name, path in _modules(asked["project"])},
    }


@contextmanager
def _flask(asked: dict[str, Any]) -> Iterator[Any]:
    """Yield the configuration that Flask-Migrate makes, in the context of the application; None without it."""
    if not asked["flask"]:
        yield None
        return
    from importlib import import_module

    flask: Any = import_module("flask.cli")
    os.chdir(asked["project"])
    application = flask.ScriptInfo(app_import_path=os.environ.get("FLASK_APP") or asked["flask_app"] or None).load_app()
    with application.app_context():
        yield application.extensions["migrate"].migrate.get_config(str(Path(asked["ini"]).parent))


def _upgrade(work: Callable[[], None]) -> None:
    """Run the upgrade; in a worker thread of AnyIO, if env.py needs one."""
    try:
        work()
    except RuntimeError as error:
        if "AnyIO worker thread" not in str(error):
            raise
        from importlib import import_module

        anyio: Any = import_module("anyio")
        anyio.run(anyio.to_thread.run_sync, work)


def _watch_variables(looked_at: list[str], names: "re.Pattern[str]") -> None:
    """Note the variables that are looked at and not set, and that may have the URL of a database."""
    kind: Any = type(os.environ)
    read = kind.__getitem__

    def noted(self: Any, name: str) -> str:
        try:
            value: str = read(self, name)
        except KeyError:
            if names.fullmatch(name) and name not in looked_at:
                looked_at.append(name)
            raise
        return value

    kind.__getitem__ = noted
    kind.__contains__ = Mapping.__contains__


def _redirect(url: str, seen: dict[str, Any]) -> None:
    """Let every new connection lead to the throwaway database."""
    from sqlalchemy import Engine, event
    from sqlalchemy.engine import make_url

    def connect(dialect: Any, _record: object, words: list[Any], options: dict[str, Any]) -> None:
        if dialect.name != "postgresql":
            raise RuntimeError(f"env.py connects to {dialect.name}, not to PostgreSQL")
        seen["connected"] = True
        address = make_url(url).set(drivername=f"postgresql+{dialect.driver}")
        given, named = dialect.create_connect_args(address)
        words[:] = given
        for name in ("host", "port", "user", "password", "database", "dbname", "dsn", "service", "ssl", "sslmode"):
            options.pop(name, None)
        options.update(named)

    event.listen(Engine, "do_connect", connect)


def _watch(environment: Any, seen: dict[str, Any]) -> None:
    """Note the options of context.configure(), and the statements that env.py executes besides the revisions."""
    running: list[bool] = []
    configure, migrate = environment.configure, environment.run_migrations

    def noted_configure(self: Any, *words: Any, **options: Any) -> None:
        seen["options"].update(options)
        seen["script"] = self.script
        configure(self, *words, **options)

    def noted_run(self: Any, **options: Any) -> None:
        if options or seen["ran"]:
            raise RuntimeError("env.py runs the revisions for several databases or schemas")
        seen["ran"] = True
        running.append(True)
        try:
            migrate(self, **options)
        finally:
            running.pop()

    environment.configure, environment.run_migrations = noted_configure, noted_run
    _watch_statements(running, seen)


def _watch_statements(running: list[bool], seen: dict[str, Any]) -> None:
    from sqlalchemy import Engine, event

    def executed(connection: Any, _its: Any, statement: str, values: Any, context: Any, _many: bool) -> tuple[str, Any]:
        is_literal = connection.dialect.paramstyle not in ("format", "pyformat")
        is_doubled = "%" in statement and "%" not in statement.replace(DOUBLED, "")
        if running and is_literal and is_doubled and context.compiled is None:
            seen["doubled"].append(_innermost(traceback.extract_stack(), seen["project"]))
        word = statement.split(None, 1)[0].upper() if statement.strip() else ""
        if not running and word not in ("SELECT", "SHOW", "BEGIN", "COMMIT", "ROLLBACK"):
            seen["statements"].append(" ".join(statement.split()))
        return UNCONDITIONAL.sub(r"\1IF NOT EXISTS ", statement), values

    event.listen(Engine, "before_cursor_execute", executed, retval=True)


def _modules(project: str) -> Iterator[tuple[str, Path]]:
    """Yield the imported modules whose files are in the project, shortest name first."""
    for name in sorted(sys.modules, key=lambda name: (name.count("."), name)):
        file = getattr(sys.modules[name], "__file__", None)
        if file and name != "__main__" and (path := Path(file).resolve()).is_relative_to(project):
            yield name, path


def _references(metadata: Any, project: str) -> list[str]:
    """Return the spellings module:attribute of a metadata, shortest first."""
    found = []
    for module, _ in _modules(project):
        for name, value in list(vars(sys.modules[module]).items()):
            try:
                if value is metadata:
                    found.append(f"{module}:{name}")
                elif not hasattr(value, "__table__") and value.metadata is metadata:
                    found.append(f"{module}:{name}.metadata")
            except Exception:  # noqa: S112 - the project's objects may refuse to be looked at
                continue
    return [one for one in found if not one.partition(":")[2].startswith("__")]


def _defining(metadata: Any, project: str) -> Iterator[str]:
    """Yield the modules that define tables of a metadata."""
    for module, _ in _modules(project):
        for value in list(vars(sys.modules[module]).values()):
            is_class = isinstance(value, type) and value.__module__ == module
            table = vars(value).get("__table__") if is_class else value
            if type(table).__name__ == "Table" and table.metadata is metadata:
                yield module


def _place(function: Any) -> dict[str, Any]:
    return {
        "name": getattr(function, "__qualname__", type(function).__name__),
        "module": getattr(function, "__module__", ""),
    }


def _innermost(frames: traceback.StackSummary, project: str) -> str:
    """Return the file and line of the project that ran last."""
    inside = [one for one in frames if one.filename.startswith(project)]
    return f"{os.path.relpath(inside[-1].filename, project)}, line {inside[-1].lineno}" if inside else ""


def _error(error: BaseException, project: str) -> dict[str, str]:
    place = _innermost(traceback.extract_tb(error.__traceback__), project)
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(project):
        place = f"{os.path.relpath(error.filename, project)}, line {error.lineno}"
    missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    words = str(error).strip().partition("\n")[0]
    statement = str(getattr(error, "statement", ""))
    return {"place": place, "words": f"{type(error).__name__}: {words}", "missing": missing, "statement": statement}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
