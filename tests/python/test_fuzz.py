"""Hostile files and settings crash nothing, lose no row, and run nothing that stands in them."""

import collections
import csv
import gzip
import io
import json
import os
import random
import zlib
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
import zstandard
from conftest import ROOT, load, run_dbt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

check = load(ROOT / "landing" / "check.py")
app_step = load(ROOT / "steps" / "app.py")
cut_records = app_step.staging_module("base_app__cut_records")

# two patterns are as hostile as ten, and sooner found
VARS = {"build_clock": "2026-03-01 00:00:00", "patterns_fewest": 2, "patterns_most": 2}
COLUMNS = ["event_id", "user_id", "event_name", "event_time", "platform", "city"]

# what would leave a canary behind, or harm, if it were ever run
COMMANDS = [
    "'; create table main.canary as select 1; --",
    '"; create table main.canary as select 1; --',
    "'); copy (select 1) to 'canary'; select ('",
    "{{ run_query('create table main.canary as select 1') }}",
    "{% do run_query('create table main.canary as select 1') %}",
    "{{ 1 / 0 }} {% endraw %} {# {0} {x!r} %s",
    "'; drop schema staging cascade; --",
    "read_csv('/etc/passwd')",
    "$(touch canary) `touch canary`; touch canary",
    "__import__('pathlib').Path('canary').touch()",
    "=cmd|' /C touch canary'!A0",
    "<script>alert(1)</script>",
]
TEXTS = [
    *COMMANDS,
    "\u202eright to left שלום\u2066",
    "👩‍👩‍👧‍👦 e\u0301 \U0010ffff \ufeff",
    "a\nb\r\nc\rd",
    "tab\there, comma; semicolon",
    'say "no"',
    "\\ \\u0041 \\x41",
    "nul\0byte",
    "nan",
    "null",
    "1e999",
    "-",
    "1,5",
    "line \u2028 paragraph \u2029 next \u0085 feed \x0b \x0c \x1c",
    "\u200b",
]
LONG = "long " * 200_000


# --- files that are as they should be ------------------------------------------------------------


def rows_of(form, texts):
    """A row for each text, which stands wherever there is room for it."""
    return [
        {
            "event_id": f"{form} {number} {text[:50]}",
            "user_id": text,
            "event_name": text,
            "event_time": f"2026-01-12 10:00:{number:02d}",
            "platform": "web",
            "city": text,
        }
        for number, text in enumerate(texts)
    ]


def as_ndjson(rows, **how):
    return "".join(json.dumps(row, **how) + "\n" for row in rows).encode()


def as_csv(rows, **how):
    out = io.StringIO(newline="")
    csv.writer(out, **how).writerows([COLUMNS, *([row[name] for name in COLUMNS] for row in rows)])
    return out.getvalue().encode()


def as_parquet(table, **how):
    if isinstance(table, list):
        table = pa.Table.from_pylist(table)
    out = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, out, **how)
    return out.getvalue().to_pybytes()


WRITERS = {
    "ascii.ndjson": as_ndjson,
    "utf-8.JSONL": lambda rows: as_ndjson(rows, ensure_ascii=False),
    "mark.json": lambda rows: b"\xef\xbb\xbf" + as_ndjson(rows).replace(b"\n", b"\r\n"),
    "packed.ndjson.gz": lambda rows: gzip.compress(as_ndjson(rows), mtime=0),
    "frames.ndjson.zst": lambda rows: (
        zstandard.compress(as_ndjson(rows[:3])) + zstandard.compress(as_ndjson(rows[3:]))
    ),
    "comma.csv": lambda rows: as_csv(rows, lineterminator="\n"),
    "mark.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows, delimiter=";"),
    "tab.CSV.GZ": lambda rows: gzip.compress(as_csv(rows, delimiter="\t"), mtime=0),
    "quoted.csv.zst": lambda rows: zstandard.compress(as_csv(rows, quoting=csv.QUOTE_ALL)),
    "small.parquet": as_parquet,
    "plain.parquet": lambda rows: as_parquet(rows, compression="none", use_dictionary=False),
}
INTACT = {
    name: rows_of(name, TEXTS + [LONG] * (name in ("ascii.ndjson", "small.parquet")))
    for name in WRITERS
}

