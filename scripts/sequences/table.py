"""A CSV file as rows under a header, with what is wrong in it told by row."""

import csv
import io
import math
import unicodedata
from collections.abc import Iterator

from sidestep.scripts.sequences.moments import read_moments

DIVIDERS = ",;\t"
"""What may stand between cells, the likelier ones first."""


class Table:
    """A CSV file's header and rows.

    Cells are divided by commas, or by semicolons or tabs where these cut the header into more. All
    text is brought to Unicode's form NFC and loses the spaces around it.

    Attributes:
        name: of the file, for messages.
        header: the names of the columns.
        rows: cells, as many as names; a row that ends early has fewer.
        lines: where each row ends in the file, counted from 1.

    Raises:
        ValueError: not CSV, no header, no rows, or a row with more cells than the header.
    """

    def __init__(self, text: str, name: str) -> None:
        """Cut the text into cells."""
        found = _trimmed([*_rows(text, name)])
        self.name, self.header = name, found[0][1] if found else []
        while self.header and not self.header[-1]:
            self.header.pop()
        if not self.header:
            raise ValueError(f"{name}: expected a header with column names, got an empty file")
        values = [cell for cell in self.header if cell]
        if all(number_of(cell) is not None for cell in values):
            raise ValueError(f"{name}: expected column names in row 1, got numbers")
        if all(number_of(cell) is not None or read_moments([cell]) for cell in values):
            raise self.headless(0)
        self.rows, self.lines = [cells for _, cells in found[1:]], [line for line, _ in found[1:]]
        if not self.rows:
            raise ValueError(f"{name}: expected rows below the header, got none")
        size = len(self.header)
        for line, cells in zip(self.lines, self.rows, strict=True):
            if any(cells[size:]):
                raise ValueError(
                    f"{name}, row {line}: expected {_cells(size)} as in the header, got "
                    f"{len(cells)}: {', '.join(map(repr, cells[:6]))}; a number takes no commas"
                )
            del cells[size:]

    def column(self, index: int) -> list[str]:
        """The cells of a column; "" where a row ends before it."""
        return [cells[index] if index < len(cells) else "" for cells in self.rows]

    def check_lengths(self) -> None:
        """Refuse rows that end early.

        Raises:
            ValueError: there is one.
        """
        size = len(self.header)
        for line, cells in zip(self.lines, self.rows, strict=True):
            if len(cells) < size:
                raise ValueError(
                    f"{self.name}, row {line}: expected {_cells(size)} as in the header, got "
                    f"{len(cells)}"
                )

    def headless(self, index: int) -> ValueError:
        """What to say of a file whose first row is of the same kind as the others."""
        return ValueError(
            f"{self.name}: expected column names in row 1, got {self.header[index]!r}; write a "
            "line of names above"
        )


def number_of(cell: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


Rows = list[tuple[int, list[str]]]


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with the numbers of their last lines."""
    text = unicodedata.normalize("NFC", text)
    reader = _reader(text, _divider(text))
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f"{name}, row {reader.line_num}: expected CSV, got {error}") from None


def _reader(text: str, divider: str):  # type: ignore[no-untyped-def]  # its type has no public name
    return csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)


def _divider(text: str) -> str:
    """What cuts the header into most cells, and the row below it too."""
    counts = {}
    for divider in DIVIDERS:
        try:
            head, row = (len(next(reader, [])) for reader in [_reader(text, divider)] * 2)
        except csv.Error:
            head, row = 1, 1
        counts[divider] = head if row > 1 else 1
    return max(counts, key=lambda divider: counts[divider])


def _trimmed(rows: Rows) -> Rows:
    """Without the blank rows at the end."""
    while rows and not any(rows[-1][1]):
        rows.pop()
    return rows
