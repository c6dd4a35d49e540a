"""Timeouts of our sessions: for locks, and of the server that would end one."""

from sqlalchemy import Connection, text

READING_LOCK = "2s"
"""The longest time that a session which only reads waits for another session's lock."""
# PostgreSQL 13 has no such setting.
_IDLE = text(
    "SELECT set_config('idle_session_timeout', '0', false)"
    " WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
)


def allow_idle(connection: Connection) -> None:
    """Let the session be idle for as long as it is needed, whatever the server's idle_session_timeout is."""
    connection.execute(_IDLE)
