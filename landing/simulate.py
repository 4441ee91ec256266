"""The demo app: a bus-ticket booking app, simulated with known truth.

    python landing/simulate.py --seed 1 --scale 1 --out landing/events --truth landing/truth
        --ledger landing/interventions

Scale 1 is the user's own size: 37,058 sessions of about 604,000 events, 2026-01-12 to 2026-02-16.
The figures of the spec are constructed, not hoped for: sessions, furthest stages, end events,
bounces, events and minutes are exact quotas (largest remainder), dealt out in an order that the
seed decides. A larger scale is made of blocks of users, each seeded by (seed, block number), so
that memory stays bounded. The same seed and scale give the same files, byte for byte.

One block comes about in this order, a function for each step:
calendar (who comes on which day, how often) -> kinds (which starters open each session) ->
outcomes (furthest stage, end event, bounce) -> interventions (which arm, whose outcome changes) ->
sizes (events, duration) -> starts -> events -> assignments -> dirt -> rows. Times are milliseconds
since 1970, UTC, until they are written.

Two interventions are randomised over the sessions that reach their stage, half and half: one wins
bookings, one does nothing. The app notes its assignments in a ledger; what they truly did is in
the truth folder. Both draw from a generator of their own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Array = np.ndarray
Rng = np.random.Generator

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

# When. India is 5.5 hours ahead: its morning begins about 01:00 UTC, its night about 18:30 UTC.
FIRST_DAY = 1_768_176_000_000  # 2026-01-12 00:00, a Monday
COUNT_DAYS = 36  # the last day is 2026-02-16
END = FIRST_DAY + COUNT_DAYS * DAY  # nothing is received at or after it
# fmt: off
HOUR_WEIGHTS = (2, 4, 6, 8, 9, 9, 8, 7, 6, 5, 5, 5, 5, 5, 5, 5, 4, 3, 2, 1, 0.5, 0.3, 0.3, 0.3)
# fmt: on
WEEKDAY_WEIGHTS = (1.0, 0.9, 0.92, 1.0, 1.2, 1.1, 1.15)  # Monday first
EARLIEST_START, LATEST_START, LATEST_END = 30 * MINUTE, DAY - 10 * MINUTE, DAY + 20 * MINUTE
COUNT_STILL_OPEN = 6  # sessions with events in the last half hour of the last day

# What happens in the app.
JOURNEY, SESSION, INSTALL = "Journey Started", "Session Started", "App Installed"
USER_LOGIN, PUSH_CLICK = "User Login", "Push Click"
STARTERS = (JOURNEY, SESSION, INSTALL, USER_LOGIN, PUSH_CLICK)
TELEMETRY, AMBIENT = ("DeviceInfo", "_user"), "Push Failure"
TOWN_SEARCH, SPECIAL_SEARCH = "_location_elastic-town-search", "_location_special-town-search"
# fmt: off
FUNNEL = (  # the event that reaches each of the nine stages; SPECIAL_SEARCH reaches the first, too
    TOWN_SEARCH, "bus_search", "bus_result", "Buslist_bus_selection", "select_seat",
    "booking_confirmation", "payment_page", "payment_success", "ticket_view",
)
# fmt: on
BUS_CHOSEN, SEAT_CHOSEN, BOOKING_SEEN, PAYING, PAID = 4, 5, 6, 7, 8  # stages; 0 is none
COUNT_STAGES = len(FUNNEL)
AT_STARTER = -1  # the code of an end event where nothing follows the last starter


@dataclass(frozen=True)
class Kind:
    """Sessions that open with the same starters. Counts are those at scale 1."""

    starters: tuple[str, ...]
    sessions: int
    events: float  # mean
    minutes: float  # mean
    bounces: int
    login_ends: int  # sessions whose end event is login
    seat_ends: int  # ... select_seat
    explorers: float  # share who stay long, among those who leave while they search
    reached: tuple[float, ...]  # per cent that reach each of the nine stages


# Journey Started funnel of the spec: 96.8 88.4 80.7 45.3 30.3 20.5 11.7 7.7 7.1. Payment success is
# 7.7 there and 7.1 in the comparison: 7.4 is within a point of the one, within 5 % of the other.
BY_JOURNEY = (96.8, 88.4, 80.7, 45.3, 30.3, 20.5, 11.7, 7.4, 7.05)
# Sessions: 27,380 Journey Started = 6,231 + 21,149; 11,736 Session Started = 3,951 + 6,231 + 1,554.
# All: 16.3 events, 18.6 minutes, bounce 15.2 % (5,633). Session Started: 22.3 events, 24.5 minutes,
# bounce 12.1 % (1,420), conversion 8.2 %. Journey Started: 14.8, 15.2, 16.8 % (4,600), 7.4 %.
# End events: login 3,997, most of Session Started; select_seat 3,370, most of Journey Started.
# fmt: off
KINDS = (
    Kind((SESSION, INSTALL), 3_951, 28.0, 30.0, 520, 1_350, 290, 0.9,
         (62, 55, 50, 33, 25, 19.5, 13, 9.1, 8.7)),
    Kind((SESSION, JOURNEY), 6_231, 18.5, 20.0, 687, 450, 590, 0.5, BY_JOURNEY),
    Kind((SESSION,), 1_554, 23.05, 28.56, 213, 550, 110, 0.9,
         (66, 58, 52, 34, 26, 19.5, 13, 9.1, 8.7)),
    Kind((JOURNEY,), 21_149, 13.71, 13.786, 3_913, 640, 2_038, 0.3, BY_JOURNEY),
    Kind((USER_LOGIN,), 4_080, 12.61, 26.79, 286, 1_000, 334, 0.9,
         (68, 60, 54, 36, 28, 21, 14, 9, 8.6)),
    Kind((PUSH_CLICK,), 93, 10.0, 10.0, 14, 7, 8, 0.3,
         (90, 80, 70, 40, 28, 18, 11, 7.5, 7)),
)
# fmt: on
WITH_INSTALL, WITH_BOTH, WITH_SESSION, WITH_JOURNEY, WITH_LOGIN, WITH_PUSH = range(len(KINDS))
COUNT_SESSIONS = sum(kind.sessions for kind in KINDS)  # 37,058

# End events in per cent of all sessions, from the spec. Those of login (10.8) and select_seat (9.1)
# are in the kinds; all others share what is left by these weights and stay below 4.0.
SPEC_END_SHARES = {"DeviceInfo": 10.54, "_user": 8.3, "_bus-search_v2_layout": 4.03}
# fmt: off
OTHER_END_WEIGHTS = {
    TOWN_SEARCH: 3.75, SPECIAL_SEARCH: 3.5, "bus_search": 3.7, "bus_result": 3.85,
    "bus_filter": 3.85, "Buslist_bus_selection": 3.85, "boarding_point": 3.1, "seat_layout": 3.7,
    "booking_confirmation": 3.6, "passenger_details": 3.3, "coupon_applied": 1.3,
    "payment_page": 2.3, "payment_failed": 1.6, "payment_success": 0.35, "ticket_view": 3.7,
    "home_view": 3.6, "offers_view": 2.9, "my_bookings": 3.1, "profile_view": 2.1, "otp": 2.3,
    "starter": 1.0,
}
# fmt: on
# Where people leave: what a session ends on, by furthest stage 0 to 9, as "event weight" pairs.
ENDS_BY_STAGE = (
    "starter .25 home_view 3 offers_view 1.5 my_bookings 1.5 profile_view 1.2 otp 2 login 6 "
    "DeviceInfo 2.5 _user 2",
    "_location_elastic-town-search 4 _location_special-town-search 3 home_view 1 offers_view .5 "
    "my_bookings .4 profile_view .4 otp .3 login .6 DeviceInfo 1.5 _user 1.2",
    "bus_search 4 _location_elastic-town-search 1 _location_special-town-search .7 home_view .6 "
    "offers_view .3 my_bookings .3 otp .2 login .4 DeviceInfo 1.3 _user 1",
    "bus_result 4 _bus-search_v2_layout 4 bus_filter 4 bus_search .9 home_view 1 offers_view 1 "
    "_location_elastic-town-search .9 _location_special-town-search .6 my_bookings 1 "
    "profile_view .6 otp .5 login .8 DeviceInfo 3 _user 2.5",
    "Buslist_bus_selection 4 seat_layout 4 boarding_point 2.5 bus_result .5 bus_filter .5 "
    "_bus-search_v2_layout .5 home_view .3 login .4 DeviceInfo 1.5 _user 1.2",
    "select_seat 8 seat_layout 1 boarding_point 1 passenger_details .8 login .3 DeviceInfo .6 "
    "_user .5",
    "booking_confirmation 4 passenger_details 3 coupon_applied 1.2 select_seat 2 seat_layout .2 "
    "otp .4 login .6 DeviceInfo 1 _user .8",
    "payment_page 4 payment_failed 3 coupon_applied .7 booking_confirmation .4 "
    "passenger_details .3 DeviceInfo .7 _user .5",
    "payment_success 4 my_bookings 1 home_view .3 DeviceInfo .7 _user .5",
    "ticket_view 5 my_bookings 1 home_view .6 profile_view .3 offers_view .3 DeviceInfo 1 _user .8",
)
# What else happens between a stage and the next, and how much of it. No event of a later stage may
# stand here: it would reach that stage. The last two names are new and not yet in the seed.
DETOURS_BY_STAGE = (
    "home_view 3 offers_view 1.2 my_bookings 1 profile_view .8 otp .7 login .2 DeviceInfo 3 "
    "_user 2.5 promo_banner_seen .06 referral_popup .02",
    "_location_elastic-town-search 6 _location_special-town-search 1.5 offers_view .2 "
    "DeviceInfo 1 _user 1",
    "bus_search 1 _bus-search_v2_layout 1 _location_elastic-town-search 1 DeviceInfo 1 _user .8",
    "bus_result 2 _bus-search_v2_layout 3 bus_filter 3 _location_elastic-town-search .7 "
    "bus_search .7 offers_view .3 DeviceInfo 1.5 _user 1.2 promo_banner_seen .03",
    "seat_layout 3 boarding_point 1 bus_result 1 bus_filter .6 Buslist_bus_selection 1 "
    "DeviceInfo 1 _user 1",
    "select_seat 4 seat_layout 2 boarding_point 1.5 passenger_details .8 otp .3 DeviceInfo 1 "
    "_user .8",
    "passenger_details 2.5 coupon_applied 1 booking_confirmation .8 select_seat .5 otp .5 "
    "offers_view .2 DeviceInfo 1 _user .8",
    "payment_failed 1.2 payment_page 1 coupon_applied .6 otp .6 DeviceInfo .7 _user .5",
    "my_bookings 1 DeviceInfo 1 _user 1",
    "ticket_view 1.5 my_bookings 1 home_view .6 profile_view .3 DeviceInfo 1 _user 1",
)
DETOUR_WEIGHTS = (1.2, 2.0, 0.6, 3.0, 1.5, 2.5, 1.5, 1.0, 0.3, 0.6)
REPEATING = {TOWN_SEARCH: 0.6, "select_seat": 0.5, "bus_filter": 0.35, "otp": 0.1}  # chances
MOST_REPEATS = 8
LOGIN_AFTER_OTP = 0.8
SPECIAL_SHARE = 0.15  # of the first searches
END_IS_STAGE = 0.6  # share of those who end on their furthest stage's event and saw it only once
TELEMETRY_IN_BURST = 0.15  # share of the two-starter bursts with telemetry in between

IN_TABLES = [word for line in ENDS_BY_STAGE + DETOURS_BY_STAGE for word in line.split()[::2]]
NAMES = tuple(dict.fromkeys((*STARTERS, *FUNNEL, *IN_TABLES[1:], AMBIENT)))  # [0] is `starter`
CODE = {name: code for code, name in enumerate(NAMES)}


@dataclass(frozen=True)
class Behaviour:
    """A way to use the app. Minutes and detours are relative: scaled to the means of each kind."""

    name: str
    why_ended: str
    minutes: float  # the patterns of the spec say 1.2, 8.5, 4.3 and 2.1
    detours: float
    spread: float  # of the gaps between events: sigma of a lognormal


BEHAVIOURS = (
    Behaviour("bouncer", "left at once", 0.1, 1.5, 0.8),
    Behaviour("quick_searcher", "saw the prices and left", 1.2, 4, 1.0),
    Behaviour("committed_booker", "booked", 8.5, 16, 1.0),
    Behaviour("seat_drop_off", "found no seat to like", 4.3, 10, 1.0),
    Behaviour("login_abandoner", "gave up at the login", 2.1, 7, 1.0),
    Behaviour("payment_drop_off", "gave up at the payment", 6.5, 12, 1.1),
    Behaviour("explorer", "put the phone aside", 40.0, 16, 1.8),
)
BOUNCER, QUICK, BOOKER, SEAT, LOGIN, PAYMENT, EXPLORER = range(len(BEHAVIOURS))
BOUNCE_WEIGHTS = np.array([1.2, 1.3, 1.0, 0.2, 0, 0, 0, 0, 0, 0])  # by stage: less seen, likelier
BOUNCE_UNDER, LONGEST = 10 * SECOND, int(3.5 * HOUR)
SHORTEST, SHORTEST_AT_PAYMENT = 11 * SECOND, 60 * SECOND  # of sessions that do not bounce
DETOUR_SIGMA, DURATION_SIGMA = 0.6, 0.6
PACE = 30  # at least this lies between two events: their order never hangs on the event_id
JOIN_WITHIN = 45 * SECOND  # from a session's first starter to its second; by definition 60 s
APART = 90 * SECOND  # between sessions, so that no starter joins the session before

# Who comes when.
INSTALL_DAYS = 7  # all installs happen in the first week
INSTALL_DAY_SESSIONS = {1: 0.45, 2: 0.45, 3: 0.07, 4: 0.03}
LOGIN_AFTER_INSTALL = 2_000  # installers whose second session of that day is a User Login
INSTALL_NEXT_DAY, INSTALL_SAME_WEEK = 0.05, 0.03  # share with another day in the first week
WEEK_RETENTION = {2: 0.40, 3: 0.21, 4: 0.11, 5: 0.06}  # share with a session in that week
RETURN_AGAIN = 0.1  # chance of those who came back in an earlier week, against the others
RETURN_DAY_WEIGHTS = (6, 1, 1, 1, 1, 1, 1)  # most come back on the weekday of the install
RETURN_NEXT_DAY, RETURN_SAME_WEEK = 0.5, 0.16  # share with another day in that week
OTHER_USERS = 2_930  # they had the app before
OTHER_WEEK_WEIGHTS = (0.6, 1.2, 1.2, 1.4, 1.9, 2.0)  # fewer while the installers fill the days
NEXT_DAY, RETURN_SOON, RETURN_LATER = 0.48, 0.175, 0.01  # after a visit: 1, 2-7, 8-14 days on
MOST_VISITS = 4
DAY_SESSIONS = {1: 0.12, 2: 0.24, 3: 0.27, 4: 0.19, 5: 0.12, 6: 0.06}  # same-day return 66 %
MOST_DAY_SESSIONS = max(DAY_SESSIONS)
PAUSE_MINUTES, PAUSE_SIGMA, LONGEST_PAUSE = 40, 1.0, 180  # between two sessions of a day
MOST_TO_LOGIN = 50 * SECOND  # from a login to the User Login session it leads to

PLATFORM_WEIGHTS = {"android": 0.72, "ios": 0.18, "web": 0.10}
# fmt: off
CITY_WEIGHTS = {
    "Bengaluru": 18, "Hyderabad": 15, "Chennai": 13, "Mumbai": 11, "Pune": 10, "Delhi": 9,
    "Ahmedabad": 6, "Coimbatore": 5, "Jaipur": 4, "Vijayawada": 4, "Kochi": 3, "Indore": 2,
}
# fmt: on
RELEASE_DAYS = {"5.1.0": -999, "5.2.0": -7, "5.3.0": 6, "5.3.1": 15, "5.4.0": 27}  # from day one
UPDATE_LAG, INSTALLER_LAG, LAGGARD_LAG, LAGGARDS = 5.0, 2.0, 60.0, 0.12  # days, and a share
OLD_VERSION_SEAT_LOSS = 0.15  # share of the oldest version's bookings given away for losses
IOS_PAYMENT_WIN = 0.15  # share of the losses of ios at payment taken back from other platforms
PLATFORMS, CITIES, VERSIONS = tuple(PLATFORM_WEIGHTS), tuple(CITY_WEIGHTS), tuple(RELEASE_DAYS)

# The dirt of real life.
DUPLICATE_SHARE, LONGEST_TO_COPY = 0.005, 2 * DAY
LATE_SHARE, LATE_FROM, LATE_TO = 0.01, 3_800 * SECOND, 3 * DAY  # > 3,600 s on any clock
USUAL_DELAY, DELAY_SIGMA, LONGEST_DELAY = 1_500, 1.1, 50 * MINUTE
SKEWED_USERS, MOST_SKEW = 0.03, 120 * SECOND
COUNT_AMBIENT = 8_000
COUNT_REJECTED, FEWEST_REJECTED = 12, 3  # rows for each reason
NO_CITY_SHARE = 0.004
TOWNS = [{"from": a, "to": b} for a in CITIES for b in CITIES if a != b]
PROPERTIES = {
    "bus_search": TOWNS,
    "Buslist_bus_selection": [{"bus_type": t} for t in ("AC sleeper", "AC seater", "sleeper")],
    "select_seat": [{"seat": f"{deck}{n}"} for deck in "LU" for n in range(1, 19)],
    "payment_page": [{"amount": rupees, "currency": "INR"} for rupees in range(350, 1_850, 50)],
    "payment_failed": [{"reason": r} for r in ("bank_declined", "upi_timeout", "cancelled")],
    "coupon_applied": [{"coupon": c} for c in ("FIRST50", "WEEKEND", "BUS100")],
    AMBIENT: [{"reason": r} for r in ("token_expired", "uninstalled", "provider_timeout")],
}
PROPERTY_TEXTS = [json.dumps(choice) for choices in PROPERTIES.values() for choice in choices]

# The user of the spec: kind, day, time of the start, seconds, behaviour, steps as "name*times".
SPEC_USER = "76a7b5c7-90ca-4875-b998-77f50776b042"
# fmt: off
SPEC_SESSIONS = (
    (WITH_INSTALL, 0, "14:19:17", 14, LOGIN,
     "DeviceInfo*9 _user*7 home_view*4 DeviceInfo*6 offers_view*3 _user*4 profile_view*2 "
     "DeviceInfo*3 otp*2 _user*2 login"),
    (WITH_LOGIN, 0, "14:19:33", 51 * 60 + 12, BOOKER,
     "_user*3 home_view*2 _location_elastic-town-search*8 _location_special-town-search bus_search "
     "bus_result*3 _bus-search_v2_layout*4 bus_filter*6 bus_result*2 Buslist_bus_selection*2 "
     "seat_layout*4 DeviceInfo*3 select_seat*4 boarding_point*2 seat_layout*3 select_seat*3 "
     "booking_confirmation*2 passenger_details*6 coupon_applied*3 payment_page*2 payment_failed "
     "payment_page*2 otp DeviceInfo*2 payment_success _user ticket_view*3 my_bookings ticket_view"),
    (WITH_JOURNEY, 0, "15:43:00", 2 * 60 + 8, SEAT,
     "_location_elastic-town-search*7 _location_special-town-search bus_search bus_result "
     "Buslist_bus_selection select_seat*3"),
    (WITH_JOURNEY, 6, "08:34:05", 96, QUICK,
     "_location_elastic-town-search*3 bus_search bus_result*2 _bus-search_v2_layout bus_filter"),
)
# fmt: on
SPEC_PUSH_FAILURES = (1.41, 2.39, 3.62, 4.43, 5.58)  # days from the first midnight: Jan 13 to 17
SPEC_PLATFORM, SPEC_CITY, SPEC_VERSION = "android", "Pune", "5.2.0"


@dataclass(frozen=True)
class Intervention:
    """Something the treated see when they reach a stage, and the control sessions do not."""

    name: str
    stage: int
    stage_name: str  # in seeds/funnel_stages.csv
    losses: tuple[int, ...]  # furthest stages of the sessions it may win
    share_won: float  # of the pairs that `exchange` may make; 0 does nothing


AT_SEATS = (SEAT_CHOSEN, BOOKING_SEEN)
INTERVENTIONS = (  # 0.1 of the pairs make about five percentage points of conversion
    Intervention("limited_seats_notice", SEAT_CHOSEN, "select_seat", AT_SEATS, 0.1),
    Intervention("trust_badges", PAYING, "payment_page", (PAYING,), 0.0),
)
ARMS, CONTROL, TREATED, NOT_ASSIGNED = ("control", "treated"), 0, 1, -1
PLANNED_TREATED_SHARE = 0.5
ASSIGNED_DAYS = range(7, 28)  # 2026-01-19 to 2026-02-08: all outcomes are known when the data end
NOTED_AFTER = 200  # from the event that reaches the stage to the assignment
BLANKS = (None, "", "  ")
BROKEN_TEXTS = {
    "assignment_id": BLANKS,
    "intervention": BLANKS,
    "user_id": BLANKS,
    "arm": ("variant b", "variant c", "holdout"),
}
COUNT_ASSIGNMENT_REASONS = len(BROKEN_TEXTS) + 2  # an assigned_at in 1970, one a year ahead
BROKEN_ASSIGNMENTS = 3  # for each reason, in each block
# fmt: off
EFFECT_COUNTS = (
    "count_treated", "count_control", "converted_treated", "converted_control", "count_exchanged",
)
# fmt: on
LEDGER_STREAM = 1  # behind (seed, block number); a 0 there would repeat the block's own draws


def apportion(total: int, weights: Sequence[float] | Array) -> Array:
    """Whole numbers in proportion to the weights that sum to the total, by largest remainder."""
    weights = np.asarray(weights, dtype=float)
    if total <= 0 or weights.sum() <= 0:
        return np.zeros(len(weights), dtype=np.int64)
    exact = total * weights / weights.sum()
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: total - whole.sum()]] += 1
    return whole


def deal(rng: Rng, count: int, weights: Sequence[float] | Array) -> Array:
    """`count` indices into the weights, each as often as its weight says, shuffled."""
    return rng.permutation(np.repeat(np.arange(len(weights)), apportion(count, weights)))


def exact_mask(rng: Rng, count: int, share: float) -> Array:
    """`count` booleans of which exactly this share, to the nearest whole, is true."""
    return rng.permutation(np.arange(count) < round(count * share))


def pick(rng: Rng, weights: Array, count: int) -> Array:
    """Pick different indices, the heavier the likelier; one of weight 0 never."""
    weights = np.asarray(weights, dtype=float)
    able = np.flatnonzero(weights > 0)
    keys = rng.exponential(size=len(able)) / weights[able]
    return able[np.argsort(keys, kind="stable")[:count]]


def scale_to_total(weights: Array, total: float, low: Array, high: float) -> Array:
    """Multiply by the one factor with which, held between low and high, they sum to the total."""
    small, large = 1e-9, 1e9
    for _ in range(100):
        factor = math.sqrt(small * large)
        too_small = np.clip(weights * factor, low, high).sum() < total
        small, large = (factor, large) if too_small else (small, factor)
    return np.clip(weights * large, low, high)


@cache
def weight_table(lines: tuple[str, ...]) -> Array:
    """Shape (stages, names + 1): the pairs of each line; the last column is the word `starter`."""
    table = np.zeros((len(lines), len(NAMES) + 1))
    for row, line in enumerate(lines):
        words = line.split()
        for name, weight in zip(words[::2], words[1::2], strict=True):
            table[row, CODE.get(name, AT_STARTER)] = float(weight)
    return table


def installer_days(rng: Rng, count: int) -> list[tuple[Array, Array]]:
    """Active users and days of the installers: the day of the install, and the weeks after it."""
    users, first = np.arange(count), deal(rng, count, WEEKDAY_WEIGHTS[:INSTALL_DAYS])
    next_day, again = (exact_mask(rng, count, s) for s in (INSTALL_NEXT_DAY, INSTALL_SAME_WEEK))
    pairs = [(users, first), (users[next_day], first[next_day] + 1)]
    pairs.append((users[again], first[again] + rng.integers(2, 7, again.sum())))
    came_back = np.zeros(count, dtype=bool)
    for week, share in WEEK_RETENTION.items():
        kept = pick(rng, np.where(came_back, RETURN_AGAIN, 1.0), round(share * count))
        came_back[kept] = True
        offset = deal(rng, len(kept), RETURN_DAY_WEIGHTS)
        day = first[kept] + 7 * (week - 1) + offset
        next_day = (offset < 6) & (rng.random(len(kept)) < RETURN_NEXT_DAY)
        again = (offset < 5) & (rng.random(len(kept)) < RETURN_SAME_WEEK)
        gap = rng.integers(2, np.maximum(7 - offset, 3))
        pairs += [(kept, day), (kept[next_day], day[next_day] + 1)]
        pairs.append((kept[again], (day + gap)[again]))
    return pairs


def other_days(rng: Rng, count: int) -> list[tuple[Array, Array]]:
    """Active users and days of everyone else: visits of a day or two, some with another after."""
    weights = np.outer(OTHER_WEEK_WEIGHTS, WEEKDAY_WEIGHTS).ravel()[:COUNT_DAYS]
    users, day, pairs = np.arange(count), deal(rng, count, weights), []
    for _ in range(MOST_VISITS):
        two_days = exact_mask(rng, len(users), NEXT_DAY)
        pairs += [(users, day), (users[two_days], day[two_days] + 1)]
        fate = deal(rng, len(users), (RETURN_SOON, RETURN_LATER, 1 - RETURN_SOON - RETURN_LATER))
        gap = np.where(fate == 0, rng.integers(2, 8, len(users)), rng.integers(8, 15, len(users)))
        day, users = (day + two_days + gap)[fate < 2], users[fate < 2]
    return pairs


def sessions_per_day(rng: Rng, on_install: Array, total: int) -> Array:
    """Draw the number of sessions of each user-day; they sum to the total."""
    counts = np.empty(len(on_install), dtype=np.int64)
    for mask, shares in ((on_install, INSTALL_DAY_SESSIONS), (~on_install, DAY_SESSIONS)):
        counts[mask] = np.array(list(shares))[deal(rng, mask.sum(), list(shares.values()))]
    while missing := total - counts.sum():
        able = ~on_install & ((counts < MOST_DAY_SESSIONS) if missing > 0 else (counts > 1))
        counts[pick(rng, able, abs(missing))] += np.sign(missing)
    return counts


def make_calendar(rng: Rng, kind_counts: Array, count_others: int) -> pd.DataFrame:
    """One row per session in order of user, day and slot (its number on that day), with kind."""
    installers = int(kind_counts[WITH_INSTALL])
    pairs = installer_days(rng, installers)
    pairs += [(users + installers, days) for users, days in other_days(rng, count_others)]
    user, day = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    code = np.unique((user * COUNT_DAYS + day)[day < COUNT_DAYS])
    user, day = code // COUNT_DAYS, code % COUNT_DAYS
    on_install = np.r_[True, user[1:] != user[:-1]] & (user < installers)
    counts = sessions_per_day(rng, on_install, int(kind_counts.sum()))
    row = np.repeat(np.arange(len(user)), counts)
    slot = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    kind = assign_kinds(rng, slot, on_install[row], kind_counts)
    return pd.DataFrame({"user": user[row], "day": day[row], "slot": slot, "kind": kind})


def assign_kinds(rng: Rng, slot: Array, on_install: Array, kind_counts: Array) -> Array:
    """Deal out the kinds: an install comes first, a User Login behind another session."""
    kind = np.full(len(slot), -1)
    kind[(slot == 0) & on_install] = WITH_INSTALL
    logins = int(kind_counts[WITH_LOGIN])
    share = LOGIN_AFTER_INSTALL / KINDS[WITH_LOGIN].sessions
    chosen = pick(rng, (slot == 1) & on_install, round(share * logins))
    kind[chosen] = WITH_LOGIN
    kind[pick(rng, (slot % 2 == 1) & ~on_install, logins - len(chosen))] = WITH_LOGIN
    for code, eagerness in ((WITH_BOTH, 2), (WITH_SESSION, 2), (WITH_PUSH, 1)):
        weights = (kind < 0) * np.where(slot == 0, eagerness, 1)  # a day begins with a start
        kind[pick(rng, weights, int(kind_counts[code]))] = code
    kind[kind < 0] = WITH_JOURNEY
    return kind


def stage_quotas(kind: Kind, count: int) -> Array:
    """Numbers of sessions by furthest stage, 0 to 9."""
    return apportion(count, -np.diff([100.0, *kind.reached, 0.0]))


@cache
def end_quotas() -> Array:
    """Sessions at scale 1 by kind, furthest stage and end event, not yet rounded.

    Iterative proportional fitting (Deming and Stephan 1940): ENDS_BY_STAGE is bent until the stages
    of each kind, the end events of all, and login and select_seat in each kind have their totals.
    """
    rows = np.array([stage_quotas(kind, kind.sessions) for kind in KINDS], dtype=float)
    within = {
        CODE["login"]: np.array([kind.login_ends for kind in KINDS]),
        CODE["select_seat"]: np.array([kind.seat_ends for kind in KINDS]),
    }
    columns = np.zeros(len(NAMES) + 1)
    for name, share in SPEC_END_SHARES.items():
        columns[CODE[name]] = share / 100 * COUNT_SESSIONS
    for code, totals in within.items():
        columns[code] = totals.sum()
    others = np.array(list(OTHER_END_WEIGHTS.values()))
    codes = [CODE.get(name, AT_STARTER) for name in OTHER_END_WEIGHTS]
    columns[codes] = others / others.sum() * (COUNT_SESSIONS - columns.sum())
    cells = np.repeat(weight_table(ENDS_BY_STAGE)[None], len(KINDS), axis=0)
    for _ in range(200):
        cells *= columns / np.maximum(cells.sum((0, 1)), 1e-9)
        for code, totals in within.items():
            cells[:, :, code] *= (totals / cells[:, :, code].sum(1))[:, None]
        cells *= (rows / cells.sum(2))[:, :, None]
    return cells


def assign_outcomes(rng: Rng, frame: pd.DataFrame) -> None:
    """Add stage, end (the code of the end event) and bounced, by exact quotas within each kind."""
    stage, end = np.zeros((2, len(frame)), dtype=np.int64)
    bounced = np.zeros(len(frame), dtype=bool)
    codes = np.r_[np.arange(len(NAMES)), AT_STARTER]
    for number, kind in enumerate(KINDS):
        members = rng.permutation(np.flatnonzero(frame["kind"] == number))
        quotas = stage_quotas(kind, len(members))
        stage[members] = np.repeat(np.arange(COUNT_STAGES + 1), quotas)
        ends = [apportion(quota, end_quotas()[number, s]) for s, quota in enumerate(quotas)]
        end[members] = np.concatenate([np.repeat(codes, counts) for counts in ends])
        weights = np.where(end[members] == AT_STARTER, 1e9, BOUNCE_WEIGHTS[stage[members]])
        count = round(kind.bounces * len(members) / kind.sessions)
        bounced[members[pick(rng, weights, count)]] = True
    frame["stage"], frame["end"], frame["bounced"] = stage, end, bounced


def exchange(rng: Rng, frame: pd.DataFrame, give: Array, take: Array, share: float) -> Array:
    """Swap outcomes between a share of the possible pairs of one kind, so that all totals stay.

    Returns which sessions have another's outcome now.
    """
    kind, swapped = frame["kind"].to_numpy(), np.arange(len(frame))
    for number in range(len(KINDS)):
        pools = [rng.permutation(np.flatnonzero(mask & (kind == number))) for mask in (give, take)]
        count = round(share * min(map(len, pools)))
        a, b = (pool[:count] for pool in pools)
        swapped[np.r_[a, b]] = np.r_[b, a]
    for column in ("stage", "end", "bounced"):
        frame[column] = frame[column].to_numpy()[swapped]
    return swapped != np.arange(len(frame))


def leads_to_login(frame: pd.DataFrame) -> Array:
    """Whether the user's next session of the same day is a User Login session."""
    user, day, kind = (frame[column].to_numpy() for column in ("user", "day", "kind"))
    same_day = (user[1:] == user[:-1]) & (day[1:] == day[:-1])
    return np.r_[same_day & (kind[1:] == WITH_LOGIN), False]


