"""A scene as text for a terminal, in the characters of a level."""

from sidestep.envs.levels.level import Level
from sidestep.envs.rules.grid import FLOOR, GOAL, HEADINGS, START, WALL, WANDERER, Cell
from sidestep.envs.world import Scene

AGENT, HIT, REACHED = "@", "X", "*"
GLYPHS = {heading: glyph for glyph, heading in HEADINGS.items()} | {(0, 0): WANDERER}

STYLES = {
    FLOOR: "2",
    WALL: "2;7",
    START: "34",
    GOAL: "1;32",
    AGENT: "1;36",
    HIT: "1;97;41",
    REACHED: "1;97;42",
    "obstacle": "1;33",
    "waiting": "33",
}
"""ANSI codes (SGR): 1 bold, 2 faint, 7 reversed, 3x and 9x colours, 4x grounds."""


def next_heading(level: Level, x: int, y: int, hx: int, hy: int) -> tuple[int, int]:
    """Where a patrol's next move goes: its heading, turned round at the end of its track."""
    if level.is_wall(x + hx, y + hy) and not level.is_wall(x - hx, y - hy):
        return -hx, -hy
    return hx, hy


def text(scene: Scene) -> str:
    """The scene as lines of coloured characters.

    The first line counts ticks and says when the obstacles move. Below stands the map, a blank
    between cells: `@` agent, `X` agent hit, `*` agent at the goal, `< > ^ v` a patrol's next move,
    `?` wanderer, `#` wall, `S` start, `G` goal, `.` floor.

    Returns:
        Lines without a newline at the end; the colours are ANSI escapes.
    """
    level = scene.level
    marks = {}
    for cell, character in level.cells():
        glyph = character if character in (WALL, START, GOAL) else FLOOR
        marks[cell] = (glyph, STYLES[glyph])
    style = STYLES["obstacle" if scene.phase == 0 else "waiting"]
    for x, y, hx, hy in scene.obstacles:
        heading = (0, 0) if (hx, hy) == (0, 0) else next_heading(level, x, y, hx, hy)
        marks[Cell(x, y)] = (GLYPHS[heading], style)
    glyph = HIT if scene.hit else REACHED if scene.success else AGENT
    marks[scene.agent] = (glyph, STYLES[glyph])
    lines = [_status(scene)]
    for y in range(level.height):
        row = [marks[Cell(x, y)] for x in range(level.width)]
        lines.append(" ".join(f"\x1b[{code}m{glyph}\x1b[0m" for glyph, code in row))
    return "\n".join(lines)


def _status(scene: Scene) -> str:
    limit = "" if scene.max_ticks is None else f"/{scene.max_ticks}"
    words = [f"tick {scene.tick}{limit}"]
    if scene.obstacles:
        words.append(
            "obstacles move now" if scene.phase == 0 else f"obstacles move in {scene.phase}"
        )
    words += ["hit"] * scene.hit + ["goal"] * scene.success
    return ", ".join(words)
