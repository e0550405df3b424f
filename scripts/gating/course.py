"""What a cell did over a text or an episode, step by step: states, gates, and how right it was.

Axis letters: T steps, H hidden units.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.agents.insight import Insight
from sidestep.scripts.shared.forcing import Forcing

Numbers = NDArray[np.float64]


class Course(NamedTuple):
    """T steps of one cell."""

    labels: tuple[tuple[str, ...], ...]
    """Of each step, what stands before its figures in a table: what was read, what was done."""
    states: Mapping[str, Numbers]
    """(T, H) by name, h first."""
    gates: Mapping[str, Numbers]
    """(T, H) by letter."""
    right: Numbers
    """(T,) how right each step was: a probability or a value; NaN where that is not known."""

    def __len__(self) -> int:
        """T."""
        return len(self.right)

    def cells(self, step: int) -> list[str]:
        """The figures of a step: what was right, norms of the states, means of the gates."""
        right = self.right[step]
        figures = ["-" if np.isnan(right) else f"{right:.3f}"]
        figures += [f"{np.linalg.norm(rows[step]):.2f}" for rows in self.states.values()]
        return figures + [f"{rows[step].mean():.2f}" for rows in self.gates.values()]

    @property
    def columns(self) -> list[str]:
        """The names of `cells` but for the first."""
        return [*(f"|{name}|" for name in self.states), *self.gates]


def course_of_record(
    record: Any, words: Mapping[str, str], forcing: Forcing, labels: Any, right: Any
) -> Course:
    """The course of a layer's trace.

    Args:
        record: of `Trace.cells`, of a batch of 1.
        words: the layer's `gate_words`.
        forcing: says how z is counted.
        labels: of the steps.
        right: (T,) probabilities.
    """
    rows = {name: rows[:, 0].double().numpy() for name, rows in record._asdict().items()}
    gates = {name: forcing.gate(name, rows[name]) for name in rows if name in words}
    states = {name: rows[name] for name in ("h", "c") if name in rows}
    return Course(tuple(labels), states, gates, np.asarray(right, dtype=np.float64))


def course_of_insights(
    insights: list[Insight], forcing: Forcing, labels: Any, right: Any
) -> Course:
    """The course of an episode, from what an agent thought in each of its ticks."""
    seen = [forcing.shown(insight) for insight in insights]
    states = {"h": np.array([i.units for i in seen], dtype=np.float64)}
    if seen[0].cells is not None:
        states["c"] = np.array([i.cells for i in seen], dtype=np.float64)
    gates = {
        name: np.array([i.gates[k][1] for i in seen], dtype=np.float64)
        for k, (name, _) in enumerate(seen[0].gates)
    }
    return Course(tuple(labels), states, gates, np.asarray(right, dtype=np.float64))
