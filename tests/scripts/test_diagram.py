"""make diagram"""

import re

from tests.conftest import Project


def blocks(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.findall(r"```mermaid\n(.*?)\n```", text, re.DOTALL)]


def execute(*statements: str) -> str:
    return "; ".join(f"op.execute({statement!r})" for statement in statements)


def test_tables_and_revisions_are_drawn(settled: Project, revisions: list[str]) -> None:
    result = settled.run("diagram")

    assert result.returncode == 0, result.stderr
    tables, history = blocks(result.stdout)
    assert tables[0] == "erDiagram"
    assert '    "users" ||--o{ "social_accounts" : "user_id"' in tables
    assert "        INTEGER user_id FK" in tables
    assert "        VARCHAR(50) username" in tables
    assert not [line for line in tables if "alembic_version" in line or "migration_log" in line]
    assert history == [
        "flowchart TD",
        f'    r{revisions[0]}["{revisions[0]}<br>create users table"]',
        f'    r{revisions[1]}["{revisions[1]}<br>create social tables"]',
        f"    r{revisions[0]} --> r{revisions[1]}",
    ]


def test_what_is_pending_is_marked(project: Project) -> None:
    project.write_revision(
        "abcd01",
        project.version[0],
        execute(
            *('ALTER TABLE users ADD "a b" double precision', "ALTER TABLE users DROP username"),
            *("ALTER TABLE social_pages ALTER url TYPE text", "DROP TABLE social_accounts CASCADE"),
            *("CREATE TABLE t (id int PRIMARY KEY)", 'CREATE TABLE "Odd (name) %" ("1st" int REFERENCES t)'),
            *("ALTER TABLE social_posts ALTER due_at TYPE timestamp", 'ALTER TABLE t ADD "UK" numeric(9, 2)[]'),
            *("CREATE SCHEMA other", "CREATE TABLE other.users (id int REFERENCES users)"),
        ),
    )
    path = project.versions / "abcd01.py"
    path.write_text(path.read_text().replace('"""', '"""5 % of #35; & "<b>"', 1))

    tables, history = blocks(project.run("diagram").stdout)

    assert '        DOUBLE_PRECISION a_b "new"' in tables
    assert '        VARCHAR(50) username "gone"' in tables
    assert '        TEXT url "changed"' in tables
    assert tables[tables.index('    "social_accounts" {') + 1] == '        gone gone "the table"'
    assert '        INTEGER id PK "new"' in tables
    assert '        TIMESTAMP due_at "changed"' in tables
    assert '        NUMERIC(9_2)[] c_UK "new"' in tables
    assert '    "t" |o--o{ "Odd (name) _" : "1st"' in tables
    assert '    "users" |o--o{ "other.users" : "id"' in tables
    assert "5 % of #35;35; &amp; '&lt;b&gt;'" in history[-4]
    assert history[-1] == "    class rabcd01 pending"


def test_without_a_database_nothing_is_marked(settled: Project) -> None:
    result = settled.run("diagram", POSTGRES_DB="not_there")

    assert result.returncode == 0, result.stderr
    assert "Nothing is marked as pending." in result.stderr
    assert "pending" not in blocks(result.stdout)[1][-1]