NAMES = [
    "it's {0}",
    'say "no"',
    "white space ",
    "line\nbreak",
    "{{ 1 \u2215 0 }} {% endraw %}",
    "'; create table canary as select 1; --",
    "😀 \u202e",
    "*",
    "[ab]",
    "a",
    "?",
    "$(touch canary)",
    "-rf",
    "a=1/b",
    "folder.csv/in it",
    "folder.parquet/in it",
    "x" * 200,
]


def named_files():
    """Small files with names that mean something to a shell, a glob, Jinja or SQL."""
    files = {}
    for number, name in enumerate(NAMES):
        for ending in (".ndjson", ".csv", ".parquet"):
            rows = rows_of(f"named {number}{ending}", ["Journey Started", "bus_search"])
            writers = {".ndjson": as_ndjson, ".csv": as_csv, ".parquet": as_parquet}
            files[name + ending] = writers[ending](rows), 2
    return files


# --- files that are not --------------------------------------------------------------------------

TIME = ', "user_id": "u", "event_name": "a", "event_time": 1768212000000}'
ODD_LINES = [
    "{}",
    "[]",
    "null",
    "NaN",
    '"text"',
    "{" * 1000,
    '{"event_id": ' + "[" * 100_000 + "]" * 100_000 + TIME,
    '{"event_id": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + TIME,
    '{"deep": ' + "[" * 5_000 + "]" * 5_000 + ', "event_id": "odd 1"' + TIME,
    '{"event_id": ' + "9" * 5_000 + TIME,
    '{"event_id": 1e999' + TIME,
    '{"event_id": -0.0' + TIME,
    '{"event_id": NaN' + TIME,
    '{"event_id": "\\ud800"' + TIME,
    '{"event_id": "\\udc00\\ud800"' + TIME,
    '{"event_id": "\\u0000"' + TIME,
    '{"event_id": "twice", "event_id": "again"' + TIME,
    '{"event_id": true' + TIME,
    '{"event_id": ["a", {"b": null}]' + TIME,
    '{"event_id": {"key": 1}' + TIME,
    '{"": "", "a.b": 1, "$": 2, "\\"": 3, "\\u0000": 4, "\\n": 5, "event_id": "odd 2"' + TIME,
    '{"event_id": "odd 3"' + TIME + " trailing",
    '{"event_id": "odd 4"' + TIME + '{"event_id": "odd 5"' + TIME,
    "\0",
    "\0" + '{"event_id": "odd 6"' + TIME,
    '\ufeff{"event_id": "odd 7"' + TIME,
    "event_id,user_id,event_name,event_time",
    *(
        f'{{"event_id": "time {number}", "user_id": "u", "event_name": "a", "event_time": {time}}}'
        for number, time in enumerate(
            [
                *("null", "true", "[]", "{}", '""', '" "', "0", "-1", "1e12", "1.5e12", "1e400"),
                *("9" * 30, "-" + "9" * 30, "253402300799999", "253402300800000", "1768212000,5"),
                *('"1768212000,5"', '"infinity"', '"epoch"', '"now"', '"2026-02-30"', '"24:00"'),
                *('"9999-12-31T23:59:59.999999-23:59"', '"0000-01-01"', '"0001-01-01T00:00+23"'),
                *('"2026-01-12T10"', '"20260112T1000"', '"2026-01-12T10:00:60"', '"12.01.2026"'),
                *('"٢٠٢٦-01-12"', '"2026-01-12 10:00:00 Asia/Kolkata"', "0x10", "1_000"),
            ]
        )
    ),
]


