"""What envs tell beside their observations, in whatever form they tell it: success, hits, masks.

Vector envs give a column for every key, and `_key` says which lanes told it. Made from single envs,
a column holds Python's or numpy's bools, numbers, lists, arrays of one entry, or None.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

TRUTH = "biuf"
"""Kinds of numpy types that can be true or false."""


def as_columns(info: Any) -> dict[str, Any]:
    """The columns of a vector env's info: of a dict of columns, or a dict or None for each lane."""
    if isinstance(info, dict):
        return info
    rows = [row or {} for row in info]
    names = {name for row in rows for name in row}
    return {name: [row.get(name) for row in rows] for name in names}


def final_facts(info: dict[str, Any], otherwise: dict[str, Any]) -> dict[str, Any]:
    """What was told with the last tick of episodes in SAME_STEP, as columns.

    Args:
        info: of a vector env, as columns.
        otherwise: comes back where there is no `final_info`.
    """
    final = info.get("final_info")
    return otherwise if final is None else as_columns(final)


def read_flag(info: dict[str, Any], name: str) -> bool | None:
    """Whether a single env told that `name` is so; None: it did not tell.

    Raises:
        ValueError: something that is not one truth value.
    """
    return _truth(name, info[name]) if info.get(name) is not None else None


def read_flags(
    facts: dict[str, Any], name: str, lanes: NDArray[np.int64], num_envs: int
) -> NDArray[np.bool_] | None:
    """Whether each of `lanes` told that `name` is so.

    Args:
        facts: the columns of an info.
        name: of the column.
        lanes: (n,) which.
        num_envs: the length of a column.

    Returns:
        (n,) bool, False where a lane did not tell, or told None or NaN; None: no lane tells.

    Raises:
        ValueError: a column of another length, or something that is not one truth value a lane.
    """
    column = facts.get(name)
    if column is None:
        return None
    told = _told(facts, name, num_envs)
    if isinstance(column, np.ndarray) and column.dtype == np.bool_ and column.ndim == 1:
        _check_length(name, column, num_envs)
        return column[lanes] & told[lanes]
    if num_envs == 1 and _length(column) is None:
        column = [column]
    _check_length(name, column, num_envs)
    flags = [told[lane] and _truth(name, column[lane]) for lane in lanes]
    return np.array(flags, dtype=np.bool_)


def read_mask(info: dict[str, Any], num_envs: int, num_actions: int) -> NDArray[np.bool_] | None:
    """The actions that `info["action_mask"]` allows, whatever it is made of.

    Args:
        info: of a vector env.
        num_envs: B.
        num_actions: A.

    Returns:
        (B, A) bool, all True in lanes that tell no mask or one that allows nothing; None: no lane
        tells one.

    Raises:
        ValueError: another shape, or entries that are neither 0 nor 1.
    """
    column = info.get("action_mask")
    if column is None:
        return None
    told = _told(info, "action_mask", num_envs)
    if isinstance(column, np.ndarray) and (column.dtype != object or column.ndim == 2):
        mask = as_mask(column, (num_envs, num_actions))
    else:
        _check_length("action_mask", column, num_envs)
        mask = np.zeros((num_envs, num_actions), dtype=np.bool_)
        for lane in np.flatnonzero(told):
            if column[lane] is not None:
                mask[lane] = as_mask(column[lane], (num_actions,))
    free: NDArray[np.bool_] = ~told | ~mask.any(axis=1)
    return mask | free[:, None]


def as_mask(values: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Lists, arrays or tensors of truth values as bool of `shape`.

    Raises:
        ValueError: another shape, or entries that are neither 0 nor 1.
    """
    values = values.cpu() if isinstance(values, Tensor) else values
    try:
        mask = np.asarray(values)
        mask = np.asarray(mask.tolist()) if mask.dtype == object else mask
    except ValueError:  # rows of different lengths
        mask = np.empty(0, dtype=object)
    if mask.dtype.kind not in TRUTH:
        raise ValueError(f"action_mask: expected truth values of shape {shape}, got {values!r}")
    if mask.shape != shape:
        raise ValueError(f"action_mask: expected shape {shape}, got {mask.shape}")
    if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"action_mask: expected entries 0 and 1, got {values!r}")
    return mask.astype(np.bool_, copy=False)


def _told(facts: dict[str, Any], name: str, num_envs: int) -> NDArray[np.bool_]:
    """(B,) which lanes told `name`; all where nothing says so."""
    told = facts.get(f"_{name}")
    if told is None:
        return np.ones(num_envs, dtype=np.bool_)
    _check_length(f"_{name}", told, num_envs)
    return np.asarray(told, dtype=np.bool_)


def _check_length(name: str, column: Any, num_envs: int) -> None:
    length = _length(column)
    if length != num_envs:
        got = "one for all" if length is None else str(length)
        raise ValueError(f"{name}: expected an entry for each of {num_envs} lanes, got {got}")


def _length(column: Any) -> int | None:
    """How many entries; None: it is no list of entries."""
    try:
        return len(column)
    except TypeError:
        return None


def _truth(name: str, value: Any) -> bool:
    if value is None:
        return False
    entry = np.asarray(value)
    entry = np.asarray(entry.item()) if entry.size == 1 else entry  # an array of objects holds one
    if entry.size == 1 and entry.dtype.kind in TRUTH:
        number = entry.item()
        if number != number:  # NaN
            return False
        if number in (0, 1):
            return bool(number)
    raise ValueError(f"{name}: expected one truth value a lane, got {value!r}")
