"""scripts/core/overrides.py"""

import pytest

from scripts.core import overrides


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("H03, plan", ["H03", "plan"]),
        ('drop."a, b" , drop.t."c""d,".e', ['drop."a, b"', 'drop.t."c""d,".e']),
        (r'drop.U&"a\000a,\\",H03', ['drop."a\n,\\"', "H03"]),
        ("""drop.o'x.t",drop.u",plan""", ["drop.o'x.t\"", 'drop.u"', "plan"]),
        ("", []),
    ],
)
def test_names_may_be_quoted_and_quotes_may_be_a_part_of_names(
    monkeypatch: pytest.MonkeyPatch, given: str, words: list[str]
) -> None:
    monkeypatch.setenv("ACCEPT", given)

    assert overrides.words() == words
    assert all(map(overrides.accepted, words))
