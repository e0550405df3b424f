"""A column of a CSV file as a series, with what is wrong in it told by row and column."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.scripts.sequences.encodings import CERTAIN, decode_table
from sidestep.scripts.sequences.moments import direction, read_clock, read_moments
from sidestep.scripts.sequences.table import Table, number_of
from sidestep.sequence.fitting.records import read_regular

LARGEST_FILE = 2**28
"""Bytes."""
LARGEST = 1e300
"""Forecasts of values beyond would leave floating point."""
TIME_NAMES = frozenset("year date day month time timestamp t 연도 년도 날짜 일자 일시 시간".split())
"""Columns of these names are taken for time wherever they stand, if their numbers go one way."""
AS_IT_STANDS = "the rows are taken in the order of the file, the first as the oldest"


@dataclass(frozen=True)
class Series:
    """Values in the order of time, with the words that stand for each time."""

    name: str
    """The column's name."""
    values: NDArray[np.float64]
    """(N,)"""
    labels: tuple[str, ...]
    """(N,) the cells of the column of time, else the numbers of the rows."""
    time: str = "row"
    """What the labels are: the name of the column of time, or row."""
    days: NDArray[np.float64] | None = None
    """(N,) the labels as days since the beginning of 1970, where they are days."""
    remark: str = ""
    """How the file was read where it leaves that open, in a sentence or two."""

    def digest(self) -> str:
        """What tells one series from another."""
        return hashlib.sha256(self.values.tobytes()).hexdigest()

    def times(self) -> NDArray[np.float64]:
        """(N,) the labels as days or numbers where all are and they rise, else 0, 1, ..."""
        numbers = self._numbers()
        return np.arange(len(self.values), dtype=np.float64) if numbers is None else numbers

    def time_name(self) -> str:
        """What `times` counts."""
        return "row" if self._numbers() is None else self.time

    def dated(self) -> bool:
        """Whether `times` are days since the beginning of 1970."""
        return self.days is not None and self._numbers() is not None

    def _numbers(self) -> NDArray[np.float64] | None:
        numbers = _plain(self.labels) if self.days is None else self.days
        return numbers if numbers is not None and (np.diff(numbers) > 0).all() else None


class Time(NamedTuple):
    """The column that tells the time.

    Attributes:
        place: which column.
        times: (N,) days or numbers; None where it can be read in two ways that contradict.
        dated: whether they are days.
        doubt: how else it could be read.
    """

    place: int
    times: NDArray[np.float64] | None
    dated: bool = False
    doubt: str = ""


def read_series(
    path: Path | None, column: str | None = None, encoding: str | None = None
) -> Series:
    """Read one column of a CSV file with a header.

    The time is what another column's days say, or the first column's numbers if they go one way;
    where no column tells it, the first row is the oldest, and the remark says so.

    Args:
        path: of the file; None: the yearly sunspot numbers of 1700 to 2008.
        column: its name; None: the only column, or of two the second, unless that has the days.
        encoding: of the file; None: it is found out, and told in the remark if it is a guess.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: no regular file or a binary one, no header, no such column, a row of another
            length than the header, a value that is missing, no finite number or beyond 1e300 (row
            and column are named), or the newest row first. Nothing is filled in, left out or turned
            round.
    """
    name, found = "the sunspot numbers" if path is None else str(path), "utf-8"
    if path is None:
        text = (files("sidestep.scripts") / "data" / "sunspots.csv").read_text()
    else:
        data = read_regular(path, LARGEST_FILE)
        try:
            text, found = decode_table(data, encoding)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    table = Table(text, name)
    index = _column(table, column)
    if number_of(table.header[index]) is not None and (column is None or _repeats(table, index)):
        raise table.headless(index)
    values = [_value(table, index, row) for row in range(len(table.rows))]
    table.check_lengths()
    series = _with_time(table, index, np.array(values))
    if encoding is None and found not in CERTAIN:
        remark = f"{name} is not in UTF-8; read as {found} (--encoding says otherwise)."
        series = replace(series, remark=f"{remark} {series.remark}".strip())
    return series


def _repeats(table: Table, index: int) -> bool:
    """Whether a name of another column is one of its cells: then it is no name."""
    others = [place for place in range(len(table.header)) if place != index]
    return any(table.header[place] in table.column(place) for place in others)


