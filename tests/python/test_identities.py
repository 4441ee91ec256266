"""Who is whom: a person's sessions from before they were known are theirs, whenever that lands."""

import json
import os
import random
import shutil
from datetime import datetime, timedelta

import pytest
from conftest import run_dbt
from warehouses import build_in_place, differences, fitted_alone

# random histories; ten were run before the release
SEEDS = int(os.environ.get("DROPOFF_MAPPINGS", "1"))

VARS = {"build_clock": "2026-06-01 00:00:00"}
NAMES = ["Journey Started", "bus_search", "bus_result", "seat_layout", "payment_success", "push"]
USERS = ["C-1", "C-2", "C-3", "C-4"]
DEVICES = [f"G-{number}" for number in range(7)]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A function that builds a warehouse of what lies in a folder's three zones."""
    folder = tmp_path_factory.mktemp("identities")
    zones = {
        "events": folder / "events",
        "interventions": folder / "ledger",
        "identities": folder / "identities",
    }
    place = folder / "place.duckdb"
    parsed = run_dbt(place, "parse", dbt_vars=VARS, **zones)

    def build(name):
        return build_in_place(
            place, folder / f"{name}.duckdb", dbt_vars=VARS, manifest=parsed.result, **zones
        )

    build.folder = folder
    return build


@pytest.fixture(autouse=True)
def nothing_landed(app):
    for warehouse in app.folder.glob("*.duckdb"):
        warehouse.unlink()
    for zone in ("events", "ledger", "identities"):
        shutil.rmtree(app.folder / zone, ignore_errors=True)
        (app.folder / zone).mkdir()


