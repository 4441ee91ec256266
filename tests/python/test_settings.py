"""Settings and vars that contradict themselves stop every build; unusual ones are read exactly."""

import contextlib
import csv
import datetime
import io
import math
import os
import re
import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from conftest import ROOT, Build, environment
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

pytestmark = pytest.mark.slow

# a small app without a contradiction; a test changes single lines of it
SOUND = {
    "event_types": """\
event_name,role,label
Start,starter,
Other Start,starter,Second start
view,step,View
buy,step,Buy
beep,telemetry,Beep
push,ambient,Push
""",
    "funnels": """\
funnel,is_primary,order_mode,conversion_window_seconds,starters
shop,true,ordered,,(all)
login,false,any_order,60,Start|Other Start
""",
    "funnel_stages": """\
funnel,phase,stage_order,stage,label,event_name,outcome,result_label
shop,Look,1,view,View,view,,
shop,Look,2,cart,Cart,cart,,
shop,Look,2,cart,Cart,basket,,
shop,Pay,3,buy,Buy,buy,conversion,Bought
shop,Pay,4,thanks,Thanks,thanks,completion,
login,Login,1,code,Code,code,,
login,Login,2,login,Login,login,conversion,Logged in
""",
    "playbook": """\
stage,stuck_after_seconds,suggestion,intervention
view,60,Show what others buy,Sort by price
code,0.5,,
""",
    "annotations": """\
date,label,kind,link
2026-01-12,Version 2,release,https://example.com/2
2026-01-12,A sale,campaign,/experiments/
2026-02-28,Nothing worked,incident,
""",
}
OPTIONAL_COLUMNS = (",result_label", ",link")
HEADERS = {name: text.splitlines()[0] for name, text in SOUND.items()}

# a name that would do harm in a format string, in Jinja, in SQL, or in a shell
HOSTILE = "it's {0} {{ 1 / 0 }} {% endraw %} {x!r} %s $x `x` \"'; drop schema staging; --"

# errors are printed all the same
CHEAPLY = ["--quiet", "--log-level-file", "none", "--no-populate-cache"]
SETTINGS_MODELS = "path:models/staging/stg_settings__*"
EVENTS_CSV = "event_id,user_id,event_name,event_time\ne1,u1,Start,2026-01-12 10:00:00\n"


# --- dbt, parsed once ------------------------------------------------------------------------


class App:
    """A landing zone and a settings folder at constant paths, and dbt that parsed them once.

    Hooks and models are rendered with the vars of each command; only the parsing is left out.
    """

    def __init__(self, folder):
        self.folder = folder
        self.seeds = folder / "seeds"
        self.events = folder / "events"
        self.warehouse = folder / "warehouse.duckdb"
        self.seeds.mkdir()
        self.land({"events.csv": EVENTS_CSV.encode()})
        self.write({})
        self.manifest = None
        self.manifest = self.invoke("parse").result

    def write(self, texts):
        """Write a settings folder: the sound one with these files put in; None: without it."""
        for name, text in (SOUND | texts).items():
            path = self.seeds / f"{name}.csv"
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def land(self, files):
        """Replace the landing zone by these files."""
        shutil.rmtree(self.events, ignore_errors=True)
        self.events.mkdir()
        for name, data in files.items():
            (self.events / name).write_bytes(data)

    def invoke(
        self,
        *arguments,
        dbt_vars=None,
        seeds=None,
        events=None,
        interventions="",
        identities="",
        manifest=None,
    ):
        command = [*arguments, "--no-write-json", "--target-path", str(self.folder / "target")]
        command += ["--log-level-file", "none", "--log-path", str(self.folder / "logs")]
        if dbt_vars:
            command += ["--vars", yaml.safe_dump(dbt_vars)]
        settings = {
            "DROPOFF_EVENTS": events or self.events,
            "DROPOFF_INTERVENTIONS": interventions,
            "DROPOFF_IDENTITIES": identities,
            "DROPOFF_SEEDS": seeds or self.seeds,
            "DROPOFF_WAREHOUSE": self.warehouse,
        }
        printed = io.StringIO()
        with (
            environment(**settings),
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            result = dbtRunner(manifest=manifest).invoke(command)
        # dbt keeps its connection for the next command in this process; readers need it gone
        if DuckDBConnectionManager._ENV:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager._ENV = None
        build = Build(result.success, printed.getvalue(), self.warehouse)
        build.result = result.result
        return build

    def run(self, *arguments, **app):
        """`dbt run` into a new warehouse."""
        self.warehouse.unlink(missing_ok=True)
        return self.invoke("run", *arguments, manifest=self.manifest, **app)

    def check(self, **app):
        """The cheapest run: its hooks, which check everything, and one small model."""
        return self.run(*CHEAPLY, "--select", "stg_settings__event_types", **app)

    def stage(self, **app):
        """The staging models of the settings."""
        return self.run(*CHEAPLY, "--select", SETTINGS_MODELS, **app)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp("app"))


@pytest.fixture(autouse=True)
def as_it_was(app):
    """Each test finds the sound settings and one landed file."""
    yield
    app.write({})
    app.land({"events.csv": EVENTS_CSV.encode()})


def tables(build):
    """The tables and views that dbt made."""
    if not build.warehouse.exists():
        return []
    with duckdb.connect(str(build.warehouse), read_only=True) as connection:
        return connection.execute(
            "select table_name from information_schema.tables order by 1"
        ).fetchall()


def assert_stopped(build, sentence, made=()):
    """The build failed with exactly this line, before it made anything but `made`."""
    assert not build.success, build.output
    assert sentence in [line.strip() for line in build.output.splitlines()], build.output
    assert "Traceback" not in build.output
    assert [name for (name,) in tables(build)] == sorted(made)


def changed(name, lines):
    """The text of a sound file with other lines; numbers past its end add lines."""
    text = SOUND[name].splitlines()
    for number, line in lines.items():
        text[number - 1 : number] = [line]
    return "\n".join(line for line in text if line is not None) + "\n"


def row(*fields):
    """A row as the csv module writes it."""
    text = io.StringIO()
    csv.writer(text).writerow(fields)
    return text.getvalue().removesuffix("\r\n")


def lines_of(name, *rows):
    """A settings file of these rows."""
    return "\n".join([HEADERS[name], *(row(*fields) for fields in rows)]) + "\n"


def required(header):
    """The header without the optional column at its end."""
    for column in OPTIONAL_COLUMNS:
        header = header.removesuffix(column)
    return header


# --- settings that contradict themselves ------------------------------------------------------

EVENT_TYPES, FUNNELS, STAGES, PLAYBOOK, ANNOTATIONS = SOUND
NO_SUCH = "is missing; the first line names the columns, with commas between."
NO_TEXT = "this is not UTF-8 text; save the file as CSV in UTF-8."
STRAY_QUOTE = "a quote is out of place; put the whole field in quotes and double those within."
NO_ROLE = "is none of starter, step, telemetry, ambient."
NO_MODE = "is neither ordered nor any_order."
NO_PRIMARY = "no funnel is primary; set is_primary to true for exactly one."
NO_OUTCOME = "is neither empty, conversion nor completion."
NO_KIND = "is none of release, campaign, experiment, incident, other."
NO_LINK = "does not begin with https://, http:// or /."

