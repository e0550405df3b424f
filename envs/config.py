"""What a world is made of: its level and its rules, checked and with defaults."""

import hashlib
import json
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from .level import Level
from .observations import OBSERVATIONS, is_markov
from .view import HIDEABLE, View

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
    """The map, as text (see `Level`) or parsed."""
    observation: str = "features"
    """What the agent is shown: features, planes, window or book."""
    radius: int = 2
    """Cells that `window` shows on each side of the agent."""
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
        """Check every field; the level is kept as text."""
        level = self.level if isinstance(self.level, Level) else Level.parse(self.level)
        object.__setattr__(self, "level", str(level))
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

    def _check_view(self) -> None:
        if self.observation not in OBSERVATIONS:
            expected = ", ".join(OBSERVATIONS)
            raise ValueError(f"observation: expected one of {expected}, got {self.observation!r}")
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
        if OBSERVATIONS[self.observation].partial is None and not self.view.is_whole:
            partial = ", ".join(name for name, one in OBSERVATIONS.items() if one.partial)
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
                raise TypeError(f"keyword: expected one of {', '.join(known)}, got {name!r}")
        return cls(**fields)

    @property
    def map(self) -> Level:
        """The parsed level."""
        return Level.parse(str(self.level))

    @property
    def view(self) -> View:
        """What is shown and what is not."""
        headings, phase = (name in self.hide for name in HIDEABLE)
        return View(self.obstacle_period, headings, phase, self.visible_every, self.radius)

    @property
    def is_markov(self) -> bool:
        """Whether an observation tells all that decides the future, the time limit aside.

        True is a guarantee; see `sidestep.envs.observations.is_markov` for what False says.
        """
        return is_markov(self.observation, (self.map,), self.view, self.hit_ends)

    def fingerprint(self, max_ticks: int | None) -> str:
        """A digest of everything that decides what happens; observations do not."""
        rules = {**asdict(self), "max_ticks": max_ticks}
        for name in ("observation", "radius", "hide", "visible_every"):
            del rules[name]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()
