"""Pools of random levels: even seeds to train on, odd ones to test on."""

from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import lru_cache

from .level import Level
from .random import check_integer, check_kind, random_maps, rows_of

SPLITS = ("train", "test")
"""Level n of a split has the seed 2 n, plus 1 for test: no seed is in both."""

MOST_LEVELS, MOST_CELLS = 100_000, 100_000_000
"""Of a split. So many levels like Crossing's are made in ten seconds or so, and take 300 MB."""


@dataclass(frozen=True)
class LevelPool:
    """Random levels of one kind, from which episodes draw; the defaults: `sidestep/Crossing-v0`.

    Raises:
        ValueError: no level of this kind can be solved; see `Level.random`.
    """

    width: int = 12
    """Columns."""
    height: int = 12
    """Rows."""
    wall_density: float = 0.15
    """Share of the cells that are walls."""
    patrols: int = 16
    """Obstacles that go to and fro."""
    wanderers: int = 0
    """Obstacles that walk at random."""
    count: int = 64
    """Levels in each split, up to 100,000, and 100 million cells in all of them."""
    first: int = 0
    """Number of the first level; level n has the seed 2 n (train) or 2 n + 1 (test)."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_kind(
            "pool ", self.width, self.height, self.patrols, self.wanderers, self.wall_density
        )
        check_integer("pool count", self.count, 1, MOST_LEVELS)
        cells = self.count * self.width * self.height
        if cells > MOST_CELLS:
            raise ValueError(
                f"pool count: expected at most {MOST_CELLS:,} cells, width x height x count, "
                f"got {self.width} x {self.height} x {self.count}"
            )
        check_integer("pool first", self.first, 0, 2**40)
        object.__setattr__(self, "wall_density", float(self.wall_density))

    @classmethod
    def of(cls, pool: "LevelPool | dict[str, int | float]") -> "LevelPool":
        """A pool from a dict of its fields.

        Raises:
            TypeError, ValueError: no dict, or an unknown field.
        """
        if isinstance(pool, cls):
            return pool
        if not isinstance(pool, dict):
            raise TypeError(f"pool: expected a dict or a LevelPool, got {type(pool).__name__}")
        known = [field.name for field in dataclass_fields(cls)]
        for name in pool:
            if name not in known:
                raise ValueError(f"pool: expected {', '.join(known)}, got {name!r}")
        return cls(**pool)  # type: ignore[arg-type]

    def levels(self, split: str) -> tuple[Level, ...]:
        """The levels of a split; made once in a process."""
        return _levels(self, split)


@lru_cache(maxsize=16)
def _levels(pool: LevelPool, split: str) -> tuple[Level, ...]:
    numbers = range(pool.first, pool.first + pool.count)
    seeds = [2 * number + SPLITS.index(split) for number in numbers]
    kind = (pool.width, pool.height, pool.wall_density, pool.patrols, pool.wanderers)
    return tuple(map(Level.of_checked, rows_of(random_maps(seeds, *kind))))