def correlate_outcomes(rng: Rng, frame: pd.DataFrame, platform: Array) -> None:
    """Make an old version worse at the seats, ios better at payment, login lead to User Login."""
    old, stage = frame["version"].to_numpy() == 0, frame["stage"].to_numpy()
    lost_there = np.isin(stage, (BUS_CHOSEN, SEAT_CHOSEN))
    exchange(rng, frame, ~old & lost_there, old & (stage >= BOOKING_SEEN), OLD_VERSION_SEAT_LOSS)
    ios, stage = platform == PLATFORMS.index("ios"), frame["stage"].to_numpy()
    exchange(rng, frame, ~ios & (stage >= PAID), ios & (stage == PAYING), IOS_PAYMENT_WIN)
    before, at_login = leads_to_login(frame), (frame["end"] == CODE["login"]).to_numpy()
    exchange(rng, frame, at_login & ~before, before & ~at_login, 1.0)


def intervene(rng: Rng, frame: pd.DataFrame) -> Array:
    """Draw the arms, exact halves of a shuffle, and give bookings of the control to the treated.

    Adds changed_by (number of the intervention, -1: none); returns the arms, of shape
    (interventions, sessions). Sessions that end on login keep their outcome: a User Login follows.
    """
    arms = np.full((len(INTERVENTIONS), len(frame)), NOT_ASSIGNED)
    in_time, changed_by = frame["day"].isin(ASSIGNED_DAYS).to_numpy(), np.full(len(frame), -1)
    for number, (arm, intervention) in enumerate(zip(arms, INTERVENTIONS, strict=True)):
        stage, able = frame["stage"].to_numpy(), (frame["end"] != CODE["login"]).to_numpy()
        assigned = in_time & (stage >= intervention.stage)
        arm[assigned] = exact_mask(rng, assigned.sum(), PLANNED_TREATED_SHARE)
        booked = (arm == CONTROL) & (stage >= PAID)
        lost = (arm == TREATED) & np.isin(stage, intervention.losses)
        changed = exchange(rng, frame, booked & able, lost & able, intervention.share_won)
        changed_by[changed] = number
    frame["changed_by"] = changed_by
    return arms


