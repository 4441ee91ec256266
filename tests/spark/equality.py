"""Two DuckDB files with the same marts, compared row by row: floats to 1e-9, all else exactly."""

import duckdb

TOLERANCE = 1e-9


def marts_of(connection, database):
    """{mart: {column: type}} of an attached file."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        f"where database_name = '{database}' and schema_name = 'marts' order by column_index"
    ).fetchall()
    marts = {}
    for mart, column, kind in rows:
        marts.setdefault(mart, {})[column] = kind
    return marts


def differing(column, kind):
    """Does a column differ in two rows that should be the same?"""
    left, right = f'found."{column}"', f'expected."{column}"'
    if kind not in ("DOUBLE", "FLOAT"):
        return f"{left} is distinct from {right}"
    apart = f"abs({left} - {right}) > {TOLERANCE} * greatest(1, abs({left}), abs({right}))"
    return f"({left} is null) != ({right} is null) or coalesce({apart}, false)"


def compare(connection, mart, columns):
    """(rows found, rows expected, {column: rows that differ}) of one mart."""
    floats = [name for name, kind in columns.items() if kind in ("DOUBLE", "FLOAT")]
    # rows meet by what is exact, and floats decide among those that are alike
    order = [f'"{name}"' for name in columns if name not in floats]
    order += [f'round("{name}", 6)' for name in floats]
    cast = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in columns.items())
    numbered = "select {}, row_number() over (order by {}) as place from {}.marts.{}"
    for database in ("found", "expected"):
        connection.execute(
            f"create or replace temp table {database}_rows as "
            + numbered.format(cast, ", ".join(order), database, mart)
        )
    counts = [
        connection.execute(f"select count(*) from {database}_rows").fetchone()[0]
        for database in ("found", "expected")
    ]
    totals = ", ".join(
        f"count(case when {differing(name, kind)} then 1 end)" for name, kind in columns.items()
    )
    differences = connection.execute(
        f"select {totals} from found_rows as found "
        "inner join expected_rows as expected on found.place = expected.place"
    ).fetchone()
    return (*counts, {name: n for name, n in zip(columns, differences, strict=True) if n})


def equality(found, expected):
    """[(mart, rows found, rows expected, what differs)] of all marts that are expected."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{found}' as found (read_only)")
        connection.execute(f"attach '{expected}' as expected (read_only)")
        there = marts_of(connection, "found")
        table = []
        for mart, columns in sorted(marts_of(connection, "expected").items()):
            if mart not in there or set(there[mart]) != set(columns):
                table.append((mart, 0, 0, "its columns"))
                continue
            count_found, count_expected, columns_apart = compare(connection, mart, columns)
            told = ", ".join(f"{name} in {n:,}" for name, n in columns_apart.items())
            apart = told or ("" if count_found == count_expected else "the number of rows")
            table.append((mart, count_found, count_expected, apart))
    return table


def told(title, table):
    """The table as text, a line a mart."""
    lines = [f"\n{title:<28}{'Spark':>10}{'DuckDB':>10}"]
    lines += [f"{mart:<28}{n:>10,}{m:>10,}  {apart or 'equal'}" for mart, n, m, apart in table]
    return "\n".join(lines)
