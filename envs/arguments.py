"""What callers hand in, checked: every error says what was expected and what came."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

INT64 = np.dtype(np.int64)
RENDER_FPS = 5
"""Ticks a second in windows and recordings."""


def check_max_ticks(value: int | None) -> int | None:
    """The time limit in ticks, or None for none.

    Args:
        value: a positive integer; None or -1 for no limit, as Gymnasium writes it.

    Raises:
        ValueError: for anything else.
    """
    if value is None or value == -1:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**31 - 1:
        raise ValueError(
            f"max_episode_steps: expected a positive integer, -1 or None, got {value!r}"
        )
    return value


def check_render_mode(mode: str | None, modes: list[str]) -> None:
    """Raise ValueError for a mode that is not one of `modes`."""
    if mode is not None and mode not in modes:
        raise ValueError(f"render_mode: expected one of {', '.join(modes)} or None, got {mode!r}")


def check_options(options: dict[str, Any] | None, known: tuple[str, ...]) -> None:
    """Raise TypeError for options that are no dict, ValueError for some that nothing would read."""
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options: expected a dict or None, got {options!r}")
    unknown = sorted(set(options or {}) - set(known), key=str)
    if unknown:
        expected = ", ".join(known) or "none"
        raise ValueError(f"options: expected {expected}, got {', '.join(map(repr, unknown))}")


def check_state_alone(options: dict[str, Any] | None, seed: Any) -> dict[str, Any]:
    """The reset options, {} for None; raise ValueError for a state beside a seed or a level."""
    options = options or {}
    if "state" in options and (seed is not None or len(options) > 1):
        beside = "a seed" if seed is not None else ", ".join(sorted(set(options) - {"state"}))
        raise ValueError(f"options: expected state alone, got {beside} beside it")
    return options


def check_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """The mode of that value (`NextStep`) or name (`NEXT_STEP`).

    Raises:
        ValueError: no such mode.
    """
    for known in AutoresetMode:
        if mode in (known, known.value, known.name):
            return known
    expected = ", ".join(known.value for known in AutoresetMode)
    raise ValueError(f"autoreset_mode: expected one of {expected}, got {mode!r}")


def check_actions(actions: Any, lanes: int) -> NDArray[np.int64]:
    """The actions of all lanes, as the kernels read them; their range is the kernels' to check.

    Raises:
        TypeError, ValueError: not `lanes` integers.
    """
    if type(actions) is np.ndarray and actions.dtype is INT64 and actions.shape == (lanes,):
        return actions if actions.flags.c_contiguous else actions.copy()
    try:
        actions = np.asarray(actions)
    except ValueError:
        raise TypeError("actions: expected integers, got ragged lists") from None
    if actions.dtype.kind not in "iu":
        raise TypeError(f"actions: expected integers, got {actions.dtype}")
    if actions.shape != (lanes,):
        raise ValueError(f"actions: expected shape ({lanes},), got {actions.shape}")
    return np.ascontiguousarray(actions, dtype=np.int64)


def check_seeds(seed: Any, lanes: int) -> list[int | None]:
    """A seed, or None, for every lane; an int s stands for s, s + 1, and so on.

    Raises:
        TypeError, ValueError: anything but None, an int, or one entry a lane; a negative seed.
    """
    if seed is None:
        return [None] * lanes
    if isinstance(seed, int | np.integer):
        seed = range(int(seed), int(seed) + lanes)
    if isinstance(seed, str) or not isinstance(seed, Sequence | np.ndarray):
        raise TypeError(f"seed: expected an integer, a list of them or None, got {seed!r}")
    if len(seed) != lanes:
        raise ValueError(f"seed: expected {lanes} seeds, got {len(seed)}")
    for value in seed:
        if value is not None and (not isinstance(value, int | np.integer) or value < 0):
            raise ValueError(f"seed: expected non-negative integers or None, got {value!r}")
    return [None if value is None else int(value) for value in seed]


def check_reset_mask(mask: Any, lanes: int) -> NDArray[np.bool_] | None:
    """The lanes to reset; None for all.

    Raises:
        TypeError, ValueError: not a (lanes,) array of bool with at least one True.
    """
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"reset_mask: expected a numpy array of bool, got {kind}")
    if mask.shape != (lanes,):
        raise ValueError(f"reset_mask: expected shape ({lanes},), got {mask.shape}")
    if not mask.any():
        raise ValueError("reset_mask: expected at least one True, got none")
    return mask
