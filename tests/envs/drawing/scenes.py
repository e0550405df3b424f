"""Scenes that drawing is tested with; run this file to draw the golden images anew."""

from pathlib import Path

from sidestep.envs import Cell, Level, Scene

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_SIZE = (208, 224)

LEVEL = Level.parse("S....\n..>..\n.<...\n...>.\n....G")
MIXED = Level.parse("S.#..?\n..>...\n.##.v.\n....#.\n.....G")


def scene(
    agent: tuple[int, int],
    obstacles: list[tuple[int, int, int, int]] | None = None,
    *,
    agent_before: tuple[int, int] | None = None,
    before: list[tuple[int, int]] | None = None,
    level: Level = LEVEL,
    tick: int = 0,
    max_ticks: int | None = 100,
    phase: int = 0,
    hit: bool = False,
    success: bool = False,
) -> Scene:
    """A scene; what is left out stands on the map's cells and has not moved."""
    if obstacles is None:
        obstacles = [(o.x, o.y, *o.heading) for o in level.obstacles]
    origins = before or [(x, y) for x, y, _, _ in obstacles]
    previous = [Cell(*(agent_before or agent)), *(Cell(*cell) for cell in origins)]
    return Scene(
        level, Cell(*agent), tuple(obstacles), tick, max_ticks, phase, hit, success, tuple(previous)
    )


SCENES = {
    "start": scene((0, 0)),
    "waiting": scene(
        (2, 2),
        [(3, 1, 1, 0), (0, 2, -1, 0), (4, 3, 1, 0)],
        agent_before=(2, 1),
        before=[(2, 1), (1, 2), (3, 3)],
        tick=37,
        phase=1,
    ),
    "hit": scene(
        (2, 1),
        [(2, 1, -1, 0), (0, 2, -1, 0), (4, 3, 1, 0)],
        agent_before=(1, 1),
        before=[(3, 1), (1, 2), (3, 3)],
        tick=5,
        phase=1,
        hit=True,
    ),
    "swap": scene(
        (2, 1),
        [(1, 1, -1, 0), (0, 2, -1, 0), (4, 3, 1, 0)],
        agent_before=(1, 1),
        before=[(2, 1), (1, 2), (3, 3)],
        tick=5,
        phase=1,
        hit=True,
    ),
    "goal": scene((4, 4), agent_before=(4, 3), tick=9, success=True),
    "mixed": scene((1, 3), agent_before=(0, 3), level=MIXED, tick=12, max_ticks=None),
}

if __name__ == "__main__":
    import imageio.v3 as imageio

    from sidestep.envs.drawing import board as rendering

    for name, facts in SCENES.items():
        imageio.imwrite(GOLDEN / f"{name}.png", rendering.frame(facts, GOLDEN_SIZE))
