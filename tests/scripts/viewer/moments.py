"""Moments that views are tested with; run this file to draw the golden pictures anew."""

from pathlib import Path

import numpy as np

from sidestep.agents.insight import Insight
from sidestep.envs import Cell, Level, Scene
from sidestep.envs.drawing.sight import Sight
from sidestep.scripts.viewer.panels.moment import CellValues, Curve, Moment

GOLDEN = Path(__file__).parents[1] / "golden"
SIZE = (480, 336)

LEVEL = Level.parse("S....\n..>..\n.<.#.\n...>.\n....G")
SCENE = Scene(
    LEVEL,
    Cell(1, 2),
    ((3, 1, 1, 0), (0, 2, -1, 0), (4, 3, 1, 0)),
    6,
    100,
    1,
    False,
    False,
    (Cell(0, 2), Cell(2, 1), Cell(1, 2), Cell(3, 3)),
)
TRAIL = tuple(Cell(*c) for c in ((0, 0), (1, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)))


def _wave(tick: int, size: int, low: float = -1.0) -> np.ndarray:
    """Numbers in [low, 1] that differ from unit to unit and from tick to tick."""
    wave = np.sin(0.9 * tick + np.arange(size) * 0.7)
    return np.asarray(low + (wave + 1) / 2 * (1 - low), dtype=np.float32)


def insight(tick: int, memory: str, probable: bool = False) -> Insight:
    """What an agent with 11 units might think."""
    scores = np.array([0.12, 0.41, 0.30, -0.25, 0.05], dtype=np.float32)
    if probable:
        scores = np.array([0.05, 0.62, 0.2, 0.03, 0.1], dtype=np.float32)
    units = None if memory == "none" else _wave(tick, 11)
    gates = {"lstm": "ifo", "gru": "rz"}.get(memory, "")
    weights = np.array([0.1, 0.02, 0.5, 0.03, 0.05, 0.2, 0.1], dtype=np.float32)
    return Insight(
        scores,
        probable,
        0.41,
        units,
        _wave(tick + 3, 11) if memory == "lstm" else None,
        tuple((name, _wave(tick + ord(name), 11, 0.0)) for name in gates),
        weights if memory == "attention" else None,
    )


def moment(memory: str, probable: bool = False, **others: object) -> Moment:
    """A moment of tick 6 with everything in it."""
    values = np.linspace(-0.9, 0.9, 25).reshape(5, 5)
    actions = np.arange(25).reshape(5, 5) % 5
    values[2, 3] = values[4, 4] = np.nan
    actions[2, 3] = actions[4, 4] = -1
    curve = tuple((1000.0 * k, -1 + 0.15 * k) for k in range(1, 11))
    success = tuple((1000.0 * k, 0.09 * k) for k in range(1, 11))
    full = Moment(
        SCENE,
        sight=Sight(every=4, headings=False),
        action=1,
        insights=tuple(insight(k, memory, probable) for k in range(7)),
        optimal=np.array([0.1, 0.5, 0.5, -0.9, 0.2]),
        regrets=(0.0, 0.0, 0.3, 0.0, 0.05, 0.0, 0.0),
        cells=CellValues(values, actions),
        trail=TRAIL,
        curve=Curve(curve, success, curve[4::5], success[4::5], 20_000),
    )
    return full._replace(**others)  # type: ignore[arg-type]  # fields of a Moment


PICTURE = np.zeros((60, 90, 3), dtype=np.uint8)
PICTURE[20:40, 30:60] = (200, 30, 90)

MOMENTS: dict[str, tuple[Moment, tuple[str, ...]]] = {
    "values": (moment("none"), ("values", "regret", "trail")),
    "heatmap": (moment("none", probable=True), ("values", "heatmap", "ghosts")),
    "unseen": (moment("none"), ("curve",)),
    "gru": (moment("gru"), ("units", "gates", "ghosts")),
    "lstm": (moment("lstm"), ("units", "gates", "trail")),
    "attention": (moment("attention"), ("attention", "units", "trail", "ghosts")),
    "foreign": (
        Moment(None, PICTURE, actions=("action 0", "action 1"), action=0, insights=(
            Insight(np.array([0.8, 0.2], dtype=np.float32), True),)),
        ("values", "units", "trail"),
    ),
}  # fmt: skip

if __name__ == "__main__":
    import imageio.v3 as imageio

    from sidestep.scripts.viewer import view

    GOLDEN.mkdir(exist_ok=True)
    for name, (shown, panels) in MOMENTS.items():
        picture = view.render(shown, SIZE, panels, f"the moment {name}")
        imageio.imwrite(GOLDEN / f"{name}.png", picture, optimize=True)
