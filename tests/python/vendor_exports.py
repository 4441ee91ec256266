"""Events of ours, written as vendors export them: `EXPORTS[format][shape](events, folder)`.

An event is a dict of event_id, user_id, event_name, event_time and received_at (UTC, no offset),
platform, app_version and city (each may be None), and anonymous_id where the person was not known
yet, with user_id None; one of the two ids is there. `as_exported` gives the same events as an
export still tells them.

Whatever an export has besides is there to mislead: device clocks that run fast, counters that are
called event_id, anonymous ids beside known ones, properties named like columns.
"""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

Writer = Callable[[list[dict], Path], None]

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1)
# A device's clock runs fast by this; what it wrote is corrected in another column.
SKEW = timedelta(seconds=7)

# An export's event times are cut off to this.
PRECISION = {
    "segment": MILLISECOND,
    "rudderstack": MILLISECOND,
    "snowplow": MILLISECOND,
    "mixpanel": SECOND,
    "amplitude": MICROSECOND,
    "ga4": MICROSECOND,
    "posthog": MICROSECOND,
    "moengage": SECOND,
    "clevertap": SECOND,
}

# Where one shape of a format tells event times finer, or a format its received_at.
SHAPE_PRECISION = {("mixpanel", "milliseconds"): MILLISECOND}
RECEIVED_PRECISION = {"mixpanel": MILLISECOND}

# What an export has no field for.
LACKS = {
    "segment": set(),
    "rudderstack": set(),
    "snowplow": set(),
    "mixpanel": set(),
    "amplitude": set(),
    "ga4": {"event_id", "received_at"},
    "posthog": set(),
    "moengage": {"received_at"},
    "clevertap": {"event_id", "received_at", "city"},
}


def as_exported(events: Iterable[dict], format_name: str, shape: str = "") -> list[dict]:
    """Give the events as an export in this format tells them, in our own names."""
    precision = PRECISION[format_name]
    precisions = {
        "event_time": SHAPE_PRECISION.get((format_name, shape), precision),
        "received_at": RECEIVED_PRECISION.get(format_name, precision),
    }
    told = []
    for event in events:
        row = {name: value for name, value in event.items() if name != "anonymous_id"}
        row["user_id"] = person(event)
        row |= {name: cut(row[name], unit) for name, unit in precisions.items()}
        told.append({name: row[name] for name in row if name not in LACKS[format_name]})
    return told


def cut(time: datetime, precision: timedelta) -> datetime:
    """Cut a time off behind its last unit."""
    return time - (time - EPOCH) % precision


def person(event: dict) -> str | None:
    """Give who did it: the known id, else the anonymous one."""
    return event["user_id"] or event.get("anonymous_id")


def anonymous(event: dict) -> str:
    """Give the id of the device, which known people have too."""
    return event.get("anonymous_id") or made_id("device", event["user_id"])


def made_id(*parts: object) -> str:
    """Give an id that is the same for the same parts."""
    return hashlib.md5("|".join(map(str, parts)).encode()).hexdigest()


def iso(time: datetime, timespec: str = "milliseconds") -> str:
    """Write a time as most do, with a Z."""
    return time.isoformat(timespec=timespec) + "Z"


def epoch(time: datetime, unit: timedelta) -> int:
    """Count the whole units since 1970."""
    return (time - EPOCH) // unit


# --- files ---------------------------------------------------------------------------------------


def parts(rows: list[dict]) -> list[list[dict]]:
    """Cut what one export holds into two files."""
    middle = (len(rows) + 1) // 2
    return [part for part in (rows[:middle], rows[middle:]) if part]


def write_lines(rows: list[dict], folder: Path, name: str) -> None:
    """Write one JSON object a line, gzipped where the name says so; {} stands for the part."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts(rows)):
        path = folder / name.format(number)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part).encode()
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def write_csv(rows: list[dict], folder: Path, name: str) -> None:
    """Write a header and rows; null is empty, whatever is nested is JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts(rows)):
        with open(folder / name.format(number), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(part[0]))
            writer.writeheader()
            for row in part:
                writer.writerow({column: csv_value(value) for column, value in row.items()})


