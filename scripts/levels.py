"""`sidestep levels`: the named levels in one picture, with a sentence on each."""

import math
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pygame
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette, sprites
from sidestep.envs.drawing.layout import Layout
from sidestep.envs.levels.shipped import LEVELS
from sidestep.scripts.shared.console import command, console, say, table
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.limits import between, check_fields

EXAMPLES = """\
  sidestep levels
  sidestep levels --out docs --columns 4"""

TILE, CAPTION = 240, 34
"""Sides of a level's tile and height of the name below it, in pixels."""


@dataclass(frozen=True)
class Options:
    """Draw every named level into figures/levels.png, and describe it in levels.md."""

    columns: int = 5
    """Levels side by side."""
    out: Path = Path("runs/levels")
    """The folder of levels.md and figures/."""

    def __post_init__(self) -> None:
        """Check the fields."""
        limits = {"columns": between(1, 20)}
        check_fields(self, limits)


def run(options: Options) -> None:
    """Draw, write and print."""
    figures = options.out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    data = imageio.imwrite("<bytes>", gallery(options.columns), extension=".png")
    write_atomically(figures / "levels.png", data)
    write_atomically(options.out / "levels.md", page().encode())
    say(f"Picture: {figures / 'levels.png'}")
    console.print(table("Levels", ["name", "size", "obstacles", "what it teaches"], rows()))


def rows() -> list[list[str]]:
    """Name, size, number of obstacles and sentence of each level."""
    listed = []
    for name, sentence in LEVELS.items():
        level = MovingObstaclesEnv(level=name).level
        size, obstacles = f"{level.width}x{level.height}", str(len(level.obstacles))
        listed.append([name, size, obstacles, sentence])
    return listed


def page() -> str:
    """The page of the levels."""
    columns = ["`level=`", "size", "obstacles", "what it teaches"]
    listed = markdown_table(columns, [[f"`{name}`", *rest] for name, *rest in rows()])
    return f"""# Levels

Shipped with the package, by name: `gym.make("sidestep/MovingObstacles-v0", level="rooms")`. Each
can be solved from every start that was tried ([how](world.md#levels)). This page and its picture
are written by `sidestep levels --out docs`.

![The named levels](figures/levels.png)

{listed}
"""


def gallery(columns: int) -> NDArray[np.uint8]:
    """Every named level at its start with its name below, (H, W, 3) uint8."""
    lines = math.ceil(len(LEVELS) / columns)
    canvas = pygame.Surface((columns * TILE, lines * (TILE + CAPTION)), 0, 32)
    canvas.fill(palette.NIGHT)
    for number, name in enumerate(LEVELS):
        line, column = divmod(number, columns)
        left, top = column * TILE, line * (TILE + CAPTION)
        env = MovingObstaclesEnv(level=name, random_starts=False)
        env.reset(seed=0)
        layout = Layout.inside(env.level, TILE, TILE, margin=10, header=0)
        rendering.draw(canvas.subsurface((left, top, TILE, TILE)), env.scene(), layout)
        caption = sprites.label(name, 24, palette.WHITE)
        canvas.blit(caption, (left + (TILE - caption.get_width()) // 2, top + TILE + 4))
    return rendering.pixels(canvas)


main = command("levels", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