def land(app, zone, name, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (app.folder / zone / f"{name}.ndjson").write_text(text, encoding="utf-8")


def event(number, user_id, name, minute):
    time = datetime(2026, 1, 12) + timedelta(minutes=minute)
    times = {"event_time": str(time), "received_at": str(time + timedelta(seconds=1))}
    return {"event_id": f"e{number}", "user_id": user_id, "event_name": name, **times}


@pytest.mark.slow
def test_what_somebody_did_before_login_is_theirs(app):
    land(
        app,
        "events",
        "a",
        [
            event(1, "G-1", "Journey Started", 0),
            event(2, "G-1", "bus_search", 1),
            event(3, "C-1", "payment_success", 2),
            event(4, "C-2", "bus_search", 3),
        ],
    )
    before = app("w")
    assert [row["user_id"] for row in before.rows("from marts.dim_users order by 1")] == [
        "C-1",
        "C-2",
        "G-1",
    ]
    [(old_id,)] = [
        tuple(row.values())
        for row in before.rows("select session_id from marts.fct_sessions where user_id = 'G-1'")
    ]
    land(app, "identities", "late", [{"anonymous_id": "G-1", "user_id": "C-1"}])
    after = app("w")
    assert after.rows(
        "select user_id, count_events, lead_starter from marts.fct_sessions order by 1"
    ) == [
        {"user_id": "C-1", "count_events": 3, "lead_starter": "Journey Started"},
        {"user_id": "C-2", "count_events": 1, "lead_starter": None},
    ]
    [session] = after.rows("select session_id from marts.fct_sessions where user_id = 'C-1'")
    rekeys = after.rows("select * from marts.session_rekeys")
    assert {row["old_session_id"]: row["new_session_id"] for row in rekeys}[old_id] == (
        session["session_id"]
    )
    landed = after.rows("select landed_user_id from staging.stg_app__events where user_id = 'C-1'")
    assert sorted(row["landed_user_id"] for row in landed) == ["C-1", "G-1", "G-1"]


@pytest.mark.slow
def test_the_ledger_follows_the_person(app):
    land(
        app,
        "events",
        "a",
        [event(1, "G-1", "Journey Started", 0), event(2, "G-1", "bus_search", 1)],
    )
    [session] = app("w").rows("select session_id from marts.fct_sessions")
    told = {"intervention": "x", "stage": "search", "arm": "treated"}
    told |= {"assigned_at": "2026-01-12 00:02:00"}
    assignments = [
        {"assignment_id": "1", "unit": "session", "user_id": "G-1", **session, **told},
        {"assignment_id": "2", "unit": "session", "user_id": "C-1", **told, "intervention": "y"},
    ]
    land(app, "ledger", "a", assignments)
    land(app, "identities", "a", [{"anonymous_id": "G-1", "user_id": "C-1"}])
    build = app("w")
    [now] = build.rows("select session_id from marts.fct_sessions")
    assert now != session
    units = build.rows(
        "select user_id, session_id, unit_state from effects.int_assigned_units order by assignment_id"
    )
    assert units == [{"user_id": "C-1", **now, "unit_state": "pending"}] * 2


def test_a_row_that_maps_nobody_is_rejected_with_its_reason(app):
    land(app, "events", "a", [event(1, "G-1", "bus_search", 0)])
    zone = app.folder / "identities"
    (zone / "a.csv").write_text(
        "anonymous_id,user_id,mapped_at\nG-1,C-1,2026-01-02\nG-1,C-2,2026-01-03\n"
        "G-1,C-1,\n,C-1,\nG-3,,\nG-4,G-4,\nG-5,G-6,\nG-6,G-5,\ntoo,many,fields,here\n"
    )
    (zone / "b.ndjson").write_text('{"anonymous_id": "G-9", \n["G-9"]\n')
    (zone / "c.parquet").write_bytes(b"no parquet")
    build = app("w")
    counted = build.rows("select reject_reason, count_rows from marts.fct_identity_health")
    assert {row["reject_reason"]: row["count_rows"] for row in counted} == {
        "(mapped)": 1,
        "unreadable": 4,
        "missing_anonymous_id": 1,
        "missing_user_id": 1,
        "maps_to_itself": 1,
        "duplicate_mapping": 1,
        "mapped_before": 1,
        "endless_chain": 2,
    }
    assert build.rows("select user_id from marts.dim_users") == [{"user_id": "C-1"}]
    files = build.rows("select * from marts.fct_rejected_files where reject_reason = 'unreadable'")
    assert {(row["landing_zone"], row["count_rows"]) for row in files} == {
        ("identities", 1),
        ("identities", 2),
    }


def resolved(mappings):
    """{anonymous id: person} as definitions have it, by a loop: the first mapping of an id holds."""
    links = {}
    for mapping in sorted(mappings, key=lambda row: (row["mapped_at"] or "9", row["user_id"])):
        if mapping["anonymous_id"] != mapping["user_id"]:
            links.setdefault(mapping["anonymous_id"], mapping["user_id"])
    people = {}
    for first in links:
        person, seen = links[first], {first}
        while person in links and person not in seen:
            seen.add(person)
            person = links[person]
        if person not in links:
            people[first] = person
    return people


def random_history(dice):
    """Batches of (events, assignments, mappings), the mappings late, contradictory, in circles."""
    ids = USERS + DEVICES
    batches = []
    for day in range(4):
        events = [
            event(f"{day}-{number}", dice.choice(ids), dice.choice(NAMES), dice.randrange(9_000))
            for number in range(40)
        ]
        ledger = [
            {
                **{"assignment_id": f"{day}-{number}", "intervention": "x", "stage": "search"},
                **{"unit": "user", "user_id": dice.choice(ids), "arm": "treated"},
                "assigned_at": str(
                    datetime(2026, 1, 12) + timedelta(minutes=dice.randrange(9_000))
                ),
            }
            for number in range(3)
        ]
        mappings = [
            {
                "anonymous_id": dice.choice(DEVICES),
                "user_id": dice.choice(ids),
                "mapped_at": dice.choice([None, f"2026-01-1{dice.randrange(2, 6)} 00:00:00"]),
            }
            for _ in range(dice.randrange(4))
        ]
        batches.append((events, ledger, mappings))
    return batches


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_mappings_that_come_and_go_leave_what_ids_replaced_by_hand_give(app, seed):
    """Each batch builds to what everything anew gives, and that to the rows with the ids replaced."""
    batches = random_history(random.Random(seed))
    anew = app.folder / "anew.duckdb"
    for number, (events, ledger, mappings) in enumerate(batches):
        land(app, "events", number, events)
        land(app, "ledger", number, ledger)
        land(app, "identities", number, mappings)
        if number == 3:
            # somebody was mapped by mistake
            (app.folder / "identities" / "0.ndjson").unlink()
            batches[0] = (*batches[0][:2], [])
        by_batch = app("by_batch")
        if number < 2:
            continue
        fitted_alone(by_batch.warehouse, anew)
        app("anew")
        assert not differences(by_batch.warehouse, anew), number

    people = resolved([row for *_, mappings in batches for row in mappings])
    assert people
    for number, (events, ledger, _) in enumerate(batches):
        for zone, rows in (("events", events), ("ledger", ledger)):
            named = [{**row, "user_id": people.get(row["user_id"], row["user_id"])} for row in rows]
            land(app, zone, number, named)
    shutil.rmtree(app.folder / "identities")
    fitted_alone(by_batch.warehouse, by_hand := app.folder / "by_hand.duckdb")
    app("by_hand")
    differing = differences(by_batch.warehouse, by_hand)
    # which say what landed
    landed = {"staging.stg_app__events", "marts.fct_identity_health", "marts.fct_rejected_files"}
    assert set(differing) <= landed
