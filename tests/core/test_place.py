"""scripts/core/place.py; what the make targets do with the record is in tests/scripts/test_place.py"""

import os
import pwd
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.core import place, settings
from scripts.core.errors import UserError
from scripts.core.postgres import connections
from scripts.core.settings import Settings
from tests.conftest import needs_embedded

OTHER = pwd.getpwnam("daemon").pw_uid


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(place, "ROOT", tmp_path)
    return tmp_path


def write(checkout: Path, *lines: str) -> None:
    (checkout / ".postgres").mkdir()
    (checkout / ".postgres" / "place").write_text("\n".join([*lines, ""]))


def test_without_a_record_the_servers_are_in_the_checkout(checkout: Path) -> None:
    assert place.folder() == checkout / ".postgres"
    assert place.read() == {}


def test_what_is_recorded_stays_beside_what_was(checkout: Path) -> None:
    write(checkout, "id=1", f"checkout={checkout}", "env=POSTGRES_DB=a=b", "env=DB_PORT=1", "embedded=old")

    place.record_embedded(checkout / ".postgres" / "target")

    lines = (checkout / ".postgres" / "place").read_text().splitlines()
    assert lines == [
        *("id=1", f"checkout={checkout}", "env=POSTGRES_DB=a=b", "env=DB_PORT=1", "embedded=.postgres/target"),
    ]
    assert place.read()["embedded"] == ".postgres/target"


def test_a_first_record_says_whose_it_is(checkout: Path) -> None:
    place.record_embedded(checkout / ".postgres" / "target")

    assert place.read()["checkout"] == str(checkout)
    assert len(place.read()["id"]) == 16


@pytest.mark.parametrize("exists", [True, False])
def test_the_record_of_another_checkout_is_refused(checkout: Path, exists: bool) -> None:
    other = checkout / "other"
    if exists:
        other.mkdir()
    write(checkout, "id=1", f"checkout={other}")

    with pytest.raises(UserError, match=f"This checkout was copied or moved from {other}"):
        place.folder()


def test_the_same_folder_under_another_name_is_this_checkout(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(checkout)
    write(checkout, "id=1", f"checkout={link}")

    assert place.folder() == checkout / ".postgres"


@needs_embedded
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
@pytest.mark.parametrize(("mode", "said"), [(0o644, ".postgres belongs to root"), (0o600, "belongs to root")])
def test_the_data_of_another_account_are_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch, mode: int, said: str
) -> None:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(place, "ROOT", Path(name))
        write(Path(name))
        (Path(name) / ".postgres" / "place").chmod(mode)
        os.setresuid(OTHER, OTHER, 0)
        try:
            with pytest.raises(UserError, match=said) as caught:
                place.folder()
        finally:
            os.setresuid(0, 0, 0)

    assert ("Do", "run the command as root") in caught.value.facts


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("embedded=.postgres/target", "The data of this checkout's database are gone"),
        ("docker=z-1 z-1_db", "This checkout's database is in Docker: volume z-1_db, of Compose project z-1."),
    ],
)
def test_a_new_database_beside_a_recorded_one_has_to_be_accepted(checkout: Path, line: str, said: str) -> None:
    place.check_new(accepted=False)
    write(checkout, line)

    with pytest.raises(UserError, match=said):
        place.check_new(accepted=False)
    place.check_new(accepted=True)


def test_a_container_whose_env_file_shows_again_is_no_copy(
    checkout: Path, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(checkout, "id=1", f"checkout={checkout / 'other'}")
    monkeypatch.delenv("POSTGRES_HOST", raising=False)
    seen = replace(settings.load(), runtime="docker", external=False, source="/srv/.env")
    with pytest.raises(UserError, match="This checkout was copied or moved"):
        connections.ensure_server(seen)

    monkeypatch.setenv("POSTGRES_HOST", "db")

    connections.ensure_server(replace(seen, in_container=settings.load().in_container))
