"""Every make target, in the containers."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.containers.stack import Result, Stack, run

pytestmark = pytest.mark.timeout(600)


def head(stack: Stack) -> str:
    return stack.sql("SELECT version_num FROM alembic_version").strip()


def test_rollback_plan_and_migrate_move_the_database(dev: Stack) -> None:
    rollback = dev.make("rollback", "CONFIRM=app")
    plan = dev.make("plan")
    behind = dev.make("status")
    migrate = dev.make("migrate")
    status = dev.make("status")

    assert [result.code for result in (rollback, plan, migrate, status)] == [0] * 4, rollback.output + migrate.output
    assert "1 pending revision, run on a copy of the schema of app, without rows:" in plan.output
    assert "CREATE TABLE social_posts" in plan.output
    assert behind.code != 0, "the plan moved nothing"
    assert "nothing" in status.output
    assert dev.is_healthy("scratch")
    host = run(["sh", "-c", "echo $(id -un)@$(uname -n)"]).output.strip()
    assert dev.sql("SELECT run_by FROM migration_log ORDER BY id DESC LIMIT 1").strip() == host


def test_a_dropped_table_comes_back_from_a_backup_that_lies_on_the_host(dev: Stack) -> None:
    """pg_dump is Debian's here: of the server's major, and with zstd."""
    backup = dev.make("backup", "NAME=before")
    (made,) = (dev.folder / "backups").glob("*-before")
    manifest = json.loads((made / "manifest.json").read_text())
    verified = dev.make("verify-backup")
    count = "SELECT count(*) FROM social_posts"
    before = dev.sql(count, "app")
    dev.sql("DROP TABLE social_posts")
    started = dev.inspect("app")["State"]["StartedAt"]

    restored = dev.make("restore", "BACKUP=before", "CONFIRM=app")

    assert backup.code == 0, backup.output
    assert (manifest["client"], manifest["compression"]) == (17, "zstd:3")
    assert made.stat().st_uid == made.parent.stat().st_uid, "the host user's, as the folder is"
    assert verified.code == 0, verified.output
    assert "equals what was backed up" in verified.output
    assert restored.code == 0, restored.output
    assert dev.make("status").code == 0
    assert dev.inspect("app")["State"]["StartedAt"] == started, "it works again by itself"
    assert dev.sql(count, "app") == before
    (drop,) = [line.split(":  ")[1].strip() for line in restored.output.splitlines() if "Drop it:" in line]
    assert run(["sh", "-c", drop], dev.folder).code == 0


def test_revision_is_the_host_users_file_and_takes_the_message_literally(dev: Stack) -> None:
    message = """it's "$HOME" `touch /tmp/x` $(shell touch y); #"""
    before = set((dev.folder / "alembic/versions").glob("*.py"))

    result = dev.make("revision", f"m={message}", "EMPTY=1")

    (made,) = set((dev.folder / "alembic/versions").glob("*.py")) - before
    owner = dev.env_file.stat() if os.geteuid() else made.parent.stat()
    assert result.code == 0, result.output
    assert "`touch /tmp/x` $(shell touch y)" in made.read_text()
    assert (made.stat().st_uid, made.stat().st_gid) == (owner.st_uid, owner.st_gid)
    made.unlink()


def test_accepted_differences_are_a_file_of_the_checkout(dev: Stack) -> None:
    result = dev.make("revision", "ACCEPT=differences")

    path = dev.folder / "alembic/accepted_differences.txt"
    assert result.code == 0, result.output
    assert "Wrote 0 differences to alembic/accepted_differences.txt." in result.output
    path.unlink()


def test_revision_is_written_in_a_folder_that_alembic_ini_names(dev: Stack) -> None:
    options, more = dev.folder / "alembic.ini", dev.folder / "more"
    said = options.read_text()
    (head,) = (dev.folder / "alembic/versions").glob("*_create_social_tables.py")
    more.mkdir()
    more.chmod(0o777)
    head.rename(more / head.name)
    folders = "version_locations = %(here)s/alembic/versions:%(here)s/more"
    options.write_text(said.replace("[alembic]\n", f"[alembic]\n{folders}\n"))

    result = dev.make("revision", "EMPTY=1", "m=elsewhere")

    written = [path.name.partition("_")[2] for path in more.glob("*_elsewhere.py")]
    options.write_text(said)
    (more / head.name).rename(head)
    shutil.rmtree(more)
    assert result.code == 0, result.output
    assert len(written) == 1


def test_stamp_moves_only_the_version(dev: Stack) -> None:
    newest = head(dev)

    refused = dev.make("stamp", "REV=base")
    base = dev.make("stamp", "REV=base", "ACCEPT=stamp")
    back = dev.make("stamp", f"REV={newest}")

    assert "✗ The database has another schema than base:" in refused.output
    assert (base.code, back.code) == (0, 0), base.output + back.output
    assert newest in dev.make("current").output


def test_history_current_and_any_alembic_command_know_the_head(dev: Stack) -> None:
    newest = head(dev)

    outputs = [dev.make(*words).output for words in (["history"], ["current"], ["alembic", "c=heads"])]

    assert all(newest in output for output in outputs), outputs


