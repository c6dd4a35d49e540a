"""Triggers on a throwaway database that record which tables a downgrade changes or deletes rows of.

A statement's trigger fires even if there is no row to change. It sees raw SQL, DO blocks and functions, and statements
that commit by themselves. A lock would not distinguish a DELETE from an INSERT.
"""

from sqlalchemy import Connection, text

from scripts.core import sqlstates
from scripts.core.postgres import sql
from scripts.core.postgres.sql import Sql
from scripts.core.postgres.user_tables import RELATIONS

# ALWAYS works with every session_replication_role. A foreign key passes a change on to rows that no trigger of an empty
# table sees. The rows of a foreign table are on another server, which a rehearsal must not touch.
_WATCH = Sql(f"""
CREATE SCHEMA rollback_watch;
CREATE TABLE rollback_watch.changed (relation oid);
CREATE FUNCTION rollback_watch.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$ BEGIN
    IF EXISTS (SELECT FROM pg_foreign_table WHERE ftrelid = TG_RELID) THEN
        RAISE 'the rows of the foreign table % are on another server, so this is not run', TG_RELID::regclass
            USING ERRCODE = '{sqlstates.rows_on_another_server}';
    END IF;
    INSERT INTO rollback_watch.changed WITH RECURSIVE reached (relation) AS (
        SELECT TG_RELID UNION SELECT conrelid FROM pg_constraint JOIN reached ON confrelid = relation
        WHERE contype = 'f' AND CASE TG_OP WHEN 'UPDATE' THEN confupdtype ELSE confdeltype END IN ('c', 'n', 'd')
    ) SELECT relation FROM reached;
    RETURN NULL;
END $$;
DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT c.oid FROM {RELATIONS} WHERE relkind IN ('r', 'p', 'f')
        AND relnamespace <> 'rollback_watch'::regnamespace
    LOOP
        EXECUTE format('CREATE TRIGGER rollback_watch BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT'
            ' EXECUTE FUNCTION rollback_watch.note()', name);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rollback_watch', name);
    END LOOP;
END $$
""")
_IS_THERE = text("SELECT to_regclass('rollback_watch.changed') IS NOT NULL")
_CHANGED = text("SELECT DISTINCT relation FROM rollback_watch.changed")
_BLIND = text(
    f"SELECT c.oid FROM {RELATIONS} WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_trigger"
    " WHERE tgrelid = c.oid AND tgname = 'rollback_watch' AND tgenabled = 'A')"
)


def watch(connection: Connection) -> None:
    """Let every table record statements that change or delete its rows, or rows that refer to them."""
    sql.run(connection, _WATCH)
    connection.commit()


def seen(connection: Connection) -> set[int]:
    """Return the OIDs of tables that recorded a statement, and of tables that could not record one.

    These are new tables, and tables whose trigger was disabled or dropped.
    """
    noted = connection.scalars(_CHANGED).all() if connection.scalar(_IS_THERE) else []
    return {*noted, *connection.scalars(_BLIND)}