def csv_value(value: object) -> object:
    """Write one value of a csv."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value


def write_parquet(rows: list[dict], folder: Path, name: str, schema: pa.Schema) -> None:
    """Write rows with the types that a warehouse gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts(rows)):
        table = pa.Table.from_pylist(part, schema=schema)
        pyarrow.parquet.write_table(table, folder / name.format(number))


def schema_of(
    text: Iterable[str] = (), times: Iterable[str] = (), **others: pa.DataType
) -> pa.Schema:
    """Give a schema: columns of text, columns of times in microseconds, and others."""
    fields = [pa.field(name, pa.string()) for name in text]
    fields += [pa.field(name, pa.timestamp("us")) for name in times]
    return pa.schema(fields + [pa.field(name, kind) for name, kind in others.items()])


def without_nulls(value: object) -> object:
    """Leave out what is null, at any depth, and the lists and objects that are then empty."""
    if isinstance(value, dict):
        kept = {name: without_nulls(field) for name, field in value.items()}
        return {name: field for name, field in kept.items() if field not in (None, {}, [])}
    if isinstance(value, list):
        return [without_nulls(element) for element in value]
    return value


# --- Segment and RudderStack ---------------------------------------------------------------------


def context_of(event: dict, library: str) -> dict:
    """Give the context of a call: what a phone's library sends, less what is not known."""
    context = {
        "active": True,
        "app": {"name": "Bus App", "version": event["app_version"], "build": "1204"},
        "device": {
            "id": anonymous(event),
            "manufacturer": "Apple" if event["platform"] == "ios" else "Google",
            "model": None,
            "type": event["platform"],
        },
        "ip": "203.0.113.8",
        "library": {"name": library, "version": "4.1.8"},
        "locale": "en-IN",
        "location": {"city": event["city"], "country": "India"},
        "network": {"carrier": "Airtel", "cellular": True, "wifi": False},
        "os": {"name": event["platform"] and event["platform"].title(), "version": "17.4"},
        "screen": {"width": 1179, "height": 2556, "density": 3},
        "timezone": "Asia/Kolkata",
        "traits": {"name": "Asha", "plan": "free"},
        "userAgent": None,
    }
    if event["platform"] is None:
        # a server's call knows no device
        del context["device"], context["os"]
    return context


def call_of(event: dict, library: str) -> dict:
    """Give a track call as it is kept raw."""
    return {
        "anonymousId": anonymous(event),
        "channel": "client",
        "context": context_of(event, library),
        "event": event["event_name"],
        "integrations": {"All": True, "Salesforce": False},
        "messageId": event["event_id"],
        "originalTimestamp": iso(event["event_time"] + SKEW),
        "projectId": "9fKwLzQ2",
        "properties": {
            "event": "not this",
            "price": 549.5,
            "seats": [{"number": "4A", "city": "Not This"}],
            "user_id": "not-this",
        },
        "receivedAt": iso(event["received_at"]),
        "sentAt": iso(event["received_at"] + SKEW),
        "timestamp": iso(event["event_time"]),
        "type": "track",
        "userId": event["user_id"],
        "version": 2,
        "writeKey": None,
    }


def slug(name: str) -> str:
    """Give an event's name as a table's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


TRACKS_TEXT = [
    "id",
    "anonymous_id",
    "user_id",
    "event",
    "event_text",
    "context_app_name",
    "context_app_version",
    "context_app_build",
    "context_device_id",
    "context_device_type",
    "context_ip",
    "context_library_name",
    "context_locale",
    "context_location_city",
    "context_os_name",
    "context_os_version",
    "context_timezone",
]
TRACKS_TIMES = ["timestamp", "original_timestamp", "sent_at", "received_at", "uuid_ts"]


def track_of(event: dict, library: str) -> dict:
    """Give a row of the warehouse's table tracks."""
    received_at = cut(event["received_at"], MILLISECOND)
    event_time = cut(event["event_time"], MILLISECOND)
    return {
        "id": event["event_id"],
        "anonymous_id": anonymous(event),
        "user_id": event["user_id"],
        "event": slug(event["event_name"]),
        "event_text": event["event_name"],
        "context_app_name": "Bus App",
        "context_app_version": event["app_version"],
        "context_app_build": "1204",
        "context_device_id": anonymous(event),
        "context_device_type": event["platform"],
        "context_ip": "203.0.113.8",
        "context_library_name": library,
        "context_locale": "en-IN",
        "context_location_city": event["city"],
        "context_os_name": event["platform"] and event["platform"].title(),
        "context_os_version": "17.4",
        "context_timezone": "Asia/Kolkata",
        "timestamp": event_time,
        "original_timestamp": event_time + SKEW,
        "sent_at": received_at + SKEW,
        "received_at": received_at,
        "uuid_ts": received_at + timedelta(hours=1),
    }


