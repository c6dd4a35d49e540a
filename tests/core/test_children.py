"""Whatever the user's code does, its parent goes on and says what happened"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, ProgrammingError

from scripts.core import child_process, children, messages
from scripts.core.child_process import Deadline
from scripts.core.children import Child, ChildError
from scripts.core.errors import UserError
from tests.conftest import ROOT
from tests.core.running import is_alive, wait_until

LONG = Deadline(60, "It waits.", "PLAN_DEADLINE")
SHORT = Deadline(0.3, "It waits.", "PLAN_DEADLINE")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    (tmp_path / ".env").write_text("PASSWORD=secret\n")
    with children.started([str(tmp_path / ".env"), str(tmp_path / "missing")]) as child:
        yield child


@pytest.fixture
def call(child: Child, sent: list[str]) -> Callable[..., object]:
    """Run a function in the child."""

    def call(function: Callable[..., object], *arguments: object, deadline: Deadline = LONG) -> object:
        return child.call(function, *arguments, environment={"WHERE": "child"}, deadline=deadline)

    return call


def parts() -> tuple[int, int, str, str]:
    messages.send("running")
    messages.progress(1, 2, "rows")
    return os.getpid(), os.getpgid(0), os.environ["WHERE"], os.read(0, 1).decode()


def test_it_runs_in_a_process_group_of_its_own_without_input(child: Child, call: Callable[..., object]) -> None:
    assert call(parts) == (child.pid, child.pid, "child", "")
    assert child.pid != os.getpid()


def test_its_messages_and_its_progress_arrive_here(call: Callable[..., object], sent: list[str]) -> None:
    shown: list[tuple[int, int, str]] = []

    with messages.sent_to(bar=lambda *progress: shown.append(progress)):
        call(parts)

    assert sent == ["running"]
    assert shown == [(1, 2, "rows")]


def fail(error: BaseException) -> None:
    raise error


def test_an_error_arrives_with_its_facts(call: Callable[..., object]) -> None:
    with pytest.raises(UserError) as caught:
        call(fail, UserError("It broke.", why="It is old.", do="mv x y", state="as it was", code=2))

    assert (caught.value.problem, caught.value.code) == ("It broke.", 2)
    assert caught.value.facts == [("Why", "It is old."), ("Do", "mv x y"), ("State", "as it was")]


def refuse() -> None:
    raise ProgrammingError("INSERT INTO users VALUES (:a)", {"a": object}, Exception("no"))


def test_an_error_of_the_database_arrives_without_the_rows(call: Callable[..., object]) -> None:
    with pytest.raises(UserError, match="PostgreSQL: no") as caught:
        call(refuse)

    assert isinstance(caught.value.__cause__, DBAPIError)
    assert caught.value.__cause__.params is None


def divide() -> float:
    return 1 / 0


def test_a_bug_arrives_with_its_traceback(call: Callable[..., object]) -> None:
    with pytest.raises(ChildError, match=r"(?s)in divide.*ZeroDivisionError"):
        call(divide)


def leave(how: str) -> None:
    child_process.begins(str(ROOT / "alembic" / "versions" / "one.py"))
    if how == "sys.exit":
        sys.exit(0)
    if how == "os._exit":
        os._exit(0)
    if how == "exec":
        os.execlp("true", "true")
    if how == "interrupt":
        raise KeyboardInterrupt
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("sys.exit", r"SystemExit\(0\) would end"),
        ("os._exit", r"os\._exit\(\) would end"),
        ("exec", r"os\.execv\(\) would end"),
        ("interrupt", r"one\.py: KeyboardInterrupt would end"),
        ("kill", r"one\.py ended the process that runs it \(SIGKILL\)"),
    ],
)
def test_no_end_of_the_process_is_green(call: Callable[..., object], how: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        call(leave, how)


def test_after_its_end_nothing_more_is_run(call: Callable[..., object]) -> None:
    with suppress(UserError):
        call(leave, "kill")

    with pytest.raises(UserError, match=r"Not run: .*one\.py was stopped before"):
        call(parts)


def loop(*, swallow: bool) -> None:
    child_process.begins(str(ROOT / "alembic" / "versions" / "one.py"))
    while True:
        try:
            while True:
                pass
        except Exception:
            if not swallow:
                raise


def stubborn() -> None:
    loop(swallow=True)


def plain() -> None:
    loop(swallow=False)


def test_what_loops_is_ended_at_the_deadline(call: Callable[..., object]) -> None:
    with pytest.raises(UserError, match=r"still running after 0\.3 s"):
        call(plain, deadline=SHORT)
    assert call(parts)


def reads() -> str:
    for _ in range(3):
        with child_process.own_work():
            time.sleep(0.3)
    return "done"


def test_our_own_work_does_not_count(call: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "GRACE", 0.3)

    assert call(reads, deadline=SHORT) == "done"
    with pytest.raises(UserError, match=r"still running after 0\.3 s"):
        call(plain, deadline=SHORT)


def test_what_catches_that_is_killed(
    call: Callable[..., object], child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "GRACE", 0.2)

    with pytest.raises(UserError, match=r"one\.py was still running after 0\.3 s"):
        call(stubborn, deadline=SHORT)

    child.end()
    assert child.status == signal.SIGKILL


def test_an_interruption_of_the_parent_ends_the_child_and_takes_what_it_has(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    had: list[str] = []

    with pytest.raises(KeyboardInterrupt):
        child.call(wait, environment={}, deadline=LONG, partial=had.append, ready=interrupt)

    assert had == ["half"]
    assert child.status is not None


def wait(*, ready: Callable[[str], None]) -> str:
    try:
        ready("now")
        time.sleep(60)
    except KeyboardInterrupt:
        return "half"
    return "whole"


def shout(folder: Path) -> None:
    child_process.begins(str(folder / "one.py"))
    print("from Python to the user: alice")
    subprocess.run(["echo", "from a program"], check=True)
    print("\n".join(["line"] * 40))
    child_process.begins(str(folder / "two.py"))
    sys.stderr.write("to standard error")


def test_what_is_printed_is_shown_under_the_name_of_the_revision_without_contents_of_rows(
    call: Callable[..., object], sent: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "one.py").write_text("from Python to the user: a program line")
    (tmp_path / "two.py").write_text("to standard error")

    call(shout, tmp_path)

    first, second = sent
    name = os.path.relpath(tmp_path, ROOT)
    assert first.startswith(f"{name}/one.py printed:\n    from Python to the user: …\n    from a program\n    line\n")
    assert first.endswith("… and 22 more lines")
    assert second == f"{name}/two.py printed:\n    to standard error"
    assert capfd.readouterr() == ("", "")


def read_env(folder: Path) -> str:
    return (folder / ".env").read_text()


def look_for_env(folder: Path) -> bool:
    return (folder / ".env").is_file()


def test_a_hidden_file_is_not_there_and_whoever_opens_it_is_named(call: Callable[..., object], tmp_path: Path) -> None:
    assert not call(look_for_env, tmp_path)
    with pytest.raises(UserError, match=r"test_children\.py, line \d+ opens .*\.env") as caught:
        call(read_env, tmp_path)
    assert "os.environ" in str(caught.value)


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time\n"
        "from scripts.core import child_process, children\n"
        "with children.started([]) as child:\n"
        "    print(child.pid, flush=True)\n"
        "    child.pipe.send(child_process.Request(time.sleep, (60,), {}, child_process.Deadline(60, '', ''), []))\n"
        "    time.sleep(0.2)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    pid = int(done.stdout)

    wait_until(lambda: not is_alive(pid))
