"""Which roles a statement names"""

import pytest

from scripts.core.postgres import role_names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ('GRANT SELECT, INSERT ON users TO app, "The Readers", PUBLIC WITH GRANT OPTION', ["app", "The Readers"]),
        ("REVOKE ALL PRIVILEGES ON SCHEMA public FROM App CASCADE", ["app"]),
        ("GRANT SELECT ON users TO a GRANTED BY b", ["a", "b"]),
        ("GRANT parent, other TO child", ["parent", "other", "child"]),
        ("REVOKE ADMIN OPTION FOR parent FROM child", ["parent", "child"]),
        ("CREATE POLICY own ON users FOR SELECT TO app USING (owner = current_user)", ["app"]),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE a, b IN SCHEMA s GRANT SELECT ON TABLES TO c", ["a", "b", "c"]),
        ('ALTER TABLE users OWNER TO "o""p"', ['o"p']),
        ("REASSIGN OWNED BY a, b TO c", ["a", "b", "c"]),
        ("CREATE SCHEMA s AUTHORIZATION app", ["app"]),
        ("CREATE ROLE fresh IN ROLE parent", ["parent"]),
        ("ALTER ROLE app RENAME TO fresh", ["app"]),
        ("CREATE USER MAPPING FOR app SERVER s", ["app"]),
        ("DROP ROLE IF EXISTS app", ["app"]),
        ("SET SESSION AUTHORIZATION app", ["app"]),
        ("COMMENT ON TABLE users IS 'GRANT it TO nobody' -- TO no_one", []),
        ("GRANT SELECT /* TO nobody */ ON t TO app", ["app"]),
        ("CREATE TABLE t (owner mood)", []),
    ],
)
def test_the_roles_stand_after_certain_keywords(sql: str, names: list[str]) -> None:
    assert role_names.named(sql, "") == names


BODY = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM users) THEN EXECUTE 'GRANT SELECT ON users TO app'; END IF; END $$"


@pytest.mark.parametrize("message", ['role "app" does not exist', "Rolle »app« existiert nicht", "роль «app» не"])
def test_of_several_the_message_quotes_the_missing_one(message: str) -> None:
    assert role_names.named(BODY, message) == ["app"]


def test_a_message_adds_no_name() -> None:
    assert role_names.named(BODY, 'role "root" does not exist') == ["users", "app"]
