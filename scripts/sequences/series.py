"""A column of a CSV file as a series, with what is wrong in it told by row and column."""

import csv
import hashlib
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Series:
    """Values in the order of time, with the words that stand for each time."""

    name: str
    """The column's name."""
    values: NDArray[np.float64]
    """(N,)"""
    labels: tuple[str, ...]
    """(N,) the first column where it is another one, else the numbers of the rows."""

    def digest(self) -> str:
        """What tells one series from another."""
        return hashlib.sha256(self.values.tobytes()).hexdigest()

    def times(self) -> NDArray[np.float64]:
        """(N,) the labels as numbers where all are and they rise, else 0, 1, ..."""
        try:
            numbers = np.array([float(label) for label in self.labels])
        except ValueError:
            return np.arange(len(self.values), dtype=np.float64)
        rising = np.isfinite(numbers).all() and (np.diff(numbers) > 0).all()
        return numbers if rising else np.arange(len(self.values), dtype=np.float64)


def read_series(path: Path | None, column: str | None = None) -> Series:
    """Read one column of a CSV file with a header.

    Args:
        path: of the file; None: the yearly sunspot numbers of 1700 to 2008.
        column: its name; None: the only column, or the second of two.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: not UTF-8 text, no header, no such column, or a value that is missing or not a
            finite number; row and column are named. Nothing is filled in or left out.
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
    return Series(header[index], np.array(values), labels)


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
