"""`sidestep bench world`: steps per second of the world, beside what Gymnasium itself installs.

Everything goes through the public API, one thread, ours and the peer by turns in one run. Time is
the thread's processor time, and what counts is the ratio within a round: a busy machine changes
these least.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.scripts.benches.limits import limits
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns, shown
from sidestep.scripts.benches.trials import ENV
from sidestep.scripts.shared.console import command
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import COUNT, Limit

EXAMPLES = """\
  sidestep bench world
  sidestep bench world --quick --out figures"""

VECTOR_PEER, SINGLE_PEER, MINIGRID = (
    "CartPole-v1",
    "FrozenLake-v1",
    "MiniGrid-Dynamic-Obstacles-5x5-v0",
)
LANES = (64, 1024, 4096)
CROSSING = "sidestep/Crossing-v0"
TARGETS = {
    "single": {"features": 1.5, "planes": 1.25, "window": 1.25},
    "vector 64": {"features": 10.0},
    "vector 1024": {"features": 5.0},
    "vector 4096": {"features": 2.5, "planes": 2.0, "window": 1.0},
}
"""The least ratio to the peer that the project asks of itself, by setting and observation."""
START = """
import json, sys, time
begin = time.process_time()
import gymnasium
base = time.process_time()
import sidestep.envs
loaded = time.process_time()
env = gymnasium.make_vec("{env}", 2)
env.reset(seed=0)
env.step([0, 0])
figures = [base - begin, loaded - base, time.process_time() - loaded]
print(json.dumps(figures), file=sys.stderr)
"""
TRAIN = """
import json, os, sys, time
from sidestep.scripts import train
from torch.optim.optimizer import register_optimizer_step_post_hook
begin = time.process_time()

def first(*args, **keywords):
    print(json.dumps([time.process_time() - begin]), file=sys.stderr, flush=True)
    os._exit(0)

register_optimizer_step_post_hook(first)
train.main(["{learner}", "--out", "run"])
"""

Runner = Callable[[int], float]
"""Plays that many ticks, and says how many seconds of processor time they took."""


@dataclass(frozen=True)
class Options(Flags):
    """Measure the world's speed beside FrozenLake (single) and CartPole (native vector)."""

    rounds: int = 15
    """Times that everybody is measured, by turns."""
    seconds: float = 0.15
    """Of each measurement, about."""
    quick: bool = False
    """Three short rounds: a look, not a result."""
    limits: ClassVar = {
        "rounds": COUNT,
        "seconds": Limit("a number above 0 and up to 60", lambda value: 0 < value <= 60),
    }


def run(options: Options) -> None:
    """Measure everybody, print and write the result."""
    rounds = 3 if options.quick else options.rounds
    seconds = 0.01 if options.quick else options.seconds
    start = by_turns("start-up", {"processes": partial(startup, 1 if options.quick else 5)})
    rates = {
        name: by_turns(name, sized(runners, seconds), [()] * rounds)
        for name, runners in contestants().items()
    }
    rows = [row for name in rates for row in summary(name, rates[name])]
    record = {"rounds": rounds, "seconds": seconds, "rows": rows, "start": start["processes"][0]}
    record |= {"targets": TARGETS, "rates": rates}
    write_result(options, "world", record, _markdown(rows, start["processes"][0]))


def contestants() -> dict[str, dict[str, Runner]]:
    """For each setting the peer first, then ours with every observation, then what limits them."""
    groups: dict[str, dict[str, Runner]] = {"single": {SINGLE_PEER: single(SINGLE_PEER)}}
    groups["single"] |= {name: single(ENV, observation=name) for name in OBSERVATIONS}
    groups["single"][CROSSING] = single(CROSSING)
    if find_spec("minigrid"):
        importlib.import_module("minigrid")  # registers its ids
        groups["single"][MINIGRID] = single(MINIGRID)
    for lanes in LANES:
        groups[f"vector {lanes}"] = {VECTOR_PEER: vector(VECTOR_PEER, lanes)}
        groups[f"vector {lanes}"] |= {
            name: vector(ENV, lanes, observation=name) for name in OBSERVATIONS
        }
        groups[f"vector {lanes}"][CROSSING] = vector(CROSSING, lanes)
        groups[f"vector {lanes}"] |= limits(lanes)
    return groups


def single(env_id: str, **config: Any) -> Runner:
    """One environment through `gym.make`, with the wrappers that it puts round it."""
    env = gym.make(env_id, **config)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    actions = np.random.default_rng(0).integers(0, env.action_space.n, 4096).tolist()
    env.reset(seed=0)

    def play(ticks: int) -> float:
        begin = time.thread_time()
        for tick in range(ticks):
            _, _, terminated, truncated, _ = env.step(actions[tick & 4095])
            if terminated or truncated:
                env.reset()
        return time.thread_time() - begin

    return play


