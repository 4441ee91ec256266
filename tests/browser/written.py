"""How the pages write numbers, said once more and from the outside."""

from decimal import ROUND_HALF_UP, Decimal

UNITS = (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800), ("days", 86400, float("inf")))


def rounded(number):
    return Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP)


def count(number):
    return f"{int(number):,}"


def decimal(number):
    return "–" if number is None else str(rounded(number))


def percent(share):
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{int(100 * share)}%"
    if share < 0.0005:
        return "<0.1%"
    if share >= 0.9995:
        return ">99.9%"
    return f"{rounded(100 * share)}%"


def duration(seconds):
    if seconds is None:
        return "–"
    unit, size = next((unit, size) for unit, size, below in UNITS if seconds < below)
    amount = seconds / size
    return f"{int(amount) if amount == int(amount) else rounded(amount)} {unit}"


def day(date):
    return f"{date.day} {date:%b %Y}"


def signed(text, number):
    return text if number == 0 else f"{'+' if number > 0 else '−'}{text}"


def change(number):
    whole = int(Decimal(number).quantize(Decimal(1), ROUND_HALF_UP))
    return signed(count(abs(whole)), whole)


def points(share):
    return signed(f"{rounded(100 * abs(share))} pts", share)
