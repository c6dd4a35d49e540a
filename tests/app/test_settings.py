"""app/settings.py"""

import pytest

from app.settings import SettingsError, load

URL = "postgresql+psycopg2://me:secret@h/shop"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_any_postgresql_url_is_for_the_driver_of_this_application(scheme: str) -> None:
    found = load({"DATABASE_URL": f"{scheme}://me:secret@h/shop"})

    assert found.database_url.render_as_string(hide_password=False) == URL
    assert found.publish_interval == 5
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({}, "DATABASE_URL is not set: start the application with `make app`"),
        ({"DATABASE_URL": URL, "PUBLISH_INTERVAL": "often"}, "PUBLISH_INTERVAL is 'often', not a number above 0"),
        ({"DATABASE_URL": URL, "PUBLISH_INTERVAL": "0"}, "PUBLISH_INTERVAL is '0', not a number above 0"),
        ({"DATABASE_URL": URL, "PUBLISH_INTERVAL": "nan"}, "PUBLISH_INTERVAL is 'nan', not a number above 0"),
    ],
)
def test_what_is_missing_or_wrong_is_named(environ: dict[str, str], fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ)

    assert str(caught.value).startswith(fault)
