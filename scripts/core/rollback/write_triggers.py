"""Tables of a throwaway database whose rows a downgrade changes or deletes, noted by triggers.

A statement's trigger fires when there is no row to change, and for raw SQL, DO blocks and functions alike, also where a
statement commits by itself. A lock would not tell a DELETE from an INSERT.
"""

from sqlalchemy import Connection, text

# ALWAYS, whatever session_replication_role says. A foreign key carries a change on to rows that no trigger of an empty
# table sees. Rows of a foreign table are on another server, which a try must not touch.
_WATCH = """
CREATE SCHEMA rollback_watch;
CREATE TABLE rollback_watch.changed (relation oid);
CREATE FUNCTION rollback_watch.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$ BEGIN
    IF EXISTS (SELECT FROM pg_foreign_table WHERE ftrelid = TG_RELID) THEN
        RAISE 'the rows of the foreign table % are on another server, which is not tried', TG_RELID::regclass
            USING ERRCODE = 'feature_not_supported';
    END IF;
    INSERT INTO rollback_watch.changed WITH RECURSIVE reached (relation) AS (
        SELECT TG_RELID UNION SELECT conrelid FROM pg_constraint JOIN reached ON confrelid = relation
        WHERE contype = 'f' AND CASE TG_OP WHEN 'UPDATE' THEN confupdtype ELSE confdeltype END IN ('c', 'n', 'd')
    ) SELECT relation FROM reached;
    RETURN NULL;
END $$;
DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'f') AND oid >= 16384
        AND relnamespace <> 'rollback_watch'::regnamespace
        AND oid IS DISTINCT FROM to_regclass('alembic_version') AND oid IS DISTINCT FROM to_regclass('migration_log')
    LOOP
        EXECUTE format('CREATE TRIGGER rollback_watch BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT'
            ' EXECUTE FUNCTION rollback_watch.note()', name);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rollback_watch', name);
    END LOOP;
END $$
"""
_IS_THERE = text("SELECT to_regclass('rollback_watch.changed') IS NOT NULL")
_CHANGED = text("SELECT DISTINCT relation FROM rollback_watch.changed")
_BLIND = text(
    "SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_trigger"
    " WHERE tgrelid = pg_class.oid AND tgname = 'rollback_watch' AND tgenabled = 'A')"
)


def watch(connection: Connection) -> None:
    """From now on every table notes that a statement changes or deletes rows of it, or of those that refer to it."""
    connection.exec_driver_sql(_WATCH.replace("%", "%%"))
    connection.commit()


def seen(connection: Connection) -> set[int]:
    """Numbers (oid) of the tables that noted something, and of those that could not: whose triggers were disabled or
    dropped meanwhile, or that are new.
    """
    noted = connection.scalars(_CHANGED).all() if connection.scalar(_IS_THERE) else []
    return {*noted, *connection.scalars(_BLIND)}