# what is wrong, the file, its changed lines (or its whole text), the line that is told, the sentence
# fmt: off
CONTRADICTIONS = [
    ("a column in capitals", EVENT_TYPES, {1: "Event_Name,role,label"}, 1, f"the column event_name {NO_SUCH}"),
    ("white space in a header", EVENT_TYPES, {1: "event_name, role,label"}, 1, f"the column role {NO_SUCH}"),
    ("semicolons", EVENT_TYPES, "event_name;role;label\nStart;starter;\n", 1, f"the column event_name {NO_SUCH}"),
    ("no header", EVENT_TYPES, {1: None}, 1, f"the column event_name {NO_SUCH}"),
    ("two byte order marks", EVENT_TYPES, "\ufeff\ufeff" + SOUND[EVENT_TYPES], 1, f"the column event_name {NO_SUCH}"),
    ("a blank first line", EVENT_TYPES, "\n" + SOUND[EVENT_TYPES], 1, "the line is blank; it must be event_name,role,label."),
    ("a column twice", EVENT_TYPES, "event_name,role,label,role\nStart,starter,,step\n", 1, "the column role is there twice."),
    ("a column twice, in capitals", EVENT_TYPES, "Label,event_name,role,label\nx,Start,starter,\n", 1, "the column label is there twice."),
    ("an optional column twice", STAGES, {1: HEADERS[STAGES] + ",result_label"}, 1, "the column result_label is there twice."),

    ("Latin-1", EVENT_TYPES, SOUND[EVENT_TYPES].replace("View", "Café").encode("latin-1"), 4, NO_TEXT),
    ("UTF-16", FUNNELS, SOUND[FUNNELS].encode("utf-16"), 1, NO_TEXT),
    ("cut within a letter", PLAYBOOK, SOUND[PLAYBOOK].encode() + "é".encode()[:1], 4, NO_TEXT),
    ("a null byte", PLAYBOOK, {3: "code,60,a\0b,"}, 3, NO_TEXT),
    ("letters with the byte of a line break", PLAYBOOK, {2: "view,60,\u0a0a\u1e0a\U000100a0,", 3: "code,0,,"}, 3, "stuck_after_seconds '0' is not a positive number."),
    ("too few fields", EVENT_TYPES, {3: "Other Start,starter"}, 3, "2 fields where the header has 3."),
    ("one field", EVENT_TYPES, {3: "Other Start"}, 3, "1 field where the header has 3."),
    ("white space only", EVENT_TYPES, {3: "  "}, 3, "1 field where the header has 3."),
    ("too many fields", FUNNELS, {3: "login,false,ordered,60,Start,Other Start"}, 3, "6 fields where the header has 5."),
    ("a comma at the end", PLAYBOOK, {2: "view,60,a,b,"}, 2, "5 fields where the header has 4."),
    ("two short rows alike", EVENT_TYPES, {3: "view", 4: "view"}, 3, "1 field where the header has 3."),
    ("a quote never closed", EVENT_TYPES, {3: 'Other Start,starter,"Second'}, 3, STRAY_QUOTE),
    ("a quote within a field", EVENT_TYPES, {5: 'buy,step,19" screen'}, 5, STRAY_QUOTE),
    ("a quote after white space", EVENT_TYPES, {5: 'buy,step, "Buy"'}, 5, STRAY_QUOTE),
    ("text behind a quote", EVENT_TYPES, {5: 'buy,step,"Buy" now'}, 5, STRAY_QUOTE),
    ("a quote below a field of lines", EVENT_TYPES, {4: 'view,step,"a\nb\r\nc"', 5: 'buy,step,"Buy" now'}, 7, STRAY_QUOTE),
    ("a quote in the header", EVENT_TYPES, {1: 'event_name,role,"label'}, 1, STRAY_QUOTE),

    ("an event twice", EVENT_TYPES, {6: "view,step,Again"}, 6, "the event 'view' is listed twice (first on line 4)."),
    ("an event twice, in quotes", EVENT_TYPES, {6: '"view",ambient,'}, 6, "the event 'view' is listed twice (first on line 4)."),
    ("a hostile event twice", EVENT_TYPES, {6: row(HOSTILE, "step", ""), 7: row(HOSTILE, "step", "")}, 7, f"the event '{HOSTILE}' is listed twice (first on line 6)."),
    ("an event of two lines twice", EVENT_TYPES, {6: '"a\nb",step,', 7: '"a\nb",step,'}, 8, "the event 'a b' is listed twice (first on line 6)."),
    ("no event name", EVENT_TYPES, {4: ",step,View"}, 4, "the event_name is missing."),
    ("commas only", EVENT_TYPES, {4: ",,"}, 4, "the event_name is missing."),
    ("an unknown role", EVENT_TYPES, {4: "view,page,View"}, 4, f"the role 'page' {NO_ROLE}"),
    ("a role in capitals", EVENT_TYPES, {4: "view,Step,View"}, 4, f"the role 'Step' {NO_ROLE}"),
    ("no role", EVENT_TYPES, {4: "view,,View"}, 4, f"the role '' {NO_ROLE}"),
    ("a hostile role", EVENT_TYPES, {4: row("view", HOSTILE, "")}, 4, f"the role '{HOSTILE}' {NO_ROLE}"),
    ("after a byte order mark", EVENT_TYPES, {1: "\ufeffevent_name,role,label", 4: "view,page,"}, 4, f"the role 'page' {NO_ROLE}"),
    ("after blank lines", EVENT_TYPES, {4: "\n\nview,page,"}, 6, f"the role 'page' {NO_ROLE}"),
    ("after a field of three lines", EVENT_TYPES, {3: 'Other Start,starter,"a\n\nb"', 4: "view,page,"}, 6, f"the role 'page' {NO_ROLE}"),
    ("after a header of two lines", EVENT_TYPES, "event_name,role,label,\"a\nb\"\nview,page,,\n", 3, f"the role 'page' {NO_ROLE}"),
    ("in a row of two lines", EVENT_TYPES, {4: 'view,page,"a\nb"'}, 4, f"the role 'page' {NO_ROLE}"),
    ("after what other tools break lines at", EVENT_TYPES, {3: "Other Start,starter,a\u2028b\u0085c\x0bd\x0ce\x1cf", 4: "view,page,"}, 4, f"the role 'page' {NO_ROLE}"),
    ("after lines that end in CRLF", EVENT_TYPES, "event_name,role,label\r\n\r\nview,step,\r\nbuy,page,\r\n", 4, f"the role 'page' {NO_ROLE}"),
    ("after lines that end in CR", EVENT_TYPES, "event_name,role,label\r\rview,step,\rbuy,page,\r", 4, f"the role 'page' {NO_ROLE}"),

    ("no funnel", FUNNELS, {2: None, 3: None}, None, NO_PRIMARY),
    ("no primary funnel", FUNNELS, {2: "shop,false,ordered,,(all)"}, None, NO_PRIMARY),
    ("two primary funnels", FUNNELS, {3: "login,TRUE,ordered,,(all)"}, 3, "the funnel 'login' is a second primary funnel; exactly one is."),
    ("two primary funnels, one hostile", FUNNELS, {3: row(HOSTILE, "true", "ordered", "", "(all)")}, 3, f"the funnel '{HOSTILE}' is a second primary funnel; exactly one is."),
    ("is_primary yes", FUNNELS, {3: "login,yes,ordered,,(all)"}, 3, "is_primary 'yes' is neither true nor false."),
    ("is_primary empty", FUNNELS, {3: "login,,ordered,,(all)"}, 3, "is_primary '' is neither true nor false."),
    ("is_primary with white space", FUNNELS, {3: "login, false,ordered,,(all)"}, 3, "is_primary ' false' is neither true nor false."),
    ("a funnel without name", FUNNELS, {3: ",false,ordered,,(all)"}, 3, "the funnel's name is missing."),
    ("a funnel twice", FUNNELS, {4: "login,false,ordered,,(all)"}, 4, "the funnel 'login' is listed twice (first on line 3)."),
    ("an unknown order mode", FUNNELS, {3: "login,false,strict,,(all)"}, 3, f"the order_mode 'strict' {NO_MODE}"),
    ("no order mode", FUNNELS, {3: "login,false,,,(all)"}, 3, f"the order_mode '' {NO_MODE}"),
    ("a hostile order mode", FUNNELS, {3: row("login", "false", HOSTILE, "", "(all)")}, 3, f"the order_mode '{HOSTILE}' {NO_MODE}"),
    ("an event that is no starter", FUNNELS, {3: "login,false,ordered,,view"}, 3, "'view' is no starter in event_types.csv."),
    ("the second of two is no starter", FUNNELS, {3: "login,false,ordered,,Start|push"}, 3, "'push' is no starter in event_types.csv."),
    ("a starter with white space", FUNNELS, {3: "login,false,ordered,,Start| Other Start"}, 3, "' Other Start' is no starter in event_types.csv."),
    ("a bar at the end", FUNNELS, {3: "login,false,ordered,,Start|"}, 3, "'' is no starter in event_types.csv."),
    ("(all) and a starter", FUNNELS, {3: "login,false,ordered,,(all)|Start"}, 3, "'(all)' is no starter in event_types.csv."),
    ("starters joined by commas", FUNNELS, {3: 'login,false,ordered,,"Start,Other Start"'}, 3, "'Start,Other Start' is no starter in event_types.csv."),
    ("a hostile starter", FUNNELS, {3: row("login", "false", "ordered", "", HOSTILE)}, 3, f"'{HOSTILE}' is no starter in event_types.csv."),
    ("no starters", FUNNELS, {3: "login,false,ordered,,"}, 3, "starters is missing; name them, joined by |, or write (all)."),
    *(
        (f"a window of {window}", FUNNELS, {3: row("login", "false", "ordered", window, "(all)")}, 3, f"conversion_window_seconds '{window}' is not a positive number.")
        for window in ["0", "-60", "abc", "nan", "inf", "1e999", "1e-999", " 60", "1_000", "1,5", HOSTILE]
    ),

    ("an unknown funnel", STAGES, {8: "signup,Login,2,login,Login,login,,"}, 8, "the funnel 'signup' is not in funnels.csv."),
    ("a stage without funnel", STAGES, {8: ",Login,2,login,Login,login,,"}, 8, "the funnel '' is not in funnels.csv."),
    ("a hostile funnel", STAGES, {8: row(HOSTILE, "Login", 2, "login", "Login", "login", "", "")}, 8, f"the funnel '{HOSTILE}' is not in funnels.csv."),
    ("no stages", STAGES, dict.fromkeys(range(2, 9)), None, "the funnel 'login' has no stages."),
    ("a funnel without stages", STAGES, {7: None, 8: None}, None, "the funnel 'login' has no stages."),
    ("no conversion stage", STAGES, {5: "shop,Pay,3,buy,Buy,buy,,Bought"}, None, "the primary funnel 'shop' has no conversion stage."),
    ("an unknown outcome", STAGES, {8: "login,Login,2,login,Login,login,converted,"}, 8, f"the outcome 'converted' {NO_OUTCOME}"),
    ("a hostile outcome", STAGES, {5: row("shop", "Pay", 3, "buy", "Buy", "buy", HOSTILE, "")}, 5, f"the outcome '{HOSTILE}' {NO_OUTCOME}"),
    ("two conversion stages", STAGES, {6: "shop,Pay,4,thanks,Thanks,thanks,conversion,"}, 6, "the funnel 'shop' has two stages with the outcome conversion."),
    ("two completion stages", STAGES, {7: "login,Login,1,code,Code,code,completion,", 8: "login,Login,2,login,Login,login,completion,"}, 8, "the funnel 'login' has two stages with the outcome completion."),
    ("a hole", STAGES, {8: "login,Login,3,login,Login,login,,"}, 8, "the stage orders of the funnel 'login' have a hole before 3."),
    ("a hole at the start", STAGES, {7: "login,Login,2,code,Code,code,,", 8: "login,Login,3,login,Login,login,,"}, 7, "the stage orders of the funnel 'login' have a hole before 2."),
    ("a hole, rows in another order", STAGES, {5: "shop,Pay,5,buy,Buy,buy,conversion,Bought", 6: "shop,Pay,4,thanks,Thanks,thanks,completion,"}, 6, "the stage orders of the funnel 'shop' have a hole before 4."),
    ("an order below 1 is no hole", STAGES, {7: "login,Login,1,code,Code,code,,", 8: "login,Login,0,login,Login,login,,"}, 8, "the stage_order '0' is not a whole number from 1."),
    ("a stage with two orders", STAGES, {4: "shop,Look,3,cart,Cart,basket,,"}, 4, "the stage 'cart' has two orders."),
    ("a stage with two orders and a hole", STAGES, {4: "shop,Look,9,cart,Cart,basket,,"}, 4, "the stage 'cart' has two orders."),
    ("a stage with two phases", STAGES, {4: "shop,Pay,2,cart,Cart,basket,,"}, 4, "the stage 'cart' has two phases."),
    ("a stage with two labels", STAGES, {4: "shop,Look,2,cart,Basket,basket,,"}, 4, "the stage 'cart' has two labels."),
    ("a stage with two outcomes", STAGES, {4: "shop,Look,2,cart,Cart,basket,completion,"}, 4, "the stage 'cart' has two outcomes."),
    ("a stage with two result labels", STAGES, {4: "shop,Look,2,cart,Cart,basket,,Full"}, 4, "the stage 'cart' has two result labels."),
    ("a hostile stage with two labels", STAGES, {3: row("shop", "Look", 2, HOSTILE, "Cart", "cart", "", ""), 4: row("shop", "Look", 2, HOSTILE, "Basket", "basket", "", "")}, 4, f"the stage '{HOSTILE}' has two labels."),
    ("two stages of one order", STAGES, {4: "shop,Look,2,basket,Basket,basket,,"}, 4, "the stage_order 2 of the funnel 'shop' is already that of the stage 'cart'."),
    ("two stages of one order, in other digits", STAGES, {4: "shop,Look,02,basket,Basket,basket,,"}, 4, "the stage_order 02 of the funnel 'shop' is already that of the stage 'cart'."),
    ("an event in two stages", STAGES, {6: "shop,Pay,4,thanks,Thanks,view,completion,"}, 6, "the event 'view' is in two stages of the funnel 'shop' (first on line 2)."),
    ("an event twice in a stage", STAGES, {4: "shop,Look,2,cart,Cart,cart,,"}, 4, "the event 'cart' is listed twice in the funnel 'shop' (first on line 3)."),
    ("a hostile event in two stages", STAGES, {2: row("shop", "Look", 1, "view", "View", HOSTILE, "", ""), 6: row("shop", "Pay", 4, "thanks", "Thanks", HOSTILE, "completion", "")}, 6, f"the event '{HOSTILE}' is in two stages of the funnel 'shop' (first on line 2)."),
    ("no stage", STAGES, {2: "shop,Look,1,,View,view,,"}, 2, "the stage is missing."),
    ("no event name in a stage", STAGES, {2: "shop,Look,1,view,View,,,"}, 2, "the event_name is missing."),
    ("no label", STAGES, {2: "shop,Look,1,view,,view,,"}, 2, "the label is missing."),
    ("no phase", STAGES, {2: "shop,,1,view,View,view,,"}, 2, "the phase is missing."),
    *(
        (f"an order of {order}", STAGES, {7: row("login", "Login", order, "code", "Code", "code", "", "")}, 7, f"the stage_order '{order}' is not a whole number from 1.")
        for order in ["", "0", "-1", "1.5", "one", "1 ", "9" * 40, "１"]
    ),

    ("a playbook stage of no funnel", PLAYBOOK, {3: "pay,60,,"}, 3, "the stage 'pay' is in no funnel."),
    ("a hostile playbook stage", PLAYBOOK, {3: row(HOSTILE, 60, "", "")}, 3, f"the stage '{HOSTILE}' is in no funnel."),
    ("a playbook row without stage", PLAYBOOK, {3: ",60,,"}, 3, "the stage '' is in no funnel."),
    ("a stage twice in the playbook", PLAYBOOK, {3: "view,90,,"}, 3, "the stage 'view' is listed twice (first on line 2)."),
    *(
        (f"stuck after {time}", PLAYBOOK, {3: row("code", time, "", "")}, 3, f"stuck_after_seconds '{time}' is not a positive number.")
        for time in ["", "0", "-0.5", "abc", "nan", "-inf", "60 "]
    ),

    *(
        (f"the day {date}", ANNOTATIONS, {3: row(date, "A sale", "campaign", "")}, 3, f"the date '{date}' is no day; write it like 2026-01-31.")
        for date in ["", "12/01/2026", "2026-1-12", "2026-02-30", "2026-01-12 10:00", " 2026-01-12", "today", HOSTILE]
    ),
    ("an annotation without a label", ANNOTATIONS, {3: "2026-01-12,,campaign,"}, 3, "the label is missing."),
    ("an annotation without a kind", ANNOTATIONS, {3: "2026-01-12,A sale,,"}, 3, f"the kind '' {NO_KIND}"),
    ("an unknown kind", ANNOTATIONS, {3: "2026-01-12,A sale,Campaign,"}, 3, f"the kind 'Campaign' {NO_KIND}"),
    ("an annotation twice", ANNOTATIONS, {4: "2026-01-12,Version 2,other,"}, 4, "'Version 2' is listed twice for 2026-01-12 (first on line 2)."),
    *(
        (f"a link to {link}", ANNOTATIONS, {3: row("2026-01-12", "A sale", "campaign", link)}, 3, f"the link '{link}' {NO_LINK}")
        for link in ["example.com", "javascript:alert(1)", "//example.com", "/\\example.com", "https:///x", " /x", HOSTILE]
    ),
    ("annotations of two fields", ANNOTATIONS, {3: "2026-01-12,A sale"}, 3, "2 fields where the header has 4."),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "change", "line", "sentence"),
    [pytest.param(*case, id=what) for what, *case in CONTRADICTIONS],
)
def test_a_contradiction_stops_the_build_with_file_and_line(app, name, change, line, sentence):
    app.write({name: changed(name, change) if isinstance(change, dict) else change})
    place = f"{app.seeds}/{name}.csv" + (f", line {line}" if line else "")
    assert_stopped(app.check(), f"{place}: {sentence}")