def odd_tables():
    """Tables of parquet with columns and types that nobody asked for."""
    base = {name: [row[name] for row in rows_of("odd", ["a", "b"])] for name in COLUMNS}
    far = 2**63 - 1
    columns = {
        "event_time": {
            "days": pa.array([2**31 - 1, -(2**31)], pa.date32()),
            **{
                f"{unit} {zone}": pa.array([far, -far], pa.timestamp(unit, zone))
                for unit in ("ms", "us", "ns")
                for zone in (None, "UTC")
            },
            "before all time": pa.array([10 - 2**63, 0], pa.timestamp("us")),
            "before all time, UTC": pa.array([10 - 2**63, 0], pa.timestamp("us", "UTC")),
            "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
            "double": pa.array([float("nan"), float("inf")]),
            "single": pa.array([1e38, -1e38], pa.float32()),
            "decimal": pa.array([Decimal(10) ** 36, Decimal("1.5")], pa.decimal128(38, 1)),
            "flag": pa.array([True, False]),
            "clock": pa.array([0, 1], pa.time64("us")),
            "list": pa.array([[1], None]),
            "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
            "bytes": pa.array([b"\xff", b"2026-01-12"]),
            "nothing": pa.nulls(2),
        },
        "user_id": {
            "bytes": pa.array([b"\xff\xfe", b"u"]),
            "fixed": pa.array([b"\xff" * 16, b"a" * 16], pa.binary(16)),
            "struct": pa.array([{"a": 1}, None]),
            "dictionary": pa.array(["a", "b"]).dictionary_encode(),
            "date": pa.array([date(2026, 1, 12), None]),
            "time": pa.array([datetime(2026, 1, 12), None]),
        },
    }
    tables = {}
    for name, arrays in columns.items():
        for kind, array in arrays.items():
            tables[f"{name} {kind}"] = pa.table(base | {name: array})
    for name in [
        "filename",
        "file_row_number",
        "file_name",
        "json",
        "",
        'a"b',
        "a\nb",
        "USER_ID",
        "\0",
    ]:
        tables[f"column {name!r}"] = pa.table(base | {name: ["x", "y"]})
    arrays = [pa.array(values) for values in base.values()]
    tables["twice"] = pa.table([*arrays, arrays[0]], names=[*base, "event_id"])
    tables["no rows"] = pa.table(base).slice(0, 0)
    tables["no columns"] = pa.table({})
    # one row says of a whole file that it cannot be read
    counts = {"column 'file_row_number'": 1, "no columns": 1}
    return {
        f"odd {number}.parquet": (as_parquet(table), counts.get(name, table.num_rows))
        for number, (name, table) in enumerate(tables.items())
    }


def flipped(dice, data):
    for _ in range(dice.choice([1, 1, 4])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def truncated(dice, data):
    return data[: dice.randrange(len(data))]


def inserted(dice, data):
    where = dice.randrange(len(data))
    return data[:where] + dice.choice(INSERTED) + data[where:]


def duplicated(dice, data):
    start, end = sorted(dice.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:]


def without_a_part(dice, data):
    start, end = sorted(dice.randrange(len(data)) for _ in range(2))
    return data[:start] + data[end:]


def with_other_line_ends(dice, data):
    return data.replace(b"\n", dice.choice([b"\r\n", b"\r", b"\n\r", b"\n\n", b"\x0b"]))


def in_other_letters(dice, data):
    return data.decode("utf-8", "replace").encode(dice.choice(["utf-16", "utf-32-be", "utf-7"]))


MUTATIONS = [
    *(flipped, truncated, inserted, duplicated),
    *(without_a_part, with_other_line_ends, in_other_letters),
]
INSERTED = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b";",
    b"\t",
    b"\xed\xa0\x80",
    b"\x1f\x8b",
    b"PAR1",
    b"9" * 400,
    *(text.encode() for text in COMMANDS),
]
SOUND = {
    "ndjson": as_ndjson(rows_of("mutated", ["Journey Started", "bus_search", "é, \n"])),
    "csv": as_csv(rows_of("mutated", ["Journey Started", "bus_search", "é, \n"])),
    "parquet": as_parquet(rows_of("mutated", ["Journey Started", "bus_search", "é, \n"])),
}
PACKED = {"gz": lambda data: gzip.compress(data, mtime=0), "zst": zstandard.compress}


def mutated_files(count):
    """Files that were sound before bytes of them changed, some behind the ending of another kind."""
    dice = random.Random(11)
    files = {}
    for number in range(count):
        kind = dice.choice(list(SOUND))
        data = bytearray(SOUND[kind])
        ending = dice.choice([kind] * 7 + ["ndjson", "csv", "parquet"])
        packed = dice.choice([None, None, "gz", "zst"]) if kind != "parquet" else None
        packed_first = packed and dice.random() < 0.5
        if packed_first:
            data = bytearray(PACKED[packed](data))
        for _ in range(dice.choice([1, 1, 2])):
            data = bytearray(dice.choice(MUTATIONS)(dice, data)) or bytearray(b" ")
        if packed and not packed_first:
            data = PACKED[packed](bytes(data))
        name = f"mutated {number}.{ending}" + (f".{packed}" if packed else "")
        files[name] = bytes(data), count_lines(name, bytes(data))
    return files