def count_effects(frame: pd.DataFrame, arms: Array) -> Array:
    """Count what came of each intervention, a column for each of EFFECT_COUNTS."""
    booked, changed_by = (frame["stage"] >= PAID).to_numpy(), frame["changed_by"].to_numpy()
    counts = []
    for number, arm in enumerate(arms):
        groups = [arm == TREATED, arm == CONTROL]
        groups += [booked & group for group in groups]
        pairs = (changed_by == number) & (arm == TREATED)
        counts.append([np.count_nonzero(group) for group in (*groups, pairs)])
    return np.array(counts)


def assign_behaviours(rng: Rng, frame: pd.DataFrame) -> None:
    """Add behaviour: it follows from the outcome, but for who stays long among the searchers."""
    stage, end = frame["stage"].to_numpy(), frame["end"].to_numpy()
    stays = rng.random(len(frame)) < np.array([kind.explorers for kind in KINDS])[frame["kind"]]
    rules = {
        BOUNCER: frame["bounced"].to_numpy(),
        BOOKER: stage >= PAID,
        LOGIN: np.isin(end, (CODE["login"], CODE["otp"])),
        PAYMENT: stage == PAYING,
        SEAT: np.isin(stage, (SEAT_CHOSEN, BOOKING_SEEN)),
        EXPLORER: (stage == BUS_CHOSEN) | stays,
    }
    frame["behaviour"] = np.select(list(rules.values()), list(rules), default=QUICK)


