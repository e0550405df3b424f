"""The text format: what is read, what is printed back, and where each malformed map is refused."""

import weakref
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidestep.envs import Cell, Level, Obstacle, WorldConfig
from sidestep.envs.rules.grid import CHARACTERS, MAX_SIDE

MAP = """
#v..?
.S#.<
^..G>
"""


def test_parse_reads_every_character() -> None:
    level = Level.parse(MAP)
    assert (level.width, level.height) == (5, 3)
    assert level.start == Cell(1, 1)
    assert level.goal == Cell(3, 2)
    assert level.obstacles == (  # in reading order; y grows downward
        Obstacle(1, 0, (0, 1)),
        Obstacle(4, 0, (0, 0)),
        Obstacle(4, 1, (-1, 0)),
        Obstacle(0, 2, (0, -1)),
        Obstacle(4, 2, (1, 0)),
    )
    assert [o.is_wanderer for o in level.obstacles] == [False, True, False, False, False]
    walls = [cell for cell, _ in level.cells() if level.is_wall(*cell)]
    assert walls == [Cell(0, 0), Cell(2, 1)]


def test_outside_is_wall() -> None:
    level = Level.parse("SG")
    assert [level.is_wall(x, y) for x, y in ((-1, 0), (2, 0), (0, -1), (0, 1), (0, 0))] == [
        *[True] * 4,
        False,
    ]


def test_str_gives_the_text_back() -> None:
    assert str(Level.parse(MAP)) == MAP.strip("\n")
    assert Level.parse(str(Level.parse(MAP))) == Level.parse(MAP)


@pytest.mark.parametrize(
    "text", ["S.G", "\n\nS.G\n\n", "    S.G  ", "\tS.G", "S.G\r\n", "\r\n  S.G\r\n"]
)
def test_surrounding_blank_is_dropped(text: str) -> None:
    assert str(Level.parse(text)) == "S.G"


def test_common_indentation_is_dropped() -> None:
    assert str(Level.parse("    S.>\n    ..G\n")) == "S.>\n..G"


@pytest.mark.parametrize(
    ("text", "obstacle", "track"),
    [
        ("S.>.G", 0, (0, 0, 4, 0)),
        ("S.#.>.#.\nG.......", 0, (3, 0, 5, 0)),
        ("S.v\nG..\n..#", 0, (2, 0, 2, 1)),
        ("S.G\n#<#", 0, (1, 1, 1, 1)),
        ("S.G\n.?.", 0, (1, 1, 1, 1)),  # a wanderer has no track: its own cell
        ("S.G\n.>^", 1, (2, 0, 2, 1)),  # over start and goal, not stopped by obstacles
    ],
)
def test_track(text: str, obstacle: int, track: tuple[int, int, int, int]) -> None:
    level = Level.parse(text)
    assert tuple(level.track(level.obstacles[obstacle])) == track


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "level: expected at least one row of cells, got an empty text"),
        (" \n\n ", "level: expected at least one row of cells, got an empty text"),
        ("...\n..G", "level: expected one start (S), got none"),
        ("S..\n...", "level: expected one goal (G), got none"),
        (
            "S..\nG.G",
            "level row 2, column 3: expected one G, got a second (the first is at row 2, column 1)",
        ),
        (
            "S.S\n..G",
            "level row 1, column 3: expected one S, got a second (the first is at row 1, column 1)",
        ),
        ("S..\n..", "level row 2, column 3: expected 3 cells as in row 1, got 2"),
        ("S..\n...\n..G..", "level row 3, column 4: expected 3 cells as in row 1, got 5"),
        ("S..\n\n..G", "level row 2, column 1: expected 3 cells as in row 1, got 0"),
        ("S..\n.x.\n..G", "level row 2, column 2: expected one of . # S G ? < > ^ v, got 'x'"),
        ("S..\n. .\n..G", "level row 2, column 2: expected one of . # S G ? < > ^ v, got ' '"),
        ("s.G", "level row 1, column 1: expected one of . # S G ? < > ^ v, got 's'"),
        (
            "S#.\n##.\n..G",
            "level row 3, column 3: the goal cannot be reached from the start, "
            "expected a way round the walls",
        ),
        (
            "S#\n#G",  # diagonal moves do not exist
            "level row 2, column 2: the goal cannot be reached from the start, "
            "expected a way round the walls",
        ),
        (
            "S" + "." * MAX_SIDE + "G",
            f"level: expected at most {MAX_SIDE} cells a side, got {MAX_SIDE + 2}x1",
        ),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Level.parse(text)
    assert str(caught.value) == message


