"""scripts/core/revisions/history.py"""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from scripts.core import revision_files
from scripts.core.errors import USAGE, UserError
from scripts.core.revisions import history

Files = Callable[..., history.History]

# What comes after what. "line" is the usual case, "fork" has two heads, "merged" joins them.
LINE = {"aa11": None, "aa22": "aa11", "bb33": "aa22"}
FORK = {**LINE, "cc44": "aa22"}
MERGED = {**FORK, "dd55": ("bb33", "cc44")}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Revision files from {revision: what it comes after}."""

    def write(tree: dict[str, object]) -> history.History:
        (tmp_path / "versions").mkdir()
        for revision, down in tree.items():
            (tmp_path / "versions" / f"{revision}.py").write_text(
                f'"""what {revision} does"""\nrevision = "{revision}"\ndown_revision = {down!r}\n'
            )
        return ScriptDirectory(str(tmp_path))

    return write


def ids(found: list[Script]) -> list[str]:
    return [one.revision for one in found]


@pytest.mark.parametrize(
    ("wanted", "revision"),
    [("aa11", "aa11"), ("b", "bb33"), ("aa2", "aa22"), ("head", "bb33"), ("heads", "bb33"), ("base", "base")],
)
def test_a_revision_is_found_by_id_prefix_head_or_base(files: Files, wanted: str, revision: str) -> None:
    assert history.resolve(files(LINE), wanted) == revision


def test_a_whole_id_wins_over_longer_ones_that_begin_with_it(files: Files) -> None:
    assert history.resolve(files({"aa": None, "aabb": "aa"}), "aa") == "aa"


def test_an_ambiguous_prefix_is_refused_with_the_candidates(files: Files) -> None:
    with pytest.raises(UserError, match="REV=aa matches 2 revisions") as caught:
        history.resolve(files(LINE), "aa")

    assert caught.value.code == USAGE
    assert "aa11  what aa11 does" in caught.value.problem
    assert "aa22  what aa22 does" in caught.value.problem
    assert "bb33" not in caught.value.problem


@pytest.mark.parametrize("wanted", ["zz", "", "%", "-1", "+1", "head:base", "aa11@head", "../x", "a' OR 1=1"])
def test_an_unknown_revision_is_refused_with_the_newest(files: Files, wanted: str) -> None:
    with pytest.raises(UserError, match="is no revision of this checkout") as caught:
        history.resolve(files(LINE), wanted)

    assert caught.value.code == USAGE
    assert "bb33  what bb33 does" in caught.value.problem


@pytest.mark.parametrize("wanted", ["head", "heads"])
def test_two_heads_are_named(files: Files, wanted: str) -> None:
    with pytest.raises(UserError, match="There are 2 heads") as caught:
        history.resolve(files(FORK), wanted)

    assert "bb33  what bb33 does" in caught.value.problem
    assert "cc44  what cc44 does" in caught.value.problem
    assert ("Do", 'make merge m="merge the two", or name one of them: REV=<revision>') in caught.value.facts


def test_without_files_head_is_base(files: Files) -> None:
    assert history.head(files({})) == "base"


@pytest.mark.parametrize(
    ("at", "target", "expected"),
    [
        ((), "bb33", ["aa11", "aa22", "bb33"]),
        ((), "aa22", ["aa11", "aa22"]),
        (("aa11",), "bb33", ["aa22", "bb33"]),
        (("bb33",), "bb33", []),
        ((), "base", []),
    ],
)
def test_pending_is_what_lies_between(files: Files, at: tuple[str, ...], target: str, expected: list[str]) -> None:
    assert ids(history.pending(files(LINE), at, target)) == expected


@pytest.mark.parametrize(
    ("at", "target", "expected"),
    [
        (("bb33",), "cc44", ["cc44"]),
        (("bb33", "cc44"), "dd55", ["dd55"]),
        (("bb33",), "dd55", ["cc44", "dd55"]),
    ],
)
def test_pending_knows_branches(files: Files, at: tuple[str, ...], target: str, expected: list[str]) -> None:
    assert ids(history.pending(files(MERGED), at, target)) == expected


@pytest.mark.parametrize("target", ["aa11", "base"])
def test_an_upgrade_to_what_lies_behind_is_refused(files: Files, target: str) -> None:
    with pytest.raises(UserError, match=f"{target} is older than the database, which is at bb33") as caught:
        history.pending(files(LINE), ("bb33",), target)

    assert caught.value.facts[0] == ("Do", f"make rollback REV={target}")


def test_an_odd_id_is_printed_as_a_shell_needs_it(files: Files) -> None:
    odd = files({"it's $1": None, "bb33": "it's $1"})

    with pytest.raises(UserError) as caught:
        history.pending(odd, ("bb33",), "it's $1")

    assert shlex.split(dict(caught.value.facts)["Do"])[-1] == "REV=it's $1"


@pytest.mark.parametrize(
    ("at", "target", "expected"),
    [(("bb33",), "aa11", ["bb33", "aa22"]), (("bb33",), "base", ["bb33", "aa22", "aa11"]), (("aa11",), "aa11", [])],
)
def test_undone_is_named_newest_first(files: Files, at: tuple[str, ...], target: str, expected: list[str]) -> None:
    assert ids(history.undone(files(LINE), at, target)) == expected


def test_undone_is_only_what_comes_after_the_target_not_what_was_merged_beside_it(files: Files) -> None:
    assert ids(history.undone(files(MERGED), ("dd55",), "bb33")) == ["dd55"]


def test_a_rollback_to_what_is_not_applied_is_refused(files: Files) -> None:
    with pytest.raises(UserError, match="bb33 is not applied"):
        history.undone(files(LINE), ("aa22",), "bb33")


@pytest.mark.parametrize(("steps", "expected"), [(1, "aa22"), (2, "aa11"), (3, "base")])
def test_steps_are_counted_from_the_newest(files: Files, steps: int, expected: str) -> None:
    assert history.steps_back(files(LINE), ("bb33",), steps) == expected


@pytest.mark.parametrize(("at", "words"), [(("bb33",), "only 3 revisions are"), (("aa11",), "only 1 revision is")])
def test_more_steps_than_there_are_is_refused_with_their_number(files: Files, at: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        history.steps_back(files(LINE), at, 99)

    assert caught.value.code == USAGE


@pytest.mark.parametrize("at", [("dd55",), ("bb33", "cc44")])
def test_steps_across_a_fork_are_refused(files: Files, at: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="lead to several revisions") as caught:
        history.steps_back(files(MERGED), at, 2)

    assert any("REV=" in fact for _, fact in caught.value.facts)


def test_what_a_database_lacks_counts_all_heads(files: Files) -> None:
    assert sorted(ids(history.missing(files(FORK), ("aa22",)))) == ["bb33", "cc44"]


def test_a_revision_without_a_file_is_unknown(files: Files) -> None:
    assert history.unknown(files(LINE), ("bb33", "gone")) == ["gone"]


@pytest.mark.parametrize("folder", ["alembic/versions", "alembic/versions/2026/11", "billing/versions", "x/migrations"])
def test_the_place_of_an_error_is_the_innermost_line_of_a_revision_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(revision_files, "ROOT", tmp_path)
    path = tmp_path / folder / "aa11_add.py"
    path.parent.mkdir(parents=True)
    path.touch()
    (tmp_path / "alembic").mkdir(exist_ok=True)
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/alembic\npath_separator = newline\n"
        "recursive_version_locations = true\nversion_locations =\n"
        " %(here)s/alembic/versions\n %(here)s/billing/versions\n %(here)s/x/migrations\n"
    )
    code = compile("def upgrade():\n    int('x')\n\nupgrade()\n", str(path), "exec")

    with pytest.raises(ValueError, match="invalid literal") as caught:
        exec(code)

    assert revision_files.place(caught.value) == f"{folder}/aa11_add.py, line 2"


def test_an_error_from_elsewhere_has_no_place() -> None:
    assert revision_files.place(ValueError("ours")) == ""
