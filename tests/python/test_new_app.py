"""The first settings of an app nobody has described: what is guessed, and that it can be built."""

import csv
import gzip
import importlib.util
import json
import random
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path

import jinja2
import pandas as pd
import pytest
import yaml
import zstandard
from conftest import run_dbt
from vendor_exports import EXPORTS

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("new_app", ROOT / "landing" / "new_app.py")
new_app = importlib.util.module_from_spec(SPEC)
# dataclasses look their module up
sys.modules["new_app"] = new_app
SPEC.loader.exec_module(new_app)

FILES = {
    "event_types.csv",
    "funnels.csv",
    "funnel_stages.csv",
    "playbook.csv",
    "vars.yml",
    "GUESSES.md",
}
START = datetime(2026, 1, 12)
# one visit of each kind; three in ten order, all that order pass the same steps
ORDERING = ["Home", "product_view", "add_to_cart", "checkout", "order_completed", "receipt_view"]
VISITS = [ORDERING, ORDERING[:2], ORDERING[:3], ORDERING[:1], ORDERING[:2] * 3]
OUR_NAMES = ("event_id", "user_id", "event_name", "event_time")


def events(visits=VISITS, users=20, names=OUR_NAMES, seconds=40, days=1):
    """Rows of users who each make every visit, from another one on, days apart."""
    rows = []
    for user in range(users):
        for day in range(len(visits)):
            for step, name in enumerate(visits[(user + day) % len(visits)]):
                at = START + timedelta(days=day * days, minutes=user, seconds=step * seconds)
                rows.append((f"e{len(rows):05}", f"u{user:03}", name, at))
    return pd.DataFrame(rows, columns=list(names))


def text_of(frame):
    return frame.assign(**{name: frame[name].astype(str) for name in frame})


@pytest.fixture
def guess(tmp_path, monkeypatch, capsys):
    """Guess over a data frame, or what lies in the landing zone: (code, out, err, settings)."""
    monkeypatch.chdir(tmp_path)
    landing = tmp_path / "zone"
    landing.mkdir()

    def run(frame=None, *, out="settings"):
        if frame is not None:
            frame.to_parquet(landing / "a.parquet")
        code = new_app.main(["shop", "--events", "zone", "--out", out])
        folder = Path(out)
        texts = {p.name: p.read_bytes().decode() for p in folder.iterdir()} if code == 0 else {}
        return Guess(code, *capsys.readouterr(), texts)

    return run


class Guess:
    """What a run did and wrote."""

    def __init__(self, code, out, err, texts):
        self.code, self.out, self.err, self.texts = code, out, err, texts

    def rows(self, name):
        return list(csv.DictReader(self.texts[f"{name}.csv"].splitlines(keepends=True)))

    @property
    def roles(self):
        return {row["event_name"]: row["role"] for row in self.rows("event_types")}

    @property
    def stages(self):
        return [row["event_name"] for row in self.rows("funnel_stages")]

    @property
    def vars(self):
        assert self.texts["vars.yml"].count("\n") == 1
        return yaml.safe_load(self.texts["vars.yml"])


def columns_of(guess):
    return guess.vars.get("event_columns", {})


# --- what is guessed -----------------------------------------------------------------------------


def test_a_shop_gets_all_its_files_a_timeout_and_a_funnel(guess):
    shop = guess(events())
    assert (shop.code, shop.err, set(shop.texts)) == (0, "", FILES)
    assert shop.vars == {"session_timeout_minutes": 30}
    assert shop.stages == ORDERING
    outcomes = [row["outcome"] for row in shop.rows("funnel_stages")]
    assert outcomes == ["", "", "", "", "conversion", "completion"]
    assert [row["stage_order"] for row in shop.rows("funnel_stages")] == list("123456")
    assert shop.rows("funnels") == [
        {
            "funnel": "main",
            "is_primary": "true",
            "order_mode": "ordered",
            "conversion_window_seconds": "",
            "starters": "(all)",
        }
    ]
    assert shop.rows("playbook") == []
    assert set(shop.roles.values()) == {"step"}
    labels = {row["event_name"]: row["label"] for row in shop.rows("event_types")}
    assert labels["add_to_cart"] == "Add to cart"
    page = shop.texts["GUESSES.md"]
    assert "Every line here is a guess" in page
    assert "| 5 | `order_completed` | conversion | 20 | 20.0% |" in page
    assert "100% of the sessions with `order_completed` pass all stages" in page
    assert "settings/GUESSES.md says why" in shop.out
    assert "DROPOFF_EVENTS=zone DROPOFF_SEEDS=settings" in shop.out
    assert 'DROPOFF_WAREHOUSE=shop.duckdb VARS="$(cat settings/vars.yml)"' in shop.out


