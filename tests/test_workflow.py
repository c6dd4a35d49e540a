"""The workflow for the repository of a user, run step by step as GitHub does."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, copy_project, needs_embedded

FILE = ROOT / ".github" / "workflows" / "migrations.yml"
WORKFLOW = FILE.read_text()
GOOD = "op.execute(\"UPDATE social_posts SET body = body WHERE body = ''\")"
BAD = 'op.execute("CREATE INDEX by_body ON social_posts (published_at)")'
# It has one page of comments, and answers as `--jq` would.
GH = """#!/bin/sh
printf '%s\\n' "$*" >>"$0.calls"
for word; do case $word in body=@*) cp "${word#body=@}" "$0.body" ;; esac; done
case "$*" in *--paginate*) cat "$0.comments" ;; esac
"""


def steps() -> dict[str, str]:
    """Name and command of each step, in order."""
    found = {}
    for part in re.split(r"^      - ", WORKFLOW, flags=re.MULTILINE)[1:]:
        named = re.match(r"name: (.+)", part)
        command = re.search(r"^        run: (\|\n(?:          .*\n|\n)+|.+\n)", part, re.MULTILINE)
        if named and command:
            found[named[1]] = re.sub(r"^          ", "", command[1].removeprefix("|\n"), flags=re.MULTILINE)
    return found


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not actionlint:
        pytest.skip("this machine has no package of actionlint")

    done = subprocess.run([actionlint, str(FILE)], capture_output=True, text=True, check=False, cwd=ROOT)

    assert (done.returncode, done.stdout) == (0, "")


def test_it_may_do_little_and_needs_no_secret() -> None:
    permissions = re.findall(r"^ *permissions:\n((?: +[\w-]+: \w+\n)+)", WORKFLOW, re.MULTILINE)
    writing = WORKFLOW.split("\n  comment:\n")[1]

    assert [" ".join(one.split()) for one in permissions] == ["contents: read", "pull-requests: write"]
    assert "pull-requests: write" in writing
    assert "make " not in writing
    assert "checkout" not in writing
    assert not re.search(r"\bsecrets\.|pull_request_target", WORKFLOW)
    used = re.findall(r"uses: (.+)", WORKFLOW)
    assert [one for one in used if not re.fullmatch(r"actions/[\w-]+@(v\d+|[0-9a-f]{40})", one)] == []
    assert "github.event.pull_request.head.repo.full_name == github.repository" in writing
    assert "persist-credentials: false" in WORKFLOW


def test_no_command_contains_what_the_author_of_a_pull_request_can_write() -> None:
    """An expression in `run:` becomes a part of the script. A name of a branch may be `$(…)`."""
    assert len(steps()) == 6
    assert [name for name, command in steps().items() if "${{" in command] == []


class Repository:
    """A clone with the base branch and a pull request, whose commit is checked out as GitHub does."""

    def __init__(self, folder: Path, statement: str) -> None:
        self.path = copy_project(folder)
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self.base = self.commit("base")
        self.git("update-ref", "refs/remotes/origin/main", self.base)
        self.git("switch", "--quiet", "--create", "feature")
        newest = re.findall(
            r'^revision = "(\w+)"', (ROOT / sorted(ROOT.glob("alembic/versions/*.py"))[-1]).read_text(), re.M
        )
        text = f'"""next"""\n\nfrom alembic import op\n\nrevision = "abcd01"\ndown_revision = "{newest[0]}"\n'
        (self.path / "alembic/versions/next.py").write_text(
            f"{text}branch_labels = depends_on = None\n\n\ndef upgrade() -> None:\n    {statement}\n\n\n"
            "def downgrade() -> None:\n    op.execute('DROP INDEX IF EXISTS by_body')\n"
        )
        self.git("switch", "--quiet", "--detach", self.commit("change"))

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(["git", *identity, *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "RUNTIME": "embedded",
            "BASE": self.base,
            "COMMENTS": "repos/o/r/issues/7/comments",
            "COMMENT": "repos/o/r/issues/comments",
            "T": "tests/test_revisions.py",  # not all of them
        }
        return subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def check(self) -> "list[subprocess.CompletedProcess[str]]":
        """All steps but the last one, which is the other job's."""
        *commands, _ = steps().values()
        try:
            return [self.run(command) for command in commands]
        finally:
            self.run("make down")

    @property
    def report(self) -> Path:
        (found,) = self.path.glob("reports/*/report.json")
        return found.parent

    def comment(self, earlier: str = "") -> tuple[list[str], str]:
        """What the last step asks of GitHub, and the comment."""
        gh = self.folder / "bin" / "gh"
        gh.parent.mkdir(exist_ok=True)
        gh.write_text(GH)
        gh.chmod(0o755)
        (gh.parent / "gh.comments").write_text(earlier)
        (gh.parent / "gh.calls").write_text("")
        done = self.run([*steps().values()][-1])
        assert done.returncode == 0, done.stdout
        return (gh.parent / "gh.calls").read_text().splitlines(), (gh.parent / "gh.body").read_text()


@pytest.mark.faults
@needs_embedded
def test_a_good_pull_request_passes_and_its_summary_becomes_one_comment(tmp_path: Path) -> None:
    repository = Repository(tmp_path, GOOD)

    lint, base, plan, verified, tested = repository.check()
    report = repository.report
    first, body = repository.comment()
    second, _ = repository.comment("4711\n")

    for step in (lint, base, plan, verified, tested):
        assert step.returncode == 0, step.stdout
    assert "Nothing blocks in 1 revision." in lint.stdout
    assert "1 pending revision, run on " in plan.stdout
    assert " passed in " in tested.stdout
    assert {path.name for path in report.iterdir()} == {"index.html", "report.json", "summary.md"}
    assert json.loads((report / "report.json").read_text())["to"] == "abcd01"
    assert repository.git("rev-parse", "HEAD") != repository.base
    assert [line.split(" --")[0] for line in first] == ["api", "api"]
    assert "api --silent repos/o/r/issues/7/comments --field body=@comment.md" in first
    assert "api --silent --method PATCH repos/o/r/issues/comments/4711 --field body=@comment.md" in second
    assert body == "<!-- migrations -->\n" + (report / "summary.md").read_text()


@pytest.mark.faults
@needs_embedded
def test_a_bad_pull_request_is_annotated_at_its_line_and_still_gets_its_report(tmp_path: Path) -> None:
    repository = Repository(tmp_path, BAD)

    lint, base, plan, verified, tested = repository.check()
    report = repository.report

    assert (lint.returncode, base.returncode, plan.returncode, tested.returncode) == (2, 0, 0, 0), lint.stdout
    assert re.search(r"^::error file=alembic/versions/next\.py,line=11,title=H\d+ ", lint.stdout, re.MULTILINE)
    assert verified.returncode == 2, verified.stdout
    assert json.loads((report / "report.json").read_text())["verdict"] == "failed"