def of_behaviour(frame: pd.DataFrame, field: str) -> Array:
    """Look up a field of each session's behaviour."""
    return np.array([getattr(b, field) for b in BEHAVIOURS])[frame["behaviour"]]


def count_starters(frame: pd.DataFrame) -> Array:
    """Count the starters of each session."""
    return np.array([len(kind.starters) for kind in KINDS])[frame["kind"]]


def assign_sizes(rng: Rng, frame: pd.DataFrame) -> None:
    """Add walked (stage events before the end event), events and duration, to each kind's means."""
    stage, end, bounced = (frame[column].to_numpy() for column in ("stage", "end", "bounced"))
    stage_event = np.array([len(NAMES), *(CODE[name] for name in FUNNEL)])[stage]
    walked = stage - ((end == stage_event) & (rng.random(len(frame)) < END_IS_STAGE))
    starters, only_starters = count_starters(frame), end == AT_STARTER
    events = starters + walked + (end == CODE["login"]) + ~only_starters
    detours = of_behaviour(frame, "detours") * rng.lognormal(0, DETOUR_SIGMA, len(frame))
    minutes = of_behaviour(frame, "minutes") * rng.lognormal(0, DURATION_SIGMA, len(frame))
    duration = np.zeros(len(frame))
    for number, kind in enumerate(KINDS):
        members = np.flatnonzero(frame["kind"] == number)
        more = round(kind.events * len(members)) - events[members].sum()
        events[members] += apportion(more, detours[members] * ~only_starters[members])
        quick, slow = members[bounced[members]], members[~bounced[members]]
        shortest = np.maximum(SECOND, 2 * PACE * events[quick])
        duration[quick] = shortest + (BOUNCE_UNDER - 100 - shortest) * rng.random(len(quick))
        duration[quick[events[quick] == 1]] = 0
        low = np.where(stage[slow] >= PAYING, SHORTEST_AT_PAYMENT, SHORTEST)
        left = kind.minutes * MINUTE * len(members) - duration[quick].sum()
        duration[slow] = scale_to_total(minutes[slow] * MINUTE, left, low, LONGEST)
    frame["walked"], frame["events"] = walked, events
    frame["duration"] = np.rint(duration).astype(np.int64)


