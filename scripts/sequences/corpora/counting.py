"""How often a text does something right, of how often it could: what every measure returns."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Count(NamedTuple):
    """So many right of so many."""

    right: int
    of: int

    @property
    def share(self) -> float | None:
        """In [0, 1]; None where there was nothing to count."""
        return self.right / self.of if self.of else None

    def words(self) -> str:
        """The share in percent, with both numbers."""
        return f"{100 * self.right / self.of:.1f} % ({self.right}/{self.of})" if self.of else "-"


def tally(found: Iterable[bool]) -> Count:
    """Count what is right."""
    known = list(found)
    return Count(sum(known), len(known))


def total(counts: Iterable[Count]) -> Count:
    """The sum of counts, of several texts."""
    right = of = 0
    for count in counts:
        right, of = right + count.right, of + count.of
    return Count(right, of)


def nested(events: Iterable[tuple[str, bool]]) -> Count:
    """How many openings and closings have their partner, of all.

    A closing belongs to the last opening of its name that is still open; those that were opened
    after that one stay open for good. Without such an opening it is alone.

    Args:
        events: names with whether they open, in the order of the text.
    """
    waiting: list[str] = []
    right = of = 0
    for name, opens in events:
        of += 1
        if opens:
            waiting.append(name)
        elif name in waiting:
            while waiting.pop() != name:
                pass
            right += 2
    return Count(right, of)


PAIRS = {")": "(", "]": "[", "}": "{"}
"""Brackets by what closes them."""


def brackets(text: str) -> Iterator[tuple[str, bool]]:
    """Every bracket of a text as an event of `nested`."""
    for symbol in text:
        if symbol in "([{":
            yield symbol, True
        elif symbol in PAIRS:
            yield PAIRS[symbol], False


def indent_of(line: str) -> int:
    """Columns before a line's first letter; a tab goes to the next multiple of eight."""
    head = line[: len(line) - len(line.lstrip(" \t"))]
    return len(head.expandtabs(8))
