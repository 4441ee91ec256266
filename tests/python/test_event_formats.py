"""An export of any event format builds to the sessions of the same events in our own shape."""

import json
import random
import shutil
from datetime import datetime, timedelta

import duckdb
import pytest
import yaml
from conftest import ROOT, load, run_dbt
from test_new_app import new_app
from vendor_exports import EXPORTS, LACKS, as_exported

app_step = load(ROOT / "steps" / "app.py")

VARS = {"build_clock": "2026-06-01 00:00:00"}
MODELS = "+fct_sessions +fct_session_events +fct_data_health"
PATHS = [
    ["Journey Started", "home_view", "bus_search", "bus_result", "seat_layout", "DeviceInfo"],
    ["Push Click", "offers_view", "bus_search"],
    ["App Installed", "home_view", "a name of theirs, “quoted” → 😀"],
    ["User Login", "bus_search", "bus_result", "payment_page", "payment_success", "ticket_view"],
]
SESSIONS = (
    "select * exclude (session_id) from marts.fct_sessions where not ends_with(user_id, 'clock')"
)
EVENTS = "select * exclude (session_id) from marts.fct_session_events where not ends_with(user_id, 'clock')"


def made_events():
    """Events of known and anonymous people; no two of one within a second, since some cut to it."""
    dice = random.Random(7)
    events = []
    for number in range(14):
        time = datetime(2026, 1, 12) + timedelta(hours=number, microseconds=dice.randrange(10**6))
        app = {
            "platform": dice.choice(["android", "ios", "web", None]),
            "app_version": dice.choice(["5.1.0", "5.2", None]),
            "city": dice.choice(["Pune", "नई दिल्ली", None]),
        }
        who = {"user_id": f"C-{number}"}
        if number % 4 == 0:
            who = {"user_id": None, "anonymous_id": f"G-{number}"}
        for _ in range(dice.randrange(1, 4)):
            for name in dice.choice(PATHS):
                time += timedelta(seconds=dice.uniform(1, 90))
                received_at = time + timedelta(seconds=dice.uniform(0, 4))
                event = {"event_name": name, "event_time": time, "received_at": received_at}
                events.append({"event_id": f"e{len(events)}", **who, **event, **app})
            time += timedelta(hours=dice.uniform(1, 30))
    # long after: no session is open, whichever time the clock goes by
    last = {"event_id": "last", "user_id": "clock", "event_name": "home_view"}
    time = datetime(2026, 3, 1)
    last |= {"event_time": time, "received_at": time, "city": None}
    return [*events, {**last, "platform": "web", "app_version": None}]


def content(build, event_format, prefix=""):
    """What became of the people whose ids begin like this, ids without that beginning."""
    assert build.success, build.output[-3000:]
    found = {"sessions": [], "events": []}
    for name, query in (("sessions", SESSIONS), ("events", EVENTS)):
        for row in build.rows(query):
            if row["user_id"].startswith(prefix):
                row["user_id"] = row["user_id"].removeprefix(prefix)
                if "event_id" in LACKS[event_format]:
                    row.pop("event_id", None)
                elif name == "events":
                    row["event_id"] = row["event_id"].removeprefix(prefix)
                found[name].append(str(row))
    return {name: sorted(rows) for name, rows in found.items()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function that builds a folder's files in a format; dbt has parsed for all of them."""
    folder = tmp_path_factory.mktemp("formats")
    app = {"warehouse": folder / "w.duckdb", "events": folder / "events" / "*"}
    (folder / "events").mkdir()
    manifest = run_dbt(app["warehouse"], "parse", events=app["events"], dbt_vars=VARS).result

    def build(write, event_format=None):
        shutil.rmtree(folder / "events")
        (folder / "events").mkdir()
        write(folder / "events")
        return run_dbt(
            *(app["warehouse"], "run", "--full-refresh", "--select", *MODELS.split()),
            events=app["events"],
            dbt_vars=VARS | ({"event_format": event_format} if event_format else {}),
            manifest=manifest,
        )

    return build


def by_shape(event_format, events):
    """[(shape, its part of the events)]: what an app has exported in several shapes."""
    shapes = list(EXPORTS[event_format])
    users = list(dict.fromkeys(event["user_id"] or event["anonymous_id"] for event in events))
    shape_of = {user: shapes[number % len(shapes)] for number, user in enumerate(users)}
    return [
        (
            shape,
            [e for e in events if shape_of[e["user_id"] or e["anonymous_id"]] == shape],
        )
        for shape in shapes
    ]


@pytest.fixture(scope="module")
def in_our_shape(exported):
    """Build once what every format tells of the events, in our shape, each with its own people."""

    def write(folder):
        with open(folder / "events.ndjson", "w", encoding="utf-8") as file:
            for event_format in EXPORTS:
                for shape, part in by_shape(event_format, made_events()):
                    for event, told in zip(
                        part, as_exported(part, event_format, shape), strict=True
                    ):
                        ids = {
                            "event_id": f"{event_format} {event['event_id']}",
                            "user_id": f"{event_format} {told['user_id']}",
                        }
                        file.write(json.dumps({**told, **ids}, default=str) + "\n")

    build = exported(write)
    return {
        event_format: content(build, event_format, f"{event_format} ") for event_format in EXPORTS
    }


@pytest.mark.parametrize("event_format", EXPORTS)
def test_export_builds_to_the_sessions_of_our_own_shape(exported, in_our_shape, event_format):
    def write(folder):
        for shape, part in by_shape(event_format, made_events()):
            EXPORTS[event_format][shape](part, folder)

    build = exported(write, event_format)
    assert content(build, event_format) == in_our_shape[event_format]
    assert len(in_our_shape[event_format]["sessions"]) > 20
    [rejected] = build.rows("select count(*) as count from staging.stg_app__rejected_rows")
    assert rejected["count"] == 0


ROW = {
    "flat.name": "a name with a dot",
    "user": {"id": "u", "list": [{"name": "first"}, {"name": "second"}], "none": None},
    "text": '{"deep": {"er": 1}, "list": ["x"]}',
    "params": [
        {"key": "page", "value": {"string_value": "home", "int_value": None}},
        {"key": "build", "value": {"string_value": None, "int_value": 12}},
        {"key": "plain", "value": "text"},
    ],
    "blank": " ",
}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["flat.name"], "a name with a dot"),
        (["user.id"], "u"),
        (["user.list.1.name"], "second"),
        (["user.list.2.name"], None),
        (["user.none"], None),
        (["user.id.more"], None),
        (["text.deep.er"], "1"),
        (["text.list.0"], "x"),
        (["params.page"], "home"),
        (["params.build"], "12"),
        (["params.plain"], "text"),
        (["params.other"], None),
        (["params.0.key"], "page"),
        (["nothing.at.all"], None),
        (["blank", "nothing", "user.id", "text"], "u"),
    ],
)
def test_a_path_leads_into_objects_lists_texts_and_pairs(paths, expected):
    sql = new_app.macros()
    text = sql.json_text([{"column": path} for path in paths], sql.sql_text(json.dumps(ROW)))
    assert duckdb.sql(f"select {text}").fetchall() == [(expected,)]
    values = [app_step.value_at(ROW, path) for path in paths]
    found = next((str(value) for value in values if value is not None and str(value).strip()), None)
    assert found == expected


def test_every_format_is_exported_here_and_in_the_docs():
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    docs = (ROOT / "docs" / "event-formats.md").read_text(encoding="utf-8")
    formats = list(project["vars"]["event_formats"])
    assert formats == list(EXPORTS)
    assert [line[3:] for line in docs.splitlines() if line.startswith("## ")][:-1] == formats