def test_roles_come_from_words_and_from_where_events_stand(guess):
    visits = [["App Opened", "_user", *visit, "login", "DeviceInfo", "restart"] for visit in VISITS]
    app = guess(events([*visits, ["push_delivered"]]))
    assert app.roles["App Opened"] == "starter"
    assert app.roles["DeviceInfo"] == app.roles["_user"] == "telemetry"
    assert app.roles["push_delivered"] == "ambient"
    # named like a starter, but never first
    assert app.roles["login"] == "step"
    # a word counts only as a whole
    assert app.roles["restart"] == "step"
    assert app.vars == {}
    assert (
        "named like starter events, but only 0% of them come before any step"
        in (app.texts["GUESSES.md"])
    )


def test_what_opens_nearly_all_visits_is_a_starter_by_any_name(guess):
    shop = guess(events([["ouverture", *visit] for visit in VISITS]))
    assert shop.roles["ouverture"] == "starter"
    assert shop.vars == {}


def test_cases_that_last_for_days_get_no_timeout(guess):
    case = ["SUBMITTED", "CHECKED", "OFFERED", "APPROVED"]
    loans = guess(events([case, case[:2], case[:3]], users=300, seconds=86_400, days=0.1))
    assert "session_timeout_minutes" not in loans.vars
    assert "would cut them" in loans.texts["GUESSES.md"]
    assert loans.stages[-1] == "APPROVED"


def test_cases_are_told_by_what_does_not_come_back_however_dense_they_are(guess):
    parts = [["SUBMITTED", "CHECKED", "CALLED"], ["OFFERED", "SIGNED", "APPROVED"]]
    rows = [
        (f"u{user:02}", name, START + timedelta(days=user + 3 * day, seconds=step))
        for user in range(20)
        for day, names in enumerate(parts[: 1 + user % 2])
        for step, name in enumerate(names)
    ]
    loans = guess(pd.DataFrame(rows, columns=["user_id", "event_name", "event_time"]))
    assert "session_timeout_minutes" not in loans.vars
    assert "would cut them" in loans.texts["GUESSES.md"]
    assert loans.stages[-1] == "APPROVED"


def test_steps_that_system_logs_append_are_no_words_of_the_names(guess):
    case = ["A_SUBMITTED.COMPLETE", "W_CALL.SCHEDULE", "W_CALL.START", "A_APPROVED.COMPLETE"]
    visits = [case, case[:3], case[:2]]
    log = guess(events(visits, users=300, seconds=86_400))
    assert log.roles["W_CALL.SCHEDULE"] == "telemetry"
    assert log.roles["W_CALL.START"] == "step"
    assert log.stages[-1] == "A_APPROVED.COMPLETE"
    assert "named like" not in log.texts["GUESSES.md"]


def test_without_a_word_for_success_the_conversion_is_what_comes_last(guess):
    visits = [["a", "b", "c", "d"], ["a", "b"], ["a"], ["x", "a", "b"], ["x", "a"]]
    shop = guess(events(visits))
    assert shop.stages == ["a", "b", "c", "d"]
    assert "no name says success, and it comes last" in shop.texts["GUESSES.md"]


def test_failures_are_no_success(guess):
    visits = [*VISITS, [*ORDERING[:4], "purchase_cancelled"]]
    assert guess(events(visits)).stages == ORDERING


@pytest.mark.parametrize("name", ["Session Started", "push_failed"])
def test_one_name_of_events_is_a_step_and_the_conversion(guess, name):
    one = guess(events([[name], [name]]))
    assert one.roles == {name: "step"}
    assert one.stages == [name]
    assert one.rows("funnel_stages")[0]["outcome"] == "conversion"


def test_users_that_never_come_back_are_no_users(guess):
    assert guess(events([["view"]])).err == (
        "No column could be found for user_id (seen: event_id, event_name, event_time, user_id); "
        "rename it in what lands, or write the settings by hand and name it in the var "
        "event_columns, like {user_id: distinct_id}.\n"
    )


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("$insert_id", "distinct_id", "event", "timestamp"),
        ("Message ID", "userId", "Event Name", "originalTimestamp"),
        ("uuid", "case:concept:name", "concept:name", "time:timestamp"),
    ],
)
def test_columns_are_found_by_names_that_others_use(guess, names):
    frame = events(names=names)
    frame["value"] = range(len(frame))
    if "originalTimestamp" in names:
        frame["ts"] = frame.pop("originalTimestamp")
        names = [*names[:3], "ts"]
    assert columns_of(guess(frame)) == dict(zip(OUR_NAMES, names, strict=True))