@pytest.mark.parametrize(
    ("name", "column"),
    [
        (name, column)
        for name, header in HEADERS.items()
        for column in required(header).split(",")[1:]
    ],
)
def test_a_missing_column_stops_the_build(app, name, column):
    header = HEADERS[name].split(",")
    header[header.index(column)] = "other"
    app.write({name: changed(name, {1: ",".join(header)})})
    assert_stopped(app.check(), f"{app.seeds}/{name}.csv, line 1: the column {column} {NO_SUCH}")


@pytest.mark.parametrize("name", [EVENT_TYPES, FUNNELS, STAGES, PLAYBOOK])
def test_a_missing_file_stops_the_build(app, name):
    app.write({name: None})
    assert_stopped(
        app.check(),
        f"{app.seeds}/{name}.csv is missing; a settings folder has event_types.csv, funnels.csv, "
        "funnel_stages.csv, playbook.csv.",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((EVENT_TYPES, ""), (FUNNELS, "\n \r\n\t"), (STAGES, "\ufeff"), (PLAYBOOK, "\ufeff\r\n")),
        (ANNOTATIONS, ""),
    ],
)
def test_an_empty_file_stops_the_build(app, name, text):
    app.write({name: text})
    columns = required(HEADERS[name])
    assert_stopped(
        app.check(), f"{app.seeds}/{name}.csv is empty; its first line must be {columns}."
    )


