"""A column of a CSV file as a series, with what is wrong in it told by row and column."""

import csv
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATES = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y")
"""Days as files have them, beside ISO 8601."""


@dataclass(frozen=True)
class Series:
    """Values in the order of time, with the words that stand for each time."""

    name: str
    """The column's name."""
    values: NDArray[np.float64]
    """(N,)"""
    labels: tuple[str, ...]
    """(N,) the first column where it is another one, else the numbers of the rows."""
    time: str = "row"
    """What the labels are: the first column's name, or row."""

    def digest(self) -> str:
        """What tells one series from another."""
        return hashlib.sha256(self.values.tobytes()).hexdigest()

    def times(self) -> NDArray[np.float64]:
        """(N,) the labels as numbers where all are and they rise, else 0, 1, ..."""
        numbers = self._numbers()
        return np.arange(len(self.values), dtype=np.float64) if numbers is None else numbers

    def time_name(self) -> str:
        """What `times` counts."""
        return "row" if self._numbers() is None else self.time

    def _numbers(self) -> NDArray[np.float64] | None:
        try:
            numbers = np.array([float(label) for label in self.labels])
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() and (np.diff(numbers) > 0).all() else None


def read_series(path: Path | None, column: str | None = None) -> Series:
    """Read one column of a CSV file with a header.

    Args:
        path: of the file; None: the yearly sunspot numbers of 1700 to 2008.
        column: its name; None: the only column, or the second of two.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: not UTF-8 text, no header, no such column, a value that is missing or not a
            finite number (row and column are named), or the newest row first. Nothing is filled
            in, left out or turned round.
    """
    if path is None:
        text = (files("sidestep.scripts") / "data" / "sunspots.csv").read_text()
        name = "the sunspot numbers"
    else:
        name = str(path)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{name}: expected a CSV file in UTF-8, got a binary file") from None
    rows = _rows(text, name)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if not any(header):
        raise ValueError(f"{name}: expected a header with column names, got an empty file")
    if all(_number(cell) is not None for cell in header):
        raise ValueError(f"{name}: expected column names in row 1, got numbers")
    index = _column(header, column, name)
    values = [_value(cells, index, header, number, name) for number, cells in rows[1:]]
    if not values:
        raise ValueError(f"{name}: expected rows below the header, got none")
    labels = tuple(
        cells[0].strip() if index else str(k) for k, (_, cells) in enumerate(rows[1:], start=1)
    )
    if index and _falling(labels):
        raise ValueError(
            f"{name}: expected the oldest row first, got column {header[0]!r} falling from "
            f"{labels[0]} to {labels[-1]}; turn the rows round"
        )
    return Series(header[index], np.array(values), labels, header[0] if index else "row")


def _falling(labels: tuple[str, ...]) -> bool:
    """Whether the labels are numbers or days that only go back: many prices come newest first."""
    readings: tuple[Callable[[str], Any], ...] = (
        float,
        datetime.fromisoformat,
        *(_reader(form) for form in DATES),
    )
    for read in readings:
        try:
            times = [read(label) for label in labels]
            return len(times) > 1 and all(a > b for a, b in pairwise(times))
        except (ValueError, TypeError):  # a day with a time zone cannot stand beside one without
            continue
    return False


def _reader(form: str) -> Callable[[str], Any]:
    return lambda label: datetime.strptime(label, form)


def _rows(text: str, name: str) -> list[tuple[int, list[str]]]:
    """The rows with their line numbers; blank lines at the end do not count."""
    if "\0" in text:
        raise ValueError(f"{name}: expected a CSV file, got a binary file")
    reader = csv.reader(text.rstrip().splitlines(), strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"{name}, row {reader.line_num}: expected CSV, got {error}") from None


def _column(header: list[str], column: str | None, name: str) -> int:
    if column is None:
        if len(header) > 2:
            raise ValueError(f"{name}: expected --column, one of {', '.join(header)}, got none")
        return len(header) - 1
    if header.count(column) != 1:
        got = "it twice" if column in header else repr(column)
        raise ValueError(f"{name}: expected a column of {', '.join(header)}, got {got}")
    return header.index(column)


def _value(cells: list[str], index: int, header: list[str], row: int, name: str) -> float:
    place = f"{name}, row {row}, column {header[index]!r}: expected a number"
    if index >= len(cells) or not cells[index].strip():
        raise ValueError(f"{place}, got a gap; fill it in or cut the series there")
    value = _number(cells[index])
    if value is None:
        raise ValueError(f"{place}, got {cells[index].strip()!r}")
    return value


def _number(cell: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None
