"""The worker of the example application: it publishes due posts until it is stopped.

python -m app
"""

import logging
import signal
import sys
from threading import Event

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.database import make_engine
from app.publisher import publish_due
from app.settings import SettingsError, load

log = logging.getLogger("app")


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = load()
    except SettingsError as error:
        log.error("%s", error)
        return 1
    log.info("publishing due posts every %g s", settings.publish_interval)
    work(make_engine(settings), settings.publish_interval, stopping)
    log.info("stopped")
    return 0


def work(engine: Engine, interval: float, stopping: Event) -> None:
    """Publish until `stopping` is set. A cut connection or a missing table only ends one round."""
    while not stopping.is_set():
        try:
            publish(engine)
        except DBAPIError as error:
            log.warning("database: %s", str(error.orig).strip().partition("\n")[0])
        stopping.wait(interval)


def publish(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        # Python cannot react to SIGTERM while a statement waits for a lock.
        session.execute(text("SET LOCAL lock_timeout = '1s'"))
        published = publish_due(session)
    for number in published:
        log.info("published post %s", number)


if __name__ == "__main__":
    sys.exit(main())