def test_the_first_of_several_contradictions_is_told(app):
    app.write(
        {
            "funnels": changed("funnels", {2: "shop,perhaps,ordered,,(all)"}),
            "event_types": changed("event_types", {3: "Other Start,begin,", 5: "buy,,"}),
            "playbook": changed("playbook", {2: "nowhere,0,,"}),
        }
    )
    assert_stopped(
        app.check(),
        f"{app.seeds}/event_types.csv, line 3: "
        "the role 'begin' is none of starter, step, telemetry, ambient.",
    )


def test_a_settings_folder_that_is_not_there_stops_the_build(app):
    assert_stopped(
        app.check(seeds=app.folder / "none"),
        f"{app.folder}/none/event_types.csv is missing; a settings folder has event_types.csv, "
        "funnels.csv, funnel_stages.csv, playbook.csv.",
    )


def test_a_pattern_of_several_settings_folders_stops_the_build(app):
    for name in ("app_1", "app_2"):
        shutil.copytree(app.seeds, app.folder / name)
    assert_stopped(
        app.check(seeds=app.folder / "app_*"),
        f"{app.folder}/app_*/event_types.csv is 2 files; DROPOFF_SEEDS must name one folder.",
    )


@pytest.mark.parametrize("command", [["build"], ["test"], ["run", "--full-refresh"]])
def test_every_command_stops_at_a_contradiction(app, command):
    app.write({"event_types": changed("event_types", {4: "view,page,View"})})
    app.warehouse.unlink(missing_ok=True)
    assert_stopped(
        app.invoke(*command, manifest=app.manifest),
        f"{app.seeds}/event_types.csv, line 4: "
        "the role 'page' is none of starter, step, telemetry, ambient.",
    )


# --- settings that are unusual, and read exactly -------------------------------------------------

AWKWARD_VALUES = [
    "001", "NULL", "null", "None", "nan", "true", "1", "1.50", "2026-01-12", "10:00", "1e3", "\\N",
    " leading", "trailing ", "\ttab", "   ", "\u00a0", "\u3000", "#", "# comment", "--", "'", "''", '"',
    '""', "a,b", ",", ";", "a;b;c;d", "a\tb\tc\td", "a|b", "a\nb", "a\r\nb", "a\rb", "\n", "\\", '\\"',
    "a\u2028b", "a\u0085b", "a\x0bb", "a\x1fb", "{}", "{0}", "{{ x }}", "{% if %}", "{# c #}", "%s",
    "$x", "'; drop schema staging; --", "é", "e\u0301", "🚌", "event_name", "role", "\ufeff", "=1+1",
    "x" * 3000, HOSTILE,
]  # fmt: skip

NUMBERS = ["60", "0.5", ".5", "60.", "1e3", "+60", "0060", "0.000001", "86400.25"]
FOR_ALL = SOUND["funnels"].replace("Start|Other Start", "(all)")

