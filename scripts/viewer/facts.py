"""The numbers of a tick, as a page writes them beside its picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidestep.agents.acting.infos import read_flag
from sidestep.scripts.viewer.session import Session

Facts = dict[str, Any]
"""Of one lane in one tick: plain numbers, words and lists, ready for JSON."""
DIGITS = 6
"""That count, of every number."""


def facts_of(session: Session) -> Facts:
    """Gather a session's present tick.

    Returns:
        seed, episode (from 1), tick, action (its number), reward (that came with this tick), return
        (so far), value (of the situation), scores (A,), exact (A,) and success; None where there
        is nothing to tell, as an action after the episode's last tick.
    """
    now, tally = session.now, session.tally
    insight = None if now.impression is None else now.impression.insight
    return {
        "seed": now.episode.seed,
        "episode": tally.episodes + (not tally.over),
        "tick": now.tick,
        "action": now.action,
        "reward": _number(session.reward) if now.tick else None,
        "return": _number(tally.total),
        "value": None if insight is None else _number(insight.value),
        "scores": None if insight is None else _numbers(insight.scores),
        "exact": None if now.action is None else _numbers(now.optimal),
        "over": tally.over,
        "success": read_flag(session.info, "is_success") if tally.over else None,
    }


def shows_probabilities(session: Session) -> bool:
    """Whether the scores of the present tick are probabilities, and not values."""
    impression = session.now.impression
    return impression is not None and impression.insight.are_probabilities


def _number(x: float | None) -> float | None:
    """A number of `DIGITS` digits; None where JSON has none for it."""
    return None if x is None or not np.isfinite(x) else float(f"{x:.{DIGITS}g}")


def _numbers(x: NDArray[Any] | None) -> list[float | None] | None:
    return None if x is None else [_number(float(number)) for number in x]
