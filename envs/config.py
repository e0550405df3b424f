"""What a world is made of: its level and its rules, checked and with defaults."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any
from weakref import WeakKeyDictionary

from .levels.level import Level
from .levels.pool import SPLITS, LevelPool
from .levels.shipped import find_level
from .observations.table import OBSERVATIONS, is_markov
from .observations.view import HIDEABLE, View

DEFAULT_LEVEL = """
S....
..>..
.<...
...>.
....G
"""
LARGEST_REWARD = 1e30
"""Sums of this many stay finite, in float32 too."""
BOOK_LEVEL = """
S....
>....
.>...
..>..
....G
"""


@dataclass(frozen=True)
class WorldConfig:
    """The keywords of `gym.make`; the defaults are those of `sidestep/MovingObstacles-v0`.

    Raises:
        TypeError, ValueError: at construction, naming what was expected and what came.
    """

    level: str | Level = DEFAULT_LEVEL
    """The map: the name of a shipped level, text (see `Level`), the path of a file, or parsed."""
    levels: tuple[str, ...] = ()
    """Several maps with equally many obstacles instead; each episode draws one."""
    pool: LevelPool | None = None
    """Random levels instead, each episode draws one: a dict of the fields of `LevelPool`."""
    split: str = "train"
    """Which half of the pool: train or test."""
    observation: str = "features"
    """What the agent is shown: features, planes, window, beacon, book, or one registered."""
    radius: int = 2
    """Cells that `window` and `beacon` show on each side of the agent."""
    hide: tuple[str, ...] = ()
    """What is not shown: headings, phase."""
    visible_every: int = 1
    """Obstacles are shown on every n-th tick of the episode, the first included."""
    obstacle_period: int = 2
    """Obstacles move on every n-th tick."""
    random_starts: bool = True
    """Each episode draws every patrol's cell and heading on its track, and the move phase."""
    swap_hits: bool = True
    """Swapping cells with an obstacle is a hit."""
    hit_ends: bool = True
    """A hit ends the episode and counts once; otherwise every obstacle that hits counts."""
    goal_reward: float = 1.0
    """For reaching the goal, which ends the episode."""
    hit_reward: float = -1.0
    """For each hit that counts."""
    step_reward: float = -0.05
    """On every tick, the last one included."""

    def __post_init__(self) -> None:
        """Check every field; levels are kept as text, and beside it as they were read."""
        level = find_level(self.level)
        object.__setattr__(self, "level", str(level))
        several = self._check_levels()
        self._check_view()
        for name in ("random_starts", "swap_hits", "hit_ends"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}: expected True or False, got {getattr(self, name)!r}")
        for name in ("goal_reward", "hit_reward", "step_reward"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not abs(value) <= LARGEST_REWARD:
                raise ValueError(f"{name}: expected a finite number, got {value!r}")
            object.__setattr__(self, name, float(value))  # 1 and 1.0 are one configuration
        if self.pool is None:
            _READ[self] = several or (level,)

    def _check_levels(self) -> tuple[Level, ...]:
        """Check `levels`, `pool` and `split`; returns the levels."""
        if not isinstance(self.levels, list | tuple):
            raise TypeError(f"levels: expected a list of maps, got {type(self.levels).__name__}")
        several = tuple(find_level(one) for one in self.levels)
        object.__setattr__(self, "levels", tuple(map(str, several)))
        if self.pool is not None:
            object.__setattr__(self, "pool", LevelPool.of(self.pool))
        if self.split not in SPLITS:
            raise ValueError(f"split: expected {' or '.join(SPLITS)}, got {self.split!r}")
        if self.split != SPLITS[0] and self.pool is None:
            raise ValueError(f"split: expected a pool beside {self.split!r}, got none")
        own_level = self.level != DEFAULT_LEVEL.strip()
        given = {"level": own_level, "levels": self.levels, "pool": self.pool is not None}
        names = [name for name, is_given in given.items() if is_given]
        if len(names) > 1:
            raise ValueError(
                f"{', '.join(names)}: expected one of them, got {len(names)}; "
                "levels=[] and pool=None take these away"
            )
        counts = [len(level.obstacles) for level in several]
        if len(set(counts)) > 1:
            raise ValueError(f"levels: expected equally many obstacles in each, got {counts}")
        return several

    def _check_view(self) -> None:
        if not isinstance(self.observation, str) or self.observation not in OBSERVATIONS:
            expected = ", ".join(OBSERVATIONS)
            raise ValueError(
                f"observation: expected one of {expected}, got {self.observation!r}; of one that "
                "another module registers, import the module first (a command: --modules NAME)"
            )
        for name, most in (("obstacle_period", 1000), ("visible_every", 1000), ("radius", 100)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"{name}: expected an integer from 1 to {most}, got {value!r}")
        known = f"a list of {', '.join(HIDEABLE)}"
        if not isinstance(self.hide, list | tuple):
            raise TypeError(f"hide: expected {known}, got {self.hide!r}")
        for name in self.hide:
            if name not in HIDEABLE:
                raise ValueError(f"hide: expected {known}, got {name!r}")
        object.__setattr__(self, "hide", tuple(name for name in HIDEABLE if name in self.hide))
        if not OBSERVATIONS[self.observation].can_hide and not self.view.is_whole:
            partial = ", ".join(name for name, one in OBSERVATIONS.items() if one.can_hide)
            raise ValueError(
                f"hide, visible_every: expected none of them with observation "
                f"{self.observation!r}, or one of {partial}"
            )

    @classmethod
    def of(cls, **fields: Any) -> "WorldConfig":
        """A configuration from keywords.

        Raises:
            TypeError, ValueError: an unknown keyword or value.
        """
        known = tuple(field.name for field in dataclass_fields(cls))
        for name in fields:
            if name not in known:
                raise TypeError(  # Python's own words at the end: other libraries look for them
                    f"keyword: expected one of {', '.join(known)}, "
                    f"got an unexpected keyword argument {name!r}"
                )
        return cls(**fields)

    @property
    def maps(self) -> tuple[Level, ...]:
        """The levels that episodes draw from; one, unless there are `levels` or a `pool`."""
        if self.pool is not None:
            return self.pool.levels(self.split)
        maps = _READ.get(self)
        if maps is None:
            maps = tuple(Level.parse(text) for text in self.levels or (str(self.level),))
            _READ[self] = maps
        return maps

    @property
    def map(self) -> Level:
        """The only level.

        Raises:
            TypeError: there are several.
        """
        maps = self.maps
        if len(maps) > 1:
            raise TypeError(
                f"level: expected a world of one level, got {len(maps)}; take `config.alone(n)`, "
                "or `solve_levels` instead of `solve`"
            )
        return maps[0]

    def alone(self, number: int) -> "WorldConfig":
        """The same rules on one of several levels.

        Args:
            number: which of `maps`.
        """
        return replace(self, level=self.maps[number], levels=(), pool=None, split=SPLITS[0])

    @property
    def view(self) -> View:
        """What is shown and what is not."""
        headings, phase = (name in self.hide for name in HIDEABLE)
        return View(self.obstacle_period, headings, phase, self.visible_every, self.radius)

    @property
    def is_markov(self) -> bool:
        """Whether an observation tells all that decides the future, the time limit aside.

        True is a guarantee; see `sidestep.envs.observations.table.is_markov` for what False says.
        """
        return is_markov(self.observation, self.maps, self.view, self.hit_ends)

    def fingerprint(self, max_ticks: int | None) -> str:
        """A digest of everything that decides what happens; observations do not."""
        rules = {**asdict(self), "max_ticks": max_ticks}
        for name in ("observation", "radius", "hide", "visible_every"):
            del rules[name]
        for name in ("levels", "pool", "split"):
            if self.pool is None and (name != "levels" or not self.levels):
                del rules[name]  # as before there were several levels
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


_READ: WeakKeyDictionary[WorldConfig, tuple[Level, ...]] = WeakKeyDictionary()
"""The levels of configurations that somebody holds: read once, to be checked, and kept.

Not among a configuration's attributes, which are its fields and nothing else.
"""