def unpacked(name, data):
    """What a compressed file holds; None where it is broken."""
    try:
        if name.endswith(".gz"):
            return gzip.decompress(data)
        if name.endswith(".zst"):
            text = b""
            while data:
                frame = zstandard.ZstdDecompressor().decompressobj()
                text += frame.decompress(data)
                data = frame.unused_data
                if not frame.eof:
                    return None
            return text
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return None
    return data


def count_lines(name, data):
    """Rows of ndjson as anybody counts them; None where it takes more than that."""
    text = unpacked(name, data)
    if text is None or ".ndjson" not in name:
        return None
    return sum(bool(line.strip()) for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"))


# --- one build of them all -----------------------------------------------------------------------


def hostile_settings():
    """Settings without a contradiction in which every name and label is hostile."""
    texts = [text for text in TEXTS if "\0" not in text]
    starters = ["Journey Started", *COMMANDS[:3]]
    steps = ["bus_search", *texts[3:]]
    stages = [
        [funnel, text, number, f"{text} {number}", text, name, outcome, text]
        for funnel in COMMANDS[:2]
        for number, (name, text, outcome) in enumerate(
            zip(steps[:5], COMMANDS, ["", "", "", "conversion", "completion"], strict=False), 1
        )
    ]
    return {
        "event_types": [
            ["event_name", "role", "label"],
            *([name, "starter", name] for name in starters),
            *([name, "step", name] for name in steps),
            ["beep", "telemetry", LONG],
        ],
        "funnels": [
            ["funnel", "is_primary", "order_mode", "conversion_window_seconds", "starters"],
            [COMMANDS[0], "true", "ordered", "", "(all)"],
            [COMMANDS[1], "false", "any_order", "60", "|".join(starters)],
        ],
        "funnel_stages": [
            [
                *("funnel", "phase", "stage_order", "stage", "label", "event_name", "outcome"),
                "result_label",
            ],
            *stages,
        ],
        "playbook": [
            ["stage", "stuck_after_seconds", "suggestion", "intervention"],
            *([stage[3], "60", text, text] for stage, text in zip(stages[:5], texts, strict=False)),
        ],
    }


def csv_of(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


class App:
    """A landing zone and settings at constant paths, and dbt that has parsed once for them."""

    def __init__(self, folder):
        self.warehouse = folder / "warehouse.duckdb"
        self.paths = {"events": folder / "events", "seeds": folder / "seeds"}
        self.land({"a.ndjson": SOUND["ndjson"]})
        self.paths["seeds"].mkdir()
        self.set(hostile_settings())
        self.manifest = run_dbt(self.warehouse, "parse", **self.paths).result

    def set(self, texts):
        for name, rows in texts.items():
            data = rows if isinstance(rows, bytes) else csv_of(rows)
            (self.paths["seeds"] / f"{name}.csv").write_bytes(data)

    def land(self, files):
        for name, data in files.items():
            path = self.paths["events"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def run(self, *arguments, dbt_vars=VARS):
        return run_dbt(
            self.warehouse,
            *arguments,
            dbt_vars=dbt_vars,
            manifest=self.manifest,
            **self.paths,
        )


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp("fuzz"))


def landing():
    """{name: (bytes, rows that are counted here, or None)} of everything above."""
    odd = "\n".join(ODD_LINES).encode("utf-8", "surrogatepass")
    files = {name: (write(INTACT[name]), len(INTACT[name])) for name, write in WRITERS.items()}
    files |= named_files() | odd_tables() | mutated_files(220)
    files |= {
        "odd.ndjson": (odd, len(ODD_LINES)),
        "again.ndjson": files["ascii.ndjson"],
        "empty.ndjson": (b"", 0),
        "empty.csv": (b"", 0),
        "empty.parquet": (b"", 1),
        "empty.csv.gz": (b"", 0),
        "header.csv": (b"event_id;user_id\n", 0),
        "_SUCCESS": (b"", 0),
        "notes.txt": (b"event_id,user_id\ne1,u1\n", 0),
        os.fsdecode(b"\xff\xfe.ndjson"): (SOUND["ndjson"], 1),
        os.fsdecode(b"\xff\xfe.parquet"): (SOUND["parquet"], 1),
    }
    return files


@pytest.fixture(scope="module")
def built(app):
    """The one build: everything lands, with hostile settings."""
    app.land({name: data for name, (data, _) in landing().items()})
    build = app.run("build", "--exclude-resource-type", "unit_test")
    assert build.success, build.output[-3000:]
    return build


def rows_by_file(app, build):
    """{file name below the landing zone: [(reason or None) of each of its rows]}."""
    found = collections.defaultdict(list)
    for row in build.rows("""
        select file_name, reject_reason
        from (
            select file_number, reject_reason from staging.stg_app__rejected_rows
            union all
            select file_number, null from staging.base_app__staged_rows
        )
        inner join staging.base_app__files using (file_number)
    """):
        found[os.path.relpath(row["file_name"], app.paths["events"])].append(row["reject_reason"])
    return found


def listed(name):
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@pytest.mark.slow
def test_a_build_of_hostile_files_loses_no_row(app, built):
    rows = rows_by_file(app, built)
    differing = {
        name: (count, len(rows[listed(name)]))
        for name, (_, count) in landing().items()
        if count is not None and count != len(rows[listed(name)])
    }
    assert differing == {}
    (counts,) = built.rows("""
        select
            sum(count_landed) as landed,
            sum(count_staged) as staged,
            sum(count_rejected) as rejected
        from marts.fct_data_health
    """)
    assert counts["landed"] == sum(map(len, rows.values())) == counts["staged"] + counts["rejected"]


def is_header_alone(name, data):
    text = (unpacked(name, data) or b"").decode("utf-8", "replace")
    return ".csv" in name and sum(map(bool, csv.reader(io.StringIO(text, newline="")))) == 1


@pytest.mark.slow
def test_every_file_that_is_broken_says_so(app, built):
    """A row that is rejected, or its line in the list of files where no row can be told."""
    rows = rows_by_file(app, built)
    names = {row["file_name"] for row in built.rows("from staging.base_app__landing_files")}
    for name, (data, count) in landing().items():
        assert f"{app.paths['events']}/{listed(name)}" in names
        assert rows[listed(name)] or count == 0 or is_header_alone(name, data), name
        if unpacked(name, data) is None:
            assert "unreadable" in rows[listed(name)], name


@pytest.mark.slow
def test_rows_that_are_sound_come_through_with_their_text(built):
    found = {row["event_id"]: row for row in built.rows("from staging.stg_app__events")}
    for name, rows in INTACT.items():
        for row in rows:
            staged = {column: found[row["event_id"]][column] for column in COLUMNS[1:3]}
            assert staged == {column: row[column] for column in COLUMNS[1:3]}, name
            assert found[row["event_id"]]["city"] == row["city"], name
            assert str(found[row["event_id"]]["event_at"]) == row["event_time"], name


@pytest.mark.slow
def test_nothing_in_the_data_was_run(app, built):
    """No table or file that the texts would make, and none gone."""
    tables = {row["table_name"] for row in built.rows("from information_schema.tables")}
    models = {file.stem for file in (ROOT / "models").rglob("*") if file.suffix in (".sql", ".py")}
    assert tables == models | {"builds"}
    folders = (ROOT, app.warehouse.parent, app.paths["events"])
    assert not [folder for folder in folders if (folder / "canary").exists()]


# --- the check of what landed ---------------------------------------------------------------------


@pytest.fixture
def few(app, tmp_path, monkeypatch):
    """A folder with some of the files, as the current one: the checks take a while for each."""
    monkeypatch.chdir(tmp_path)
    files = landing()
    names = [
        *WRITERS,
        *list(named_files())[::4],
        *list(mutated_files(220))[::15],
        *list(files)[-9:],
    ]
    for name in names:
        path = tmp_path / "events" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name][0])
    return tmp_path


