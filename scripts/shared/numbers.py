"""Numbers on a command line: whole ones in powers of ten too, and errors in plain words."""

from decimal import Decimal
from typing import Any

from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
)

MOST_DIGITS = 100
"""Of a whole number given as a power of ten."""


def numbers() -> ConstructorRegistry:
    """How numbers are read: whole ones as 100000, 100_000 and 1e5, and errors in plain words."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        if info.type not in (int, float):
            return None
        read, name = (whole_number, "INT") if info.type is int else (_real_number, "FLOAT")
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=name,
            instance_from_str=lambda words: read(words[0]),
            is_instance=lambda value: isinstance(value, int | info.type),
            str_from_instance=lambda value: [str(value)],
        )

    return registry


def whole_number(word: str) -> int:
    """A whole number from a word, in powers of ten too: `1e5`.

    Raises:
        ValueError: none, or one with a fraction.
    """
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = Decimal(word.replace("_", ""))
        if abs(number.adjusted()) < MOST_DIGITS and number == number.to_integral_value():
            return int(number)
    except ArithmeticError:
        pass
    raise ValueError(f"expected a whole number, got {word!r}")


def _real_number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"expected a number, got {word!r}") from None
