"""A revision whose steps are in two SQL files beside it. It runs without `scripts/`."""

import ast
from pathlib import Path

from scripts.core.migrate import sql_file

ENDINGS = {"upgrade": ".up.sql", "downgrade": ".down.sql"}
_FIRST = "# What psql takes as one piece"
"""Where the code begins that each such revision contains."""


def make(path: Path) -> list[Path]:
    """Let an empty revision execute two SQL files, make these, and return their paths."""
    source = Path(sql_file.__file__).read_text("utf-8")
    tree = ast.parse(source)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    text = _with_imports(path.read_text("utf-8"), imports)
    for function, ending in ENDINGS.items():
        text = _with_body(text, function, f'    _execute("{ending}")')
    made = [path.with_suffix(ending) for ending in ENDINGS.values()]
    for file, function in zip(made, ENDINGS, strict=True):
        with file.open("x", encoding="utf-8") as opened:
            opened.write(f"-- The {function}: each statement is executed by itself.\n")
    path.write_text(f"{text.rstrip()}\n\n\n{source[source.index(_FIRST) :]}", encoding="utf-8")
    return made


def _with_imports(text: str, imports: list[str]) -> str:
    """Return the text with these imports in place of its own; others stay after them."""
    lines, tree = text.splitlines(), ast.parse(text)
    own = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [one for node in own if (one := ast.unparse(node)) not in imports]
    after = own[0].lineno - 1 if own else getattr(tree.body[0], "end_lineno", 0) + 1
    for node in reversed(own):
        del lines[node.lineno - 1 : node.end_lineno]
    standard = [one for one in imports if "sqlalchemy" not in one and "alembic" not in one]
    rest = [one for one in imports if one not in standard]
    lines[after:after] = [*standard, "", *rest, *others, *([] if own else [""])]
    return "\n".join(lines) + "\n"


def _with_body(text: str, function: str, body: str) -> str:
    """Return the text with another body of a function."""
    lines = text.splitlines()
    found = next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == function)
    lines[found.body[0].lineno - 1 : found.end_lineno] = [body]
    return "\n".join(lines) + "\n"
