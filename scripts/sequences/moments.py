"""What the cells of a column say about time, in the many forms in which files have days.

A column is read as a whole, never cell by cell: what stands first in 01/02/2021 is decided by all
of its rows. ISO 8601 is the standard library's, months in words are dateparser's, in any language.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

YEARS = range(1500, 2501)
"""Years that days are believed to be of."""
EPOCH = datetime(1970, 1, 1)
COMPACT = {6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Forms of nothing but digits, by how many there are."""
WORDS = {"MDY": "month/day/year", "DMY": "day/month/year", "YMD": "year/month/day"}
"""Orders of three numbers, the likelier ones first."""

_NUMERIC = re.compile(
    r"(\d{1,4})\s*([-/._]|\s)\s*(\d{1,2})\s*\2\s*(\d{1,4})\s*\.?(?:(?:T|[,\s]\s*)(\d.*))?"
)
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*(?:([ap])\.?m\.?)?"
    r"\s*(z|utc|gmt|[-+]\d{2}(?::?\d{2})?)?",
    re.I,
)
_PERIOD = re.compile(r"(\d{4})\s*[-/.년]?\s*([qhsmw])\s*(\d{1,2})", re.I)
_PERIOD_FIRST = re.compile(r"([qhs])\s*(\d)[-/.' ]*(\d{4}|\d{2})", re.I)
_QUARTER = re.compile(r"(\d{4})[-./년\s]+(\d)(?:분기|/4)")
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})|(\d{1,2}(?=[-/])|\d{2}(?=\.))[-/.](\d{4})")
_DAY_OF_YEAR = re.compile(r"\d{4}-\d{3}")
_EASTERN = re.compile(r"(\d+)\s*[년年]\s*(\d{1,2})\s*[월月](?:\s*(\d{1,2})\s*[일日号])?")
"""Year, month and day in Korean, Japanese and Chinese."""
_SHORT = ("%b-%y", "%b %y", "%b'%y", "%B-%y", "%B %y", "%y-%b")
"""English months with two digits of a year, which dateparser takes for a day."""


class Moments(NamedTuple):
    """A column of days.

    Attributes:
        days: (N,) since the beginning of 1970, in UTC where the column says how far it is off; None
            where the column can be read in two ways of which one runs backwards.
        doubt: how else the days could be read, for the reader; "" where they cannot.
    """

    days: NDArray[np.float64] | None
    doubt: str = ""


def read_moments(cells: Sequence[str]) -> Moments | None:
    """The days that all the cells of a column stand for; None where one of them is no day."""
    if not cells or not all(cells):
        return None
    cells = [_EASTERN.sub(_with_dashes, cell) for cell in cells]
    for read in (_iso, _compact, _clocked, _periods, _short):
        candidates = read(cells)
        if candidates:
            return _likeliest(candidates)
    if not any(c.isalpha() for c in cells[0]):
        return None
    return _likeliest(_in_words(cells))


def _with_dashes(match: re.Match[str]) -> str:
    return "-".join(part for part in match.groups() if part)


