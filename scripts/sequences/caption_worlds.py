"""Worlds to be captioned: drawn at random, told in facts, put into sentences, rendered small."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pygame

from sidestep.envs import Cell, Level, Scene
from sidestep.envs.drawing import board
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.sequence.tasks.task import Split, split_of

SIDE, CELL = 6, 8
"""Cells of a world's side, and pixels of a cell's."""
MOST_WALLS, MOST_PATROLS, MOST_WANDERERS = 4, 2, 1
NEAR = 0.4
"""Share of the worlds with obstacles in which one is put beside the agent."""
BESIDE = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
"""Columns and rows from the agent; where several hold, the first is told."""
LANGUAGES = ("korean", "english")
Language = Literal["korean", "english"]


class Facts(NamedTuple):
    """What a caption tells of a world.

    Attributes:
        agent: thirds of the height and of the width in which it stands, each 0 to 2.
        goal: likewise.
        patrols: how many.
        wanderers: how many.
        beside: where an obstacle is next to the agent, a key of `BESIDE`; None: nowhere.
    """

    agent: tuple[int, int]
    goal: tuple[int, int]
    patrols: int
    wanderers: int
    beside: str | None


def draw_scene(rng: random.Random) -> Scene:
    """A world of `SIDE` cells: few walls, some patrols and wanderers, the agent anywhere."""
    while True:
        rows = [["."] * SIDE for _ in range(SIDE)]
        spots = [Cell(x, y) for y in range(SIDE) for x in range(SIDE)]
        rng.shuffle(spots)
        start, goal, agent = spots.pop(), spots.pop(), spots.pop()
        rows[start.y][start.x], rows[goal.y][goal.x] = "S", "G"
        figures = [rng.choice("<>^v") for _ in range(rng.randint(0, MOST_PATROLS))]
        figures += ["?"] * rng.randint(0, MOST_WANDERERS)
        rng.shuffle(figures)
        if figures and rng.random() < NEAR:
            near = [cell for cell in spots if _is_beside(agent, cell)]
            if near:
                chosen = rng.choice(near)
                spots.remove(chosen)
                spots.append(chosen)
        for figure in [*figures, *"#" * rng.randint(0, MOST_WALLS)]:
            cell = spots.pop()
            rows[cell.y][cell.x] = figure
        level = Level.of_checked(tuple(map("".join, rows)))
        if level.goal in level.reachable(level.start):
            return scene_of(level, agent)


def _is_beside(agent: Cell, cell: Cell) -> bool:
    return (cell.x - agent.x, cell.y - agent.y) in BESIDE.values()


def scene_of(level: Level, agent: Cell | None = None) -> Scene:
    """A level before its first tick, the agent at its start unless another cell is given."""
    place = level.start if agent is None else agent
    obstacles = tuple((o.x, o.y, *o.heading) for o in level.obstacles)
    cells = (place, *(Cell(o.x, o.y) for o in level.obstacles))
    return Scene(level, place, obstacles, 0, None, 0, False, False, cells)


def scenes(split: Split, rng: random.Random) -> Iterator[Scene]:
    """Worlds of one split without end; which split one belongs to follows from itself alone."""
    while True:
        scene = draw_scene(rng)
        if split_of((str(scene.level), str(scene.agent))) == split:
            yield scene


def facts_of(scene: Scene) -> Facts:
    """What a caption tells of a world."""
    at = {(x - scene.agent.x, y - scene.agent.y) for x, y, _, _ in scene.obstacles}
    wanderers = sum((hx, hy) == (0, 0) for _, _, hx, hy in scene.obstacles)
    return Facts(
        _region(scene, scene.agent),
        _region(scene, scene.level.goal),
        len(scene.obstacles) - wanderers,
        wanderers,
        next((name for name, step in BESIDE.items() if step in at), None),
    )


def check_figures(scene: Scene) -> None:
    """Refuse a world with more obstacles than captions count.

    Raises:
        ValueError: more patrols or wanderers than worlds to learn from have.
    """
    facts = facts_of(scene)
    counts = (
        (facts.patrols, MOST_PATROLS, "patrols"),
        (facts.wanderers, MOST_WANDERERS, "wanderers"),
    )
    for found, most, name in counts:
        if found > most:
            raise ValueError(f"level: expected at most {most} {name}, as are counted, got {found}")


def map_of(scene: Scene) -> str:
    """A world's map as text, with A where the agent stands."""
    rows = [list(row) for row in str(scene.level).splitlines()]
    rows[scene.agent.y][scene.agent.x] = "A"
    return "\n".join(map("".join, rows))


def _region(scene: Scene, cell: Cell) -> tuple[int, int]:
    return 3 * cell.y // scene.level.height, 3 * cell.x // scene.level.width