def test_reset_wants_the_name_and_gets_it_from_outside(dev: Stack) -> None:
    refused = dev.make("reset")
    done = dev.make("reset", "CONFIRM=app")

    assert refused.code != 0
    assert done.code == 0, done.output
    assert dev.make("status").code == 0


def test_seed_adds_rows(dev: Stack) -> None:
    result = dev.make("seed")

    assert result.code == 0, result.output
    assert dev.sql("SELECT * FROM users") != ""


def test_psql_in_a_shell_connects_and_both_streams_keep_their_order(dev: Stack) -> None:
    lines = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done; psql -XAtc 'SELECT current_database()'\n"

    result = run(["make", "--no-print-directory", "shell"], dev.folder, lines)

    written = [line for line in result.output.splitlines() if line.startswith(("out", "err", "app"))]
    assert written == [*(f"{stream} {n}" for n in range(1, 6) for stream in ("out", "err")), "app"]
    assert "no name" not in result.output


def test_psql_reads_statements_from_a_pipe(dev: Stack) -> None:
    result = run(["make", "psql"], dev.folder, stdin="SELECT 40 + 2;\n")

    assert "42" in result.output


def test_tests_run_in_the_dev_image_against_scratch(dev: Stack) -> None:
    result = dev.make("test", "T=tests/core/revisions/test_history.py")

    assert result.code == 0, result.output
    assert "passed" in result.output
    assert dev.inspect("scratch")["State"]["Running"]


def test_format_writes_as_the_host_user(dev: Stack) -> None:
    crooked = dev.folder / "app/crooked.py"
    crooked.write_text("x  =  1\n")
    owner = dev.folder.stat()
    os.chown(crooked, owner.st_uid, owner.st_gid)

    result = dev.make("format")

    assert result.code == 0, result.output
    assert crooked.read_text() == "x = 1\n"
    assert crooked.stat().st_uid == owner.st_uid
    crooked.unlink()


def test_verb_without_a_running_app_uses_a_container_that_goes_away(dev: Stack) -> None:
    dev.compose("stop", "--timeout", "0", "app")
    before = dev.everything()

    result = dev.make("migrate")

    assert result.code == 0, result.output
    assert dev.everything() == before


def test_setting_of_the_environment_wins_over_that_of_the_running_app(dev: Stack) -> None:
    result = dev.make("status", POSTGRES_DB="elsewhere")

    assert result.code != 0
    assert "elsewhere" in result.output


def test_setting_changed_in_env_file_counts_before_the_next_up(dev: Stack) -> None:
    dev.set(POSTGRES_DB="elsewhere")

    result = dev.make("status")

    assert result.code != 0
    assert "elsewhere" in result.output
    dev.set(POSTGRES_DB="app")


def test_code_in_the_containers_is_the_checkout_but_not_its_env_file(dev: Stack) -> None:
    git = dev.execute("app", "git", "log", "--oneline")
    env = dev.execute("app", "cat", ".env")
    write = dev.execute("app", "touch", "app/new.py")

    assert "copy" in git.output
    assert env == Result(0, "")
    assert "Read-only" in write.output


def test_logs_and_ps_show_the_services(dev: Stack) -> None:
    app = dev.make("logs", "c=app").output
    assert "publishing" in app
    assert "\x1b" not in app
    assert "\nscratch-1 " not in dev.make("logs").output
    mistyped = dev.make("logs", "c=nosuch")
    assert mistyped.code != 0
    assert "✗ There is no service nosuch." in mistyped.output
    assert "(healthy)" in dev.make("ps").output


def test_a_dump_outside_of_the_checkout_is_loaded_and_cannot_be_changed(dev: Stack, tmp_path: Path) -> None:
    """It is mounted for one command. The folder's name has what a shell would read."""
    folder = tmp_path / 'it\'s a "dump" $x'
    folder.mkdir()
    dump = dev.execute("db", "pg_dump", "--username=app_owner", "app")
    (folder / "app.sql").write_text(dump.output)
    (folder / "cluster.sql").write_text(dev.execute("db", "pg_dumpall", "--username=postgres").output)
    os.mkfifo(folder / "pipe")
    before = dev.sql("SELECT count(*) FROM users").strip()

    loaded = dev.make("load", f"FILE={folder / 'app.sql'}", "CONFIRM=app")
    cluster, pipe, missing = (dev.make("load", f"FILE={folder / name}") for name in ("cluster.sql", "pipe", "missing"))

    assert loaded.code == 0, loaded.output
    assert f"✓ app has what {folder / 'app.sql'} contains: 4 tables, " in loaded.output
    assert "  Its environment is development.\n" in loaded.output
    assert "  ✓ roles           app: reads and writes rows\n" in loaded.output
    assert dev.sql("SELECT count(*) FROM users", "app").strip() == before
    assert (folder / "app.sql").read_text() == dump.output
    assert f"{folder / 'cluster.sql'} is a dump of a whole cluster" in cluster.output
    assert f"{folder / 'pipe'} is no regular file." in pipe.output
    assert f"{folder / 'missing'} cannot be read: No such file or directory." in missing.output
    assert dev.make("status").code == 0
    (drop,) = [line.split(":  ")[1].strip() for line in loaded.output.splitlines() if "Drop it:" in line]
    assert run(["sh", "-c", drop], dev.folder).code == 0