def vector(env_id: str, lanes: int, **config: Any) -> Runner:
    """A native vector environment through `gym.make_vec`, which restarts lanes by itself."""
    env = gym.make_vec(env_id, lanes, **config)
    assert isinstance(env.single_action_space, gym.spaces.Discrete)
    actions = np.random.default_rng(0).integers(0, env.single_action_space.n, (64, lanes))
    env.reset(seed=0)

    def play(ticks: int) -> float:
        begin = time.thread_time()
        for tick in range((ticks + lanes - 1) // lanes):
            env.step(actions[tick & 63])
        return time.thread_time() - begin

    return play


def sized(runners: dict[str, Runner], seconds: float) -> dict[str, Callable[[], float]]:
    """Measures of steps per second, in so many ticks that each takes about `seconds`."""

    def rate(play: Runner, ticks: int) -> float:
        return ticks / play(ticks)

    measures: dict[str, Callable[[], float]] = {}
    for name, play in runners.items():
        size, took = 8192, play(8192)  # compiles, and fills caches
        while (took := play(size)) < seconds / 4:
            size *= 2
        measures[name] = partial(rate, play, max(1, int(size * seconds / took)))
    return measures


def summary(setting: str, rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """A row for everybody: median rate, and the ratios to the peer of the same round."""
    peer, *_ = rates
    rows = []
    for name, values in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(values, rates[peer], strict=True)]
        row = {"setting": setting, "name": name, "peer": peer, "rate": statistics.median(values)}
        row |= {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
        rows.append(row)
    return rows


def startup(repeats: int) -> dict[str, float]:
    """Processor seconds of a new process, without compiled code on disk and with it.

    Up to its first tick; and of `sidestep train` from the end of the imports to its first step down
    a gradient.
    """
    tick, train = START.format(env=ENV), TRAIN.format
    with tempfile.TemporaryDirectory() as cache:
        first = _told(tick, cache)
        later = [_told(tick, cache) for _ in range(repeats)]
    updates = {}
    with tempfile.TemporaryDirectory() as cache:
        (compiling,) = _told(train(learner="deep-sarsa"), cache)
        updates["first update of train deep-sarsa, compiling"] = compiling
        for learner in ("deep-sarsa", "reinforce"):
            known = [_told(train(learner=learner), cache)[0] for _ in range(repeats)]
            updates[f"first update of train {learner}, from the cache"] = statistics.median(known)
    import_gymnasium, imported, cached = (
        statistics.median(column) for column in zip(*later, strict=True)
    )
    return {
        "import gymnasium": import_gymnasium,
        "import sidestep.envs": imported,
        "first tick, compiling": first[2],
        "first tick, from the cache": cached,
        **updates,
    }


def _told(program: str, cache: str) -> list[float]:
    """What a program says on the last line of its standard error, run in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "NUMBA_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=True,
        )
    figures: list[float] = json.loads(ran.stderr.splitlines()[-1])
    return figures


def printed(row: dict[str, Any]) -> list[str]:
    """A summary's row as text."""
    is_peer = row["name"] == row["peer"]
    name = f"ours, {row['name']}" if row["name"] in (*OBSERVATIONS, CROSSING) else row["name"]
    ratios = ["1", "", ""] if is_peer else [f"{row[key]:.2f}" for key in ("ratio", "low", "high")]
    return [row["setting"], name, f"{row['rate'] / 1e6:.3g}", *ratios]


def _markdown(rows: list[dict[str, Any]], start: dict[str, float]) -> str:
    columns = ["setting", "world", "million steps/s", "ratio", "lowest", "highest"]
    speed = shown("Speed of the world", columns, [printed(row) for row in rows])
    begin = markdown_table(["start-up", "seconds"], [[k, f"{v:.2f}"] for k, v in start.items()])
    held = [
        [
            row["setting"],
            row["name"],
            f"{least:g}",
            f"{row['ratio']:.2f}",
            "yes" if row["ratio"] >= least else "no",
        ]
        for row in rows
        if (least := TARGETS[row["setting"]].get(row["name"])) is not None
    ]
    aims = markdown_table(["aim", "observation", "at least", "measured", "reached"], held)
    return f"""## Speed of the world

`single` is `{ENV}` through `gym.make`, `vector N` its native vector env with N lanes
through `gym.make_vec`; random actions, restarts included, one thread, processor time. The ratio
is ours over the first row of the same setting within a round, which measures everybody by turns:
median, lowest and highest round. `{CROSSING}` has sixteen patrols, walls, a level for each lane and
a window of 7x7 cells. What the machine itself allows stands below: the rules of `{ENV}` in plain C,
one lane after the other into the same arrays, called without any API (where there is a compiler),
and a copy of the observations of one tick.

{speed}

{aims}

A new process, in seconds of processor time; compiling happens once and is then kept on disk. An
update is the first step down a gradient, counted from the end of the imports:

{begin}"""


main = command("bench world", Options, run, EXAMPLES)
