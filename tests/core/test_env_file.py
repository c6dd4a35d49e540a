"""One .env, read by Python, by scripts/env.awk and by Compose: each line is read alike, or is refused"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from scripts.core.env_file import read
from tests.conftest import ROOT

ALIKE = {
    "": "",
    " b": "b",
    "b  ": "b",
    "\tb\t": "b",
    "b # a comment": "b",
    "b # c # d": "b",
    "b\t # c": "b",
    "b#c": "b#c",
    "b=c": "b=c",
    "=": "=",
    "a b  c": "a b  c",
    'it\'s "so"': 'it\'s "so"',
    r"C:\new\t": r"C:\new\t",
    "é€": "é€",
    "`id`;&|*~!%{}[]": "`id`;&|*~!%{}[]",
    "''": "",
    '""': "",
    "'' # c": "",
    "'b'": "b",
    " 'b' ": "b",
    "'b'#c": "b",
    "'b' # it's \"$c\" \\": "b",
    "'a$b ${c} $(d) #e'": "a$b ${c} $(d) #e",
    "' a '": " a ",
    "'say \"x\"'": 'say "x"',
    r"'it\'s'": "it's",
    r"'\n \" \$ C:\new'": r"\n \" \$ C:\new",
    "'é€\u00a0'": "é€\u00a0",
    "'a\nb'": "a\nb",
    '"b #c"': "b #c",
    '"it\'s"': "it's",
    r'"\"b\" \\ \n\t\r."': '"b" \\ \n\t\r.',
    r'"\\\"b\\"': '\\"b\\',
    '"a\n# b\n"': "a\n# b\n",
    "'; touch canary; '": "; touch canary; ",
    "\"'; touch canary; '\"": "'; touch canary; '",
}

NO_ASSIGNMENT = "is not NAME=value"
COMMENT = "has a # that may begin a comment: put the value in quotes"
DOLLAR = "has a $ outside of single quotes"
BLANK = "has a blank that is no space: put the value in quotes"
BACKSLASH = "has a backslash that is read in two ways"
CONTROL = "has a control character"
TRAILING = "has text after its closing quote"

REFUSED = {
    "A": NO_ASSIGNMENT,
    "A: b": NO_ASSIGNMENT,
    "A B=c": NO_ASSIGNMENT,
    "A.B=c": NO_ASSIGNMENT,
    "1A=c": NO_ASSIGNMENT,
    "É=c": NO_ASSIGNMENT,
    "'A'=c": NO_ASSIGNMENT,
    "=c": NO_ASSIGNMENT,
    "export A": NO_ASSIGNMENT,
    "export=c": NO_ASSIGNMENT,
    "export =c": NO_ASSIGNMENT,
    "A=#b": COMMENT,
    "A= # b": COMMENT,
    "A=b\t#c": COMMENT,
    "A=b$c": DOLLAR,
    "A=b$": DOLLAR,
    "A=${B}": DOLLAR,
    r"A=b\$c": DOLLAR,
    'A="b$c"': DOLLAR,
    "A=b\u00a0": BLANK,
    "A=\u3000b": BLANK,
    "A=b\u2028c": BLANK,
    "A=b\u0085c": BLANK,
    r"A='b\\'": BACKSLASH,
    r"A='b\\c'": BACKSLASH,
    r'A="it\'s"': BACKSLASH,
    r'A="b\q"': BACKSLASH,
    r'A="\\\q"': BACKSLASH,
    "A='b'c": TRAILING,
    "A='b' c": TRAILING,
    "A='b'B='c'": TRAILING,
    "A='b'\u00a0": TRAILING,
    "A='b": "opens a quote that is never closed",
    r"A='b\'": "opens a quote that is never closed",
    "A=b\x01": CONTROL,
    "A=b\0": CONTROL,
    "A='b\x1c'": CONTROL,
    "# b\r c": CONTROL,
    "A='b\r\nc'": CONTROL,
}


def by_python(path: Path) -> dict[str, str]:
    found = read(path)
    assert not found.faults
    return found.values


def shell(path: Path, script: str, *words: str) -> str:
    """What a script says beside this .env that has the functions of the shell scripts."""
    scripts = path.parent / "scripts"
    if not scripts.exists():
        scripts.symlink_to(ROOT / "scripts")
    command = ["sh", "-euc", f". scripts/place.sh; {script}", "sh", *words]
    return subprocess.run(command, cwd=path.parent, capture_output=True, check=True).stdout.decode()


def shell_faults(path: Path) -> list[str]:
    return shell(path, "read_env -v faults=1").splitlines()


def by_shell(path: Path, names: list[str]) -> dict[str, str]:
    """What the shell scripts read, in the way in which they do."""
    each = """settings=$*; read_settings; for name; do setting "$name"; printf '\\0'; done"""
    return dict(zip(names, shell(path, each, *names).split("\n\0"), strict=False))


def by_compose(path: Path, names: list[str]) -> dict[str, str]:
    service = {"image": "x", "environment": names}
    (path.parent / "docker-compose.yml").write_text(json.dumps({"services": {"app": service}}))
    words = ["docker", "compose", "--project-name", "x", "config", "--format", "json"]
    only = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "DOCKER_HOST": "unix:///nowhere"}
    found = subprocess.run(words, cwd=path.parent, env=only, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    values = json.loads(found.stdout)["services"]["app"]["environment"]
    # What it prints is a Compose file again, where $$ is a $.
    return {name: value.replace("$$", "$") for name, value in values.items()}


def has_compose() -> bool:
    try:
        return not subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    except OSError:
        return False


@pytest.mark.parametrize("reader", ["python", "shell", "compose"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", ""], ids=["lf", "crlf", "none"])
def test_a_line_means_the_same_to_each_reader(tmp_path: Path, reader: str, ending: str) -> None:
    if reader == "compose" and not has_compose():
        pytest.skip("no Compose here")
    meanings = [(value, meaning) for value, meaning in ALIKE.items() if ending == "\n" or "\n" not in value]
    starts = ["A{}=", "export A{}=", "  A{}=", "export \tA{} ="]
    lines = [starts[number % len(starts)].format(number) + value for number, (value, _) in enumerate(meanings)]
    text = (ending or "\n").join(["# a comment", "", "TWICE=1", *lines, " \t", "TWICE=2"]) + ending
    expected = {f"A{number}": meaning for number, (_, meaning) in enumerate(meanings)} | {"TWICE": "2"}
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    found = {
        "python": lambda: by_python(path),
        "shell": lambda: by_shell(path, list(expected)),
        "compose": lambda: by_compose(path, list(expected)),
    }[reader]()

    assert found == expected
    if reader == "shell":
        assert shell_faults(path) == []
        assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_they_would_read_differently_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(f"# a comment\n\nB=1\n{line}\nC=2\n".encode())

    assert read(path).faults[0] == f"line 4 {REFUSED[line]}"
    assert shell_faults(path)[0] == f".env line 4: {REFUSED[line]}"
    assert by_shell(path, ["B", "A"]) == {"B": "1", "A": ""}


@pytest.mark.parametrize("content", [b"A=b\xff", b"# \xe9t\xe9", b"A='\xed\xa0\x80'", b"A=\xc0\xaf"])
def test_what_is_no_utf_8_is_refused_with_its_number(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"B=1\n" + content + b"\n")

    assert read(path).faults == ["line 2 is not UTF-8 text"]
    assert shell_faults(path) == [".env line 2: is not UTF-8 text"]