def write_segment_logs(events: list[dict], folder: Path) -> None:
    """Write raw calls, gzipped, one a line."""
    rows = [call_of(event, "analytics-kotlin") for event in events]
    write_lines(rows, folder, "1768262400000.{}.9a1c.json.gz")


def write_segment_tracks(events: list[dict], folder: Path) -> None:
    """Write the warehouse's table tracks as parquet."""
    rows = [track_of(event, "analytics-kotlin") for event in events]
    write_parquet(rows, folder, "tracks_{}.parquet", schema_of(TRACKS_TEXT, TRACKS_TIMES))


def write_segment_tracks_csv(events: list[dict], folder: Path) -> None:
    """Write the warehouse's table tracks as csv."""
    rows = [track_of(event, "analytics-kotlin") for event in events]
    write_csv(rows, folder, "tracks_{}.csv")


def rudder_call_of(event: dict) -> dict:
    """Give a track call as RudderStack keeps it; a city may come from the geolocation."""
    call = call_of(event, "com.rudderstack.android.sdk.core")
    for name in ("projectId", "version", "writeKey"):
        del call[name]
    # the one part of a context that RudderStack names otherwise
    call["context"]["geo"] = {"city": call["context"].pop("location")["city"], "country": "IN"}
    # channel stands in where no device is known, so it must not say more than we do
    call["channel"] = event["platform"] and "mobile"
    call["rudderId"] = made_id("rudder", person(event))
    call["request_ip"] = "203.0.113.8"
    call["context"]["sessionId"] = 1768262400
    call["context"]["sessionStart"] = False
    return call


def write_rudderstack_logs(events: list[dict], folder: Path) -> None:
    """Write raw calls, gzipped, one a line."""
    rows = [rudder_call_of(event) for event in events]
    write_lines(rows, folder, "1768262400.2NhX.{}.json.gz")


def rudder_track_of(event: dict) -> dict:
    """Give a row of RudderStack's table tracks."""
    row = track_of(event, "com.rudderstack.android.sdk.core")
    row["context_geo_city"] = row.pop("context_location_city")
    return {**row, "channel": event["platform"] and "mobile", "context_session_id": 1768262400}


def write_rudderstack_tracks(events: list[dict], folder: Path) -> None:
    """Write the warehouse's table tracks as parquet."""
    text = [name.replace("location_city", "geo_city") for name in TRACKS_TEXT] + ["channel"]
    schema = schema_of(text, TRACKS_TIMES, context_session_id=pa.int64())
    rows = [rudder_track_of(event) for event in events]
    write_parquet(rows, folder, "rudder_tracks_{}.parquet", schema)


# --- Snowplow ------------------------------------------------------------------------------------