def run_check(capsys, *arguments):
    """The exit code, and what was told on the way."""
    code = check.main([*map(str, arguments)])
    out, err = capsys.readouterr()
    assert code in (0, 1, 2)
    assert (code == 0) == (err == "")
    assert err == "" or err.endswith(".\n")
    assert "Traceback" not in out + err
    return code, err


@pytest.mark.slow
def test_every_hostile_file_is_read_by_the_check_or_is_unreadable(app, built):
    columns = check.columns_of_events({})
    counts = collections.Counter()
    for path in check.landed_files(str(app.paths["events"])):
        try:
            check.read_landed(path, columns)
            counts["read"] += 1
        except check.UnreadableFileError:
            counts["unreadable"] += 1
    assert min(counts.values()) > 80


@pytest.mark.slow
def test_the_check_of_hostile_files_ends_in_a_sentence(app, few, capsys):
    seeds = app.paths["seeds"]
    code, _ = run_check(capsys, "--events", "events", "--seeds", seeds, "--out", "checks.ndjson")
    assert code == 1
    rows = [json.loads(line) for line in (few / "checks.ndjson").read_text("utf-8").splitlines()]
    assert {row["expectation"] for row in rows} > {check.READABLE, "expect_column_to_exist"}


# --- the parts by themselves ----------------------------------------------------------------------

