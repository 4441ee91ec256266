"""Warehouses side by side: built under one name, compared table by table."""

from pathlib import Path

import duckdb
from conftest import Build, build_step, run_dbt

# what earlier builds called a session, and what a check found, is no matter of the landed rows
OF_THE_BUILD = {"session_rekeys", "fct_session_changes", "fct_landing_checks"}


def compared_tables(connection):
    """The marts, and what staging makes of the rows: {table: columns, as SQL}."""
    tables = connection.execute("""
        select
            schema_name || '.' || table_name,
            string_agg('"' || column_name || '"', ', ') filter (
                where column_name != 'file_number'
            )
        from duckdb_columns()
        where
            database_name = 'found'
            and (schema_name = 'marts' or table_name in ('stg_app__events', 'stg_app__rejected_rows'))
        group by schema_name, table_name
    """).fetchall()
    return {table: columns for table, columns in tables if table.split(".")[1] not in OF_THE_BUILD}


def differences(found, expected):
    """{table: (rows only found, rows only expected)} where two warehouses differ."""
    differing = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{found}' as found (read_only)")
        connection.execute(f"attach '{expected}' as expected (read_only)")
        tables = compared_tables(connection)
        assert len(tables) > 15
        for table, columns in tables.items():
            queries = (
                f"select {columns} from {left}.{table} except all "
                f"select {columns} from {right}.{table} limit 3"
                for left, right in (("found", "expected"), ("expected", "found"))
            )
            only = tuple(connection.execute(query).fetchall() for query in queries)
            if any(only):
                differing[table] = only
    return differing


def fitted_alone(warehouse, new_file):
    """A warehouse that holds what another one fitted, and nothing else: what is built there from
    the beginning is assigned and scored by the same tables.
    """
    Path(new_file).unlink(missing_ok=True)
    build_step.copy_what_was_fitted(warehouse, new_file)


def build_in_place(place, warehouse, **app):
    """dbt parses the project again where its file has another name: all are built under one."""
    if warehouse.exists():
        warehouse.replace(place)
    build = run_dbt(place, "run", target=place.parent / "target", **app)
    assert build.success, build.output[-3000:]
    place.replace(warehouse)
    return Build(True, build.output, warehouse)
