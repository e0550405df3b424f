"""A made env's `spec` with keywords that survive JSON."""

import copy
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from .levels.level import Level
from .levels.pool import LevelPool
from .levels.shipped import find_level


def plain(spec: EnvSpec | None) -> EnvSpec | None:
    """Return the spec with keywords that JSON holds: levels as text, a pool as a dict of numbers.

    `EnvSpec.to_json` makes a dict of every dataclass, and refuses paths and modes.

    Args:
        spec: as Gymnasium's `make` hands it over; not changed. None stays None.
    """
    if spec is None:
        return None
    spec = copy.copy(spec)
    spec.kwargs = {name: _plain(value) for name, value in spec.kwargs.items()}
    return spec


def _plain(value: Any) -> Any:
    """A keyword's value as JSON has it."""
    if isinstance(value, Level | os.PathLike):
        return str(find_level(value))
    if isinstance(value, LevelPool):
        return asdict(value)
    if isinstance(value, AutoresetMode):
        return value.value
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return value