# fmt: off
UNUSUAL = {
    "the sound app": {},
    "no result_label column": {
        "funnel_stages": re.sub("(?m),[^,]*$", "", SOUND["funnel_stages"]),
    },
    "a result_label column that is empty": {
        "funnel_stages": SOUND["funnel_stages"].replace("Bought", "").replace("Logged in", ""),
    },
    "a playbook of a header": {"playbook": HEADERS["playbook"] + "\n"},
    "a playbook of a header without line break": {"playbook": HEADERS["playbook"]},
    "no annotations": {"annotations": None},
    "annotations of a header": {"annotations": HEADERS["annotations"]},
    "annotations without links": {
        "annotations": re.sub("(?m),[^,]*$", "", SOUND["annotations"]),
    },
    "annotations with strange labels": {
        "annotations": lines_of(
            "annotations", *(("2026-01-12", value, "other", "/") for value in AWKWARD_VALUES)
        ),
    },
    "event types of a header": {
        "event_types": HEADERS["event_types"],
        "funnels": FOR_ALL,
    },
    "no line break at the end": {name: text.rstrip("\n") for name, text in SOUND.items()},
    "blank lines": {name: text.replace("\n", "\n\n\n") for name, text in SOUND.items()},
    "CRLF": {name: text.replace("\n", "\r\n") for name, text in SOUND.items()},
    "CRLF and blank lines": {name: text.replace("\n", "\r\n\r\n") for name, text in SOUND.items()},
    "CR": {name: text.replace("\n", "\r") for name, text in SOUND.items()},
    "CRLF at some ends": {name: text.replace("\n", "\r\n", 2) for name, text in SOUND.items()},
    "LF at some ends": {
        name: text.replace("\n", "\r\n").replace("\r\n", "\n", 2) for name, text in SOUND.items()
    },
    "BOM": {name: "\ufeff" + text for name, text in SOUND.items()},
    "BOM, CRLF and all in quotes": {
        name: "\ufeff"
        + "".join(
            ",".join(f'"{field}"' for field in line.split(",")) + "\r\n"
            for line in text.splitlines()
        )
        for name, text in SOUND.items()
    },
    "columns turned round, and more of them": {
        name: "\n".join(
            row("n", *reversed(fields), "", "x,y", "0")
            if number
            else row("line_number", *reversed(fields), "", "first_line_number", "filename")
            for number, fields in enumerate(csv.reader(io.StringIO(text)))
        )
        for name, text in SOUND.items()
    },
    "more columns with strange names": {
        name: "\n".join(
            line + (",x,y,1" if number else ',"a ""b"", {c}; --",event_role,count_primary')
            for number, line in enumerate(text.splitlines())
        )
        for name, text in SOUND.items()
    },
    "commas at all ends": {name: text.replace("\n", ",,\n") for name, text in SOUND.items()},
    "truth in capitals": {"funnels": SOUND["funnels"].replace("true", "TRUE")},
    "truth in mixed letters": {
        "funnels": SOUND["funnels"].replace("true", "True").replace("false", "False"),
    },
    "a stage order with leading zeros": {
        "funnel_stages": SOUND["funnel_stages"]
        .replace("Look,2,cart,Cart,basket", "Look,0002,cart,Cart,basket")
        .replace("Login,1", "Login,01"),
    },
    "stages in another order": {
        "funnel_stages": "\n".join(
            [HEADERS["funnel_stages"], *reversed(SOUND["funnel_stages"].splitlines()[1:])]
        ),
    },
    "stages of two funnels with one name and one event": {
        "funnel_stages": changed(
            "funnel_stages", {7: "login,Login,1,view,Sight,view,,", 8: "login,L,2,buy,B,buy,,"}
        ),
        "playbook": "stage,stuck_after_seconds,suggestion,intervention\nview,1,,\n",
    },
    "one stage": {
        "funnels": lines_of("funnels", ("only", "true", "ordered", "", "(all)")),
        "funnel_stages": lines_of(
            "funnel_stages", ("only", "p", 1, "s", "S", "buy", "conversion", "")
        ),
        "playbook": HEADERS["playbook"],
    },
    "an event whose name is the column's": {
        "event_types": lines_of("event_types", ("event_name", "step", "label")),
        "funnels": lines_of("funnels", ("funnel", "true", "ordered", "", "(all)")),
        "funnel_stages": lines_of(
            "funnel_stages",
            ("funnel", "phase", 1, "stage", "label", "event_name", "conversion", "result_label"),
        ),
        "playbook": lines_of("playbook", ("stage", 1, "suggestion", "intervention")),
    },
    "one event that looks like a number": {
        "event_types": lines_of("event_types", ("001", "step", "1.50")),
        "funnels": lines_of("funnels", ("2", "true", "ordered", "0060", "(all)")),
        "funnel_stages": lines_of("funnel_stages", ("2", 1, 1, 1, "01", "001", "conversion", 1)),
        "playbook": lines_of("playbook", ("1", "1", "2026-01-12", "true")),
    },
    "numbers written in many ways": {
        "funnels": lines_of(
            "funnels",
            *((f"funnel {n}", n == 1, "ordered", NUMBERS[n], "(all)") for n in range(len(NUMBERS))),
            ("without", "false", "ordered", "", "(all)"),
        ),
        "funnel_stages": lines_of(
            "funnel_stages",
            *((f"funnel {n}", "p", "1", f"stage {n}", "S", "buy", "conversion", "") for n in range(len(NUMBERS))),
            ("without", "p", "1", "stage", "S", "buy", "", ""),
        ),
        "playbook": lines_of("playbook", *((f"stage {n}", NUMBERS[n], "", "") for n in range(len(NUMBERS)))),
    },
    "starters with strange names": {
        "event_types": lines_of(
            "event_types",
            *((value, "starter", "") for value in AWKWARD_VALUES if "|" not in value),
        ),
        "funnels": changed(
            "funnels",
            {
                3: row(
                    "login", "false", "ordered", "",
                    "|".join(value for value in AWKWARD_VALUES if "|" not in value),
                )
            },
        ),
    },
    "awkward names and labels": {
        "event_types": lines_of(
            "event_types", *((value, "step", value) for value in AWKWARD_VALUES)
        ),
        "funnels": lines_of(
            "funnels",
            *(
                (value, "false" if number else "True", "ordered", number or "", "(all)")
                for number, value in enumerate(AWKWARD_VALUES)
            ),
        ),
        "funnel_stages": lines_of(
            "funnel_stages",
            *((value, value, 1, value, value, value, "conversion", value)
              for value in AWKWARD_VALUES),
            *((value, value, "02", f"{value} 2", value, f"{value} {number}", "completion", "")
              for value in AWKWARD_VALUES for number in (2, 1)),
        ),
        "playbook": lines_of(
            "playbook", *((value, "60", value, value) for value in AWKWARD_VALUES)
        ),
    },
    "awkward names, all in quotes, CRLF": {
        "event_types": HEADERS["event_types"] + "\r\n" + "".join(
            '"' + '","'.join(field.replace('"', '""') for field in (value, "step", value)) + '"\r\n'
            for value in AWKWARD_VALUES
        ),
        "funnels": FOR_ALL,
    },
    "a name in each row that opens like a comment": {
        "event_types": lines_of("event_types", *((f"#{n}", "step", f"# {n}") for n in range(9))),
        "funnels": FOR_ALL,
    },
    "empty texts in quotes": {
        "event_types": 'event_name,role,label\nview,step,""\n"Start",starter,""\n"Other Start",starter,\n',
        "playbook": HEADERS["playbook"] + '\nview,"1","",""\n',
    },
    "three thousand events": {
        "event_types": SOUND["event_types"]
        + "".join(f"event {number},step,\n" for number in range(3000))
        + '"the last, ""quoted""",step,"a\nb"\n',
    },
}
# fmt: on


def read_by_the_csv_module(app):
    """The staging tables as Python's csv module reads the files, empty fields as None."""

    def rows(name):
        text = (app.seeds / f"{name}.csv").read_bytes().decode("utf-8-sig")
        return [
            {column: value or None for column, value in record.items()}
            for record in csv.DictReader(io.StringIO(text, newline=""))
        ]

    stages = {}
    for stage in rows("funnel_stages"):
        stages.setdefault((stage["funnel"], int(stage["stage_order"])), []).append(stage)
    return {
        "event_types": [
            (event["event_name"], event["role"], event["label"] or event["event_name"])
            for event in rows("event_types")
        ],
        "funnels": [
            (
                funnel["funnel"],
                funnel["is_primary"].lower() == "true",
                funnel["order_mode"],
                float(funnel["conversion_window_seconds"] or "nan"),
                funnel["starters"] == "(all)",
                funnel["starters"].split("|"),
            )
            for funnel in rows("funnels")
        ],
        "funnel_stages": [
            (
                *key,
                events[0]["stage"],
                events[0]["label"],
                events[0]["phase"],
                events[0]["outcome"],
                events[0].get("result_label") or events[0]["label"],
                min((event["event_name"] for event in events), key=str.encode),
            )
            for key, events in stages.items()
        ],
        "funnel_stage_events": [
            (*key, event["event_name"]) for key, events in stages.items() for event in events
        ],
        "playbook": [
            (
                advice["stage"],
                float(advice["stuck_after_seconds"]),
                advice["suggestion"],
                advice["intervention"],
            )
            for advice in rows("playbook")
        ],
        "annotations": [
            (
                datetime.date.fromisoformat(note["date"]),
                note["label"],
                note["kind"],
                note.get("link"),
            )
            for note in (rows("annotations") if (app.seeds / "annotations.csv").exists() else [])
        ],
    }