FEW = settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PIECES = st.sampled_from(
    [
        *(b"a", b'"', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b" ", b"\0", b"\xff", b"\\"),
        *(
            "é".encode(),
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\x85",
            b"\x0b",
            b'{"a": 1}',
            b"[",
            b"}",
        ),
    ]
)
SCRAPS = st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=60)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["user_id", "segment", "ms", "%d", "UTC", '{"a": [{"key": "b"}]}', "{{ x }}"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["column", "unit", "format", "timezone", "user_id", "event_time", "key"]
            )
            | st.sampled_from(["value", "string_value", "a", "b", "0"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def without(text, letters):
    return "".join(letter for letter in text if letter not in letters and not letter.isspace())


@FEW
@given(SCRAPS)
def test_a_cut_of_any_bytes_into_lines_keeps_them(data):
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    kept = [
        (number, line.strip(b"\r\n").decode("utf-8", "backslashreplace"))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    records = list(cut_records.ndjson_records(io.BytesIO(data)))
    assert [(number, text) for number, _, text in records] == kept


@FEW
@given(SCRAPS)
def test_a_cut_of_any_bytes_as_csv_keeps_them(data):
    text = data.decode("utf-8", "backslashreplace").removeprefix("\ufeff")
    rows = list(cut_records.csv_rows(io.BytesIO(data)))
    assert without("".join(row for *_, row in rows), "") == without(text, "")
    numbers = [number for number, *_ in rows]
    assert numbers == sorted(set(numbers))
    for _, fields, row in rows:
        if fields is not None:
            assert len(fields) == len(rows[0][1])
            assert without("".join(fields), '",;') == without(row, '",;')
    records = list(cut_records.csv_records(io.BytesIO(data)))
    assert len(records) == len(rows) - (rows != [] and rows[0][1] is not None)


@FEW
@given(SCRAPS, st.sampled_from(["", ".gz", ".zst"]), st.sampled_from(["csv", "ndjson"]))
def test_any_bytes_behind_any_ending_are_records(tmp_path_factory, data, packed, kind):
    path = tmp_path_factory.getbasetemp() / f"any.{kind}{packed}"
    path.write_bytes(data)
    records = list(cut_records.file_records(str(path), kind, None))
    assert all(isinstance(text, str) for *_, text in records)
    if packed and data:
        assert records[-1][1] is False


@FEW
@given(
    JSON, st.lists(st.sampled_from(["a", "b", "0", "9" * 30, "value", "", "٣", "²"]), max_size=4)
)
def test_a_path_into_any_value_leads_somewhere_or_nowhere(value, path):
    app_step.value_at({"a": value}, ".".join(["a", *path]))


NAMES_OF_VARS = ("event_columns", "event_format", "event_formats")


@settings(FEW, max_examples=30)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES_OF_VARS, JSON)))
def test_any_vars_name_sources_or_are_told_in_a_sentence(dbt_vars):
    told = None
    try:
        sources = app_step.event_sources(dbt_vars)
    except ValueError as error:
        told = str(error)
    if told is None:
        assert list(sources) == list(app_step.EVENT_COLUMNS)
    else:
        assert len(told.splitlines()) == 1
        assert told.endswith(".")


