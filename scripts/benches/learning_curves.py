"""What `sidestep bench learning` keeps of a run, and the figure that is drawn from it.

Success on the way is kept to what the figure shows: a point that a straight line between others
passes within three pixels is left out. Those at which a level was first reached are kept, so the
table's figures are those of all points.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sidestep.scripts.benches.trials import Outcome, Point, Trial
from sidestep.scripts.shared.colours import style_of
from sidestep.scripts.shared.curves import GREY, plain_axes

LEVELS = (0.95, 0.99)
"""Greedy success whose first showing counts."""
TOLERANCE = 0.01
"""Of success: three pixels of a panel of the figure, and half of what an evaluation of 500 episodes
is uncertain by at 95 %."""
PEERS = "Stable-Baselines3"
"""The panel of those whose names begin with SB3."""
Trials = dict[str, list[Trial]]
Axis = Callable[[Point], float]
AXES: dict[str, Axis] = {
    "seconds of training": lambda point: point.seconds,
    "thousand env steps": lambda point: point.steps / 1000,
}
"""Of the figure's rows."""


def slim(trial: Trial) -> Trial:
    """Keep of a run's curve what the figure shows, in numbers a digit finer than the table's."""
    points = [Point(round(p.steps, -3), round(p.seconds, 3), p.success) for p in trial.curve]
    return Trial(thinned(points), round(trial.seconds, 5), trial.steps, trial.outcomes)


def thinned(curve: Sequence[Point]) -> list[Point]:
    """Leave out points that lines between the others pass by less than TOLERANCE.

    Over seconds as over steps; the last point stays, and the first at each level.
    """
    known = np.array([Point(0, 0.0, 0.0), *curve], dtype=float)
    firsts = {next((n for n, p in enumerate(curve, 1) if p.success >= s), 0) for s in LEVELS}
    kept, begin = [], 0
    while begin < len(curve):
        last = min((n for n in firsts if n > begin), default=len(curve))
        end = begin + 1
        while end < last and _passes(known[begin : end + 2]):
            end += 1
        kept.append(curve[end - 1])
        begin = end
    return kept


def _passes(points: NDArray[np.float64]) -> bool:
    """Whether the line from the first to the last passes all others, (points, fields)."""
    return all(
        bool((abs(np.interp(x, x[[0, -1]], points[[0, -1], 2]) - points[:, 2]) <= TOLERANCE).all())
        for x in points.T[:2]
    )


def record_of(trials: Trials) -> dict[str, Any]:
    """Trials as results/learning.json has them: a curve's columns on a line each."""

    def columns(trial: Trial) -> dict[str, Any]:
        steps, seconds, success = zip(*trial.curve, strict=True) if trial.curve else ((), (), ())
        curve = {"thousand_steps": [n // 1000 for n in steps], "seconds": seconds}
        return trial._asdict() | {"curve": {**curve, "success": success}}

    return {name: [columns(trial) for trial in runs] for name, runs in trials.items()}


def trials_of(record: dict[str, Any]) -> Trials:
    """The trials of results/learning.json; earlier versions had curves as lists of points."""

    def trial(facts: dict[str, Any]) -> Trial:
        curve = facts["curve"]
        if isinstance(curve, dict):
            steps, seconds, success = curve.values()
            curve = zip([1000 * n for n in steps], seconds, success, strict=True)
        outcomes = [Outcome(*o) for o in facts["outcomes"]]
        return Trial([Point(*p) for p in curve], facts["seconds"], facts["steps"], outcomes)

    return {name: [trial(facts) for facts in runs] for name, runs in record["trials"].items()}


def source_of(trials: Trials) -> str:
    """A digest of what the figure shows, kept inside it."""
    curves = {name: [trial.curve for trial in runs] for name, runs in trials.items()}
    return hashlib.sha256(json.dumps(curves).encode()).hexdigest()


def learning_figure(trials: Trials, learners: Sequence[str]) -> Figure:
    """Greedy success: a row over seconds and one over steps, a panel a learner and one of peers.

    Args:
        trials: by contestant; ours begin with the learner's name, peers with SB3.
        learners: ours.
    """
    groups = {learner: _beginning(trials, f"{learner}, ") for learner in learners}
    peers = _beginning(trials, "SB3 ")
    if peers:
        groups[PEERS] = peers
    size = (4.8 * len(groups), 3.5 * len(AXES))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    rows = figure.subplots(len(AXES), len(groups), squeeze=False, sharey=True)
    for row, (label, axis) in zip(rows, AXES.items(), strict=True):
        for axes, (title, mine) in zip(row, groups.items(), strict=True):
            if title == PEERS:
                _beside(axes, {n: trials[n] for n in trials if n.endswith(", none")}, mine, axis)
            for number, (name, runs) in enumerate(mine.items()):
                _draw(axes, name, runs, axis, style_of(number))
            plain_axes(axes, label, "share of episodes at the goal" * (axes is row[0]))
            axes.set_title(title, loc="left", fontsize=11)
            axes.set_ylim(0, 1.02)
    if learners:
        rows[0][len(learners) - 1].legend(frameon=False, loc="lower right")
    if peers:
        rows[0][-1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.03))
    return figure


def _beginning(trials: Trials, word: str) -> Trials:
    """Those that begin so, by the rest of their names."""
    return {n.removeprefix(word): runs for n, runs in trials.items() if n.startswith(word)}


def _draw(axes: Any, name: str, runs: list[Trial], axis: Axis, style: dict[str, Any]) -> None:
    """Mean and range over seeds; runs that have ended stay as they are."""
    x, values = _values(runs, axis, _last(runs, axis))
    band = {"color": style["color"], "alpha": 0.15, "lw": 0}
    axes.fill_between(x, values.min(0), values.max(0), **band)
    axes.plot(x, values.mean(0), label=name.replace("none", "no memory"), **style)


def _beside(axes: Any, ours: Trials, peers: Trials, axis: Axis) -> None:
    """Ours without a memory in grey, on the axis of the peers."""
    most = max(_last(runs, axis) for runs in peers.values())
    for (name, runs), dashes in zip(ours.items(), ("solid", (0, (2, 1.5))), strict=False):
        x, values = _values(runs, axis, most)
        axes.plot(x, values.mean(0), color=GREY, linestyle=dashes, label=name.partition(",")[0])


def _last(runs: list[Trial], axis: Axis) -> float:
    """Where the longest ends; 0 where none was ever evaluated."""
    return max((axis(p) for t in runs for p in t.curve[-1:]), default=0.0)


def _values(
    runs: list[Trial], axis: Axis, most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (points,) from 0 to `most`, and success there, (seeds, points)."""
    x = np.linspace(0, most, 200)
    values = [
        np.interp(x, [0.0, *map(axis, t.curve)], [0.0, *(p.success for p in t.curve)]) for t in runs
    ]
    return x, np.array(values)