def assign_starts(rng: Rng, frame: pd.DataFrame) -> None:
    """Add start: the sessions of a day follow each other and begin on it, whatever they last."""
    day, slot, duration = (frame[column].to_numpy() for column in ("day", "slot", "duration"))
    first = np.flatnonzero(slot == 0)
    last, row = np.r_[first[1:], len(frame)] - 1, np.cumsum(slot == 0) - 1
    at_once = leads_to_login(frame) & (frame["end"] == CODE["login"]).to_numpy()
    at_once = np.r_[False, at_once[:-1]]
    apart = np.where(at_once, rng.integers(2 * SECOND, MOST_TO_LOGIN, len(frame)), APART)
    apart[first] = 0
    pause = rng.lognormal(math.log(PAUSE_MINUTES), PAUSE_SIGMA, len(frame))
    pause = np.minimum(pause, LONGEST_PAUSE) * MINUTE * ~at_once
    pause[first] = 0
    last_end = np.where(day[first] == COUNT_DAYS - 1, DAY - 2 * MINUTE, LATEST_END)
    room = last_end - EARLIEST_START - np.add.reduceat(apart + duration, first)
    pause *= np.minimum(1, room / np.maximum(np.add.reduceat(pause, first), 1))[row]
    lead = np.cumsum(apart + pause + np.r_[0, duration[:-1]])
    offset = lead - lead[first][row]
    begin = (deal(rng, len(first), HOUR_WEIGHTS) + rng.random(len(first))) * HOUR
    latest = np.minimum(last_end - duration[last], LATEST_START) - offset[last]
    begin = np.minimum(np.maximum(begin, EARLIEST_START), latest)
    frame["start"] = FIRST_DAY + day * DAY + np.rint(begin[row] + offset).astype(np.int64)


def leave_open(rng: Rng, frame: pd.DataFrame, count: int) -> None:
    """Add still_open, and move a few last sessions of the last day into its last half hour."""
    user, duration, start = (frame[c].to_numpy().copy() for c in ("user", "duration", "start"))
    able = (frame["day"] == COUNT_DAYS - 1) & (frame["stage"] < PAID) & ~frame["bounced"]
    chosen = pick(rng, able.to_numpy() & np.r_[user[1:] != user[:-1], True], count)
    end = END - 20 * SECOND - np.arange(len(chosen)) * 20 * MINUTE // max(len(chosen), 1)
    start[chosen] = np.maximum(start[chosen], end - duration[chosen])
    frame["start"] = start
    frame["still_open"] = np.isin(np.arange(len(frame)), chosen)


