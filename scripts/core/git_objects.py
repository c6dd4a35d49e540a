"""Every version of a file that git still has: on any branch, in a stash, or in the reflog."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.core import ROOT, subprocesses

_LISTED = ("--raw", "-z", "-m", "--root", "--no-abbrev", "--no-renames", "--diff-filter=AM", "--relative")
"""-m: a stash is a merge commit."""


@dataclass(frozen=True)
class Version:
    commit: str
    path: str
    """From the top of the checkout."""
    blob: str


def versions(folders: Sequence[str]) -> list[Version]:
    """Return every version of the files in these folders, the newest commit first."""
    words = ("log", "--all", "--reflog", "--format=%x01%H", *_LISTED, "--", *folders)
    return list(_parsed(subprocesses.content(_git(*words)))) if folders else []


def contents(found: Sequence[Version]) -> Iterator[tuple[Version, bytes]]:
    """Yield each of these versions with its content."""
    of = {one.blob: one for one in reversed(found)}
    output = subprocesses.content(_git("cat-file", "--batch"), "".join(f"{blob}\n" for blob in of).encode())
    while output:
        head, _, rest = output.partition(b"\n")
        blob, *kind = head.decode().split()
        size = int(kind[1]) if kind[:1] == ["blob"] else -1
        if size >= 0:
            yield of[blob], rest[:size]
        output = rest[size + 1 :]


def _parsed(output: bytes) -> Iterator[Version]:
    commit, blob = "", ""
    for word in output.split(b"\0"):
        text = os.fsdecode(word.lstrip(b"\n"))
        if text.startswith("\x01"):
            commit = text[1:]
        elif text.startswith(":"):
            blob = text.split()[3]
        elif text and blob:
            yield Version(commit, text, blob)
            blob = ""


def _git(*words: str) -> list[str]:
    return ["git", "-C", str(ROOT), *words]
