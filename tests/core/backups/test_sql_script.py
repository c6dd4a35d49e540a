"""Splitting a script into statements, as psql does"""

from io import BytesIO

import pytest

from scripts.core.backups.sql_script import Script

COMPLETE = b"-- PostgreSQL database dump complete\n"


def split(text: bytes) -> list[tuple[int, str]]:
    """The statements with their lines; those of a COPY are followed by its data."""
    script, found = Script(BytesIO(text)), []
    for statement in script.statements():
        found.append((statement.line, statement.text.decode("latin1")))
        if statement.text.startswith(b"COPY"):
            found += [(script.line, piece.decode("latin1")) for piece in script.rows()]
    return found


RULE = "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)"
ATOMIC = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC\nSELECT CASE WHEN a THEN 1 END; SELECT 2; END"
OFF = "SET standard_conforming_strings = off"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"SELECT 1; SELECT 2\n;;\n ;SELECT 3;", [(1, "SELECT 1"), (1, "SELECT 2\n"), (3, "SELECT 3")]),
        (b"-- a; b\n/* c; /* d; */ e; \n*/ SELECT /* ; */ 1 -- ;\n;", [(3, "SELECT /* ; */ 1 -- ;\n")]),
        (b"SELECT 'a;''b\n;', \"c;\"\"d\", U&'e;\\';", [(1, "SELECT 'a;''b\n;', \"c;\"\"d\", U&'e;\\'")]),
        (b"SELECT E'a\\';\\\\', e'b'';\n;\\\n', type'c\\';", [(1, "SELECT E'a\\';\\\\', e'b'';\n;\\\n', type'c\\'")]),
        (b"SELECT $$a;$b$;$$, $b$;$$;\n$b$, $1, a$b$c;", [(1, "SELECT $$a;$b$;$$, $b$;$$;\n$b$, $1, a$b$c")]),
        (f"{RULE};".encode(), [(1, RULE)]),
        (f"{ATOMIC}; SELECT 3;".encode(), [(1, ATOMIC), (2, "SELECT 3")]),
        (b"BEGIN; SELECT CASE 1 END; COMMIT;", [(1, "BEGIN"), (1, "SELECT CASE 1 END"), (1, "COMMIT")]),
        (
            b"COPY t FROM stdin;\n\\\\.\n';\n\\.\nSELECT 1;",
            [(1, "COPY t FROM stdin"), (3, "\\\\.\n';\n"), (5, "SELECT 1")],
        ),
        (b"COPY t FROM stdin;\n\\.\nCOPY u FROM stdin;\n\\.\n", [(1, "COPY t FROM stdin"), (3, "COPY u FROM stdin")]),
        (b"SELECT 1\\gexec now\nSELECT 2;\\c x", [(1, "\\gexec"), (2, "SELECT 2"), (2, "\\c")]),
        (b"\\restrict a\n\\unrestrict a\n", []),
        (f"{OFF};SELECT 'a\\';';".encode(), [(1, OFF), (1, "SELECT 'a\\';'")]),
        (b"\xef\xbb\xbfSELECT\r\n1;\r\n", [(1, "SELECT\n1")]),
        (b"--\r\nCOPY t FROM stdin;\r\na\r\n\\.\r\n", [(2, "COPY t FROM stdin"), (3, "a\n")]),
        (b"SELECT '\xfc;'; SELECT \xfc$a$;", [(1, "SELECT '\xfc;'"), (1, "SELECT \xfc$a$")]),
    ],
)  # fmt: skip
def test_statements_end_where_psql_ends_them(text: bytes, expected: list[tuple[int, str]]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "is_complete", "is_open"),
    [
        (b"SELECT 1;\n" + COMPLETE, True, False),
        (b"SELECT 1;\n" + COMPLETE + b"\n\\unrestrict x\n--\n", True, False),
        (b"SELECT 1;\n" + COMPLETE + b"SELECT 2;", False, False),
        (b"SELECT '\n" + COMPLETE + b"';\n", False, False),
        (b"/* " + COMPLETE + b" */", False, False),
        (b"SELECT 1", False, True),
        (b"SELECT 1;\nCOPY t FROM stdin;\na\n", False, True),
        (b"COPY t FROM stdin;\n" + COMPLETE, False, True),
    ],
)
def test_a_script_that_was_cut_is_not_complete(text: bytes, is_complete: bool, is_open: bool) -> None:
    script = Script(BytesIO(text))
    for statement in script.statements():
        if statement.text.startswith(b"COPY"):
            list(script.rows())

    assert (script.is_complete, script.is_open) == (is_complete, is_open)