# --- settings -------------------------------------------------------------------------------------

CHEAPLY = ["--quiet", "--log-level-file", "none"]
NOT_OURS = [
    *("Traceback", "Runtime Error", "Binder Error", "Parser Error", "Conversion Error"),
    *("Catalog Error", "Invalid Input", "Internal Error", "INTERNAL", "Out of Memory"),
]


def assert_told(build):
    """The build went well, or it stopped with one sentence of ours and nothing else."""
    if not build.success:
        lines = [line.strip() for line in build.output.splitlines()]
        told = {after for before, after in pairwise(lines) if "Compilation Error in" in before}
        assert len(told) == 1, build.output
        assert told.pop().endswith("."), build.output
        assert "> in macro stop (" in build.output
        assert not [words for words in NOT_OURS if words in build.output], build.output


def with_other_cells(dice, rows):
    """The rows with some cells changed, and perhaps one row gone, there twice, or cut short."""
    rows = [list(row) for row in rows]
    for _ in range(dice.choice([1, 2])):
        row = dice.choice(rows)
        row[dice.randrange(len(row))] = dice.choice(
            [*TEXTS, "", " ", "0", "-1", "1e5", "true", LONG]
        )
    change = dice.choice(["none", "gone", "twice", "short", "long"])
    number = dice.randrange(len(rows))
    if change == "gone":
        del rows[number]
    elif change == "twice":
        rows.append(rows[number])
    elif change == "short":
        del rows[number][-1]
    elif change == "long":
        rows[number].append("x")
    return csv_of(rows)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_settings_of_any_bytes_build_or_stop_in_a_sentence(app, seed):
    dice = random.Random(seed)
    whole = hostile_settings()
    name = dice.choice(list(whole))
    if seed % 2:
        data = with_other_cells(dice, whole[name])
    else:
        data = bytes(dice.choice(MUTATIONS)(dice, bytearray(csv_of(whole[name]))))
    try:
        app.set({name: data})
        assert_told(app.run("run", *CHEAPLY, "--select", "path:models/staging/stg_settings__*"))
    finally:
        app.set(whole)


HOSTILE_VARS = [
    {"event_columns": {"user_id": COMMANDS[0], "city": f"city.{COMMANDS[2]}"}},
    {
        "event_columns": {
            "user_id": ["user_id.a", 'user_id."'],
            "city": "city..'.99999999999999999999",
        }
    },
    {"event_columns": {"event_time": {"column": "event_time", "format": "'); drop %d\n--"}}},
    {"event_columns": {"event_time": {"column": "event_time", "unit": ["s"], "timezone": {}}}},
    {"event_columns": [COMMANDS]},
    {"event_format": ["segment"]},
    {"event_format": {"segment": 1}, "event_formats": 5},
    {"event_format": "x", "event_formats": {"x": COMMANDS[0], "y": None}},
    {"event_format": 1, "event_formats": {1: {}, "a": {}}},
    {"memory_limit": "9" * 30 + "TB", "reporting_timezone": COMMANDS[0]},
    {"memory_limit": "1KB"},
    {"oldest_event_time": [COMMANDS[0]], "as_of": {}},
    {"intervention_levels": [{"HIGH": 1}], "refit": "yes", "journey_max_steps": 10**30},
]


@pytest.mark.slow
@pytest.mark.parametrize("dbt_vars", HOSTILE_VARS, ids=str)
def test_vars_of_any_kind_build_or_stop_in_a_sentence(app, tmp_path, capsys, dbt_vars):
    """The build, and the check before it."""
    (tmp_path / "a.ndjson").write_bytes(SOUND["ndjson"])
    paths, app.paths = app.paths, app.paths | {"events": tmp_path}
    models = ["stg_settings__event_types", "+base_app__rows"]
    try:
        assert_told(
            app.run("run", *CHEAPLY, "--full-refresh", "--select", *models, dbt_vars=dbt_vars)
        )
    finally:
        app.paths = paths
    as_yaml = yaml.safe_dump(dbt_vars)
    where = ["--events", tmp_path, "--seeds", app.paths["seeds"], "--out", tmp_path / "out.checks"]
    run_check(capsys, *where, "--vars", as_yaml)