CONTEXT = "contexts_com_snowplowanalytics_"
SNOWPLOW_SCHEMA = schema_of(
    [
        "app_id",
        "platform",
        "event",
        "event_id",
        "name_tracker",
        "v_tracker",
        "v_collector",
        "v_etl",
        "user_id",
        "user_ipaddress",
        "domain_userid",
        "network_userid",
        "domain_sessionid",
        "geo_country",
        "geo_region",
        "geo_city",
        "page_url",
        "page_title",
        "se_category",
        "se_action",
        "se_label",
        "useragent",
        "os_timezone",
        "event_vendor",
        "event_name",
        "event_format",
        "event_version",
        "event_fingerprint",
    ],
    [
        "etl_tstamp",
        "collector_tstamp",
        "dvce_created_tstamp",
        "dvce_sent_tstamp",
        "derived_tstamp",
        "true_tstamp",
        "load_tstamp",
    ],
    domain_sessionidx=pa.int64(),
    se_value=pa.float64(),
    geo_latitude=pa.float64(),
    **{
        CONTEXT + "mobile_application_1": pa.list_(
            pa.struct({"build": pa.string(), "version": pa.string()})
        ),
        CONTEXT + "snowplow_client_session_1": pa.list_(
            pa.struct({"sessionIndex": pa.int64(), "userId": pa.string()})
        ),
        CONTEXT + "snowplow_mobile_context_1": pa.list_(
            pa.struct({"deviceModel": pa.string(), "osType": pa.string()})
        ),
    },
)


def snowplow_row(event: dict, number: int) -> dict:
    """Give a row of atomic.events: a website's by its cookie, a phone's by its session entity.

    Every third is a structured event, called by its action.
    """
    is_mobile = event["platform"] not in (None, "web")
    is_structured = number % 3 == 0
    collected = cut(event["received_at"], MILLISECOND)
    derived = cut(event["event_time"], MILLISECOND)
    row = dict.fromkeys(SNOWPLOW_SCHEMA.names)
    row |= {
        "app_id": "bus-app",
        "platform": "mob" if is_mobile else event["platform"],
        "event": "struct" if is_structured else "unstruct",
        "event_id": event["event_id"],
        "name_tracker": "default",
        "v_tracker": "andr-6.0.0" if is_mobile else "js-4.0.0",
        "v_collector": "ssc-3.2.0-kinesis",
        "v_etl": "snowplow-enrich-5.1.0",
        "user_id": event["user_id"],
        "user_ipaddress": "203.0.113.8",
        "domain_userid": None if is_mobile else anonymous(event),
        "domain_sessionid": None if is_mobile else made_id("session", person(event)),
        "network_userid": made_id("network", person(event)),
        "geo_country": "IN",
        "geo_city": event["city"],
        "geo_latitude": 12.97,
        "os_timezone": "Asia/Kolkata",
        "event_vendor": "com.google.analytics" if is_structured else "com.example",
        "event_name": "event" if is_structured else event["event_name"],
        "event_format": "jsonschema",
        "event_version": "1-0-0",
        "se_category": "booking" if is_structured else None,
        "se_action": event["event_name"] if is_structured else None,
        "se_label": "not this" if is_structured else None,
        "etl_tstamp": collected + timedelta(seconds=2),
        "collector_tstamp": collected,
        "dvce_created_tstamp": derived + SKEW,
        "dvce_sent_tstamp": collected + SKEW,
        "derived_tstamp": derived,
        "load_tstamp": collected + timedelta(minutes=5),
        "domain_sessionidx": None if is_mobile else 3,
    }
    if is_mobile:
        row[CONTEXT + "snowplow_client_session_1"] = [
            {"sessionIndex": 3, "userId": anonymous(event)}
        ]
        row[CONTEXT + "snowplow_mobile_context_1"] = [
            {"deviceModel": "Pixel 8", "osType": event["platform"]}
        ]
    if event["app_version"] is not None:
        row[CONTEXT + "mobile_application_1"] = [{"build": "1204", "version": event["app_version"]}]
    return row


def write_snowplow_lake(events: list[dict], folder: Path) -> None:
    """Write atomic.events as parquet, entities as lists of one object."""
    rows = [snowplow_row(event, number) for number, event in enumerate(events)]
    write_parquet(rows, folder, "part-{}.c000.parquet", SNOWPLOW_SCHEMA)


def write_snowplow_table(events: list[dict], folder: Path) -> None:
    """Write atomic.events as csv, entities as JSON in a text."""
    rows = [snowplow_row(event, number) for number, event in enumerate(events)]
    write_csv(rows, folder, "atomic_events_{}.csv")


# --- Mixpanel ------------------------------------------------------------------------------------


