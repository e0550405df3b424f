"""What functions of an exercise return, as plain values: sent between processes, compared, shown.

A value is an array of numbers, or a row of values (a tuple or a list), or `Other`, in words.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.generic]
MOST_NUMBERS = 100_000
"""A larger array is no answer to these exercises; only its shape is told."""
SHOWN = 60
"""Numbers of an array that are written out."""
RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""What two right ways to compute may differ by, in single precision."""


class Other(NamedTuple):
    """What is no number and no row of numbers."""

    words: str


class Row(NamedTuple):
    """A tuple or a list."""

    items: tuple["Value", ...]


Value = Array | Row | Other


class Difference(NamedTuple):
    """Why a value is not the expected one."""

    kind: str
    """A key of the words in `languages.py`: nothing, type, count, shape, whole, nan or numbers."""
    details: dict[str, object]


def value_of(result: object) -> Value:
    """What a function returned, as a value; gradients and devices are left behind."""
    if isinstance(result, Tensor):
        try:
            result = result.detach().cpu().numpy()
        except (TypeError, RuntimeError):
            return Other(f"Tensor {result.dtype}")
    if isinstance(result, bool | int | float | np.ndarray | np.generic):
        try:
            array = np.asarray(result)
        except OverflowError:
            return Other("int")
        if array.dtype.kind not in "biuf":
            return Other(f"array of {array.dtype}")
        if array.size > MOST_NUMBERS:
            return Other(f"array {array.shape}")
        return array
    if isinstance(result, list | tuple):
        if len(result) > MOST_NUMBERS:
            return Other(f"{type(result).__name__} of {len(result)}")
        return Row(tuple(value_of(item) for item in result))
    return Other("None" if result is None else type(result).__name__)


def to_json(value: Value) -> dict[str, Any]:
    """A value that json can hold."""
    if isinstance(value, Other):
        return {"other": value.words}
    if isinstance(value, Row):
        return {"row": [to_json(item) for item in value.items]}
    return {"kind": value.dtype.kind, "shape": list(value.shape), "numbers": value.ravel().tolist()}


def from_json(data: dict[str, Any]) -> Value:
    """The value again."""
    if "other" in data:
        return Other(str(data["other"]))
    if "row" in data:
        return Row(tuple(from_json(item) for item in data["row"]))
    kind = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}[data["kind"]]
    return np.asarray(data["numbers"], kind).reshape(data["shape"])


def as_array(value: Value) -> Value:
    """A row of numbers, or of arrays of one shape, as one array; anything else as it is."""
    if not isinstance(value, Row):
        return value
    items = [as_array(item) for item in value.items]
    arrays = [item for item in items if isinstance(item, np.ndarray)]
    if len(arrays) < len(items) or len({item.shape for item in arrays}) > 1:
        return value
    return np.stack(arrays) if arrays else np.zeros(0, np.int64)


def difference(expected: Value, got: Value, names: Sequence[str] = ()) -> Difference | None:
    """Compare what came with what was expected; None where it is the same to rounding.

    Args:
        expected: a row of arrays, one for each part of a tuple; or an array.
        got: a row may stand for an array.
        names: of the parts of an expected tuple; none where a list of numbers is expected.
    """
    if isinstance(got, Other):
        kind = "nothing" if got.words == "None" else "type"
        return Difference(kind, {"got": got.words})
    if isinstance(expected, Row) and names:
        if not isinstance(got, Row) or len(got.items) != len(expected.items):
            came = len(got.items) if isinstance(got, Row) else words_for(got)
            return Difference("count", {"expected": len(expected.items), "got": came})
        for number, (wanted, item) in enumerate(zip(expected.items, got.items, strict=True)):
            found = difference(wanted, item)
            if found is not None:
                return found._replace(details={**found.details, "part": names[number]})
        return None
    wanted, array = as_array(expected), as_array(got)
    if not isinstance(wanted, np.ndarray) or not isinstance(array, np.ndarray):
        return Difference("type", {"got": words_for(got)})
    return _of_arrays(wanted, array)


def _of_arrays(expected: Array, got: Array) -> Difference | None:
    if expected.shape != got.shape:
        return Difference("shape", {"expected": expected.shape, "got": got.shape})
    if expected.dtype.kind in "iu" and got.dtype.kind not in "iu" and got.size:
        return Difference("whole", {"got": words_for(got)})
    wanted, numbers = expected.astype(np.float64), got.astype(np.float64)
    wrong = np.isnan(numbers) & ~np.isnan(wanted)
    kind = "nan"
    if not wrong.any():
        kind = "numbers"
        wrong = ~np.isclose(numbers, wanted, RELATIVE, ABSOLUTE, equal_nan=True)
    if not wrong.any():
        return None
    place = tuple(int(axis[0]) for axis in np.nonzero(wrong)) if wrong.ndim else ()
    return Difference(kind, {"place": place})


def alike(one: Value, other: Value) -> bool:
    """Whether two values are the same to rounding, NaN where NaN is."""
    if isinstance(one, Other) or isinstance(other, Other):
        return isinstance(one, Other) and isinstance(other, Other) and one.words == other.words
    first, second = as_array(one), as_array(other)
    if isinstance(first, Row) or isinstance(second, Row):
        if not (isinstance(first, Row) and isinstance(second, Row)):
            return False
        pairs = zip(first.items, second.items, strict=False)
        return len(first.items) == len(second.items) and all(alike(a, b) for a, b in pairs)
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)):
        return False
    if first.shape != second.shape:
        return False
    pair = first.astype(np.float64), second.astype(np.float64)
    return bool(np.isclose(*pair, RELATIVE, ABSOLUTE, equal_nan=True).all())


def number_in_words(number: float | int | bool) -> str:
    """A number with four significant digits, without needless zeros."""
    if isinstance(number, bool | int):
        return str(number)
    if math.isnan(number) or math.isinf(number):
        return str(number)
    return f"{number + 0.0:.4g}"


def words_for(value: Value) -> str:
    """A value on one line, its numbers short; of a large array the beginning and the shape."""
    if isinstance(value, Other):
        return value.words
    if isinstance(value, Row):
        array = as_array(value)
        if isinstance(array, np.ndarray):
            return words_for(array)
        return "(" + ", ".join(words_for(item) for item in value.items) + ")"
    if value.ndim == 0:
        return number_in_words(value.item())
    if value.size > SHOWN:
        first = ", ".join(number_in_words(number) for number in value.ravel()[:6].tolist())
        return f"[{first}, ...], {_shape(value.shape)}"
    return _nested(value.tolist())


def _nested(numbers: Any) -> str:
    if isinstance(numbers, list):
        return "[" + ", ".join(_nested(item) for item in numbers) + "]"
    return number_in_words(numbers)


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
