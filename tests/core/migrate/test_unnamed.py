"""Constraints without a name get the application's naming convention, which no migration imports by itself"""

from tests.conftest import Project
from tests.core.running import by_hand, call

MODELS = "app/models/__init__.py"
TABLES = (
    "import sqlalchemy as sa; import sys; assert 'app.models' not in sys.modules;"
    " op.create_table('users', sa.Column('id', sa.Integer, primary_key=True));"
    " op.create_table('t', sa.Column('id', sa.Integer, primary_key=True), sa.Column('x', sa.Integer, unique=True),"
    " sa.Column('user_id', sa.Integer, sa.ForeignKey('users.id')))"
)
UNNAMED = ["t_pkey", "t_user_id_fkey", "t_x_key"]


def names(project: Project) -> list[object]:
    query = "SELECT conname::text FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' ORDER BY 1"
    return [row[0] for row in project.sql(query)]


def without_revisions(project: Project) -> None:
    for path in project.versions.glob("*.py"):
        path.unlink()


def test_every_command_names_constraints_by_the_convention(empty_project: Project) -> None:
    project = empty_project
    without_revisions(project)
    project.write_revision("abcd01", None, TABLES, "op.drop_table('t'); op.drop_table('users')")
    drop = "op.drop_constraint('fk_t_user_id_users', 't')"
    project.write_revision("abcd02", "abcd01", drop, "op.create_foreign_key(None, 't', 'users', ['user_id'], ['id'])")

    written = by_hand(project, "upgrade", "head", "--sql")
    assert "CONSTRAINT pk_t PRIMARY KEY" in written.stdout, written.stderr
    result = call(project)
    assert (result.returncode, names(project)) == (0, ["pk_t", "uq_t_x"]), result.stderr
    result = by_hand(project, "downgrade", "abcd01")
    assert (result.returncode, names(project)) == (0, ["fk_t_user_id_users", "pk_t", "uq_t_x"]), result.stderr

    path = project.path / "app" / "database.py"
    functions = path.read_text().replace('"pk_%(table_name)s"', '"pk_%(own)s", "own": lambda *_: "own"')
    path.write_text(functions)
    by_hand(project, "downgrade", "base")
    result = by_hand(project, "upgrade", "abcd01")
    assert names(project) == ["fk_t_user_id_users", "t_pkey", "uq_t_x"], result.stderr
    assert "own in its naming convention is a function" in result.stderr


def test_where_the_application_does_not_import_only_development_goes_on(empty_project: Project) -> None:
    project = empty_project
    without_revisions(project)
    (project.path / MODELS).write_text("print('hello')\nraise ValueError('no such thing')\n")
    project.write_revision(
        "abcd01", None, "op.execute('CREATE TABLE other (id int PRIMARY KEY)')", "op.drop_table('other')"
    )
    project.write_revision("abcd02", "abcd01", TABLES, "op.drop_table('t'); op.drop_table('users')")

    refused = call(project, APP_ENV="staging")
    assert refused.returncode == 1
    assert "alembic/versions/abcd02.py, line 12: this makes a constraint or an index without a name" in refused.stderr
    assert "app/models/__init__.py, line 2 cannot be imported: ValueError: no such thing" in refused.stderr
    assert "ACCEPT=names" in refused.stderr
    assert "the database is at abcd01; the step was rolled back" in refused.stderr
    assert by_hand(project, "upgrade", "head", "--sql", APP_ENV="staging").returncode != 0
    assert by_hand(project, "upgrade", "head", "--sql").stdout.count("PRIMARY KEY (id)") == 2

    result = call(project, APP_ENV="staging", ACCEPT="names,plan,backup")
    assert (result.returncode, names(project)) == (0, UNNAMED), result.stderr
    assert project.sql("SELECT overrides FROM migration_log ORDER BY id DESC LIMIT 1") == [
        ("ACCEPT=plan,backup,names",)
    ]

    by_hand(project, "downgrade", "base", CONFIRM=str(project.url.database))
    result = call(project)
    assert (result.returncode, names(project)) == (0, UNNAMED), result.stderr
    assert result.stdout.count("PostgreSQL names the constraints that a revision does not name") == 1
    assert "hello" not in result.stdout + result.stderr
