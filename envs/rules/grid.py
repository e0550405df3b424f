"""A grid: the map on which obstacles move, read from text and checked."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from textwrap import dedent
from typing import NamedTuple, Self, cast
from weakref import WeakValueDictionary

FLOOR, WALL, START, GOAL, WANDERER = ".", "#", "S", "G", "?"
HEADINGS = {"<": (-1, 0), ">": (1, 0), "^": (0, -1), "v": (0, 1)}
"""A patrol's character and its step (dx, dy); x grows to the right, y downward."""
CHARACTERS = "".join((FLOOR, WALL, START, GOAL, WANDERER, *HEADINGS))
MAX_SIDE = 1000
"""Longest side in cells, well inside the int16 coordinates of the kernels."""


class Cell(NamedTuple):
    """A place: column `x` from the left, row `y` from the top, both from 0."""

    x: int
    y: int


class Obstacle(NamedTuple):
    """Where an obstacle starts, and a patrol's heading; a wanderer's heading is (0, 0)."""

    x: int
    y: int
    heading: tuple[int, int]

    @property
    def is_wanderer(self) -> bool:
        """True for a random walker, False for a patrol."""
        return self.heading == (0, 0)


class Track(NamedTuple):
    """The cells a patrol sweeps: the corners of a box one cell wide, both included."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Grid:
    """A checked map; `str(grid)` gives the text back. What users hold is a `Level`.

    Characters: `.` floor, `#` wall, `S` start, `G` goal, `< > ^ v` a patrol with its heading,
    `?` a wanderer. Obstacles are numbered in reading order.

    Raises:
        ValueError: where the map breaks a rule; the message names row and column, from 1.
    """

    rows: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a level from text; common indentation and blank first and last lines are dropped.

        Returns:
            The level; as long as somebody holds it, the same object for every text of its rows.

        Raises:
            TypeError: when `text` is not a string.
            ValueError: no cells, ragged rows, an unknown character, not exactly one start and one
                goal, or a goal that walls cut off from the start.
        """
        if not isinstance(text, str):
            raise TypeError(f"level: expected text, got {type(text).__name__}")
        trimmed = "\n".join(line.rstrip() for line in text.expandtabs().split("\n"))
        lines = dedent(trimmed).split("\n")
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        rows = tuple(lines)
        known = _KNOWN.get((cls, rows))
        if known is None:
            _KNOWN[cls, rows] = known = cls(rows)
        return cast(Self, known)

    @classmethod
    def of_checked(cls, rows: tuple[str, ...]) -> Self:
        """Make the level of rows that are known to be a map; like `parse`, without a look at them.

        Args:
            rows: as `parse` would leave them.
        """
        known = _KNOWN.get((cls, rows))
        if known is None:
            _KNOWN[cls, rows] = known = object.__new__(cls)
            object.__setattr__(known, "rows", rows)
        return cast(Self, known)

    def __post_init__(self) -> None:
        """Check the map."""
        self._check_shape()
        self._check_characters()
        reached = self.reachable(self.start)
        self._extents[self.start] = _box_round(reached)
        if self.goal not in reached:
            x, y = self.goal
            raise ValueError(
                f"level row {y + 1}, column {x + 1}: the goal cannot be reached from the start, "
                "expected a way round the walls"
            )

    def __str__(self) -> str:
        """The text from which `parse` makes this level again."""
        return "\n".join(self.rows)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0])

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @cached_property
    def start(self) -> Cell:
        """The agent's first cell."""
        return next(cell for cell, character in self.cells() if character == START)

    @cached_property
    def goal(self) -> Cell:
        """The cell to reach."""
        return next(cell for cell, character in self.cells() if character == GOAL)

    @cached_property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """Patrols and wanderers in reading order."""
        return tuple(
            Obstacle(cell.x, cell.y, HEADINGS.get(character, (0, 0)))
            for cell, character in self.cells()
            if character in HEADINGS or character == WANDERER
        )

    def cells(self) -> Iterator[tuple[Cell, str]]:
        """Every cell and its character in reading order."""
        for y, row in enumerate(self.rows):
            for x, character in enumerate(row):
                yield Cell(x, y), character

    def is_wall(self, x: int, y: int) -> bool:
        """True for walls and for everything outside the map."""
        inside = 0 <= x < self.width and 0 <= y < self.height
        return not inside or self.rows[y][x] == WALL

    def track(self, obstacle: Obstacle) -> Track:
        """The wall-free stretch along a patrol's heading; a wanderer's own cell."""
        (dx, dy), ends = obstacle.heading, []
        for sign in (1, -1):
            x, y = obstacle.x, obstacle.y
            while not obstacle.is_wanderer and not self.is_wall(x + sign * dx, y + sign * dy):
                x, y = x + sign * dx, y + sign * dy
            ends.append((x, y))
        (x0, y0), (x1, y1) = ends
        return Track(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def reachable(self, place: Cell) -> set[Cell]:
        """Every cell to which a way leads from `place`, itself included; obstacles do not count."""
        queue, seen = deque([place]), {place}
        while queue:
            x, y = queue.popleft()
            for dx, dy in HEADINGS.values():
                cell = Cell(x + dx, y + dy)
                if cell not in seen and not self.is_wall(*cell):
                    seen.add(cell)
                    queue.append(cell)
        return seen

    def extent(self, place: Cell) -> tuple[int, int, int, int]:
        """The box round all that is `reachable` from `place`; found once.

        Returns:
            Its first column and row, and its last ones.
        """
        if place not in self._extents:
            self._extents[place] = _box_round(self.reachable(place))
        return self._extents[place]

    @cached_property
    def _extents(self) -> dict[Cell, tuple[int, int, int, int]]:
        """The boxes that are known."""
        return {}

    def _check_shape(self) -> None:
        if not self.rows or not self.rows[0]:
            raise ValueError("level: expected at least one row of cells, got an empty text")
        if max(self.width, self.height) > MAX_SIDE:
            raise ValueError(
                f"level: expected at most {MAX_SIDE} cells a side, got {self.width}x{self.height}"
            )
        for y, row in enumerate(self.rows):
            if len(row) != self.width:
                column = min(len(row), self.width) + 1
                raise ValueError(
                    f"level row {y + 1}, column {column}: expected {self.width} cells "
                    f"as in row 1, got {len(row)}"
                )

    def _check_characters(self) -> None:
        seen: dict[str, Cell] = {}
        for cell, character in self.cells():
            if character not in CHARACTERS:
                raise ValueError(
                    f"{_words(cell)}: expected one of {' '.join(CHARACTERS)}, got {character!r}"
                )
            if character in (START, GOAL):
                if character in seen:
                    first = seen[character]
                    raise ValueError(
                        f"{_words(cell)}: expected one {character}, got a second "
                        f"(the first is at row {first.y + 1}, column {first.x + 1})"
                    )
                seen[character] = cell
        for character, name in ((START, "start"), (GOAL, "goal")):
            if character not in seen:
                raise ValueError(f"level: expected one {name} ({character}), got none")


_KNOWN: WeakValueDictionary[tuple[type["Grid"], tuple[str, ...]], "Grid"] = WeakValueDictionary()
"""The grids that somebody holds, by their rows: a map is checked once, however often it is read.

A file that was edited has other rows, so nothing here can be out of date.
"""


def _words(cell: Cell) -> str:
    """A cell as errors name it."""
    return f"level row {cell.y + 1}, column {cell.x + 1}"


def _box_round(cells: set[Cell]) -> tuple[int, int, int, int]:
    """The first column and row and the last ones in which there are cells."""
    xs, ys = zip(*cells, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
