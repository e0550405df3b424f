"""`sidestep bench solver`: time and memory of the exact optimum as the level grows.

Levels have up to 24 patrols on tracks of 2 to 7 cells by turns, so that their common period is 240
ticks however large the level. Processor time of one thread; memory is the most that numpy had at
once.
"""

import time
import tracemalloc
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from matplotlib.figure import Figure

from sidestep.envs import Unsolvable, WorldConfig, solve
from sidestep.envs.solver.worlds import rules_of
from sidestep.scripts.benches.records import write_figure, write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns, shown
from sidestep.scripts.shared.console import command
from sidestep.scripts.shared.curves import BLUE, GREEN, ORANGE, plain_axes
from sidestep.sequence.limits import COUNT, at_least

EXAMPLES = """\
  sidestep bench solver
  sidestep bench solver --rounds 1 --out figures"""

SIDES = (5, 8, 12, 16, 24, 32, 48, 64)
LENGTHS, LONG_LENGTHS = (2, 3, 4, 5, 6, 7), (7, 8, 12, 14, 18)
"""Cells of the tracks; their periods 2 (length - 1) have common multiples of 120 and 204,204."""
MOST_PATROLS, PATIENCE = 24, 4.0
"""No further round after so many seconds."""
COLUMNS = (
    "world",
    "patrols",
    "wanderers",
    "starts",
    "states of a start",
    "s",
    "MB",
    "return",
    "success",
)


@dataclass(frozen=True)
class Options(Flags):
    """Measure the solver on levels from 5x5 to 64x64."""

    rounds: int = 3
    """Times that every level is solved; the fastest counts."""
    largest: int = SIDES[-1]
    """Largest side in cells."""
    limits: ClassVar = {"rounds": COUNT, "largest": at_least(SIDES[0])}


def run(options: Options) -> None:
    """Measure every world; print, draw and write the result."""
    for max_ticks in (1, None):  # compiles: with a limit, and sweeps until values settle
        solve(WorldConfig(), max_ticks=max_ticks, seeds=[0])
    cases = {
        name: partial(measure, *case, options.rounds)
        for name, case in worlds(options.largest).items()
    }
    rows = [{"world": name, **row} for name, (row,) in by_turns("solver", cases).items()]
    refusals = refused()
    solved = shown("The solver as the level grows", COLUMNS, [printed(row) for row in rows])
    write_figure(options.out, "solver", drawn(rows))
    record = {"rounds": options.rounds, "rows": rows, "refused": refusals}
    write_result(options, "solver", record, _markdown(solved, refusals))


