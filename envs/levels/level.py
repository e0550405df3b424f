"""A level: the map on which obstacles move, written as text or drawn at random."""

from dataclasses import dataclass
from typing import Self

from sidestep.envs.rules.grid import Grid

from .random import random_grid


@dataclass(frozen=True)
class Level(Grid):
    """A checked map. Make one with `Level.parse(text)`; `str(level)` gives the text back.

    Characters: `.` floor, `#` wall, `S` start, `G` goal, `< > ^ v` a patrol with its heading,
    `?` a wanderer. Obstacles are numbered in reading order.

    Raises:
        ValueError: where the map breaks a rule; the message names row and column, from 1.
    """

    @classmethod
    def random(
        cls,
        seed: int,
        width: int = 12,
        height: int = 12,
        *,
        wall_density: float = 0.15,
        patrols: int = 16,
        wanderers: int = 0,
        tries: int = 200,
    ) -> Self:
        """A random level that can be solved: goal in the last row, start in one above it.

        A way without a hit leads to the goal within 100 ticks, whether obstacles move on every
        tick or every second one, from the map's own start and from 16 random ones; wanderers are
        left out. No patrol's track touches start or goal, and each has three cells or more.

        Args:
            seed: from 0 on; the same one gives the same level. Levels to train on have even
                seeds and levels to test on odd ones wherever this package makes them.
            width: columns, 2 to 100.
            height: rows, likewise.
            wall_density: share of the cells that are walls, from 0 to below 1.
            patrols: how many, up to 1000.
            wanderers: how many, likewise.
            tries: maps to look at.

        Raises:
            ValueError: an argument out of range, or none in `tries` maps could be solved.
        """
        grid = random_grid(seed, width, height, wall_density, patrols, wanderers, tries)
        return cls.of_checked(grid.rows)
