"""What a world is made of: its level and its rules, checked and with defaults."""

import hashlib
import json
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

from .level import Level
from .observations import OBSERVATIONS

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
    """What the agent is shown: features or book."""
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
        if self.observation not in OBSERVATIONS:
            expected = ", ".join(OBSERVATIONS)
            raise ValueError(f"observation: expected one of {expected}, got {self.observation!r}")
        period = self.obstacle_period
        if not isinstance(period, int) or isinstance(period, bool) or not 1 <= period <= 1000:
            raise ValueError(f"obstacle_period: expected an integer from 1 to 1000, got {period!r}")
        for name in ("random_starts", "swap_hits", "hit_ends"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}: expected True or False, got {getattr(self, name)!r}")
        for name in ("goal_reward", "hit_reward", "step_reward"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not abs(value) <= LARGEST_REWARD:
                raise ValueError(f"{name}: expected a finite number, got {value!r}")
            object.__setattr__(self, name, float(value))  # 1 and 1.0 are one configuration

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

    def fingerprint(self, max_ticks: int | None) -> str:
        """A digest of everything that decides what happens; observations do not."""
        rules = {**asdict(self), "max_ticks": max_ticks}
        del rules["observation"]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()