def test_rows_are_checked_however_a_level_is_made() -> None:
    with pytest.raises(ValueError, match="row 1, column 2: expected one of"):
        Level(("SxG",))


@pytest.mark.parametrize("text", [None, 3, b"S.G", ["S.G"]])
def test_not_text(text: object) -> None:
    with pytest.raises(TypeError, match=f"level: expected text, got {type(text).__name__}"):
        Level.parse(text)  # type: ignore[arg-type]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Any map of legal characters with one start and one goal, solvable or not."""
    width, height = draw(st.integers(1, 7)), draw(st.integers(2, 5))
    size = width * height
    others = "".join(c for c in CHARACTERS if c not in "SG") + "...."
    cells = draw(st.lists(st.sampled_from(others), min_size=size, max_size=size))
    start, goal = draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    cells[start], cells[goal] = "S", "G"
    return "\n".join("".join(cells[y * width : (y + 1) * width]) for y in range(height))


def solvable(text: str) -> bool:
    """Flood from the start until nothing changes."""
    rows = text.split("\n")
    cells = {(x, y): c for y, row in enumerate(rows) for x, c in enumerate(row) if c != "#"}
    wet = {cell for cell, c in cells.items() if c == "S"}
    while True:
        spread = {(x + dx, y + dy) for x, y in wet for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))}
        grown = wet | (spread & cells.keys())
        if grown == wet:
            return any(cells[cell] == "G" for cell in wet)
        wet = grown


@given(texts())
def test_round_trip(text: str) -> None:
    if solvable(text):
        assert str(Level.parse(text)) == text
        assert str(Level.parse(f"\n\n   {text.replace(chr(10), chr(10) + '   ')}  \n")) == text
    else:
        with pytest.raises(ValueError, match="the goal cannot be reached"):
            Level.parse(text)


def test_levels_compare_by_their_map() -> None:
    assert Level.parse("S.G") == Level.parse("\n S.G\n")
    assert len({Level.parse("S.G"), Level.parse("S.G"), Level.parse("G.S")}) == 2


def test_a_map_is_checked_once_while_somebody_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    default = WorldConfig()  # is read for every configuration that does not say `level`
    checked: list[tuple[str, ...]] = []
    check = Level.__post_init__

    def note(level: Level) -> None:
        checked.append(level.rows)
        check(level)

    monkeypatch.setattr(Level, "__post_init__", note)
    text = "S.v...\n.....G"  # no other test has it
    level = Level.parse(text)
    config, other = WorldConfig(level=text), WorldConfig(level="  S.v...  \n  .....G")
    assert config.map is level and other.map is level and config.maps is config.maps
    assert Level.parse(str(level)) is level and len(checked) == 1
    assert Level.parse(text.replace("v", "^")) != level and len(checked) == 2
    several = WorldConfig(levels=(text, "S.>...\n.....G"))
    assert several.maps[0] is level and several.alone(0).map is level and len(checked) == 3
    gone = weakref.ref(level)
    del level, config, other, several
    assert gone() is None
    assert vars(default).keys() == {field.name for field in fields(WorldConfig)}
    Level.parse(text)
    assert len(checked) == 4


def test_a_broken_map_is_refused_every_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be reached"):
            Level.parse("S#G")


def test_the_extent_is_the_box_round_what_can_be_reached() -> None:
    level = Level.parse("##.#####\n#S.#..?#\n#..#.###\n#G.#.###")
    assert level.extent(level.start) == (1, 0, 2, 3)
    assert level.extent(Cell(6, 1)) == (4, 1, 6, 3)
    assert level.extent(level.start) == (1, 0, 2, 3)
