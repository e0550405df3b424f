"""What the fields of a configuration may hold, said once: a table of limits beside each class."""

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MANY = 2**20
"""More units, rows or steps than this fit no memory; asking for them is a slip of the finger."""
LAYERS = 2**10
LAST_SEED = 2**63 - 1
"""The largest seed that every generator takes."""


class Limit(NamedTuple):
    """What one field may hold."""

    words: str
    """Follow "expected" in the error."""
    holds: Callable[[Any], bool]
    """Whether a value is within."""
    whole: bool = False
    """Whether it is a whole number that is asked for."""
    most: float = math.inf
    """The largest that is within, where it has words of its own."""


def at_least(lowest: int, most: float = math.inf) -> Limit:
    """Take whole numbers from `lowest` to `most`."""
    return Limit(f"at least {lowest}", lambda value: value >= lowest, whole=True, most=most)


def between(lowest: int, highest: int) -> Limit:
    """Take whole numbers in lowest..highest, and say both."""
    return Limit(f"{lowest} to {highest}", lambda value: lowest <= value <= highest, whole=True)


def one_of(*choices: str) -> Limit:
    """Take one of some words."""
    return Limit(f"one of {', '.join(choices)}", lambda value: value in choices)


COUNT, NATURAL = at_least(1), at_least(0)
SHARE = Limit("a number in [0, 1]", lambda value: 0 <= value <= 1)
PART = Limit("a number in [0, 1)", lambda value: 0 <= value < 1)
POSITIVE = Limit("a positive number", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Limit("at least 0", lambda value: 0 <= value < math.inf)


def check_fields(config: "DataclassInstance", limits: Mapping[str, Limit]) -> None:
    """Refuse a configuration with a field beyond its limit; None is within where its type says so.

    Args:
        config: a dataclass with a field for each name.
        limits: what the fields may hold, by name.

    Raises:
        ValueError: the first field that is beyond: NaN, a fraction where a whole number is asked
            for, and a value of another type are.
    """
    hints = {field.name: field.type for field in fields(config)}
    for name, limit in limits.items():
        value = getattr(config, name)
        if value is None and _may_be_none(hints.get(name)):
            continue
        number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if limit.whole and isinstance(value, numbers.Real) and not number:
            raise ValueError(f"{name}: expected a whole number, got {value!r}")
        if not _holds(limit, value):
            raise ValueError(f"{name}: expected {limit.words}, got {value!r}")
        if limit.whole and value > limit.most:
            raise ValueError(f"{name}: expected at most {limit.most}, got {value!r}")


def _may_be_none(hint: Any) -> bool:
    """Whether a field's type has None in it."""
    return hint is NoneType or any(map(_may_be_none, get_args(hint)))


def _holds(limit: Limit, value: Any) -> bool:
    try:
        return bool(limit.holds(value))
    except TypeError:  # a value of another type has no order beside numbers
        return False