def make_events(rng: Rng, frame: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Session row, name code and time of every event, in order.

    Each event gets a key: starters are below 0, the event that reaches stage s is at s, detours lie
    between, an otp before a last login is at 98 and the end event at 99. Sorted by session and key,
    the events are journeys.
    """
    events, walked, end, kind = (frame[c].to_numpy() for c in ("events", "walked", "end", "kind"))
    starters, row = count_starters(frame), np.repeat(np.arange(len(frame)), events)
    position = np.arange(len(row)) - (np.cumsum(events) - events)[row]
    past = position - starters[row]
    otp_until = (walked + (end == CODE["login"]))[row]
    detour_until = (events - starters - (end != AT_STARTER))[row]
    chance, spot = rng.random((2, len(row)))
    in_burst = (past == otp_until) & (past < detour_until) & (starters[row] == 2)
    in_burst &= chance < TELEMETRY_IN_BURST
    stage_codes = np.array([CODE[name] for name in FUNNEL])
    reached = stage_codes[np.clip(past, 0, COUNT_STAGES - 1)]
    reached[(past == 0) & (chance < SPECIAL_SHARE)] = CODE[SPECIAL_SEARCH]
    starter_codes = np.array([[CODE[kind.starters[i]] for i in (0, -1)] for kind in KINDS])
    telemetry = np.array([CODE[name] for name in TELEMETRY])[rng.integers(0, 2, len(row))]
    segment, detour = draw_detours(rng, walked[row])
    roles = [  # who, key, name
        (past < 0, position - 2.0, starter_codes[kind[row], np.minimum(position, 1)]),
        (past < walked[row], past + 1.0, reached),
        (past < otp_until, np.full(len(row), 98.0), np.full(len(row), CODE["otp"])),
        (in_burst, np.full(len(row), -1.5), telemetry),
        (past < detour_until, segment + 0.05 + 0.9 * spot, detour),
    ]
    who, keys, names = zip(*roles, strict=True)
    key, name = np.select(who, keys, 99.0), np.select(who, names, end[row])
    order = np.argsort(row * 128.0 + key, kind="stable")
    is_detour = (np.select(who, range(len(roles)), -1) == len(roles) - 1)[order]
    name = repeat_some(rng, name[order], is_detour)
    return row, name, event_times(rng, frame, row, position, key[order], name)


def draw_detours(rng: Rng, walked: Array) -> tuple[Array, Array]:
    """For each event a stage it may follow, at most `walked`, and a name that fits there."""
    until = np.cumsum(DETOUR_WEIGHTS)
    segment = np.searchsorted(until, rng.random(len(walked)) * until[walked], side="right")
    segment = np.minimum(segment, walked)
    table = weight_table(DETOURS_BY_STAGE)[:, : len(NAMES)]
    ladder = np.cumsum(table, axis=1) / table.sum(1, keepdims=True)
    rungs = (ladder + np.arange(len(table))[:, None]).ravel()
    name = np.searchsorted(rungs, segment + rng.random(len(walked)), side="right")
    return segment, name - segment * len(NAMES)


def repeat_some(rng: Rng, name: Array, is_detour: Array) -> Array:
    """Let detours repeat the event before them, as people do, and a login follow most otp."""
    index, likely = np.arange(len(name)), np.zeros(len(NAMES))
    likely[[CODE[word] for word in REPEATING]] = list(REPEATING.values())
    again = is_detour & (rng.random(len(name)) < likely[np.r_[0, name[:-1]]])
    source = np.maximum.accumulate(np.where(again, 0, index))
    name = np.where(index - source < MOST_REPEATS, name[source], name)
    after_otp = is_detour & (np.r_[-1, name[:-1]] == CODE["otp"])
    return np.where(after_otp & (rng.random(len(name)) < LOGIN_AFTER_OTP), CODE["login"], name)


def event_times(
    rng: Rng, frame: pd.DataFrame, row: Array, position: Array, key: Array, name: Array
) -> Array:
    """Set the times: starters within seconds, then skewed gaps that fill the duration exactly."""
    events, duration, start = (frame[c].to_numpy() for c in ("events", "duration", "start"))
    burst = np.clip(rng.lognormal(math.log(2 * SECOND), 1.0, len(frame)), 200, JOIN_WITHIN)
    burst = np.where(frame["end"] == AT_STARTER, duration, np.minimum(burst, duration / 4))
    burst *= count_starters(frame) == 2
    gap = np.exp(of_behaviour(frame, "spread")[row] * rng.standard_normal(len(row))) * (key >= 0)
    gap[np.isin(name, [CODE[word] for word in TELEMETRY])] *= 0.15  # soon after what it reports
    passed, first = np.cumsum(gap), np.cumsum(events) - events
    passed -= passed[first][row]
    whole = np.maximum(passed[first + events - 1], 1e-9)
    free = duration - burst - PACE * (events - 1)
    after = burst[row] + PACE * position + passed * (free / whole)[row]
    in_burst = burst[row] * np.select([key == -2, key == -1.5], [0.0, 0.5], 1.0)
    return start[row] + np.rint(np.where(key < 0, in_burst, after)).astype(np.int64)


def make_ambient(rng: Rng, frame: pd.DataFrame, count: int) -> tuple[Array, Array, Array]:
    """Session row before it, name and time of each Push Failure: between sessions or after."""
    user, start = frame["user"].to_numpy(), frame["start"].to_numpy()
    end = start + frame["duration"].to_numpy()
    until = np.where(np.r_[user[1:] != user[:-1], True], END - HOUR, np.r_[start[1:], 0])
    room = np.maximum(until - end - 2 * MINUTE, 0)
    weights = np.minimum(room, 5 * DAY)
    row = np.sort(rng.choice(len(frame), count, p=weights / weights.sum()))
    at = end[row] + MINUTE + (rng.random(count) * room[row]).astype(np.int64)
    return row, np.full(count, CODE[AMBIENT]), at


def random_ids(rng: Rng, count: int) -> Array:
    """Shape (count, 16): the bytes of random UUIDs of version 4."""
    ids = np.frombuffer(rng.bytes(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x40
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids


def make_people(rng: Rng, frame: pd.DataFrame) -> dict[str, Array]:
    """Columns of the users: id (16 bytes), platform, city, lag (days), skew (of the clock)."""
    count = int(frame["user"].max()) + 1
    installer = np.isin(np.arange(count), frame["user"][frame["kind"] == WITH_INSTALL])
    platform, city = (
        rng.choice(len(weights), count, p=np.array(list(weights.values())) / sum(weights.values()))
        for weights in (PLATFORM_WEIGHTS, CITY_WEIGHTS)
    )
    web = PLATFORMS.index("web")
    platform[installer & (platform == web)] = PLATFORMS.index("android")  # nobody installs a page
    usual = np.where(rng.random(count) < LAGGARDS, LAGGARD_LAG, UPDATE_LAG)
    lag = rng.exponential(np.where(installer, INSTALLER_LAG, usual)) * (platform != web)
    skew = rng.integers(-MOST_SKEW, MOST_SKEW, count) * exact_mask(rng, count, SKEWED_USERS)
    ids = random_ids(rng, count)
    return {"id": ids, "platform": platform, "city": city, "lag": lag, "skew": skew}


def versions_of(lag: Array, day: Array) -> Array:
    """Look up the code of the version a user has on a day."""
    release_days = list(RELEASE_DAYS.values())
    return np.maximum(np.searchsorted(release_days, day - lag, side="right") - 1, 0)


def spec_person() -> dict[str, Array]:
    """Describe the user of the spec in the columns of make_people."""
    return {
        "id": np.frombuffer(bytes.fromhex(SPEC_USER.replace("-", "")), dtype=np.uint8)[None],
        "platform": np.array([PLATFORMS.index(SPEC_PLATFORM)]),
        "city": np.array([CITIES.index(SPEC_CITY)]),
        "lag": np.array([0.0]),
        "skew": np.array([0]),
    }


def spec_sessions(user: int) -> tuple[pd.DataFrame, list[Array]]:
    """List the sessions of the user of the spec, and the event codes of each."""
    facts, codes = [], []
    for slot, (kind, day, clock, seconds, behaviour, steps) in enumerate(SPEC_SESSIONS):
        words = (word.partition("*") for word in steps.split())
        names = [name for name, _, times in words for _ in range(int(times or 1))]
        codes.append(np.array([CODE[name] for name in (*KINDS[kind].starters, *names)]))
        start = int(pd.Timedelta(clock) / pd.Timedelta(milliseconds=1))
        fact = {"user": user, "day": day, "slot": slot, "kind": kind, "behaviour": behaviour}
        fact |= {"stage": sum(name in names for name in FUNNEL), "end": CODE[names[-1]]}
        fact |= {"start": FIRST_DAY + day * DAY + start, "duration": seconds * SECOND}
        fact |= {"version": VERSIONS.index(SPEC_VERSION), "bounced": False, "still_open": False}
        fact |= {"changed_by": -1}
        facts.append(fact)
    return pd.DataFrame(facts), codes


def spec_events(rng: Rng, first_row: int) -> list[tuple[Array, Array, Array]]:
    """Session row, name and time of all events of the user of the spec."""
    frame, codes = spec_sessions(0)
    parts = []
    for fact, names in zip(frame.itertuples(), codes, strict=True):
        gap = np.r_[0, 1 + rng.exponential(4, len(names) - 1)]
        at = fact.start + np.rint(np.cumsum(gap) / gap.sum() * fact.duration).astype(np.int64)
        parts.append((np.full(len(names), first_row + fact.Index), names, at))
    at = FIRST_DAY + (np.array(SPEC_PUSH_FAILURES) * DAY).astype(np.int64)
    before = first_row + int((frame["day"] == 0).sum()) - 1
    return [*parts, (np.full(len(at), before), np.full(len(at), CODE[AMBIENT]), at)]


def make_assignments(
    rng: Rng, frame: pd.DataFrame, skew: Array, arms: Array, events: tuple[Array, Array, Array]
) -> dict[str, Array]:
    """Make the ledger's rows: the arm of each session, noted soon after it reaches the stage.

    The events are those of make_events. An assignment lies before the session's next event; where
    there is none, at the event itself, so that it never lies behind its session.
    """
    row, name, at = events
    next_at = np.where(np.r_[row[1:] == row[:-1], False], np.r_[at[1:], 0], at + 1)
    noted_at = np.minimum(at + NOTED_AFTER, next_at - 1)
    reaching = []
    for arm, intervention in zip(arms, INTERVENTIONS, strict=True):
        reaches = np.flatnonzero(name == CODE[FUNNEL[intervention.stage - 1]])
        reaches = reaches[np.r_[True, row[reaches[1:]] != row[reaches[:-1]]]]
        reaching.append(reaches[arm[row[reaches]] != NOT_ASSIGNED])
    event = np.concatenate(reaching)
    number = np.repeat(np.arange(len(arms)), [len(reaches) for reaches in reaching])
    user = frame["user"].to_numpy()[row[event]]
    return {
        "assignment_id": random_ids(rng, len(event)),
        "intervention": number,
        "user": user,
        "arm": arms[number, row[event]],
        "assigned_at": noted_at[event] + skew[user],
        "received_at": receive(rng, noted_at[event], np.ones(len(event), dtype=bool)),
    }


@dataclass
class Block:
    """Some users with all their sessions and rows. Codes stand for texts until they are written."""

    users: Array  # shape (users, 16): the bytes of each user_id
    sessions: pd.DataFrame  # one row per session, in order of user and time
    rows: dict[str, Array]  # the columns of the landing rows, of equal length
    broken: pa.Table  # the rows to be rejected, as text
    truth: dict[str, Array]  # event_id and session row (-1: none) of each event
    assignments: pa.Table  # the rows of the ledger
    effects: Array  # shape (interventions, EFFECT_COUNTS)


def make_block(seed: int, number: int, size: float) -> Block:
    """One block of users, at most of scale 1; the first holds the user of the spec."""
    rng = np.random.default_rng([seed, number])
    ledger_rng = np.random.default_rng([seed, number, LEDGER_STREAM])
    counts = apportion(round(COUNT_SESSIONS * size), [kind.sessions for kind in KINDS])
    holds_spec_user = number == 0
    if holds_spec_user:
        counts -= np.bincount([kind for kind, *_ in SPEC_SESSIONS], minlength=len(KINDS))
    frame = make_calendar(rng, np.maximum(counts, 0), round(OTHER_USERS * size))
    people = make_people(rng, frame)
    frame["version"] = versions_of(people["lag"][frame["user"]], frame["day"].to_numpy())
    assign_outcomes(rng, frame)
    correlate_outcomes(rng, frame, people["platform"][frame["user"]])
    arms = intervene(ledger_rng, frame)
    effects = count_effects(frame, arms)
    assign_behaviours(rng, frame)
    assign_sizes(rng, frame)
    assign_starts(rng, frame)
    leave_open(rng, frame, max(1, round(COUNT_STILL_OPEN * size)))
    people["skew"][frame["user"][frame["still_open"]]] = 0
    parts = [make_events(rng, frame), make_ambient(rng, frame, round(COUNT_AMBIENT * size))]
    assignments = make_assignments(ledger_rng, frame, people["skew"], arms, parts[0])
    assignments = soil_assignments(ledger_rng, assignments, people["id"])
    spared = None
    if holds_spec_user:
        spared = len(people["id"])
        parts += spec_events(rng, len(frame))
        frame = pd.concat([frame, spec_sessions(spared)[0]], ignore_index=True)
        person = spec_person()
        people = {key: np.concatenate([people[key], person[key]]) for key in people}
    row, name, at = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows, broken, truth = soil(rng, frame, people, row, name, at, spared, size)
    return Block(people["id"], frame, rows, broken, truth, assignments, effects)


def soil(
    rng: Rng, frame: pd.DataFrame, people: dict[str, Array],
    row: Array, name: Array, at: Array, spared: int | None, size: float,
) -> tuple[dict[str, Array], pa.Table, dict[str, Array]]:  # fmt: skip
    """Make rows, rows to reject and truth: delays, clocks that are off, gaps, copies."""
    user = frame["user"].to_numpy()[row]
    open_to_dirt = np.ones(len(row), dtype=bool) if spared is None else user != spared
    rows = {
        "event_id": random_ids(rng, len(row)),
        "user": user.astype(np.int32),
        "event_name": name.astype(np.int8),
        "event_time": at + people["skew"][user],
        "received_at": receive(rng, at, open_to_dirt),
        "platform": people["platform"][user].astype(np.int8),
        "app_version": frame["version"].to_numpy()[row].astype(np.int8),
        "city": people["city"][user].astype(np.int8),
        "properties": draw_properties(rng, name),
    }
    rows["city"][open_to_dirt & (rng.random(len(row)) < NO_CITY_SHARE)] = -1
    session = np.where(name == CODE[AMBIENT], -1, row)
    truth = {"event_id": rows["event_id"], "session": session}
    able = open_to_dirt & (rows["received_at"] < END - HOUR)
    copies = copy_some(rng, rows, able)
    count = 5 * max(FEWEST_REJECTED, round(COUNT_REJECTED * size))
    broken = break_rows(rng, take(rows, pick(rng, able, count)), people["id"])
    rows = {key: np.concatenate([values, copies[key]]) for key, values in rows.items()}
    return rows, broken, truth


def copy_some(rng: Rng, rows: dict[str, Array], able: Array) -> dict[str, Array]:
    """Copies of a few of those able to have one, received later."""
    copies = take(rows, pick(rng, able, round(DUPLICATE_SHARE * len(able))))
    received = copies["received_at"]
    copies["received_at"] = received + log_uniform(
        rng, np.full(len(received), SECOND), np.minimum(LONGEST_TO_COPY, END - 1 - received)
    )
    return copies


def soil_assignments(rng: Rng, rows: dict[str, Array], users: Array) -> pa.Table:
    """Make the ledger as it lands: with copies and rows to reject."""
    able = np.ones(len(rows["user"]), dtype=bool)
    copies = copy_some(rng, rows, able)
    chosen = pick(rng, able, COUNT_ASSIGNMENT_REASONS * BROKEN_ASSIGNMENTS)
    broken = break_assignments(rng, take(rows, chosen), users)
    return pa.concat_tables([to_ledger(rows, users), to_ledger(copies, users), broken])


def take(rows: dict[str, Array], chosen: Array) -> dict[str, Array]:
    """Take the chosen rows."""
    return {key: values[chosen] for key, values in rows.items()}


def log_uniform(rng: Rng, low: Array, high: Array) -> Array:
    """Whole numbers between low and high, each order of magnitude equally likely."""
    return (low * (high / low) ** rng.random(len(low))).astype(np.int64)


def receive(rng: Rng, at: Array, open_to_dirt: Array) -> Array:
    """received_at: mostly seconds after the event, for the late ones over an hour, before END."""
    usual = rng.lognormal(math.log(USUAL_DELAY), DELAY_SIGMA, len(at))
    received = np.minimum(at + np.minimum(usual, LONGEST_DELAY).astype(np.int64), END - 1)
    able = open_to_dirt & (at < END - 2 * HOUR)
    late = pick(rng, able, round(LATE_SHARE * len(at)))
    latest = np.minimum(LATE_TO, END - 1 - at[late])
    received[late] = at[late] + log_uniform(rng, np.full(len(late), LATE_FROM), latest)
    return received


def draw_properties(rng: Rng, name: Array) -> Array:
    """Draw an index into PROPERTY_TEXTS for each event, -1 for none."""
    codes, start = np.full(len(name), -1, dtype=np.int16), 0
    for event, choices in PROPERTIES.items():
        has = np.flatnonzero(name == CODE[event])
        codes[has] = start + rng.integers(0, len(choices), len(has))
        start += len(choices)
    return codes


def break_rows(rng: Rng, rows: dict[str, Array], users: Array) -> pa.Table:
    """Rows under new ids, a fifth of them for each reason to reject what parquet can carry."""
    rows["event_id"] = random_ids(rng, len(rows["user"]))
    frame = to_table(rows, users).to_pandas()
    unset = np.array(["NaT", "1970-01-01T00:00:07", "1999-12-31T23:59:59"], dtype="M8[us]")
    ahead = pd.to_timedelta([301, 4_000, 172_800, 31_536_000], unit="s").to_numpy()
    parts = np.array_split(np.arange(len(frame)), 5)
    for column, part in zip(("event_id", "user_id", "event_name"), parts, strict=False):
        frame.loc[part, column] = np.resize(np.array(BLANKS, dtype=object), len(part))
    frame.loc[parts[3], "event_time"] = np.resize(unset, len(parts[3]))
    received = frame.loc[parts[4], "received_at"].to_numpy()
    frame.loc[parts[4], "event_time"] = received + np.resize(ahead, len(received))
    return pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)


def break_assignments(rng: Rng, rows: dict[str, Array], users: Array) -> pa.Table:
    """Rows under new ids, a few for each reason to reject an assignment that parquet can carry."""
    rows["assignment_id"] = random_ids(rng, len(rows["user"]))
    frame = to_ledger(rows, users).to_pandas()
    parts = np.array_split(np.arange(len(frame)), COUNT_ASSIGNMENT_REASONS)
    for (column, values), part in zip(BROKEN_TEXTS.items(), parts, strict=False):
        frame.loc[part, column] = np.resize(np.array(values, dtype=object), len(part))
    frame.loc[parts[-2], "assigned_at"] = np.datetime64("1970-01-01T00:00:07")
    frame.loc[parts[-1], "assigned_at"] = frame.loc[parts[-1], "received_at"] + pd.Timedelta("365D")
    return pa.Table.from_pandas(frame, schema=LEDGER_SCHEMA, preserve_index=False)


TEXT_COLUMNS = {
    "event_name": NAMES,
    "platform": PLATFORMS,
    "app_version": VERSIONS,
    "city": CITIES,
    "properties": PROPERTY_TEXTS,
}
TIME, TEXT = pa.timestamp("us"), pa.string()
# fmt: off
SCHEMA = pa.schema([
    ("event_id", TEXT), ("user_id", TEXT), ("event_name", TEXT), ("event_time", TIME),
    ("received_at", TIME), ("platform", TEXT), ("app_version", TEXT), ("city", TEXT),
    ("properties", TEXT),
])
LEDGER_SCHEMA = pa.schema([
    ("assignment_id", TEXT), ("intervention", TEXT), ("unit", TEXT), ("user_id", TEXT),
    ("session_id", TEXT), ("stage", TEXT), ("arm", TEXT), ("planned_treated_share", pa.float64()),
    ("assigned_at", TIME), ("received_at", TIME),
])
# fmt: on
TRUTH_SCHEMA = pa.schema([("event_id", TEXT), ("true_session", pa.int64())])
LARGEST_BLOCK = 1.0  # as a scale
BLOCKS_AT_ONCE = 6  # some 3.7 million rows in memory
LANDING_FILE = re.compile(r"\d{4}-\d{2}-\d{2}(-\d{3})?\.parquet(\.part)?")
TRUTH_FILE = re.compile(r"((events|sessions)(-\d{3})?|interventions)\.parquet(\.part)?")
LEDGER_FILE = re.compile(r"assignments(-\d{3})?\.parquet(\.part)?")
HEX = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], dtype=np.uint8)
HEX_PLACES = [place for place in range(36) if place not in (8, 13, 18, 23)]


def uuid_texts(ids: Array) -> pa.Array:
    """Bytes of shape (count, 16) as texts such as 76a7b5c7-90ca-4875-b998-77f50776b042."""
    text = np.full((len(ids), 36), ord("-"), dtype=np.uint8)
    text[:, HEX_PLACES] = HEX[ids].reshape(len(ids), 32)
    offsets = np.arange(0, text.size + 1, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(text))


def to_table(rows: dict[str, Array], users: Array) -> pa.Table:
    """Make the table that lands: texts for codes (null for -1), times in microseconds."""
    columns = {"event_id": uuid_texts(rows["event_id"]), "user_id": uuid_texts(users[rows["user"]])}
    for key, texts in TEXT_COLUMNS.items():
        codes = pa.array(rows[key], mask=rows[key] < 0)
        columns[key] = pa.DictionaryArray.from_arrays(codes, pa.array(texts)).cast(TEXT)
    for key in ("event_time", "received_at"):
        columns[key] = pa.array(rows[key] * 1_000).cast(TIME)
    return pa.table([columns[key] for key in SCHEMA.names], schema=SCHEMA)


def to_ledger(rows: dict[str, Array], users: Array) -> pa.Table:
    """Make the table of assignments: session_id is null, the app knows of no sessions."""
    count, number = len(rows["user"]), rows["intervention"]
    names, stages = np.array([(i.name, i.stage_name) for i in INTERVENTIONS], dtype=object).T
    columns = {
        "assignment_id": uuid_texts(rows["assignment_id"]),
        "intervention": names[number],
        "unit": pa.repeat("session", count),
        "user_id": uuid_texts(users[rows["user"]]),
        "session_id": pa.nulls(count, TEXT),
        "stage": stages[number],
        "arm": np.array(ARMS, dtype=object)[rows["arm"]],
        "planned_treated_share": pa.repeat(PLANNED_TREATED_SHARE, count),
    }
    for key in ("assigned_at", "received_at"):
        columns[key] = pa.array(rows[key] * 1_000).cast(TIME)
    return pa.table([columns[key] for key in LEDGER_SCHEMA.names], schema=LEDGER_SCHEMA)


def write_parquet(tables: list[pa.Table], path: Path) -> None:
    """Write the whole file or none."""
    part = path.with_name(path.name + ".part")
    few = [key for key in tables[0].schema.names if key in TEXT_COLUMNS]
    schema = tables[0].schema
    with pq.ParquetWriter(part, schema, compression="zstd", use_dictionary=few) as writer:
        for table in tables:
            writer.write_table(table)
    os.replace(part, path)


def remove_earlier(folder: Path, names: re.Pattern[str]) -> None:
    """Make the folder, and remove what an earlier run wrote there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if names.fullmatch(path.name):
            path.unlink()


def write_landing(blocks: list[Block], folder: Path, suffix: str) -> tuple[int, int]:
    """One file per day of received_at, in its order; returns the numbers of files and rows."""
    users = np.concatenate([block.users for block in blocks])
    shift = np.cumsum([0, *(len(block.users) for block in blocks)]).astype(np.int32)
    for block, first_user in zip(blocks, shift, strict=False):
        block.rows["user"] += first_user
    rows = {key: np.concatenate([b.rows.pop(key) for b in blocks]) for key in tuple(blocks[0].rows)}
    broken = pa.concat_tables([block.broken for block in blocks])
    broken_at = broken["received_at"].cast(pa.int64()).to_numpy() // 1_000
    order = np.argsort(rows["received_at"], kind="stable")
    midnights = FIRST_DAY + np.arange(COUNT_DAYS + 1) * DAY
    bounds = np.searchsorted(rows["received_at"][order], midnights)
    files = count = 0
    for day, midnight in enumerate(midnights[:-1]):
        whole = to_table(take(rows, order[bounds[day] : bounds[day + 1]]), users)
        its_broken = (broken_at >= midnight) & (broken_at < midnight + DAY)
        table = pa.concat_tables([whole, broken.filter(pa.array(its_broken))]).combine_chunks()
        if table.num_rows:
            date = np.datetime64(int(midnight), "ms").astype("M8[D]")
            write_parquet([table], folder / f"{date}{suffix}.parquet")
            files, count = files + 1, count + table.num_rows
    return files, count


def write_ledger(blocks: list[Block], folder: Path, suffix: str) -> int:
    """One file of assignments, in order of received_at; returns the number of rows."""
    table = pa.concat_tables([block.assignments for block in blocks])
    order = np.argsort(table["received_at"].to_numpy(), kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    write_parquet([table], folder / f"assignments{suffix}.parquet")
    return table.num_rows


def write_effects(counts: Array, folder: Path) -> None:
    """Write what each intervention did: the counts of all blocks, and the effect in truth.

    An exchange wins one treated session and loses one of the control: the true effect is exchanged
    over treated plus exchanged over control. What else the arms differ by is chance.
    """
    columns = dict(zip(EFFECT_COUNTS, counts.T, strict=True))
    exchanged = columns.pop("count_exchanged")
    table = {
        "intervention": [intervention.name for intervention in INTERVENTIONS],
        "stage": [intervention.stage_name for intervention in INTERVENTIONS],
        "true_effect": exchanged / columns["count_treated"] + exchanged / columns["count_control"],
    }
    write_parquet([pa.table(table | columns)], folder / "interventions.parquet")


def write_truth(blocks: list[Block], folder: Path, suffix: str, next_session: int) -> int:
    """Write the session of each staged event and what each was; returns the next free number."""
    events, sessions = [], []
    for block in blocks:
        session = block.truth["session"]
        numbers = pa.array(session + next_session, mask=session < 0)
        texts = uuid_texts(block.truth["event_id"])
        events.append(pa.table([texts, numbers], schema=TRUTH_SCHEMA))
        sessions.append(truth_of_sessions(block, next_session))
        next_session += len(block.sessions)
    write_parquet(events, folder / f"events{suffix}.parquet")
    write_parquet(sessions, folder / f"sessions{suffix}.parquet")
    return next_session


def truth_of_sessions(block: Block, next_session: int) -> pa.Table:
    """One row per session: whose and which, starters, furthest stage, behaviour, why it ended.

    changed_by is the intervention that won the session or, in the control, would have; else null.
    """
    frame = block.sessions
    why = of_behaviour(frame, "why_ended").astype(object)
    why[leads_to_login(frame) & (frame["end"] == CODE["login"])] = "logged in and went on"
    why[frame["still_open"].to_numpy()] = "still active"
    starters = np.array([" → ".join(kind.starters) for kind in KINDS], dtype=object)
    changers = np.array([*(intervention.name for intervention in INTERVENTIONS), None])
    return pa.table(
        {
            "true_session": np.arange(len(frame)) + next_session,
            "user_id": uuid_texts(block.users[frame["user"]]),
            "session_number": frame.groupby("user").cumcount().to_numpy() + 1,
            "starters": starters[frame["kind"]],
            "furthest_stage": frame["stage"].to_numpy(),
            "behaviour": of_behaviour(frame, "name").astype(object),
            "why_ended": why,
            "changed_by": pa.array(changers[frame["changed_by"]], TEXT),
        }
    )


def simulate(seed: int, scale: float, out: Path, truth: Path, ledger: Path) -> None:
    """Make all blocks, equal in size, and write them a few at a time."""
    began = time.monotonic()
    remove_earlier(out, LANDING_FILE)
    remove_earlier(truth, TRUTH_FILE)
    remove_earlier(ledger, LEDGER_FILE)
    count = max(1, math.ceil(scale / LARGEST_BLOCK - 1e-9))
    parts = [range(count)[i : i + BLOCKS_AT_ONCE] for i in range(0, count, BLOCKS_AT_ONCE)]
    files = rows = sessions = assignments = effects = 0
    for number, numbers in enumerate(parts, start=1):
        suffix = f"-{number:03d}" if len(parts) > 1 else ""
        blocks = [make_block(seed, block, scale / count) for block in numbers]
        sessions = write_truth(blocks, truth, suffix, sessions)
        assignments += write_ledger(blocks, ledger, suffix)
        effects += sum(block.effects for block in blocks)
        more_files, more_rows = write_landing(blocks, out, suffix)
        files, rows = files + more_files, rows + more_rows
        if len(parts) > 1:
            print(f"  part {number} of {len(parts)}: {rows:,} rows so far", flush=True)
    write_effects(effects, truth)
    landed = f"{rows:,} rows of {sessions:,} sessions in {files} files in {out}"
    seconds = time.monotonic() - began
    print(f"{landed}, {assignments:,} assignments in {ledger} ({seconds:.1f} s)")


SMALLEST_SCALE, LARGEST_SCALE = 0.01, 1_000


class OneSentenceParser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(2, f"simulate.py: {message}.\n")


def to_seed(text: str) -> int:
    """Read a whole number from 0."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def to_scale(text: str) -> float:
    """Read a number from SMALLEST_SCALE to LARGEST_SCALE."""
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        wanted = f"{SMALLEST_SCALE} to {LARGEST_SCALE}"
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {wanted}")
    return scale


def main(arguments: list[str] | None = None) -> None:
    """Read the arguments and simulate; a file system that refuses gets one sentence, too."""
    parser = OneSentenceParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=to_seed, default=1, help="same seed, same rows")
    parser.add_argument("--scale", type=to_scale, default=1.0, help="1: about 604,000 events")
    parser.add_argument("--out", type=Path, default=Path("landing/events"), help="landing folder")
    parser.add_argument("--truth", type=Path, default=Path("landing/truth"), help="truth folder")
    parser.add_argument(
        "--ledger", type=Path, help="folder of assignments: interventions, beside --out"
    )
    options = parser.parse_args(arguments)
    folders = {"--out": options.out, "--truth": options.truth}
    folders["--ledger"] = options.ledger or options.out.parent / "interventions"
    for (one, its), (other, others) in combinations(folders.items(), 2):
        if its.resolve() == others.resolve():
            parser.error(f"{one} and {other} must be two folders")
    try:
        simulate(options.seed, options.scale, *folders.values())
    except OSError as error:
        parser.error(f"cannot write {error.filename or options.out}: {error.strerror or error}")


if __name__ == "__main__":
    main()
