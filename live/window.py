"""The window: the models' own SQL over the few users who did something since the last build.

dbt compiles the project once, as for a build from nothing. Each renewal runs the compiled SQL of
fct_active_sessions and what it is made of over the whole history of the users whose rows just
arrived, keeps what int_latest_sessions says of them, and lets the clock decide over all that is
kept. History comes from a private copy of the warehouse, so that nobody's lock is met or held.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import yaml
from landing_zone import Arrival, landing_files

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "steps"))
from app import event_sources, is_found, sql_text, staging_module  # noqa: E402
from build import files_of, remove, trouble  # noqa: E402

DBT = Path(sys.executable).with_name("dbt")
MEMORY_LIMIT = "1GB"
# what the window gives the models instead of making it of the landing zone as a whole
GIVEN = {"base_app__files", "base_app__rows", "fitted_drop_risk", "stg_identities__people"}
# stands in the compiled SQL where the moment of the renewal belongs
NOW = "2999-12-31 23:59:59"
# users with the newest rows are in each renewal: as_of is the newest of them that staging keeps
CLOCK_USERS = 20
ROW_COLUMNS = (
    "file_number, file_row_number, is_readable, event_at, received_at, event_id, user_id, "
    "event_name, platform, app_version, city"
)

cut_records = staging_module("base_app__cut_records")


class WindowError(Exception):
    """Says in one sentence why there can be no live view."""


def copy_of(warehouse: Path, copy: Path) -> None:
    """Copy the warehouse as it lies there. Raises WindowError where it is being written."""
    remove(copy)
    try:
        before = warehouse.stat()
        for old, new in zip(files_of(warehouse)[:2], files_of(copy)[:2], strict=True):
            if old == warehouse or old.exists():
                shutil.copyfile(old, new)
        after = warehouse.stat()
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            raise WindowError(f"{warehouse} is being written; begin again when the build is done.")
        duckdb.connect(str(copy)).close()
    except FileNotFoundError:
        raise WindowError(f"There is no warehouse at {warehouse}: run make build.") from None
    except duckdb.Error:
        raise WindowError(
            f"{warehouse} does not open as a DuckDB file: build it anew with make build, or set "
            "DROPOFF_WAREHOUSE to another."
        ) from None


def fingerprint_of(base: Path) -> str:
    """Of the last build: the same for the same models, settings and vars."""
    with duckdb.connect(str(base), read_only=True) as connection:
        query = "select max_by(fingerprint, build_number) from staging.builds"
        return connection.execute(query).fetchall()[0][0]


class Models:
    """The compiled SQL of the models, by model name."""

    def __init__(self, folder: Path, base: Path, dbt_vars: dict) -> None:
        """Compile into `folder`; `base` is the copy of the warehouse."""
        self.folder = folder
        self.base = base
        # a build_clock that was set holds here too
        self.vars = {**dbt_vars, "build_clock": dbt_vars.get("build_clock") or NOW}
        self.reading: dict[tuple[str | None, bool], str] = {}
        (folder / "compile").mkdir(parents=True, exist_ok=True)
        try:
            sources = event_sources(dbt_vars)
        except ValueError as error:
            raise WindowError(str(error)) from None
        self.event_ids = sources["event_id"]
        with duckdb.connect(str(base), read_only=True) as connection:
            columns = connection.execute(
                "select distinct unnest(column_names) from staging.base_app__files"
            ).fetchall()
        self.fingerprint = fingerprint_of(base)
        self.has_event_ids = self.names_event_ids({column for (column,) in columns})
        needed = [sources[name][0]["column"] for name in ("user_id", "event_name", "event_time")]
        nodes = self.compile("+fct_active_sessions", None, needed)
        self.sql = {}
        self.relations = {}
        self.materialized = {}
        for node in nodes.values():
            self.sql[node["name"]] = "\n".join(
                line
                for line in (node.get("compiled_code") or "").splitlines()
                if not line.startswith("-- depends_on:")
            )
            self.relations[node["name"]] = node["relation_name"]
            self.materialized[node["name"]] = node["config"]["materialized"]
        self.reading[None, self.has_event_ids] = self.sql["base_app__rows"]

    def names_event_ids(self, column_names: Collection[str]) -> bool:
        """True where an event id may come from one of these columns."""
        return any(is_found(source, column_names) for source in self.event_ids)

    def compile(self, select: str, columns_json: str | None, column_names: list[str]) -> dict:
        """{unique id: model} of the manifest, compiled for one arriving file of these columns."""
        scratch = self.folder / "compile" / "live.duckdb"
        scratch.unlink(missing_ok=True)
        with duckdb.connect(str(scratch)) as connection:
            connection.execute(f"attach {sql_text(str(self.base))} as base (read_only)")
            create_schemas(connection, "live")
            connection.execute(
                "create table staging.base_app__files as "
                "select * replace (0 as loaded_in_build) from base.staging.base_app__files "
                "union all by name select ? as file_name, ? as file_format, ? as columns_json, "
                "?::varchar[] as column_names, 1 as loaded_in_build, false as declares_columns",
                [
                    str(self.arriving(columns_json)),
                    "parquet" if columns_json else "ndjson",
                    columns_json,
                    column_names,
                ],
            )
            connection.execute("create table staging.base_app__accepted_rows(event_text varchar)")
            # order as for texts, which is right for UUIDs too
            connection.execute("insert into staging.base_app__accepted_rows values ('')")
        target = self.folder / "target"
        command = [DBT, "compile", "--select", select, "--full-refresh", "--quiet"]
        command += ["--vars", yaml.safe_dump(self.vars), "--target-path", str(target)]
        done = subprocess.run(
            [*command, "--log-path", str(self.folder / "logs")],
            cwd=ROOT,
            env=os.environ | {"DROPOFF_BUILD_FILE": str(scratch.resolve())},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told = trouble(done.stdout.splitlines())
            raise WindowError("dbt cannot compile the models: " + " ".join(told))
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        return {
            key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"
        }

    def arriving(self, columns_json: str | None) -> Path:
        """The name under which an arriving file is read, whatever its own."""
        return self.folder.resolve() / f"arriving.{'parquet' if columns_json else 'ndjson'}"

    def reading_sql(self, columns_json: str | None, column_names: list[str]) -> str:
        """base_app__rows for an arriving file of these columns."""
        # where no file had ids before, and one has now, every row is told from the others anew
        self.has_event_ids = self.has_event_ids or self.names_event_ids(column_names)
        key = (columns_json, self.has_event_ids)
        if key not in self.reading:
            nodes = self.compile("base_app__rows", columns_json, column_names)
            self.reading[key] = nodes["model.dropoff.base_app__rows"]["compiled_code"]
        return self.reading[key]

    def in_order(self, names: set[str], given: set[str]) -> list[str]:
        """The models that `names` are made of, themselves last, but for those given."""
        ordered: list[str] = []

        def add(name: str) -> None:
            if name in ordered or name in given:
                return
            for other, relation in self.relations.items():
                if other != name and relation in self.sql[name]:
                    add(other)
            ordered.append(name)

        for name in sorted(names):
            add(name)
        return ordered


def create_schemas(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """The schemas of the project, and the one build that compiled SQL asks about."""
    for schema in ("staging", "sessions", "fitted", "active", "marts"):
        connection.execute(f"create schema if not exists {database}.{schema}")
    connection.execute(f"create table {database}.staging.builds as select 1 as build_number")


class Window:
    """The live view of one landing zone."""

    def __init__(
        self, folder: Path, warehouse: Path, dbt_vars: dict, models: Models | None = None
    ) -> None:
        """Begin where the warehouse ends. Raises WindowError where that cannot be.

        `models` were compiled for a build before, and are used again where this one is alike.
        """
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / "base.duckdb"
        copy_of(warehouse, base)
        if models and models.fingerprint == fingerprint_of(base):
            self.models = models
            models.base = base
        else:
            # dbt parses anew where a path is another
            self.models = Models(folder.parent / "models", base, dbt_vars)
        store = folder / "store.duckdb"
        remove(store)
        self.connection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "spilled")}
        )
        self.run("set timezone = 'UTC'")
        self.run("set preserve_insertion_order = true")
        self.run(f"attach {sql_text(str(base))} as base (read_only)")
        self.run(f"attach {sql_text(str(store))} as store")
        self.run("attach ':memory:' as live")
        create_schemas(self.connection, "live")
        self.run(
            "create table live.fitted.fitted_drop_risk as from base.fitted.fitted_drop_risk;"
            # a mapping that is new counts from the next build on
            "create view live.staging.stg_identities__people as "
            "from base.staging.stg_identities__people;"
            "create table store.files as select file_number, file_name "
            "from base.staging.base_app__files;"
            "create table store.batch_users(user_id varchar)"
        )
        self.touched: set[str] = set()
        self.known: set[str] = set()  # users whose history is in store.rows
        self.judged_at = NOW
        # the clock of what is shown (UTC, without zone), and how far events lag behind it (s)
        self.as_of: datetime | None = None
        self.data_lag_seconds: float | None = None
        self.shared: dict[str, set[str]] = defaultdict(set)
        self.first_new_file: int | None = None
        self.file_number = self.value("select coalesce(max(file_number), 0) from store.files")
        self.make_store()
        self.settle()

    def run(self, query: str, *values: object) -> duckdb.DuckDBPyConnection:
        """Execute; values are those of its question marks, or one dict of those with names."""
        named = len(values) == 1 and isinstance(values[0], dict)
        return self.connection.execute(query, values[0] if named else list(values))

    def value(self, query: str, *values: object) -> object:
        """The one value of a query."""
        return self.run(query, *values).fetchall()[0][0]

    def texts(self, query: str, *values: object) -> list[str]:
        """The first column of a query."""
        return [row[0] for row in self.run(query, *values).fetchall()]

    def files_read(self) -> dict[str, tuple[int, int]]:
        """{file name: (size in bytes, time in ns)} of the files behind the warehouse."""
        rows = self.run(
            "select file_name, size_bytes, modified_ns from base.staging.base_app__files"
        )
        return {name: (size, modified) for name, size, modified in rows.fetchall()}

    def close(self) -> None:
        """Let the files go."""
        self.connection.close()

    def make_store(self) -> None:
        """Tables of what is kept, and the SQL to run in which order."""
        self.run(
            "create table store.rows(file_number integer, file_row_number bigint, "
            "is_readable boolean, event_at timestamp, received_at timestamp, event_id varchar, "
            "user_id varchar, event_name varchar, platform varchar, app_version varchar, "
            "city varchar)"
        )
        self.give_rows([])
        models = self.models
        # those that it hangs on, which are compiled
        settings = {n for n, sql in models.sql.items() if sql and n.startswith("stg_settings__")}
        for name in models.in_order(settings, GIVEN):
            self.make(name, NOW)
        given = GIVEN | settings
        # what hangs on one event's rows, then what hangs on a user's, then the clock
        self.staging = models.in_order({"base_app__accepted_rows"}, given)
        given |= set(self.staging)
        self.counting = models.in_order({"int_events_daily"}, given)
        given |= set(self.counting)
        self.sessions = models.in_order({"int_latest_sessions"}, given)

    def settle(self) -> None:
        """Take in the sessions that were open when the warehouse was built."""
        self.touched.update(
            self.texts("select user_id from base.marts.fct_sessions where outcome = 'open'")
        )
        # users who share event ids are judged together
        for users in self.texts(
            "select list(distinct users.user_id) from base.staging.base_app__copies as copies "
            "inner join base.staging.base_app__accepted_rows as accepted_rows "
            "using (file_number, file_row_number) "
            "inner join base.staging.base_app__users as users using (user_number) "
            "group by copies.event_uuid, copies.event_text having count(distinct user_id) > 1"
        ):
            self.judge_together(users)

    def judge_together(self, users: list[str]) -> None:
        """Remember that what one of these users did decides on rows of the others."""
        for user in users:
            self.shared[user].update(users)

    def ids_of_people(self, users: set[str]) -> set[str]:
        """All ids of the people who have one of these."""
        return set(
            self.texts(
                "with people as materialized ("
                "select user_id from live.staging.stg_identities__people "
                "where anonymous_id in (select unnest($users)) "
                "or user_id in (select unnest($users))"
                ") select user_id from people union "
                "select anonymous_id from live.staging.stg_identities__people "
                "where user_id in (select user_id from people)",
                {"users": sorted(users)},
            )
        )

    def make(self, name: str, now: str) -> None:
        """Run a model's SQL, judged by the clock `now`."""
        kind = "view" if self.models.materialized[name] == "view" else "table"
        sql = self.models.sql[name].replace(NOW, now)
        self.run(f"create or replace {kind} {self.models.relations[name]} as {sql}")

    def arrive(self, arrival: Arrival) -> None:
        """Read the rows of an arrival; renew() shows what they mean."""
        columns_json, error = None, None
        link = self.models.arriving("parquet")
        if arrival.file_format == "parquet":
            link.unlink(missing_ok=True)
            link.symlink_to(Path(arrival.path).resolve())
            columns_json, error = landing_files.describe_parquet(str(link), self.connection)
        name = str(self.models.arriving(columns_json))
        records = cut_records.file_records(arrival.path, arrival.file_format, error)
        records = [("events", name, *record) for record in records]
        if records:
            batch = cut_records.record_batch(records)
            self.connection.register("arrived", batch)
            self.run("create or replace table live.staging.base_app__text_records as from arrived")
            self.connection.unregister("arrived")
        else:
            self.run(
                "create or replace table live.staging.base_app__text_records as select "
                "'' as file_name, 0 as file_row_number, true as is_readable, '' as payload limit 0"
            )
        if columns_json:
            column_names = [column for column, _ in json.loads(columns_json)]
        elif self.models.has_event_ids:
            column_names = []
        else:
            column_names = self.texts(
                "select distinct unnest(json_keys(payload)) from "
                "live.staging.base_app__text_records where is_readable and json_valid(payload) "
                "and json_type(payload) = 'OBJECT'"
            )
        sql = self.models.reading_sql(columns_json, column_names)

        self.file_number += 1
        self.run("insert into store.files values (?, ?)", self.file_number, arrival.file_name)
        self.run(
            "create or replace table live.staging.base_app__files as "
            "select ?::integer as file_number, ? as file_name, 1 as loaded_in_build",
            self.file_number,
            name,
        )
        self.run(
            f"insert into store.rows select {ROW_COLUMNS} from ({sql}) where user_id is not null"
        )
        if self.first_new_file is None:
            self.first_new_file = self.file_number
        self.touched.update(
            self.texts(
                "select distinct user_id from store.rows where file_number = ?", self.file_number
            )
        )

    def give_rows(self, users: list[str]) -> None:
        """Hand the models all rows of these users."""
        if unknown := set(users) - self.known:
            # a list in the query is what the joins behind the view are filtered by
            listed = ", ".join(map(sql_text, sorted(unknown)))
            self.run(
                "insert into store.rows select 0, "
                "row_number() over () + (select count(*) from store.rows), true, event_at, "
                "case when has_valid_received_at then received_at end, event_id, landed_user_id, "
                "event_name, platform, app_version, city from base.staging.stg_app__events "
                f"where landed_user_id in ({listed})"
            )
            self.known |= unknown
        self.run("truncate store.batch_users")
        if users:
            self.run("insert into store.batch_users select unnest(?)", users)
        self.run(
            "create or replace table live.staging.base_app__files as "
            "select file_number, file_name, 1 as loaded_in_build from store.files "
            "union all select 0, '', 1"
        )
        self.run(
            "create or replace table live.staging.base_app__rows as from store.rows "
            "where user_id in (select user_id from store.batch_users)"
        )

    def batch(self, now: str) -> None:
        """Stage the rows of all users whose rows decide on each other."""
        # whoever holds the newest rows says what as_of is; and a row that lay ahead of the clock
        # may be judged otherwise now
        users = self.touched | set(
            self.texts(
                "(select user_id from store.rows where file_number > 0 and "
                "coalesce(received_at, event_at) <= $now::timestamp "
                "order by coalesce(received_at, event_at) desc limit $clock_users) union "
                "(select user_id from store.rows where file_number > 0 and "
                "coalesce(received_at, event_at) > $before::timestamp)",
                {"now": now, "clock_users": CLOCK_USERS, "before": self.judged_at},
            )
        )
        self.judged_at = now
        while True:
            reached = set(users)
            for user in users:
                reached |= self.shared.get(user, set())
            reached |= self.ids_of_people(users)
            if reached != users:
                users = reached
                continue
            self.give_rows(sorted(users))
            for name in self.staging:
                self.make(name, now)
            if not self.find_copies():
                break
        self.first_new_file = None

    def find_copies(self) -> bool:
        """True where event ids of new rows turned up among the rows of other users."""
        if self.first_new_file is None:
            return False
        self.run(
            "create or replace temp table new_ids as select distinct event_uuid, event_text, "
            "event_id from live.staging.base_app__accepted_rows as accepted_rows "
            "inner join store.rows using (file_number, file_row_number) "
            "where file_number >= ?",
            self.first_new_file,
        )
        groups = self.texts("""
            with users_of_ids as (
                select new_ids.event_id, rows.user_id
                from new_ids inner join store.rows as rows using (event_id)
                union all
                select new_ids.event_id, users.user_id
                from new_ids
                inner join base.staging.base_app__accepted_rows as accepted_rows
                    on new_ids.event_uuid = accepted_rows.event_uuid
                    and new_ids.event_text is not distinct from accepted_rows.event_text
                inner join base.staging.base_app__users as users using (user_number)
            )
            select list(distinct user_id) from users_of_ids
            group by event_id having count(distinct user_id) > 1
        """)
        found = [users for users in groups if any(self.shared[u] < set(users) for u in users)]
        for users in found:
            self.judge_together(users)
        return bool(found)

    def renew(self, now: datetime) -> None:
        """Run the models over what arrived, then let the clock decide over all that is kept."""
        moment = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        self.batch(moment)
        for name in self.counting:
            self.make(name, moment)
        # as_of is over all users
        self.run(
            f"insert into {self.models.relations['int_events_daily']} by name "
            "select max(last_event_at) as last_event_at, max(last_received_at) as last_received_at "
            "from base.sessions.int_events_daily"
        )
        self.make("int_as_of", moment)
        latest = self.models.relations["int_latest_sessions"]
        for name in self.sessions:
            if name != "int_as_of":
                self.make(name, moment)
        self.run(f"create table if not exists store.latest_sessions as from {latest} limit 0")
        self.run(
            "delete from store.latest_sessions "
            "where user_id in (select user_id from store.batch_users)"
        )
        self.run(f"insert into store.latest_sessions from {latest}")
        self.run(f"create or replace view {latest} as from store.latest_sessions")
        self.make("fct_active_sessions", moment)
        self.run(
            "delete from store.latest_sessions where last_event_at < (select as_of from "
            f"{self.models.relations['int_as_of']}) - interval '1 day' and session_id not in "
            f"(select session_id from {self.models.relations['fct_active_sessions']})"
        )
        self.touched.clear()
        [(self.as_of, self.data_lag_seconds)] = self.run(
            f"select as_of, data_lag_seconds from {self.models.relations['int_as_of']}"
        ).fetchall()

    def active_sessions(self) -> list[dict]:
        """The rows of fct_active_sessions, whom to look at first in front."""
        return self.rows(f"from {self.models.relations['fct_active_sessions']} order by risk_rank")

    def rows(self, query: str, *values: object) -> list[dict]:
        """The rows of a query."""
        result = self.run(query, *values)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def view(self, most_sessions: int) -> dict:
        """What the page shows, without ids of people.

        Counts by level and by stage, the sessions to look at first, who just converted.
        """
        active = self.models.relations["fct_active_sessions"]
        converted = (
            "from store.latest_sessions where converted_at >= "
            f"(select as_of from {self.models.relations['int_as_of']}) - interval '30 minutes'"
        )
        return {
            "levels": dict(
                self.run(f"select risk_level, count(*) from {active} group by all").fetchall()
            ),
            "stages": self.rows(
                "select stage_label, count(*) as count_sessions, "
                "count_if(risk_level = 'HIGH') as count_high, "
                "count_if(risk_level = 'MEDIUM') as count_medium "
                f"from {active} group by funnel, stage_order, stage_label "
                "order by funnel nulls first, stage_order, stage_label"
            ),
            "sessions": self.rows(
                "select session_id, display_name, journey, stage_label, risk_level, rule, "
                "suggestion, drop_risk, seconds_since_last_event "
                f"from {active} order by risk_rank limit ?",
                most_sessions,
            ),
            "count_converted": self.value(f"select count(*) {converted}"),
            "converted": self.rows(
                f"select session_id, display_name, journey, converted_at {converted} "
                "order by converted_at desc, session_id limit 10"
            ),
        }