def level_of(side: int, lengths: tuple[int, ...]) -> str:
    """A level of that side: patrols across and down on tracks closed by walls, scattered by seed.

    Args:
        side: in cells.
        lengths: of the tracks, by turns.
    """
    random, rows = np.random.default_rng(side), np.full((side, side), ".")
    rows[0, 0], rows[-1, -1] = "S", "G"
    patrols = min(MOST_PATROLS, side * side // 16)
    for number in range(patrols):
        length, turned = lengths[number % len(lengths)], number % 2 == 1
        for _ in range(1000):
            board = rows.T if turned else rows
            y, x = random.integers(1, side - 1), random.integers(0, max(1, side - length - 1))
            track = board[y, x : x + length + 2]
            if len(track) == length + 2 and (track == ".").all():
                track[[0, -1]], track[1] = "#", "v" if turned else ">"
                track[2:-1] = "_"  # kept free of other walls
                break
    return "\n".join("".join(row) for row in rows).replace("_", ".")


def worlds(largest: int) -> dict[str, tuple[WorldConfig, int | None]]:
    """What is solved: the registered worlds, larger and larger levels, more and more wanderers."""
    cases: dict[str, tuple[WorldConfig, int | None]] = {}
    for env_id in ("sidestep/MovingObstacles-v0", "sidestep/Book-v0"):
        cases[env_id.split("/")[1]] = rules_of(gym.make(env_id))
    for side in SIDES:
        if side <= largest:
            cases[f"{side}x{side}"] = fixed(level_of(side, LENGTHS)), None
    for number in (1, 2, 3):
        name = f"5x5, {number} wanderer{'s' * (number > 1)}"
        cases[name] = fixed(f"S....\n..>..\n.<...\n...>.\n{'?' * number:.<4}G"), 30
    return cases


def fixed(level: str) -> WorldConfig:
    """A world with one start; ticks cost little, so that long ways pay."""
    return WorldConfig(level=level, random_starts=False, step_reward=-0.005)


def refused() -> dict[str, str]:
    """What is too large, and the words with which it is refused."""
    cases: dict[str, tuple[WorldConfig, int | None]] = {
        "32x32, tracks of 7 to 18 cells": (fixed(level_of(32, LONG_LENGTHS)), None),
        "32x32, random starts": (WorldConfig(level=level_of(32, LENGTHS)), 100),
        "5x5, 4 wanderers": (WorldConfig(level="S....\n..?..\n.?.?.\n..?..\n....G"), 100),
    }
    words = {}
    for name, (config, max_ticks) in cases.items():
        try:
            solve(config, max_ticks=max_ticks)
        except Unsolvable as error:
            words[name] = str(error)
    return words


def measure(config: WorldConfig, max_ticks: int | None, rounds: int) -> dict[str, Any]:
    """The fastest of some rounds, and the memory of one."""
    seconds: list[float] = []
    while len(seconds) < rounds and sum(seconds) < PATIENCE:
        begin = time.thread_time()
        solution = solve(config, max_ticks=max_ticks)
        seconds.append(time.thread_time() - begin)
    del solution
    tracemalloc.start()
    try:
        solution = solve(config, max_ticks=max_ticks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    obstacles = config.map.obstacles
    wanderers = sum(o.is_wanderer for o in obstacles)
    return {
        "cells": config.map.width * config.map.height,
        "patrols": len(obstacles) - wanderers,
        "wanderers": wanderers,
        "starts": len(solution.starts.weight),
        "states": solution.states,
        "seconds": min(seconds),
        "megabytes": peak / 1e6,
        "return": solution.mean_return,
        "success": solution.success,
    }


def printed(row: dict[str, Any]) -> list[str]:
    """A row as text."""
    counts = [f"{row[key]:,}" for key in ("patrols", "wanderers", "starts", "states")]
    figures = [f"{row['seconds']:.3f}", f"{row['megabytes']:.1f}", f"{row['return']:.4f}"]
    figures.append(f"{row['success']:.2%}")
    return [row["world"], *counts, *figures]


def drawn(rows: list[dict[str, Any]]) -> Figure:
    """Seconds and memory over the states of all starts, on logarithmic axes."""
    figure = Figure(figsize=(8.6, 3.8), dpi=130, layout="constrained")
    kinds = [("registered worlds", GREEN, "s"), ("square levels", BLUE, "o-")]
    kinds += [("with wanderers", ORANGE, "D-")]
    panels = (("seconds", "seconds, one thread"), ("megabytes", "memory in MB"))
    for axes, (key, label) in zip(figure.subplots(1, 2), panels, strict=True):
        for number, (name, colour, style) in enumerate(kinds):
            chosen = [row for row in rows if _kind(row) == number]
            states = [row["starts"] * row["states"] for row in chosen]
            axes.plot(states, [r[key] for r in chosen], style, color=colour, lw=1, ms=5, label=name)
        for row in rows:
            above = _kind(row) == 1
            axes.annotate(
                row["world"].split(", ")[-1].replace("-v0", ""),
                (row["starts"] * row["states"], row[key]),
                textcoords="offset points",
                xytext=(-5, 4) if above else (5, -10),
                ha="right" if above else "left",
                fontsize=7,
                color="#555555",
            )
        axes.set(xscale="log", yscale="log")
        plain_axes(axes, "states, all starts", label)
        axes.margins(0.2)
    figure.axes[0].legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def _kind(row: dict[str, Any]) -> int:
    if row["wanderers"]:
        return 2
    return 0 if row["world"].endswith("-v0") else 1


def _markdown(rows: str, refusals: dict[str, str]) -> str:
    words = "\n".join(f"- {name}: `{text}`" for name, text in refusals.items())
    return f"""## The solver

`sidestep.envs.solve` with discount 1, compiled code loaded; processor time of one thread. The
square levels have one start and no time limit: patrols on tracks of 2 to 7 cells, whose common
period is 240 ticks from 12x12 on, so states are 240 times the free cells, swept until values
settle; a tick costs 0.005. With wanderers the limit is 30 ticks. [How it works](optimum.md).

{rows}

![Seconds and memory of the solver over the number of states](figures/solver.png)

What is too large is refused, with words on what to change:

{words}"""


main = command("bench solver", Options, run, EXAMPLES)