def mixpanel_row(event: dict, unit: timedelta) -> dict:
    """Give an event of the raw export, its time in a unit."""
    properties = {
        "time": epoch(event["event_time"], unit),
        "distinct_id": person(event),
        "$app_build_number": "1204",
        "$app_version_string": event["app_version"],
        "$city": event["city"],
        "$device_id": anonymous(event),
        "$had_persisted_distinct_id": True,
        "$insert_id": event["event_id"],
        "$lib_version": "7.3.1",
        "$mp_api_endpoint": "api.mixpanel.com",
        "$mp_api_timestamp_ms": epoch(event["received_at"], MILLISECOND),
        "$os": event["platform"],
        "$user_id": event["user_id"],
        "City": "Not This",
        "mp_country_code": "IN",
        "mp_lib": "android",
        "mp_processing_time_ms": epoch(event["received_at"], MILLISECOND) + 61_000,
        "seats": ["4A", "4B"],
        "user_id": "not-this",
    }
    # what is not known is no property
    return {"event": event["event_name"], "properties": without_nulls(properties)}


def write_mixpanel_seconds(events: list[dict], folder: Path) -> None:
    """Write the raw export."""
    rows = [mixpanel_row(event, SECOND) for event in events]
    write_lines(rows, folder, "export_{}.jsonl")


def write_mixpanel_milliseconds(events: list[dict], folder: Path) -> None:
    """Write the raw export that was asked for with time_in_ms."""
    rows = [mixpanel_row(event, MILLISECOND) for event in events]
    write_lines(rows, folder, "export_ms_{}.jsonl.gz")


# --- Amplitude -----------------------------------------------------------------------------------


def amplitude_time(time: datetime) -> str:
    """Write a time as Amplitude does, UTC without saying so."""
    return time.isoformat(sep=" ", timespec="microseconds")


def amplitude_row(event: dict, number: int) -> dict:
    """Give an event of the Export API."""
    return {
        "$insert_id": made_id("insert", event["event_id"]),
        "$schema": 13,
        "adid": None,
        "amplitude_attribution_ids": None,
        "amplitude_event_type": None,
        "amplitude_id": int(made_id(person(event))[:9], 16),
        "app": 187520,
        "city": event["city"],
        "client_event_time": amplitude_time(event["event_time"] + SKEW),
        "client_upload_time": amplitude_time(event["received_at"] + SKEW),
        "country": "India",
        "data": {"path": "/2/httpapi", "group_first_event": {}},
        "device_brand": None,
        "device_carrier": "Airtel",
        "device_family": "Google Pixel",
        "device_id": anonymous(event),
        "device_type": "Google Pixel 8",
        "dma": None,
        "event_id": number + 1,
        "event_properties": {"city": "Not This", "price": 549.5, "seats": ["4A"]},
        "event_time": amplitude_time(event["event_time"]),
        "event_type": event["event_name"],
        "group_properties": {},
        "groups": {},
        "idfa": None,
        "ip_address": "203.0.113.8",
        "is_attribution_event": None,
        "language": "English",
        "library": "amplitude-kotlin/1.16.2",
        "location_lat": None,
        "location_lng": None,
        "os_name": event["platform"],
        "os_version": "14",
        "partner_id": None,
        "paying": None,
        "platform": event["platform"],
        "processed_time": amplitude_time(event["received_at"] + timedelta(seconds=9)),
        "region": "Karnataka",
        "sample_rate": None,
        "server_received_time": amplitude_time(event["received_at"]),
        "server_upload_time": amplitude_time(event["received_at"] + timedelta(seconds=1)),
        "session_id": epoch(event["event_time"], MILLISECOND),
        "start_version": "0.0.1",
        "user_creation_time": amplitude_time(event["event_time"] - timedelta(days=30)),
        "user_id": event["user_id"],
        "user_properties": {"plan": "free"},
        "uuid": event["event_id"],
        "version_name": event["app_version"],
    }


def write_amplitude(events: list[dict], folder: Path) -> None:
    """Write what the Export API's archive holds."""
    rows = [amplitude_row(event, number) for number, event in enumerate(events)]
    write_lines(rows, folder, "187520_2026-01-12_17#{}.json.gz")


# --- GA4 -----------------------------------------------------------------------------------------

