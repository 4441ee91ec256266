"""The floor: DuckDB reads the landing zone, sorts it by user, time and id, and writes it.

Nobody who orders events can do less. It has no figures.
"""

import sys

import duckdb
from settings import MEMORY_LIMIT

landing, work = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set temp_directory = '{work}/tmp'")
connection.execute(f"""
    copy (
        select event_id, user_id, event_name, event_time, received_at, platform, app_version, city
        from read_parquet('{landing}/*.parquet')
        order by user_id, event_time, event_id
    ) to '{work}/events.parquet' (compression zstd)
""")