def read_clock(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """(N,) times of the day, in days; None where a cell is none."""
    seconds = [_seconds(cell) for cell in cells]
    found = [second for second in seconds if second is not None]
    return np.array(found) / 86400 if cells and len(found) == len(seconds) else None


def direction(times: NDArray[np.float64]) -> tuple[int, int]:
    """How often time goes on from row to row, and how often back."""
    steps = np.diff(times)
    return int((steps > 0).sum()), int((steps < 0).sum())


Candidates = dict[str, NDArray[np.float64]]


def _days(moments: Iterator[datetime | None]) -> NDArray[np.float64] | None:
    """(N,) days since 1970; None where a moment is missing or of a strange year."""
    days = []
    for moment in moments:
        if moment is None or moment.year not in YEARS:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        days.append((moment - EPOCH) / timedelta(days=1))
    return np.array(days)


def _all(read: Callable[[str], datetime | None], cells: Sequence[str], name: str) -> Candidates:
    """The column by one reading, if it fits every cell."""

    def tried(cell: str) -> datetime | None:
        try:
            return read(cell)
        except (ValueError, OverflowError):
            return None

    days = _days(tried(cell) for cell in cells)
    return {} if days is None else {name: days}


def _iso(cells: Sequence[str]) -> Candidates:
    if cells[0].isdigit():
        return {}
    return _all(datetime.fromisoformat, cells, "ISO 8601")


def _compact(cells: Sequence[str]) -> Candidates:
    form = COMPACT.get(len(cells[0]))
    if form is None or not all(c.isdigit() and len(c) == len(cells[0]) for c in cells):
        return {}
    return _all(lambda cell: datetime.strptime(cell, form), cells, form)


def _clocked(cells: Sequence[str]) -> Candidates:
    """Three numbers in one of the orders, perhaps with a time of the day behind them."""
    found = [_NUMERIC.fullmatch(cell) for cell in cells]
    parts = [match.groups() for match in found if match is not None]
    if len(parts) < len(found):
        return {}
    candidates: Candidates = {}
    for order in WORDS:
        days = _days(_moment(part, order) for part in parts)
        if days is not None:
            candidates[order] = days
    return candidates


def _moment(parts: Sequence[Any], order: str) -> datetime | None:
    first, _, second, third, clock = parts
    numbers = dict(zip(order, (first, second, third), strict=True))
    if len(numbers["D"]) > 2 or len(numbers["M"]) > 2 or len(numbers["Y"]) not in (2, 4):
        return None
    seconds = 0.0 if clock is None else _seconds(clock)
    if seconds is None:
        return None
    try:
        day = datetime(_year(numbers["Y"]), int(numbers["M"]), int(numbers["D"]))
        return day + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def _year(digits: str) -> int:
    """A year; of two digits as POSIX has it: 69 is 1969, 68 is 2068."""
    number = int(digits)
    return number if len(digits) > 2 else number + (1900 if number > 68 else 2000)


def _seconds(text: str) -> float | None:
    """Seconds after midnight, in UTC where the text says how far it is off."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second, part, half, zone = match.groups()
    hours = int(hour) % 12 + 12 * (half.lower() == "p") if half else int(hour)
    if hours > 24 or int(minute) > 59 or int(second or 0) > 60:
        return None
    seconds = 3600 * hours + 60 * int(minute) + int(second or 0) + float(f"0.{part or 0}")
    if zone and zone[0] in "+-":
        off = 60 * int(zone[1:3]) + int(zone[3:].lstrip(":") or 0)
        seconds -= 60 * off if zone[0] == "+" else -60 * off
    return seconds


def _periods(cells: Sequence[str]) -> Candidates:
    """Read months, quarters, half years and weeks by their first day, and days of the year."""
    return _all(_period, cells, "period")


def _period(cell: str) -> datetime | None:
    if match := _MONTH.fullmatch(cell):
        year, month, month_first, year_behind = match.groups()
        return datetime(int(year or year_behind), int(month or month_first), 1)
    if _DAY_OF_YEAR.fullmatch(cell):
        return datetime.strptime(cell, "%Y-%j")
    if match := _PERIOD.fullmatch(cell):
        year, unit, number = match.groups()
    elif match := _PERIOD_FIRST.fullmatch(cell):
        unit, number, year = match.groups()
    elif match := _QUARTER.fullmatch(cell):
        year, number = match.groups()
        unit = "q"
    else:
        return None
    if unit.lower() == "w":
        return datetime.fromisocalendar(_year(year), int(number), 1)
    months = {"q": 3, "h": 6, "s": 6, "m": 1}[unit.lower()]
    return datetime(_year(year), (int(number) - 1) * months + 1, 1)


def _short(cells: Sequence[str]) -> Candidates:
    for form in _SHORT:
        found = _all(lambda cell, form=form: datetime.strptime(cell, form), cells, form)  # type: ignore[misc]
        if found:
            return found
    return {}


def _in_words(cells: Sequence[str]) -> Candidates:
    """Days with words in them, of any language; year and month must be there."""
    some = [cells[0], cells[-1], *cells[1:50]]  # a word that is no day is seen at once
    readers = {order: _reader(order) for order in ("MDY", "DMY")}
    samples = {order: _all(read, some, order) for order, read in readers.items()}
    if not all(samples.values()):
        return {}
    same = np.array_equal(samples["MDY"]["MDY"], samples["DMY"]["DMY"])
    candidates: Candidates = {}
    for order in ("MDY",) if same else ("MDY", "DMY"):
        candidates |= _all(readers[order], cells, order)
    return candidates


def _reader(order: str) -> Callable[[str], datetime | None]:
    from dateparser.date import DateDataParser  # here: loading it takes a quarter of a second

    known: dict[str, datetime | None] = {}
    settings = {
        "DATE_ORDER": order,
        "PREFER_LOCALE_DATE_ORDER": False,
        "PREFER_DAY_OF_MONTH": "first",
        "REQUIRE_PARTS": ["year", "month"],
        "RELATIVE_BASE": datetime(2000, 1, 1),
        "TIMEZONE": "UTC",
        "PARSERS": ["absolute-time"],
    }

    parser = DateDataParser(settings=settings)  # looks first for the language of the cell before

    def read(cell: str) -> datetime | None:
        if cell not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known[cell] = parser.get_date_data(cell).date_obj
        return known[cell]

    return read


def _likeliest(candidates: Candidates) -> Moments | None:
    """Of several readings that fit every row, one that goes one way, with the most even steps."""
    if not candidates:
        return None
    straight = {k: v for k, v in candidates.items() if 0 in direction(v)} or candidates
    ranked = sorted(straight, key=lambda name: _unevenness(straight[name]))
    best = straight[ranked[0]]
    others = [name for name in ranked[1:] if not np.array_equal(straight[name], best)]
    if not others:
        return Moments(best)
    words = " or ".join(WORDS[name] for name in (ranked[0], *others))
    ways = {up >= down for up, down in map(direction, straight.values())}
    if len(ways) > 1:
        return Moments(None, f"may be {words}, of which one runs backwards")
    return Moments(best, f"may be {words}; read as the first")


def _unevenness(days: NDArray[np.float64]) -> float:
    steps = np.abs(np.diff(days))
    return float(steps.std() / steps.mean()) if steps.any() else 0.0