KOREAN_PLACES = (
    ("왼쪽 위에", "위쪽에", "오른쪽 위에"),
    ("왼쪽에", "한가운데에", "오른쪽에"),
    ("왼쪽 아래에", "아래쪽에", "오른쪽 아래에"),
)
ENGLISH_PLACES = (
    ("at the upper left", "at the top", "at the upper right"),
    ("at the left", "in the middle", "at the right"),
    ("at the lower left", "at the bottom", "at the lower right"),
)
PLACES = {"korean": KOREAN_PLACES, "english": ENGLISH_PLACES}
KOREAN_BESIDE = {
    **{"left": "바로 왼쪽에", "right": "바로 오른쪽에"},
    **{"above": "바로 위에", "below": "바로 아래에"},
}
ENGLISH_BESIDE = {
    **{"left": "to the left of", "right": "to the right of"},
    **{"above": "above", "below": "below"},
}
KOREAN_NUMBERS = ("", "한", "두")
ENGLISH_NUMBERS = ("", "one", "two")
GLUED = (",", ".", ";")
"""Symbols without a space before them."""


def korean(facts: Facts) -> tuple[str, ...]:
    """The caption in Korean, a phrase a symbol."""
    agent, goal = (KOREAN_PLACES[row][column] for row, column in (facts.agent, facts.goal))
    told = ["에이전트는", agent, "있고", ",", "목표는", goal, "있으며", ","]
    patrols, wanderers = (KOREAN_NUMBERS[n] for n in (facts.patrols, facts.wanderers))
    if not facts.patrols + facts.wanderers:
        told += ["장애물은 없다", "."]
    else:
        told.append("장애물")
        if facts.patrols:
            told.append(f"{patrols} 개가 {'오가고' if facts.wanderers else '오간다'}")
        if facts.wanderers:
            told.append(f"{wanderers} 개가 헤맨다")
        told.append(".")
    if facts.beside is not None:
        told += ["에이전트", KOREAN_BESIDE[facts.beside], "장애물이 있다", "."]
    return tuple(told)


def english(facts: Facts) -> tuple[str, ...]:
    """The caption in English, a phrase a symbol; `join_caption` gives sentences capitals."""
    agent, goal = (ENGLISH_PLACES[row][column] for row, column in (facts.agent, facts.goal))
    told = ["the agent is", agent, "and the goal is", goal, ";"]
    patrols, wanderers = facts.patrols, facts.wanderers
    if not patrols + wanderers:
        told.append("there are no obstacles")
    if patrols:
        told.append(f"{_counted(patrols)} {'patrols' if patrols == 1 else 'patrol'}")
    if wanderers:
        number = f"and {ENGLISH_NUMBERS[wanderers]}" if patrols else _counted(wanderers)
        told.append(f"{number} {'wanders' if wanderers == 1 else 'wander'}")
    told.append(".")
    if facts.beside is not None:
        told += ["an obstacle is just", ENGLISH_BESIDE[facts.beside], "the agent", "."]
    return tuple(told)


def _counted(number: int) -> str:
    return f"{ENGLISH_NUMBERS[number]} obstacle{'' if number == 1 else 's'}"


CAPTIONS: dict[str, Callable[[Facts], tuple[str, ...]]] = {"korean": korean, "english": english}


def place_symbols(symbols: Sequence[str], language: str) -> dict[str, int]:
    """Where in a caption the symbols stand that tell the agent's and the goal's place."""
    known = {place for row in PLACES[language] for place in row}
    found = [number for number, symbol in enumerate(symbols) if symbol in known]
    return dict(zip(("agent", "goal"), found, strict=True))


def symbols_of(language: str) -> tuple[str, ...]:
    """Every symbol that a caption can hold, in a fixed order."""
    caption = CAPTIONS[language]
    places = [(row, column) for row in range(3) for column in range(3)]
    told = [Facts(place, place, 0, 0, None) for place in places]
    told += [Facts((0, 0), (0, 0), p, w, beside) for p in range(MOST_PATROLS + 1)
             for w in range(MOST_WANDERERS + 1) for beside in (None, *BESIDE)]  # fmt: skip
    return tuple(dict.fromkeys(symbol for facts in told for symbol in caption(facts)))


def join_caption(tokens: Sequence[str], language: str) -> str:
    """Symbols as they are written."""
    text = ""
    for number, token in enumerate(tokens):
        first = language == "english" and (number == 0 or tokens[number - 1] == ".")
        word = token[:1].upper() + token[1:] if first else token
        text += word if not text or token in GLUED else f" {word}"
    return text


def pixels_of(scene: Scene) -> Pixels:
    """The picture that a model reads, (SIDE * CELL, SIDE * CELL, 3): the world as it is drawn."""
    side = SIDE * CELL
    surface = pygame.Surface((side, side), 0, 32)
    board.draw(surface, scene, Layout(side, side, CELL, 0, 0, 0))
    return board.pixels(surface)


def pictures_of(some: Sequence[Scene]) -> Pixels:
    """Pictures of worlds, (B, SIDE * CELL, SIDE * CELL, 3)."""
    return np.stack([pixels_of(scene) for scene in some])