PARAMETERS = pa.list_(
    pa.struct(
        {
            "key": pa.string(),
            "value": pa.struct(
                {
                    "string_value": pa.string(),
                    "int_value": pa.int64(),
                    "float_value": pa.float64(),
                    "double_value": pa.float64(),
                }
            ),
        }
    )
)
GA4_SCHEMA = schema_of(
    ["event_date", "event_name", "user_id", "user_pseudo_id", "stream_id", "platform"],
    event_timestamp=pa.int64(),
    event_previous_timestamp=pa.int64(),
    event_value_in_usd=pa.float64(),
    event_bundle_sequence_id=pa.int64(),
    event_server_timestamp_offset=pa.int64(),
    user_first_touch_timestamp=pa.int64(),
    batch_event_index=pa.int64(),
    is_active_user=pa.bool_(),
    event_params=PARAMETERS,
    user_properties=PARAMETERS,
    privacy_info=pa.struct({"analytics_storage": pa.string(), "ads_storage": pa.string()}),
    device=pa.struct(
        {
            "category": pa.string(),
            "mobile_brand_name": pa.string(),
            "operating_system": pa.string(),
            "operating_system_version": pa.string(),
            "language": pa.string(),
            "time_zone_offset_seconds": pa.int64(),
        }
    ),
    geo=pa.struct(
        {
            "city": pa.string(),
            "country": pa.string(),
            "continent": pa.string(),
            "region": pa.string(),
            "sub_continent": pa.string(),
        }
    ),
    app_info=pa.struct(
        {
            "id": pa.string(),
            "version": pa.string(),
            "install_store": pa.string(),
            "firebase_app_id": pa.string(),
        }
    ),
    traffic_source=pa.struct({"name": pa.string(), "medium": pa.string(), "source": pa.string()}),
    items=pa.list_(pa.struct({"item_id": pa.string(), "price": pa.float64()})),
)


def parameter(key: str, kind: str, value: object) -> dict:
    """Give one of event_params: a key, and a value in the field of its type."""
    empty = dict.fromkeys(["string_value", "int_value", "float_value", "double_value"])
    return {"key": key, "value": {**empty, f"{kind}_value": value}}


def ga4_row(event: dict, number: int) -> dict:
    """Give a row of events_YYYYMMDD; number keeps rows apart that are alike otherwise."""
    timestamp = epoch(event["event_time"], MICROSECOND)
    return {
        # the property's day, not that of UTC
        "event_date": (event["event_time"] + timedelta(hours=5, minutes=30)).strftime("%Y%m%d"),
        "event_timestamp": timestamp,
        "event_name": event["event_name"],
        "event_params": [
            parameter("ga_session_id", "int", timestamp // 1_000_000),
            parameter("ga_session_number", "int", 3),
            parameter("firebase_screen_class", "string", "SearchActivity"),
            parameter("price", "double", 549.5),
        ],
        "event_previous_timestamp": None,
        "event_value_in_usd": None,
        "event_bundle_sequence_id": 100 + number,
        "event_server_timestamp_offset": 812_345,
        "batch_event_index": number,
        "user_id": event["user_id"],
        "user_pseudo_id": anonymous(event),
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No"},
        "user_properties": [parameter("plan", "string", "free")],
        "user_first_touch_timestamp": timestamp - 86_400_000_000,
        "device": {
            "category": "mobile",
            "mobile_brand_name": "Google",
            # stands in for a platform, so it is known no better
            "operating_system": event["platform"] and event["platform"].title(),
            "operating_system_version": None,
            "language": "en-in",
            "time_zone_offset_seconds": 19_800,
        },
        "geo": {
            "city": event["city"],
            "country": "India",
            "continent": "Asia",
            "region": None,
            "sub_continent": "Southern Asia",
        },
        "app_info": {
            "id": "com.example.bus",
            "version": event["app_version"],
            "install_store": None,
            "firebase_app_id": "1:1234:android:56",
        },
        "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"},
        "stream_id": "1440052600",
        "platform": event["platform"],
        "is_active_user": True,
        "items": [],
    }