def assert_read_exactly(app, build):
    assert build.success, build.output[-3000:]
    with duckdb.connect(str(build.warehouse), read_only=True) as connection:
        for name, expected in read_by_the_csv_module(app).items():
            found = [
                tuple(math.nan if column == 3 and value is None and name == "funnels" else value
                      for column, value in enumerate(found_row))
                for found_row in connection.execute(
                    f"select * from staging.stg_settings__{name}"
                ).fetchall()
            ]  # fmt: skip
            assert sorted(map(repr, found)) == sorted(map(repr, expected)), name


@pytest.mark.parametrize("texts", [pytest.param(texts, id=case) for case, texts in UNUSUAL.items()])
def test_unusual_settings_are_read_as_the_csv_module_reads_them(app, texts):
    app.write(texts)
    assert_read_exactly(app, app.stage())


def test_a_window_longer_than_any_history_is_none(app):
    app.write({"funnels": changed("funnels", {3: "login,false,any_order,1e300,(all)"})})
    build = app.stage()
    assert build.success, build.output[-3000:]
    assert build.rows(
        "select funnel, conversion_window_seconds as seconds from staging.stg_settings__funnels "
        "order by funnel"
    ) == [{"funnel": "login", "seconds": None}, {"funnel": "shop", "seconds": None}]


# a folder's path is part of what dbt parses, so these parse again
ODD_NAME = "role=step/it's {odd} {{ 1 / 0 }} {% x %} [a] #1"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda folder: folder, id="absolute"),
        pytest.param(lambda folder: os.path.relpath(folder, ROOT) + "/", id="relative, with slash"),
    ],
)
def test_a_settings_folder_may_have_any_name(app, written):
    folder = app.folder / ODD_NAME
    shutil.copytree(app.seeds, folder, dirs_exist_ok=True)
    app.warehouse.unlink(missing_ok=True)
    seeds = written(folder)
    build = app.invoke("run", "--select", SETTINGS_MODELS, seeds=seeds)
    assert_read_exactly(app, build)

    (folder / "playbook.csv").write_text(changed("playbook", {2: "view,0,,"}))
    app.warehouse.unlink()
    assert_stopped(
        app.invoke("run", "--select", "stg_settings__event_types", seeds=seeds),
        f"{str(seeds).rstrip('/')}/playbook.csv, line 2: "
        "stuck_after_seconds '0' is not a positive number.",
    )


# --- vars ------------------------------------------------------------------------------------

OUR_COLUMNS = "event_id, user_id, event_name, event_time, received_at, platform, app_version, city"
FROM_0 = "it must be a number from 0 to 1000000000."
SHARE = "it must be a number from 0 to 1."
NO_TIME = "which is no time; write it like 2026-02-16 00:00:00."
NO_ZONE = "which is no time zone; write an IANA name like Asia/Kolkata."
DIGITS = "it must be a number from 1 to 32."
FROM_1 = "it must be a number from 1 to 1000."
NO_COLUMN = "which is no column's name; write it like {user_id: distinct_id}."
NO_FORMAT = "is no format of a time; write it like '%d.%m.%Y %H:%M:%S'."
NO_MAPPING = "write it like {user_id: distinct_id}."
WHAT_PAGES_SHOW = (
    "journey_shown_steps",
    "journey_top_events",
    "journey_top_paths",
    "shown_rows_per_user",
    "shown_steps_per_session",
)

