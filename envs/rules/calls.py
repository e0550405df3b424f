"""A tick of a world as one compiled call: all lanes advance, and what they are shown is written."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .compiling import compiled, inlined
from .memory import borrow, cut_lanes, cut_rules, cut_tables
from .tick import advance_one, advance_several, wrong_action


@inlined
def nothing(
    state: Any,
    clock: Any,
    level_of: Any,
    sites: Any,
    ground: Any,
    rules: Any,
    view: Any,
    out: Any,
) -> None:
    """Write no observation."""


@cache
def step_of(write: Any, is_plain: bool, several: bool) -> Callable[..., int]:
    """Compile a world's tick: a function for each observation, kept on disk under its name.

    Args:
        write: the observation's kernel, compiled.
        is_plain: whether it is of the arguments of `Observation.plain`, else of `partial`.
        several: whether episodes draw their level from several.

    Returns:
        A function of `action` (lanes,) int64, a world's `memory`, `settings` and `tables` (see
        `memory`), the observation's `ground`, and of what is written: `reward` (lanes,) float64,
        `flags` (FLAGS, lanes) bool, `out` (lanes, ...). It returns how many lanes ended in this
        tick; or -1 - i where `action[i]` is out of range, and nothing was changed.
    """
    advance = advance_several if several else advance_one

    def step(
        action: Any,
        memory: Any,
        settings: Any,
        tables: Any,
        ground: Any,
        reward: Any,
        flags: Any,
        out: Any,
    ) -> Any:
        wrong = wrong_action(action)
        if wrong >= 0:
            return -1 - wrong
        rewards, rules, view, sizes = cut_rules(settings)
        parts = cut_lanes(memory, action.shape[0], np.int64(sizes[1]))
        streams, clock, level_of, state, scratch, ended = parts
        cut = cut_tables(tables, sizes)
        lanes, result = (state, clock, streams), (borrow(reward), borrow(flags))
        count = advance(
            borrow(action), lanes, ended, scratch, level_of, cut, rules, rewards, result
        )
        if is_plain:
            write(state, level_of, cut[0], rules, borrow(out))
        else:
            write(state, clock, level_of, cut[0], borrow(ground), rules, view, borrow(out))
        return count

    name = f"{write.__module__}.{write.__name__}.{'several' if several else 'one'}"
    step.__qualname__ = f"step.{name}"
    kernel: Callable[..., int] = compiled(step)
    return kernel
