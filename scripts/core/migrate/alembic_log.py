"""What Alembic logs when you type `alembic` by hand."""

import logging

HEADERS = ("Context impl %s.", "Will assume %s DDL.")


def show_headers_once() -> None:
    """Hide Alembic's two header lines after the first time. The runner configures Alembic again for each attempt."""
    shown: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        repeats = record.msg in shown
        shown.update({record.msg} & set(HEADERS))
        return not repeats

    logging.getLogger("alembic.runtime.migration").addFilter(is_new)


def hide_migrations() -> None:
    """Hide Alembic's lines about migrations and models from now on, in processes that are forked later too."""
    for name in ("alembic.runtime", "alembic.autogenerate"):
        logging.getLogger(name).setLevel(logging.WARNING)