# fmt: off
WRONG_VARS = [
    *(
        (name, value, f"The var {name} is '{value}'; {FROM_0}")
        for name, values in {
            "future_tolerance_seconds": ["five", "300", -1, None, True, [300], math.nan, math.inf],
            "late_after_seconds": [None, "3600"],
            "bot_events_per_hour": [None, -1, "many"],
            "session_timeout_minutes": ["30", -30, False],
            "starter_join_seconds": [-0.5, 1_000_000_001],
            "session_open_minutes": ["", None],
            "bounce_under_seconds": ["10s"],
            "bounce_max_steps": ["3", -1],
        }.items()
        for value in values
    ),
    *(
        (name, value, f"The var {name} is '{value}'; {SHARE}")
        for name, values in {
            "drop_off_step_rate": ["0.75", 1.5, True, math.nan],
            "high_drop_share": [-0.1, None],
            "pattern_target_share": ["0.1", 1.5],
            "high_impact_share": [-0.01, None],
            "medium_impact_share": [1.01],
        }.items()
        for value in values
    ),
    *(
        (name, value, f"The var {name} is '{value}'; it must be a number from 2 to 100.")
        for name in ["patterns_fewest", "patterns_most"]
        for value in [1, "5", None, 101]
    ),
    ("patterns_fewest", 11, "The var patterns_fewest is 11, which is more than patterns_most, 10."),
    *(
        ("pattern_sample_sessions", value, f"The var pattern_sample_sessions is '{value}'; it must be a number from 100 to 1000000.")
        for value in [99, None]
    ),
    *(
        ("risk_train_share", value, f"The var risk_train_share is '{value}'; it must be a number from 0.1 to 0.9.")
        for value in [0, 1, "0.7"]
    ),
    *(
        ("control_share", value, f"The var control_share is '{value}'; it must be a number from 0.01 to 0.9.")
        for value in [0, 1, "0.1", None]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; it must be a number from {bounds}.")
        for name, bounds, values in [
            ("alert_wait_minutes", "0 to 100000", [-1, None, "120"]),
            ("alert_history_days", "14 to 1000", [13, 1001]),
            ("alert_min_days", "14 to 1000", [13, "14"]),
            ("alert_min_count", "1 to 1000000000", [0, None]),
            ("alert_false_alarms_per_month", "0.01 to 100", [0, 101, None]),
            ("alert_min_share", "0 to 1", [-0.01, 1.01, "1%"]),
            ("alert_judged_days", "1 to 1000", [0, 1001]),
        ]
        for value in values
    ),
    ("alert_min_days", 29, "The var alert_min_days is 29, which is more than alert_history_days, 28."),
    *(
        ("feed_stopped_after_seconds", value, f"The var feed_stopped_after_seconds is '{value}'; it must be a number from 1 to 1000000000.")
        for value in [0, None, "120"]
    ),
    *(
        ("intervention_levels", value, f"The var intervention_levels is '{value}'; write it like [HIGH, MEDIUM].")
        for value in ["HIGH", ["high"], ["ON TRACK"], None, 1, {"HIGH": True}]
    ),
    ("min_benchmark_sessions", 1, "The var min_benchmark_sessions is '1'; it must be a number from 2 to 1000000000."),
    *(
        ("display_name_digits", value, f"The var display_name_digits is '{value}'; {DIGITS}")
        for value in ["4", 0, 33]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; {FROM_1}")
        for name in ["journey_max_steps", "retention_weeks"]
        for value in ["12", 0, -1, 1001, None, True, [12], math.nan]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; {FROM_1}")
        for name in WHAT_PAGES_SHOW
        for value in ["12", 0, 1001]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; it must be a number from 1 to 1000000.")
        for name in ["shown_users", "shown_sessions"]
        for value in [0, None, 1_000_001]
    ),
    *(
        ("min_comparison_sessions", value, f"The var min_comparison_sessions is '{value}'; it must be a number from 2 to 1000000000.")
        for value in [1, None, "30"]
    ),
    *(
        ("effect_window_minutes", value, f"The var effect_window_minutes is '{value}'; it must be a number from 1 to 1000000000.")
        for value in [0, None, "1440", True]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; it must be a whole number.")
        for name, value in [
            ("display_name_digits", 4.5), ("journey_max_steps", 2.5), ("retention_weeks", 1.5),
            ("patterns_fewest", 5.5), ("patterns_most", 10.5), ("pattern_sample_sessions", 100.5), ("min_benchmark_sessions", 2.5),
            ("min_comparison_sessions", 30.5), ("effect_window_minutes", 60.5), ("alert_wait_minutes", 1.5), ("alert_history_days", 28.5), ("alert_min_days", 14.5), ("alert_min_count", 30.5), ("alert_judged_days", 90.5), ("shown_users", 1.5), ("shown_sessions", 1.5), *((name, 1.5) for name in WHAT_PAGES_SHOW),
        ]
    ),
    *(
        (name, value, f"The var {name} is '{value}', {NO_TIME}")
        for name, values in {
            "oldest_event_time": [None, 946684800000],
            "build_clock": ["now", "infinity", "2026-02-30 00:00:00", "'; drop schema staging; --"],
            "alert_clock": ["now", 20260216],
            "as_of": ["yesterday", "", "12:00", "2026-02-16 (BC)", 20260216, False],
        }.items()
        for value in values
    ),
    *(
        ("reporting_timezone", value, f"The var reporting_timezone is '{value}', {NO_ZONE}")
        for value in ["Mars/Olympus", "", "UTC' --", None, "+05:30"]
    ),
    *(
        (name, value, f"The var {name} is '{value}'; it must be true or false.")
        for name in ["show_user_ids", "refit", "exclude_bots"]
        for value in ["true", 1]
    ),
    *(
        ("memory_limit", value, f"The var memory_limit is '{value}'; write it like 4GB.")
        for value in [4, "4", "GB", "-1GB", "half", "4gb", "4GB ", "1GB'; --", None, True]
    ),
    *(
        ("memory_limit", value, f"The var memory_limit is '{value}'; it must be 100MB or more.")
        for value in ["0GB", "1KB", "99.9 MB"]
    ),
    ("memory_limit", "9999999TB", "The var memory_limit is '9999999TB'; write it like 4GB."),
    *(
        ("events_relation", value, f"The var events_relation is '{value}'; write the name of a model, or of a source like shop.events.")
        for value in [5, "", ".", "shop.", "a.b.c", ["events"], False]
    ),
    *(
        ("settings_folder", value, f"The var settings_folder is '{value}'; write the path of a folder.")
        for value in [5, "", ["settings"]]
    ),
    ("event_format", ["segment"], "The var event_format is '['segment']', which is none of amplitude, clevertap, ga4, mixpanel, moengage, posthog, rudderstack, segment, snowplow."),
    *(
        ("event_columns", value, f"The var event_columns is '{value}'; {NO_MAPPING}")
        for value in ["user_id: id", ["user_id"], None, 5]
    ),
    *(
        ("event_columns", {name: "x"}, f"The var event_columns maps '{name}', which is none of {OUR_COLUMNS}.")
        for name in ["User_ID", "'; --", 5]
    ),
    *(
        ("event_columns", {"city": "town", "user_id": value}, f"The var event_columns maps user_id to '{value}', {NO_COLUMN}")
        for value in [None, "", 5, [None]]
    ),
    *(
        ("event_columns", {"city": "town", name: value}, f"The var event_columns maps {name} to '{value}', {told}")
        for name, value, told in [
            ("user_id", [], "which names no column; write it like {user_id: [user_id, anonymous_id]}."),
            ("event_time", {"unit": "s"}, NO_COLUMN),
            ("event_time", {"column": ["at"]}, NO_COLUMN),
            ("event_time", {"column": "at", "zone": "UTC"}, "where 'zone' is none of column, unit, format, timezone."),
            ("platform", {"column": "os", "unit": "s"}, "but only event_time and received_at have a unit, a format or a time zone."),
            ("event_time", {"column": "at", "unit": "days"}, "where the unit 'days' is none of s, ms, us, ns."),
            ("event_time", {"column": "at", "unit": ["s"]}, "where the unit '['s']' is none of s, ms, us, ns."),
            ("event_time", {"column": "at", "format": "%Y", "unit": "s"}, "which has a unit and a format; a time is written in one of them."),
            ("event_time", ["at", {"column": "at", "format": "%Q"}], f"where '%Q' {NO_FORMAT}"),
            ("received_at", {"column": "at", "format": "YYYY"}, f"where 'YYYY' {NO_FORMAT}"),
            ("event_time", {"column": "at", "timezone": "+05:30"}, "where '+05:30' is no time zone; write an IANA name like Asia/Kolkata."),
        ]
    ),
    *(
        ("event_format", value, f"The var event_format is '{value}', which is none of amplitude, clevertap, ga4, mixpanel, moengage, posthog, rudderstack, segment, snowplow.")
        for value in ["shop", "GA4", "", 5, ["ga4"], {"ga4": 1}]
    ),
    *(
        ("event_formats", value, f"The var event_formats is '{value}'; write it like {{shop: {{user_id: who}}}}.")
        for value in [None, "ga4", 5, ["ga4"], {"shop": "who"}, {"shop": None}]
    ),
]
# fmt: on


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG_VARS)
def test_a_wrong_var_stops_the_build_by_its_name(app, name, value, sentence):
    assert_stopped(app.check(dbt_vars={name: value}), sentence)


def test_every_var_has_a_wrong_value_here():
    every_var = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]
    assert {name for name, _, _ in WRONG_VARS} == set(every_var)


def test_vars_that_are_wrong_while_dbt_parses_are_told_all_the_same(app):
    app.warehouse.unlink(missing_ok=True)
    wrong = {
        "event_columns": ["user_id"],
        "future_tolerance_seconds": "five",
        "display_name_digits": [],
        "as_of": {},
        "build_clock": [],
        "reporting_timezone": "'",
        "session_timeout_minutes": "{",
        "starter_join_seconds": "'",
    }
    assert_stopped(
        app.invoke("run", "--select", "stg_settings__event_types", dbt_vars=wrong),
        f"The var future_tolerance_seconds is 'five'; {FROM_0}",
    )


LEGAL_VARS = {
    "nothing or none": {
        "event_columns": {},
        "oldest_event_time": "0001-01-01 00:00:00",
        "future_tolerance_seconds": 0,
        "late_after_seconds": 0,
        "bot_events_per_hour": 2,
        "exclude_bots": True,
        "session_timeout_minutes": 0,
        "starter_join_seconds": None,
        "session_open_minutes": 0,
        "bounce_under_seconds": 0,
        "bounce_max_steps": 0,
        "journey_max_steps": 1,
        "retention_weeks": 1,
        "min_comparison_sessions": 2,
        "patterns_fewest": 2,
        "patterns_most": 2,
        "pattern_sample_sessions": 100,
        "pattern_target_share": 0,
        "risk_train_share": 0.1,
        "min_benchmark_sessions": 2,
        "intervention_levels": [],
        "control_share": 0.01,
        "feed_stopped_after_seconds": 1,
        "high_impact_share": 0,
        "medium_impact_share": 0,
        "effect_window_minutes": 1,
        "shown_users": 1,
        "shown_sessions": 1,
        **dict.fromkeys(WHAT_PAGES_SHOW, 1),
        "drop_off_step_rate": 0,
        "high_drop_share": 0,
        "alert_wait_minutes": 0,
        "alert_history_days": 14,
        "alert_min_days": 14,
        "alert_min_count": 1,
        "alert_false_alarms_per_month": 0.01,
        "alert_min_share": 0,
        "alert_judged_days": 1,
        "alert_clock": datetime.datetime(2026, 2, 17, 12, 30),
        "display_name_digits": 1,
        "memory_limit": "200MB",
        "reporting_timezone": "Asia/Kolkata",
        "as_of": datetime.date(2026, 2, 16),
        "build_clock": datetime.datetime(2026, 2, 17, 12, 30),
    },
    "as much as may be": {
        "event_columns": {"city": "town", "event_id": 'the "id"', "user_id": "who's"},
        "oldest_event_time": datetime.date(1970, 1, 1),
        "future_tolerance_seconds": 1_000_000_000,
        "late_after_seconds": 1e9,
        "bot_events_per_hour": 1e9,
        "session_timeout_minutes": 1_000_000_000,
        "starter_join_seconds": 1_000_000_000,
        "session_open_minutes": 1_000_000_000,
        "bounce_under_seconds": 1_000_000_000,
        "bounce_max_steps": 1_000_000_000,
        "journey_max_steps": 1000,
        "retention_weeks": 1000,
        "min_comparison_sessions": 1_000_000_000,
        "refit": True,
        "patterns_fewest": 100,
        "patterns_most": 100,
        "pattern_sample_sessions": 1_000_000,
        "pattern_target_share": 1,
        "risk_train_share": 0.9,
        "min_benchmark_sessions": 1_000_000_000,
        "intervention_levels": ["HIGH", "MEDIUM"],
        "control_share": 0.9,
        "feed_stopped_after_seconds": 1_000_000_000,
        "high_impact_share": 1,
        "medium_impact_share": 1,
        "effect_window_minutes": 1_000_000_000,
        "shown_users": 1_000_000,
        "shown_sessions": 1_000_000,
        **dict.fromkeys(WHAT_PAGES_SHOW, 1000),
        "drop_off_step_rate": 1,
        "high_drop_share": 1.0,
        "alert_wait_minutes": 100_000,
        "alert_history_days": 1000,
        "alert_min_days": 1000,
        "alert_min_count": 1_000_000_000,
        "alert_false_alarms_per_month": 100,
        "alert_min_share": 1,
        "alert_judged_days": 1000,
        "alert_clock": "2026-02-17 00:00:00Z",
        "display_name_digits": 32,
        "memory_limit": "1000TiB",
        "show_user_ids": True,
        "reporting_timezone": "America/Argentina/Buenos_Aires",
        "as_of": "2026-02-16T05:30:00.5+05:30",
        "build_clock": "2026-02-17 00:00:00Z",
    },
    "fractions": {
        "future_tolerance_seconds": 0.000001,
        "late_after_seconds": 0.5,
        "bot_events_per_hour": 1.5,
        "session_timeout_minutes": 0.000001,
        "starter_join_seconds": 0.1,
        "session_open_minutes": 1e-9,
        "bounce_under_seconds": 2.5,
        "bounce_max_steps": 1.5,
        "drop_off_step_rate": 1e-9,
        "high_drop_share": 0.333,
        "memory_limit": "0.5 GB",
        "reporting_timezone": "Etc/GMT+12",
        "as_of": datetime.datetime(
            2026, 2, 16, tzinfo=datetime.timezone(datetime.timedelta(hours=-3))
        ),
        "build_clock": "2026-02-17",
    },
}


