"""Snapshots of a growing schema share what has not changed"""

from scripts.core.postgres import connections, driver
from scripts.core.schema import catalog_snapshot
from scripts.core.settings import Settings

TABLE = "CREATE TABLE t{} (id int PRIMARY KEY, a text, b text, c text, CHECK (a <> b))"


def test_a_snapshot_has_the_same_objects_as_the_one_before_except_what_changed(target: Settings) -> None:
    with connections.connect(target, isolation_level="AUTOCOMMIT") as connection:
        session, snapshots = driver.session(connection), [catalog_snapshot.EMPTY]
        for number in range(30):
            connection.exec_driver_sql(TABLE.format(number))
            snapshots.append(catalog_snapshot.read(session, snapshots[-1]))
        connection.exec_driver_sql("ALTER TABLE t0 ALTER b SET NOT NULL")
        first, last = snapshots[-1], catalog_snapshot.read(session)

    changes = catalog_snapshot.changes(first, last, first.relations)
    columns = [(key, last.columns[key]) for key, column in first.columns.items() if column is not last.columns[key]]
    [(key, changed)] = columns
    assert changed.name == "b"
    assert changed in [change.after for change in changes]
    assert first.columns[key] != changed
    assert all(last.constraints[number] is constraint for number, constraint in first.constraints.items())
    assert all(last.indexes[number] is index for number, index in first.indexes.items())
    assert all(last.relations[number] is relation for number, relation in first.relations.items())
