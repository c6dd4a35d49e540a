"""scripts/core/postgres/database_names.py"""

import pytest

from scripts.core.postgres import database_names
from scripts.core.postgres.database_names import KEPT_INFIX, LIMIT, REPLACED, UNFINISHED

SUFFIXES = [UNFINISHED, f"{UNFINISHED}_0a1b2c3d", REPLACED, f"{KEPT_INFIX}20261127T071800Z"]


@pytest.mark.parametrize("letter", ["a", "ß", "€", "🐘"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_of_every_length_stay_within_the_limit_and_apart(letter: str, suffix: str) -> None:
    names = [letter * number for number in range(1, LIMIT // len(letter.encode()) + 1)]
    names += [f"x{name}" for name in names if len(name.encode()) < LIMIT]

    made = {database_names.derived(name, suffix) for name in names}

    assert len(made) == len(names)
    assert max(len(name.encode()) for name in made) <= LIMIT
    assert all(database_names.is_derived(name) for name in made)


def test_names_that_begin_alike_are_told_apart() -> None:
    first, second = (database_names.derived("x" * 50 + end, UNFINISHED) for end in "ab")

    assert first != second
    assert first.startswith("x" * 30)


def test_a_short_name_stands_whole() -> None:
    assert database_names.derived("größe", REPLACED) == "größe__replaced"


def test_the_derived_name_of_a_long_name_is_that_of_no_other(subtests: pytest.Subtests) -> None:
    """Not even of the database that is called as the long name's beginning and hash."""
    for size in range(database_names.WHOLE + 1, LIMIT + 1):
        with subtests.test(size=size):
            made = database_names.derived("ß" * (size // 2) + "x" * (size % 2), REPLACED)
            assert database_names.derived(made.removesuffix(REPLACED), REPLACED) != made


@pytest.mark.parametrize(
    "name", ["app", "app__kept_", "app__kept_20261127T071800Z_old", "app__unfinished_x", "replaced"]
)
def test_other_names_are_no_derived_ones(name: str) -> None:
    assert not database_names.is_derived(name)