@pytest.mark.parametrize(("case", "as_of"), [
    ("nothing or none", datetime.datetime(2026, 2, 16)),
    ("as much as may be", datetime.datetime(2026, 2, 16, 0, 0, 0, 500000)),
    ("fractions", datetime.datetime(2026, 2, 16, 3)),
])  # fmt: skip
def test_unusual_vars_build_every_model(app, case, as_of):
    columns = LEGAL_VARS[case].get("event_columns", {})
    header = [columns.get(name, name) for name in ("event_id", "user_id", "event_name", "city")]
    app.land({
        "events.csv": "\n".join([
            row(*header, "event_time", "received_at"),
            "e1,u1,Start,Pune,2026-01-12 10:00:00,2026-01-12 10:00:01",
            "e2,u1,view,Pune,2026-01-12 10:00:05,2026-01-12 10:00:06",
        ]).encode()
    })  # fmt: skip
    build = app.run(dbt_vars=LEGAL_VARS[case])
    assert build.success, build.output[-3000:]
    assert build.rows("select as_of, (select sum(count_events) from marts.fct_sessions) as events "
                      "from marts.dim_settings") == [{"as_of": as_of, "events": 2}]  # fmt: skip


# --- what lands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["none", "none/*.parquet", "none/**/*", "empty", "empty/", "it's {{ 1 / 0 }}/*"]
)
def test_a_landing_zone_without_files_stops_the_build(app, name):
    (app.folder / "empty" / "below").mkdir(parents=True, exist_ok=True)
    events = f"{app.folder}/{name}"
    assert_stopped(
        app.check(events=events),
        f"No landing file matches '{events}'; set DROPOFF_EVENTS to a folder or a glob of "
        "parquet, ndjson or csv files, or run `make land` for the demo.",
    )


@pytest.mark.parametrize("name", ["none/*", "none/**/*.parquet", "a.csv", "a.ndjson.gz", "[ab]"])
def test_a_ledger_that_is_named_and_not_there_stops_the_build(app, name):
    interventions = f"{app.folder}/{name}"
    assert_stopped(
        app.check(interventions=interventions),
        f"No file matches '{interventions}'; set DROPOFF_INTERVENTIONS to a folder or a glob of "
        "parquet, ndjson or csv files, or to nothing where there is no ledger.",
    )


@pytest.mark.parametrize("name", ["none/*", "who.csv"])
def test_identities_that_are_named_and_not_there_stop_the_build(app, name):
    identities = f"{app.folder}/{name}"
    assert_stopped(
        app.check(identities=identities),
        f"No file matches '{identities}'; set DROPOFF_IDENTITIES to a folder or a glob of "
        "parquet, ndjson or csv files, or to nothing where nobody has two ids.",
    )


@pytest.mark.parametrize("name", ["", "no_ledger", "no_ledger/", "no_assignments"])
def test_a_folder_without_assignments_is_an_empty_ledger(app, name):
    (app.folder / "no_assignments").mkdir(exist_ok=True)
    assert app.check(interventions=name and f"{app.folder}/{name}").success


def parquet(columns):
    data = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({name: ["x"] for name in columns}), data)
    return data.getvalue()


def csv_file(columns):
    return f"{row(*columns)}\n{row(*columns)}\n".encode()


NEEDED = ["user_id", "event_name", "event_time"]
# the word about the build, then what is read before the columns are known
MADE_BEFORE_ROWS = [
    "builds",
    "base_app__landing_files",
    "base_app__arrived_files",
    "base_app__cut_records",
    "base_app__files",
    "base_app__relation_parts",
    "base_app__text_records",
]


@pytest.mark.parametrize("form", ["parquet", "csv", "both"])
@pytest.mark.parametrize("missing", NEEDED)
def test_a_needed_column_that_no_file_has_stops_the_build(app, form, missing):
    columns = [*(name for name in NEEDED if name != missing), "it's {{ x }}"]
    files = {"a.parquet": parquet(columns), "a.csv": csv_file(columns)}
    app.land({name: data for name, data in files.items() if form in (name[2:], "both")})
    found = ", ".join(sorted(columns))
    assert_stopped(
        app.run("--select", "+base_app__rows"),
        f"No landed file has the column '{missing}' for {missing} (found: {found}); "
        "name the right one in the var event_columns.",
        made=MADE_BEFORE_ROWS,
    )


@pytest.mark.parametrize("form", ["a.parquet", "a.csv", "a.ndjson"])
def test_a_mapped_column_that_no_file_has_stops_the_build(app, form):
    files = {
        "a.parquet": parquet(["who", *NEEDED]),
        "a.csv": csv_file(["who", *NEEDED]),
        "a.ndjson": b'{"who": 1, "user_id": 2, "event_name": 3, "event_time": 4}\n',
    }
    app.land({form: files[form]})
    assert_stopped(
        app.run("--select", "+base_app__rows", dbt_vars={"event_columns": {"city": "town's"}}),
        "No landed file has the column 'town's' for city (found: event_name, event_time, user_id, "
        "who); name the right one in the var event_columns.",
        made=MADE_BEFORE_ROWS,
    )


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a.csv": b"user_id,who\n", "b.csv": b""}, id="files without rows"),
        pytest.param({"a.ndjson": b'{"who": "u1"}\n'}, id="ndjson, which says no columns"),
        pytest.param(
            {"a.parquet": parquet(["user_id"]), "b.csv": csv_file(["event_name", "event_time"])},
            id="columns in different files",
        ),
    ],
)
def test_rows_without_a_needed_column_are_rejected_rows(app, files):
    app.land(files)
    build = app.run("--select", "+base_app__rows")
    assert build.success, build.output[-3000:]