def _with_time(table: Table, index: int, values: NDArray[np.float64]) -> Series:
    """The series with its time.

    Raises:
        ValueError: the newest row first, or a first row that is no header.
    """
    name, rows = table.header[index], tuple(str(k + 1) for k in range(len(values)))
    found = _time_of(table, index)
    if found is None:
        others = [title for k, title in enumerate(table.header) if k != index]
        what = f"Column {others[0]!r} is not read as time" if others else "No column has the time"
        labels, time = (tuple(table.column(0)), table.header[0]) if index else (rows, "row")
        return Series(name, values, labels, time, remark=f"{what}: {AS_IT_STANDS}.")
    time, labels = table.header[found.place], tuple(table.column(found.place))
    remark = f"Column {time!r} {found.doubt}" if found.doubt else ""
    if found.times is None:
        return Series(name, values, labels, time, remark=f"{remark}: {AS_IT_STANDS}.")
    forth, back = direction(found.times)
    if back > forth:
        raise ValueError(
            f"{table.name}: expected the oldest row first, got column {time!r} falling from "
            f"{labels[0]} to {labels[-1]}; turn the rows round"
        )
    if not forth + back and len(values) > 1:
        remark = f"Column {time!r} is the same in all rows: {AS_IT_STANDS}"
    elif back:
        remark = f"Column {time!r} goes back in {back} of {len(values)} rows: {AS_IT_STANDS}"
    days = found.times if found.dated else None
    return Series(name, values, labels, time, days, f"{remark}." if remark else "")


def _time_of(table: Table, index: int) -> Time | None:
    """The first column of days, that of numbers or hours which count time, or None.

    Raises:
        ValueError: its first row is no name, but of the same kind.
    """
    others = [place for place in range(len(table.header)) if place != index]
    dated = [time for time in (_days(table, place) for place in others) if time is not None]
    clocks = [c for c in (read_clock(table.column(place)) for place in others) if c is not None]
    for time in sorted(dated, key=lambda time: time.times is not None and not np.ptp(time.times)):
        if clocks and time.times is not None:  # the day in one column, the hour in another
            return time._replace(times=time.times + clocks[0])
        return time  # one that changes comes before one that does not
    for place in others:
        cells, named = table.column(place), table.header[place].lower() in TIME_NAMES
        numbers = read_clock(cells) if _plain(cells) is None else _plain(cells)
        if numbers is None or not (named or place == 0) or 0 not in direction(numbers):
            continue
        if number_of(table.header[place]) is not None:
            raise table.headless(place)
        return Time(place, numbers)
    return None


def _days(table: Table, place: int) -> Time | None:
    """A column of days."""
    cells = table.column(place)
    found = read_moments(cells)
    if found is None:
        return None
    if read_moments([table.header[place], *cells]) is not None:
        raise table.headless(place)
    return Time(place, found.days, True, found.doubt)


def _plain(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The cells as numbers, if all are."""
    numbers = [number_of(cell) for cell in cells]
    found = [number for number in numbers if number is not None]
    return np.array(found) if len(found) == len(numbers) else None


def _column(table: Table, column: str | None) -> int:
    """The place of a column."""
    header = table.header
    if column is None:
        if len(header) > 2:
            raise ValueError(
                f"{table.name}: expected --column, one of {', '.join(header)}, got none"
            )
        last = len(header) - 1
        swapped = last and read_moments(table.column(1)) and not read_moments(table.column(0))
        return 0 if swapped else last
    wanted = unicodedata.normalize("NFC", column.strip())
    if header.count(wanted) != 1:
        got = "it twice" if wanted in header else repr(column)
        raise ValueError(f"{table.name}: expected a column of {', '.join(header)}, got {got}")
    return header.index(wanted)


def _value(table: Table, index: int, row: int) -> float:
    cells, line = table.rows[row], table.lines[row]
    place = f"{table.name}, row {line}, column {table.header[index]!r}: expected a number"
    if index >= len(cells) or not cells[index]:
        raise ValueError(f"{place}, got a gap; fill it in or cut the series there")
    value = number_of(cells[index])
    if value is None:
        commas = "; a number takes a point and no commas" if "," in cells[index] else ""
        raise ValueError(f"{place}, got {cells[index]!r}{commas}")
    if abs(value) > LARGEST:
        raise ValueError(f"{place} of at most {LARGEST:g} in size, got {cells[index]}")
    return value
