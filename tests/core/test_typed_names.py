"""scripts/core/typed_names.py"""

import pytest

from scripts.core.typed_names import plain, typed


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("users.mail", "users.mail"),
        ('"a,b"."C\\d"', '"a,b"."C\\d"'),
        ('t."two\nlines\\ ""x"', r'U&"two\000alines\\ ""x"'.join(["t.", ""])),
        ('"no\u200b\xa0space"."\U000e0001"', r'U&"no\200b\00a0space".U&"\+0e0001"'),
    ],
)
def test_what_cannot_be_seen_is_typed_as_in_sql(name: str, shown: str) -> None:
    assert typed(name) == shown
    assert plain(shown) == name
    assert shown.isprintable()