def test_columns_are_found_by_content_where_no_name_fits(guess):
    frame = events(names=("id", "wer", "was", "wann"))
    frame["farbe"] = ["rot", "blau"] * (len(frame) // 2)
    frame["wann_gespeichert"] = frame["wann"] + timedelta(seconds=5)
    found = columns_of(guess(frame))
    assert found == {"event_id": "id", "user_id": "wer", "event_name": "was", "event_time": "wann"}


def test_a_name_whose_content_does_not_fit_is_passed_by(guess):
    frame = events(names=("event_id", "anonymous_id", "action", "ts"))
    frame["user_id"] = None
    frame.loc[:3, "user_id"] = "known"
    frame["event_id"] = 1
    frame["type"] = range(len(frame))
    shop = guess(frame)
    assert columns_of(shop) == {
        "user_id": "anonymous_id",
        "event_name": "action",
        "event_time": "ts",
    }
    page = shop.texts["GUESSES.md"]
    assert re.search(r"`user_id` \| `anonymous_id` \| by its name; `user_id` is filled in", page)
    assert "A build reads it all the same" in page


def test_rows_without_ids_are_no_trouble(guess):
    shop = guess(events().drop(columns="event_id"))
    assert (shop.code, shop.vars) == (0, {"session_timeout_minutes": 30})
    assert shop.stages == ORDERING


@pytest.mark.parametrize("suffix", ["parquet", "ndjson"])
def test_fields_are_found_where_no_column_serves(guess, suffix):
    frame = events().rename(columns={"event_id": "id"})
    frame["user"] = [{"uid": user, "name": "Asha"} for user in frame.pop("user_id")]
    pairs = zip(frame.pop("event_name"), frame.pop("event_time"), strict=True)
    frame["ev"] = [{"name": name, "ts": f"{at}Z", "more": {"time": 1}} for name, at in pairs]
    if suffix == "parquet":
        frame.to_parquet("zone/a.parquet")
    else:
        frame.to_json("zone/a.ndjson", orient="records", lines=True)
    shop = guess()
    assert columns_of(shop) == {
        "event_id": "id",
        "user_id": "user.uid",
        "event_name": "ev.name",
        "event_time": "ev.ts",
    }
    assert shop.stages == ORDERING


@pytest.mark.parametrize(
    "times",
    [
        lambda at: at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda at: at.dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"),
        lambda at: at.astype("datetime64[ms]").astype("int64"),
        lambda at: at.astype("datetime64[ms]").astype("int64").astype(str),
    ],
)
def test_times_are_read_as_a_build_reads_them(guess, times):
    frame = events()
    frame["event_time"] = times(frame["event_time"])
    assert guess(frame).stages == ORDERING


@pytest.mark.parametrize(("unit", "name"), [("s", "seconds"), ("us", "microseconds")])
def test_other_epochs_are_told_and_not_read(guess, unit, name):
    frame = events()
    frame["event_time"] = frame["event_time"].astype(f"datetime64[{unit}]").astype("int64")
    shop = guess(frame)
    assert (shop.code, shop.out, shop.err.count("\n")) == (2, "", 1)
    assert f"event_time looks like epoch {name}, where milliseconds are read" in shop.err


def test_columns_that_are_not_there_are_one_sentence(guess):
    frame = events().rename(columns={"event_time": "colour"}).assign(colour="red")
    assert guess(frame).err == (
        "No column could be found for event_time (seen: colour, event_id, event_name, user_id); "
        "rename it in what lands, or write the settings by hand and name it in the var "
        "event_columns, like {user_id: distinct_id}.\n"
    )


def test_odd_names_of_columns_reach_the_build(guess):
    odd = "user_'$`#\\ é😀|\n{{ x }}"
    frame = events().rename(columns={"user_id": odd, "event_time": "t s"})
    shop = guess(frame)
    assert columns_of(shop) == {"user_id": odd, "event_time": "t s"}
    assert not set("'$`#|") & set(shop.texts["vars.yml"])


# --- exports of other tools ----------------------------------------------------------------------


def as_told(frame):
    """The rows as vendor_exports takes them: every fourth person is not known."""
    told = []
    for event_id, user, name, at in frame[list(OUR_NAMES)].itertuples(index=False):
        number = int(user[1:])
        who = {"user_id": user}
        if number % 4 == 0:
            who = {"user_id": None, "anonymous_id": user}
        context = {"platform": ["android", "web"][number % 2], "app_version": "5.1", "city": "Pune"}
        at = at.to_pydatetime()
        received_at = at + timedelta(seconds=2)
        event = {"event_id": event_id, "event_name": name, "event_time": at}
        told.append({**event, **who, **context, "received_at": received_at})
    return told


def clear(folder):
    for path in Path(folder).iterdir():
        path.unlink()


@pytest.mark.parametrize("event_format", EXPORTS)
def test_exports_of_other_tools_are_recognised(guess, event_format):
    for shape, write in EXPORTS[event_format].items():
        clear("zone")
        write(as_told(events(users=5)), Path("zone"))
        shop = guess(out=shape)
        assert shop.vars == {"event_format": event_format, "session_timeout_minutes": 30}
        assert shop.stages == ORDERING
        assert f"Recognised the event format {event_format}.\n90 events of 5 users" in shop.out
        page = shop.texts["GUESSES.md"]
        assert f"1. **The format** is guessed to be `{event_format}`" in page
        assert "its time are found in 90 of 90 rows by it" in page
        assert ("**Time zone**: `ts` names no offset" in page) == (event_format == "clevertap")


def test_what_is_recognised_is_told_with_its_reason(guess):
    EXPORTS["posthog"]["lines"](as_told(events()), Path("zone"))
    page = guess().texts["GUESSES.md"]
    assert (
        "and 5 of the 6 names that tell it: `person_id`, `_inserted_at`, `properties.$os`" in page
    )
    assert "Also weighed: `mixpanel` (4 of 11 names, 0% of the rows); the most names" in page
    who = "| `user_id` | `distinct_id`, else `person_id` | by the format; is filled in 100% of the"
    assert who in page


def test_whole_seconds_and_times_of_another_zone_are_told(guess):
    fine = as_told(events())
    for event in fine:
        event["event_time"] += timedelta(milliseconds=5)
        event["received_at"] -= timedelta(hours=5)
    pages = {}
    for shape, write in EXPORTS["mixpanel"].items():
        clear("zone")
        write(fine, Path("zone"))
        pages[shape] = guess(out=shape).texts["GUESSES.md"]
    assert "| `properties.time` (`s`), else `properties.time` (`ms`) |" in pages["seconds"]
    assert "all event times are whole seconds" in pages["seconds"]
    assert "whole seconds" not in pages["milliseconds"]
    assert "most events happen after they were received" in pages["milliseconds"]


def test_rudderstack_is_told_from_segment_by_what_only_it_has(guess):
    told = [event | {"city": None} for event in as_told(events())]
    EXPORTS["segment"]["logs"](told, Path("zone"))
    assert guess(out="segment").vars["event_format"] == "segment"
    clear("zone")
    EXPORTS["rudderstack"]["logs"](told, Path("zone"))
    assert guess(out="rudderstack").vars["event_format"] == "rudderstack"


def test_calls_without_an_event_do_not_hide_the_format(guess):
    EXPORTS["segment"]["logs"](as_told(events()), Path("zone"))
    calls = gzip.decompress(next(Path("zone").iterdir()).read_bytes()).decode().splitlines()
    pages = [json.loads(line) | {"type": "page", "event": None} for line in calls]
    Path("zone/pages.json").write_text("".join(json.dumps(call) + "\n" for call in pages))
    shop = guess(out="some")
    assert (shop.vars["event_format"], shop.stages) == ("segment", ORDERING)
    assert "its time are found in 360 of 540 rows by it" in shop.texts["GUESSES.md"]


NEAR_MISSES = {
    "our own shape": {},
    "a name of a format": {"event_time": "event_timestamp"},
    "names of posthog that others have": {
        "event_id": "uuid",
        "user_id": "distinct_id",
        "event_name": "event",
        "event_time": "timestamp",
    },
}


@pytest.mark.parametrize("names", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_our_own_shape_and_near_misses_are_no_format(guess, names):
    frame = events().rename(columns=names)
    frame["platform"], frame["city"], frame["received_at"] = "ios", "Pune", START
    shop = guess(frame)
    assert columns_of(shop) == {ours: theirs for ours, theirs in names.items() if ours != theirs}
    assert "event_format" not in shop.vars
    assert "**The format**" not in shop.texts["GUESSES.md"]
    assert "Recognised" not in shop.out


def test_a_format_of_which_most_rows_lack_the_time_is_none(guess):
    EXPORTS["mixpanel"]["seconds"](as_told(events()), Path("zone"))
    for path in Path("zone").iterdir():
        path.write_text(path.read_text().replace('"time":', '"at":'))
    assert "No column could be found for" in guess().err


def test_many_rows_of_a_format_are_told_by_some(guess, monkeypatch):
    monkeypatch.setattr(new_app, "FORMAT_ROWS", 50)
    EXPORTS["ga4"]["parquet"](as_told(events()), Path("zone"))
    shop = guess()
    assert (shop.vars["event_format"], shop.stages) == ("ga4", ORDERING)
    assert "its time are found in 360 of 360 rows by it" in shop.texts["GUESSES.md"]


# --- formats -------------------------------------------------------------------------------------


def test_text_files_packed_or_not_give_the_same_as_parquet(guess):
    texts = guess(events()).texts
    table = text_of(events()).to_csv(index=False).encode()
    lines = text_of(events()).to_json(orient="records", lines=True).encode()
    name = "a.parquet"
    for new, data in (
        ("a.csv", table),
        ("a.csv.gz", gzip.compress(table)),
        ("a.ndjson.zst", zstandard.compress(lines)),
    ):
        Path("zone", name).unlink()
        Path("zone", new).write_bytes(data)
        assert guess(out=f"from_{new}").texts == texts
        name = new


def test_files_of_all_formats_are_one_landing_zone(guess):
    frame = text_of(events())
    third = len(frame) // 3
    frame[:third].to_csv("zone/a.csv", index=False)
    lines = frame[third : 2 * third].to_json(orient="records", lines=True)
    Path("zone/b.ndjson").write_text(lines + "\nno json\n")
    frame[2 * third :].drop(columns="event_id").to_parquet("zone/c.parquet")
    Path("zone/broken.parquet").write_bytes(b"PAR1")
    Path("zone/_SUCCESS").write_text("")
    assert guess().stages == ORDERING


def test_the_same_rows_in_any_order_give_the_same_files(guess):
    # ties in time too, and no ids that would part them
    frame = text_of(events(seconds=0).drop(columns="event_id"))
    frame.to_csv("zone/a.csv", index=False)
    texts = guess().texts
    for seed in range(2):
        order = list(range(len(frame)))
        random.Random(seed).shuffle(order)
        half = len(order) // 2
        frame.iloc[order[:half]].to_csv("zone/a.csv", index=False)
        frame.iloc[order[half:]].to_csv("zone/b.csv", index=False)
        assert guess(out=f"again{seed}").texts == texts


def test_whole_users_are_looked_at_where_there_are_many_rows(guess, monkeypatch):
    monkeypatch.setattr(new_app, "SAMPLE_ROWS", 720)
    shop = guess(events(users=200))
    page = shop.texts["GUESSES.md"]
    users = int(re.search(r"events of (\d+) users \(20.0% of the users", page).group(1))
    assert 20 <= users <= 60
    assert "**Success** is guessed to be `order_completed`: its words; 20.0%" in page
    assert shop.stages == ORDERING


# --- names that break things ---------------------------------------------------------------------

ODD = [
    'say "hi", now',
    "two\nlines\r\nhere",
    "{{ config() }}",
    "<script>alert(1)</script>",
    "😀 party",
    "a|b `tick` ``more``",
    "'; drop table",
    " spaces around ",
    "___",
]


def test_odd_names_of_events_round_trip_and_break_no_page(guess):
    shop = guess(events([ODD, ODD[:5], ODD[:2]]))
    assert set(shop.roles) == set(ODD)
    path = Path("settings/event_types.csv")
    with path.open(newline="") as file:
        assert {row["event_name"] for row in csv.DictReader(file)} == set(ODD)
    # what the build's own reader makes of it
    records = csv_records(shop.texts["event_types.csv"])
    assert {fields[0] for _, fields in records[1:]} == set(ODD)
    assert {len(fields) for _, fields in records} == {3}
    lines = shop.texts["GUESSES.md"].splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    # six columns of roles, five of the funnel, three of ours: no name adds a cell or a line
    cells = [len(re.findall(r"(?<!\\)\|", row)) - 1 for row in rows]
    assert set(cells) == {3, 5, 6}
    assert cells.count(6) == len(ODD) + 2
    for line in lines:
        bare = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", line)
        assert "<script" not in bare
        assert "{{" not in bare


def csv_records(text):
    """What macros/check_settings.sql makes of a CSV text."""
    source = (ROOT / "macros" / "check_settings.sql").read_text()
    returned = []
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals.update({"modules": {"re": re}, "return": returned.append})
    environment.from_string(source).module.csv_records("a.csv", text)
    return returned[0]


def test_labels_are_readable_and_told_apart(guess):
    shop = guess(events([["select_seat", "Select-Seat", "A_SUBMITTED", "DeviceX", "my OTP"]]))
    labels = {row["event_name"]: row["label"] for row in shop.rows("event_types")}
    assert labels == {
        "select_seat": "select_seat",
        "Select-Seat": "Select-Seat",
        "A_SUBMITTED": "A submitted",
        "DeviceX": "Device X",
        "my OTP": "My OTP",
    }


# --- refusals ------------------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_left_alone(guess):
    Path("settings").mkdir()
    assert guess(events()).code == 0
    before = Path("settings/vars.yml").stat().st_mtime_ns
    again = guess(events())
    assert (again.code, again.out) == (2, "")
    assert again.err == "settings is there and not empty; name another folder with --out.\n"
    assert Path("settings/vars.yml").stat().st_mtime_ns == before


def test_nothing_landed_is_one_sentence(guess):
    sentence = (
        "No file of zone has a row that can be read; "
        "name a folder or a glob of parquet, ndjson or csv files.\n"
    )
    assert guess().err == sentence
    Path("zone/a.ndjson").write_text("no json\n")
    assert guess().err == sentence
    assert not Path("settings").exists()


def test_columns_without_rows_are_one_sentence(guess):
    assert guess(events()[:0]).err == (
        "What has landed has columns, but no row; wait for some events.\n"
    )


def test_a_folder_that_cannot_be_written_is_one_sentence(guess, tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert guess(events(), out="file/settings").err == (
        "file/settings cannot be written (Not a directory); name a folder with --out.\n"
    )


@pytest.mark.parametrize("name", ["", "../up", "a b", "$x"])
def test_a_name_that_is_no_folder_is_one_sentence(name, capsys):
    with pytest.raises(SystemExit) as left:
        new_app.main([name, "--events", "zone"])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("new_app.py: argument name: ")
    assert told.endswith(" is no name of letters, digits, _ and -.\n")
    assert told.count("\n") == 1


# --- a build -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_guessed_of_an_export_can_be_built(guess, tmp_path):
    EXPORTS["mixpanel"]["milliseconds"](as_told(events()), Path("zone"))
    shop = guess()
    build = run_dbt(
        *(tmp_path / "shop.duckdb", "run", "--select", "+fct_sessions", "+fct_funnel_stages"),
        events=tmp_path / "zone",
        seeds=tmp_path / "settings",
        dbt_vars=shop.vars,
    )
    assert build.success, build.output
    [sessions] = build.rows(
        "select count(*) as count, count(distinct user_id) as users from marts.fct_sessions"
    )
    assert sessions == {"count": 100, "users": 20}
    rows = build.rows(
        "select count_sessions from marts.fct_funnel_stages where starter_event_name = '(all)' "
        "and segment = '(all)' order by stage_order"
    )
    counts = [row["count_sessions"] for row in rows]
    assert f"| 5 | `order_completed` | conversion | {counts[4]} |" in shop.texts["GUESSES.md"]
    assert counts[4:] == [20, 20]


@pytest.mark.slow
def test_what_is_guessed_of_the_web_shop_can_be_built(shared_data, tmp_path):
    landed = shared_data / "web_shop" / "events"
    out = tmp_path / "shop"
    assert new_app.main(["shop", "--events", str(landed), "--out", str(out)]) == 0
    build = run_dbt(
        tmp_path / "shop.duckdb",
        "run",
        "--select",
        "+fct_funnel_stages",
        events=landed,
        seeds=out,
        dbt_vars=yaml.safe_load((out / "vars.yml").read_text()),
    )
    assert build.success, build.output
    rows = build.rows(
        "select stage, stage_outcome, count_sessions from marts.fct_funnel_stages where "
        "starter_event_name = '(all)' and segment = '(all)' order by stage_order"
    )
    counts = [row["count_sessions"] for row in rows]
    assert len(counts) >= 3
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] > 0
    assert rows[-1]["stage_outcome"] == "conversion"
    assert "| 3 | `purchase` | conversion | 264 | 7.3% |" in (out / "GUESSES.md").read_text()
    assert counts[-1] == 264
