"""What git knows about revision files. Without git, or outside a repository, it knows nothing."""

import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.core import ROOT, subprocesses


@dataclass(frozen=True)
class Place:
    commit: str
    """The newest commit, on any branch, that has the file."""
    path: str
    where: str
    """The commit and its branches, as a text."""


def find_revision(revision: str, folders: Sequence[str]) -> Place | None:
    """Return a commit and a branch that have this revision's file in one of the folders, or None."""
    listed = ("--format=%H", "--name-only", "--relative", "--diff-filter=AMR")
    log = _git("log", "--all", "-G", _defines(revision), *listed, "--", *folders) if folders else None
    commit = ""
    for line in (log or "").splitlines():
        if not line.endswith(".py"):
            commit = line or commit
        elif f'"{revision}"' in (text := _git("show", f"{commit}:./{line}") or "") or f"'{revision}'" in text:
            return Place(commit[:12], line, where(commit))
    return None


def commit() -> str | None:
    """Return the commit that is checked out."""
    return (_git("rev-parse", "HEAD") or "").strip() or None


def uncommitted(folders: Sequence[str]) -> list[str]:
    """Return revision files and their SQL in these folders that differ from the commit, including deleted ones."""
    status = _git("status", "--porcelain", "--untracked-files=all", "--", *folders) if folders else None
    return [line[3:] for line in (status or "").splitlines() if line.endswith((".py", ".sql"))]


def changed(places: Sequence[str]) -> list[str]:
    """Return the files in these places that differ from the commit."""
    status = _git("status", "--porcelain", "--untracked-files=all", "--", *places) if places else None
    return [line[3:] for line in (status or "").splitlines()]


def main_branch() -> str | None:
    """Return the main branch, if possible as the remote has it; None without git or such a branch."""
    for name in ("origin/HEAD", "origin/main", "origin/master", "main", "master"):
        if _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            return name
    return None


def files_on(branch: str) -> set[str]:
    """Return the Python files that a branch has."""
    listed = _git("ls-tree", "-r", "--name-only", branch) or ""
    return {line for line in listed.splitlines() if line.endswith(".py")}


def has_revision(branch: str, revision: str) -> bool:
    """Return whether a branch has the file of this revision, in any folder."""
    return bool(_git("grep", "--quiet", "-E", "-e", _defines(revision), branch, "--", "*.py") is not None)


def extract(name: str, folder: Path, paths: Sequence[str] = ()) -> bool:
    """Write files of a commit, tag or branch into a folder, without links that lead out of it.

    Return whether git has it, and each of the paths. Without paths these are all files.
    """
    commit = (_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}") or "").strip()
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        if not commit or _git("archive", f"--output={file.name}", commit, "--", *paths) is None:
            return False
        with tarfile.open(file.name) as tar:
            for member in tar:
                _write(tar, member, folder)
    return True


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one member. The filter "data" of tarfile would do, but Debian 12's Python, 3.11.2, does not have it."""
    path = folder / member.name
    if content := tar.extractfile(member) if member.isfile() else None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read())
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
    elif member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.issym() and (path.parent / member.linkname).resolve().is_relative_to(folder.resolve()):
        path.symlink_to(member.linkname)


def authors(paths: Sequence[str]) -> dict[str, str]:
    """Return who last committed a change of each file. A file that was never committed is left out."""
    newest = ("-1",) if len(paths) == 1 else ()  # the history may be long
    listed = ("-z", "--format=%x01%an", "--name-only", "--relative")
    log = _git("log", *newest, *listed, "--", *paths) if paths else None
    found, author = dict[str, str](), ""
    for part in (log or "").split("\0"):
        word = part.removeprefix("\n")
        if word.startswith("\1"):
            author = word[1:].strip()
        elif word:
            found.setdefault(word, author)
    return found


def _defines(revision: str) -> str:
    return f"^revision.*['\"]{revision}['\"]"


def where(commit: str) -> str:
    """Return a commit and its branches, as a text."""
    branches = (_git("branch", "--all", "--contains", commit, "--format=%(refname:short)") or "").split()
    subject = (_git("log", "-1", "--format=%h (%s)", commit) or commit).strip()
    return f"commit {subject}" + (f", branch {', '.join(branches)}" if branches else "")


def _git(*words: str) -> str | None:
    return subprocesses.output(["git", "-C", str(ROOT), "-c", "core.quotePath=false", "--no-optional-locks", *words])