def whole_numbers_as_text(value: object) -> object:
    """Write whole numbers as BigQuery does in JSON, as text."""
    if isinstance(value, dict):
        return {name: whole_numbers_as_text(field) for name, field in value.items()}
    if isinstance(value, list):
        return [whole_numbers_as_text(element) for element in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def write_ga4_parquet(events: list[dict], folder: Path) -> None:
    """Write what BigQuery extracts as parquet."""
    rows = [ga4_row(event, number) for number, event in enumerate(events)]
    write_parquet(rows, folder, "events_20260112_{}.parquet", GA4_SCHEMA)


def write_ga4_json(events: list[dict], folder: Path) -> None:
    """Write what BigQuery extracts as JSON: whole numbers as text, nulls left out."""
    rows = [ga4_row(event, number) for number, event in enumerate(events)]
    rows = [without_nulls(whole_numbers_as_text(row)) for row in rows]
    write_lines(rows, folder, "events_20260112_{}.json")


# --- PostHog -------------------------------------------------------------------------------------


def posthog_row(event: dict) -> dict:
    """Give an event of a batch export, its properties an object."""
    properties = {
        "$app_build": "1204",
        "$app_version": event["app_version"],
        "$device_id": anonymous(event),
        "$geoip_city_name": event["city"],
        "$geoip_country_code": "IN",
        "$lib": "posthog-android",
        "$lib_version": "3.9.0",
        "$os": event["platform"],
        "$session_id": made_id("session", person(event)),
        "$user_id": "not-this",
        "price": 549.5,
        "seats": ["4A"],
        "timestamp": "not this",
    }
    return {
        "uuid": event["event_id"],
        "event": event["event_name"],
        "distinct_id": person(event),
        "person_id": made_id("person", person(event)),
        "properties": without_nulls(properties),
        "person_properties": {"$geoip_city_name": "Not This", "plan": "free"},
        "elements_chain": "",
        "timestamp": event["event_time"],
        "created_at": event["received_at"],
        "_inserted_at": event["received_at"] + timedelta(seconds=30),
    }


def write_posthog_parquet(events: list[dict], folder: Path) -> None:
    """Write a batch export as parquet: times with a zone, objects as JSON in a text."""
    text = ["uuid", "event", "distinct_id", "person_id", "properties", "person_properties"]
    times = dict.fromkeys(["timestamp", "created_at", "_inserted_at"], pa.timestamp("us", "UTC"))
    rows = []
    for event in events:
        row = posthog_row(event)
        for name in ("properties", "person_properties"):
            row[name] = json.dumps(row[name], ensure_ascii=False)
        rows.append(row | {name: row[name].replace(tzinfo=UTC) for name in times})
    schema = schema_of([*text, "elements_chain"], **times)
    write_parquet(rows, folder, "2026-01-12T00_00_00-{}.parquet", schema)


def write_posthog_lines(events: list[dict], folder: Path) -> None:
    """Write a batch export as JSON lines."""
    rows = []
    for event in events:
        row = posthog_row(event)
        for name in ("timestamp", "created_at", "_inserted_at"):
            row[name] = row[name].replace(tzinfo=UTC).isoformat(timespec="microseconds")
        rows.append(row)
    write_lines(rows, folder, "2026-01-12T00_00_00-{}.jsonl.gz")


# --- MoEngage ------------------------------------------------------------------------------------


def moengage_event(event: dict) -> dict:
    """Give the object that holds an event."""
    return {
        "event_name": event["event_name"],
        "event_code": slug(event["event_name"]).upper(),
        "event_uuid": event["event_id"],
        "event_time": epoch(event["event_time"], SECOND),
        "event_type": "USER_ACTION_EVENT",
        "event_source": "MOENGAGE",
        "uid": event["user_id"],
        "event_attributes": {
            "appVersion": event["app_version"],
            "os": event["platform"],
            "sdkVersion": "13.05.00",
            "moe_first_visit": False,
            "price": 549.5,
        },
        "user_attributes": {
            "moengage_user_id": anonymous(event),
            "moe_ip_city": event["city"],
            "u_s_c": 12,
        },
        "device_attributes": {"moengage_device_id": made_id("moe", anonymous(event))},
    }


def write_moengage_storage(events: list[dict], folder: Path) -> None:
    """Write what goes to cloud storage, gzipped, one event a line."""
    rows = [
        {
            "app_name": "bus_app",
            "db_name": "bus_app",
            "export_day": "2026-01-12",
            "export_hour": "13",
            "export_doc_id": made_id("doc", number),
            "event": without_nulls(moengage_event(event)),
        }
        for number, event in enumerate(events)
    ]
    write_lines(rows, folder, "event_exports_1768224{}.json.gz")


def write_moengage_table(events: list[dict], folder: Path) -> None:
    """Write the warehouse's table as csv: attributes as columns, and as JSON."""
    rows = []
    for event in events:
        row = moengage_event(event)
        rows.append(
            {
                "app_name": "bus_app",
                **row,
                "event_attributes_app_version": event["app_version"],
                "event_attributes_platform": event["platform"],
                "event_attributes_campaign_id": None,
                "user_attributes_moengage_user_id": anonymous(event),
                "device_attributes_moengage_device_id": made_id("moe", anonymous(event)),
                "email_address": None,
                "push_id": None,
            }
        )
    write_csv(rows, folder, "moengage_events_{}.csv")


# --- CleverTap -----------------------------------------------------------------------------------


def clevertap_row(event: dict, number: int) -> dict:
    """Give an exported event, of an account whose clock shows UTC."""
    return {
        "ts": int(event["event_time"].strftime("%Y%m%d%H%M%S")),
        "eventName": event["event_name"],
        "profile": {
            "identity": event["user_id"],
            "objectId": anonymous(event),
            "all_identities": [event["user_id"], "asha@example.com"],
            "platform": event["platform"],
            "name": "Asha",
            "push_token": None,
        },
        "deviceInfo": {
            "make": "Google",
            "model": "Pixel 8",
            "appVersion": event["app_version"],
            "sdkVersion": "70300",
            "osVersion": "14",
            "dimensions": {"width": 65.0, "height": 142.0, "unit": "mm"},
        },
        "controlGroupName": None,
        # the number keeps rows apart that are alike otherwise
        "eventProps": {"CT Session Id": 1768262400, "Price": 549.5, "Step": number},
        "sessionProps": {},
    }


def flat(value: dict, prefix: str = "") -> dict:
    """Give an object's fields as columns named by their paths."""
    columns = {}
    for name, field in value.items():
        nested = isinstance(field, dict)
        columns |= flat(field, f"{prefix}{name}.") if nested else {prefix + name: field}
    return columns


def write_clevertap_json(events: list[dict], folder: Path) -> None:
    """Write an export as JSON, one event a line."""
    rows = [without_nulls(clevertap_row(event, number)) for number, event in enumerate(events)]
    write_lines(rows, folder, "8841-1768262400-bus_search-20260112-{}-1.json")


def write_clevertap_csv(events: list[dict], folder: Path) -> None:
    """Write an export as csv, columns named by paths."""
    rows = [flat(clevertap_row(event, number)) for number, event in enumerate(events)]
    write_csv(rows, folder, "8841-1768262400-bus_search-20260112-{}-1.csv")


EXPORTS: dict[str, dict[str, Writer]] = {
    "segment": {
        "logs": write_segment_logs,
        "tracks": write_segment_tracks,
        "tracks_csv": write_segment_tracks_csv,
    },
    "rudderstack": {"logs": write_rudderstack_logs, "tracks": write_rudderstack_tracks},
    "snowplow": {"lake": write_snowplow_lake, "table": write_snowplow_table},
    "mixpanel": {
        "seconds": write_mixpanel_seconds,
        "milliseconds": write_mixpanel_milliseconds,
    },
    "amplitude": {"export": write_amplitude},
    "ga4": {"parquet": write_ga4_parquet, "json": write_ga4_json},
    "posthog": {"parquet": write_posthog_parquet, "lines": write_posthog_lines},
    "moengage": {"storage": write_moengage_storage, "table": write_moengage_table},
    "clevertap": {"json": write_clevertap_json, "csv": write_clevertap_csv},
}
