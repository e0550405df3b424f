"""The named levels, and how `level=` is read: a name, a map as text, or the path of a file."""

import difflib
import os
from pathlib import Path
from typing import Any

from sidestep.envs.files import read_regular
from sidestep.envs.rules.grid import GOAL, MAX_SIDE, START

from .level import Level

LEVELS = {
    "three-rows": "The default world: a patrol in each middle row; wait for the gaps.",
    "course": "The course's world: from its fixed start, a blind dash down and right succeeds.",
    "detour": "Walls and nothing that moves: the shortest path is all there is to find.",
    "corridor": "One patrol on the only way: step into a niche to let it pass.",
    "gate": "A single door, and behind it a patrol that sweeps the column: time the step.",
    "two-ways": "A short way that a patrol sweeps, and a longer one that is safe.",
    "crossroads": "Patrols cross along rows and columns: danger comes from two sides.",
    "rooms": "Four rooms, four doors, four patrols, one of which sweeps through a door.",
    "rush-hour": "Seven rows of traffic, two or three patrols in each: gaps open and close.",
    "clockwork": "Tracks of different lengths: each is simple, the whole repeats late.",
    "tavern": "Three wanderers and no walls: nothing to predict, only distance to keep.",
    "market": "Patrols, wanderers and stalls: what can be predicted and what cannot, together.",
    "serpent": "A long way round two bends and three swept rows: the right moment, three times.",
}
"""Every level that is shipped, and what it teaches."""

FOLDER = Path(__file__).parent
MOST_BYTES = 4 * 2**20
"""The largest file that is read as a level: four times one of 1000 rows of 1000 cells."""


def find_level(source: Any) -> Level:
    """The level that `source` means.

    Args:
        source: a `Level`, or the dict that `dataclasses.asdict` makes of one; the name of a
            shipped one; a map as text; or the path of a text file (ends with `.txt`, or has a
            slash in it).

    Raises:
        TypeError: anything else.
        ValueError: an unknown name, a file that cannot be read, or a broken map.
    """
    if isinstance(source, Level):
        return source
    if isinstance(source, dict) and list(source) == ["rows"]:  # Gymnasium's JSON of a `Level`
        rows = source["rows"]
        if not isinstance(rows, list | tuple):
            raise TypeError(f"level: expected a list of rows, got {rows!r}")
        return Level.parse("\n".join(map(str, rows)))
    if isinstance(source, os.PathLike):
        return read_level(Path(source))
    if not isinstance(source, str):
        return Level.parse(source)  # refuses it
    if source in LEVELS:
        return read_level(FOLDER / f"{source}.txt")
    if names_file(source):
        return read_level(Path(source))
    one_line = source.strip()
    if "\n" not in source and one_line and not (START in source or GOAL in source):
        close = difflib.get_close_matches(one_line, LEVELS, n=1)
        raise ValueError(
            f"level: expected a map, the path of a file or one of {', '.join(LEVELS)}, "
            f"got {source!r}{f' (did you mean {close[0]}?)' if close else ''}"
        )
    return Level.parse(source)


def names_file(source: str) -> bool:
    """Whether `find_level` takes the text for the path of a file."""
    one_line = "\n" not in source and source not in LEVELS
    return one_line and (source.strip().endswith(".txt") or "/" in source or "\\" in source)


def read_level(path: Path) -> Level:
    """Read a level from a text file in UTF-8.

    Raises:
        ValueError: no such file, no regular one (a pipe, a device), more than `MOST_BYTES`, another
            encoding, too long lines, or a broken map; the message names the file.
    """
    try:
        content = read_regular(path, MOST_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"level: expected a file, got {str(path)!r} ({reason})") from None
    except ValueError as error:
        raise ValueError(f"level file {str(path)!r}: {error}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"level file {str(path)!r}, row {row}: expected text in UTF-8, "
            f"got byte 0x{content[error.start]:02x}"
        ) from None
    for row, line in enumerate(text.splitlines(), start=1):
        if len(line.rstrip()) > MAX_SIDE:
            raise ValueError(
                f"level file {str(path)!r}, row {row}: expected at most {MAX_SIDE} cells, "
                f"got {len(line)}"
            )
    try:
        return Level.parse(text)
    except ValueError as error:
        raise ValueError(f"level file {str(path)!r}: {error}") from None
