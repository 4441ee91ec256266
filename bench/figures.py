"""The figures of one engine, read off the tables it wrote, for comparison. It computes nothing.

    python bench/figures.py WORK_FOLDER FIGURES_JSON

An engine leaves its tables in w.duckdb (schema bench or main) or as parquet files, under one set
of names and columns; here they are put in one order and type, and long ones are hashed.
"""

import json
import sys
from pathlib import Path

import duckdb


def multiset(text: str) -> str:
    """SQL for a hash of texts that does not depend on their order."""
    return f"cast(sum(cast(hash({text}) as hugeint)) as varchar)"


FIGURES = {
    "landed rows (staged, or the reason to reject)": """
        select judged_as, cast(count_rows as bigint) from landed order by all""",
    "session events (count, hash of id and number in the session)": f"""
        select count(*), {multiset("event_id || '|' || cast(event_number as bigint)")}
        from session_events""",
    "sessions": "select count(*) from sessions",
    "sessions by starter": """
        select unnest(string_split(starter_path, ' → ')) as starter, count(*)
        from sessions where starter_path is not null group by starter order by all""",
    "sessions by outcome": "select outcome, count(*) from sessions group by outcome order by all",
    "session starts (hash of user and time)": f"""
        select {multiset("user_id || '|' || cast(session_started_at as timestamp)")}
        from sessions""",
    "session paths (hash)": f"select {multiset('path')} from sessions",
    "funnel (starter, stage, sessions)": """
        select starter, cast(stage_order as integer), cast(count_sessions as bigint)
        from funnel where count_sessions > 0 order by all""",
    "end events (event, sessions)": """
        select event_name, cast(count_ended as bigint) from end_events order by all""",
    "edges (count, hash of step, source, target and sessions)": """
        select count(*), md5(string_agg(edge, '\n' order by edge)) from (
            select concat_ws('|', cast(step_number as bigint), source, target,
                cast(count_sessions as bigint)) as edge
            from edges
        )""",
    "retention (starter, cohort, week, users, eligible, retained)": """
        select starter, cast(cast(cohort_week as date) as varchar), cast(week_number as integer),
            cast(count_cohort as bigint), cast(count_eligible as bigint),
            cast(count_retained as bigint)
        from retention order by all""",
    "overview (date, starter, sessions, events, bounces, converted, open)": """
        select cast(cast(session_date as date) as varchar), lead_starter,
            cast(count_sessions as bigint), cast(count_events as bigint),
            cast(count_bounces as bigint), cast(count_converted as bigint),
            cast(count_open as bigint)
        from overview order by all""",
}


def connect(work: Path) -> duckdb.DuckDBPyConnection:
    """Open the engine's own database, or one with a view for each of its parquet files."""
    warehouse = work / "w.duckdb"
    if warehouse.exists():
        connection = duckdb.connect(str(warehouse), read_only=True)
        schemas = connection.execute("select schema_name from duckdb_schemas()").fetchall()
        if ("bench",) in schemas:
            connection.execute("use w.bench")
    else:
        connection = duckdb.connect()
        for path in sorted(work.glob("*.parquet")):
            connection.execute(f"create view {path.stem} as from read_parquet('{path}')")
    connection.execute(f"set temp_directory = '{work / 'figures.tmp'}'; set memory_limit = '8GB'")
    return connection


def main() -> None:
    """Write the figures as JSON: {figure: rows}."""
    work, out = map(Path, sys.argv[1:])
    with connect(work) as connection:
        figures = {
            name: [list(row) for row in connection.execute(query).fetchall()]
            for name, query in FIGURES.items()
        }
    out.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
