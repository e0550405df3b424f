"""`sidestep bench view`: time of a frame of the viewer, panel by panel, and what `--watch` costs.

Frames are processor time of one thread. Every frame is that of a new tick: the world is played,
the agent thinks, what the panel shows is worked out, and the whole picture is drawn off screen. An
untrained agent does: what is drawn does not depend on what it has learned. What `train --watch`
costs is the time of a whole training with the window over that without, by turns.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pygame
import torch

from sidestep.agents import DeepSarsa
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.player import Player
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns, shown
from sidestep.scripts.benches.trials import LEARNERS
from sidestep.scripts.shared.console import command
from sidestep.scripts.viewer.exact_values import exact_values_of
from sidestep.scripts.viewer.panels.moment import Curve
from sidestep.scripts.viewer.panels.registry import BY_DEFAULT, NAMES
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.session import Session
from sidestep.scripts.viewer.view import DEFAULT_SIZE
from sidestep.sequence.limits import COUNT, at_least

EXAMPLES = """\
  sidestep bench view
  sidestep bench view --frames 50 --rounds 1 --out figures"""

ENVS = ("sidestep/Glimpse-v0", "sidestep/Crossing-v0")
MEMORY = {"attention": "attention"}
"""What a panel needs; LSTM, which has most to show, for all others."""
COLUMNS = ("panels", "5x5: median ms", "99 %", "12x12: median ms", "99 %")
NO_END = ("--episodes", "1", "--gif-episodes", "0")
"""A training without the table and the film at its end."""
WARM_UP = 5
TARGET = 1000 / 60
"""Milliseconds of a frame at 60 frames a second."""


@dataclass(frozen=True)
class Options(Flags):
    """Measure the time of a frame with each panel, and the cost of `train --watch`."""

    frames: int = 300
    """Frames of every row."""
    rounds: int = 3
    """Of training with and without a window, by turns."""
    steps: int = 4_000_000
    """Of each training."""
    limits: ClassVar = {"frames": at_least(10), "rounds": COUNT, "steps": COUNT}


def run(options: Options) -> None:
    """Measure every panel; print and write the result."""
    torch.set_num_threads(1)
    cases = {"none": (), **{name: (name,) for name in NAMES}}
    cases |= {"by default": BY_DEFAULT, "all": NAMES, "none, 16 lanes": (), "none, 64 lanes": ()}
    frames = {
        f"{name}, {env_id}": partial(measure, env_id, panels, lanes_in(name), options.frames)
        for name, panels in cases.items()
        for env_id in ENVS
    }
    timed = by_turns("view", frames)
    rows: list[dict[str, Any]] = [
        {"panels": name, **{env_id: timed[f"{name}, {env_id}"][0] for env_id in ENVS}}
        for name in cases
    ]
    trainings = {
        f"train {learner}{' --watch' * watch}": partial(
            training_seconds, learner, watch, options.steps
        )
        for learner in LEARNERS
        for watch in (False, True)
    }
    seconds = by_turns("trainings", trainings, [()] * options.rounds)
    watched = {
        name: [
            list(pair)
            for pair in zip(seconds[f"train {name}"], seconds[f"train {name} --watch"], strict=True)
        ]
        for name in LEARNERS
    }
    printed = [
        [row["panels"], *(word for env_id in ENVS for word in _figures(row[env_id]))]
        for row in rows
    ]
    frame = shown("A frame of the viewer", COLUMNS, printed)
    record = {"frames": options.frames, "size": DEFAULT_SIZE, "rows": rows, "watched": watched}
    page = f"{_markdown(frame, options)}\n{_watched_markdown(watched, options)}"
    write_result(options, "view", record, page)


def lanes_in(name: str) -> int:
    """How many lanes a case has, by its name."""
    words = name.split()
    return int(words[-2]) if words[-1] == "lanes" else 1


def measure(env_id: str, panels: tuple[str, ...], lanes: int, frames: int) -> dict[str, float]:
    """Milliseconds of a frame.

    Args:
        env_id: one of this package's worlds.
        panels: that are on.
        lanes: side by side.
        frames: how many are timed.

    Returns:
        "median" and "p99".
    """
    memory = MEMORY.get(panels[0], "lstm") if len(panels) == 1 else "lstm"
    sessions = []
    for lane in range(lanes):
        env = gym.make(env_id, render_mode="rgb_array")
        if lane == 0:
            config, _ = preset("deep-sarsa", env_id, memory)
            agent = DeepSarsa(env.observation_space, env.action_space, config)
            exact = exact_values_of(env, 0.99)
        curve = Curve(tuple((k, k / 99) for k in range(500)), tuple((k, 0.5) for k in range(500)))
        player = Player(agent, greedy=False)
        sessions.append(Session(env, player, lane, lanes, exact, curve))
    screen = Screen(sessions, panels=panels)
    surface, times = pygame.Surface(DEFAULT_SIZE, 0, 32), []
    for _ in range(WARM_UP + frames):
        begin = time.process_time()
        screen.tick(resting=False)
        screen.draw(surface, screen.status())
        times.append(1000 * (time.process_time() - begin))
    for session in sessions:
        session.env.close()
    timed = np.array(times[WARM_UP:])
    return {"median": float(np.median(timed)), "p99": float(np.percentile(timed, 99))}


def training_seconds(learner: str, watch: bool, steps: int) -> float:
    """Seconds of a whole `sidestep train`; its window has no screen where there is none.

    Args:
        learner: with its default settings.
        watch: with a window.
        steps: of training.
    """
    words = ["-m", "sidestep.scripts.cli", "train", learner, "--total-steps", str(steps)]
    words += [*NO_END, *["--watch"] * watch]
    screen = {} if os.environ.get("DISPLAY") else {"SDL_VIDEODRIVER": "dummy"}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, *words, "--out", f"{folder}/run"],
            env=os.environ | screen,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - begin


def _watched_markdown(watched: dict[str, list[list[float]]], options: Options) -> str:
    rows = []
    for learner, seconds in watched.items():
        plain, seen = (statistics.median(column) for column in zip(*seconds, strict=True))
        ratio = statistics.median(b / a for a, b in seconds)
        rows.append([learner, f"{plain:.1f}", f"{seen:.1f}", f"{ratio:.2f}"])
    columns = ["learner", "seconds", "with --watch", "ratio"]
    table = shown("Training with a window", columns, rows)
    return f"""\
`sidestep train` with and without `--watch`, by turns: seconds of the whole command, medians, and
the median ratio within a round. Rounds: {options.rounds} of {options.steps:,} steps.

{table}"""


def _figures(result: dict[str, float]) -> list[str]:
    return [f"{result['median']:.1f}", f"{result['p99']:.1f}"]


def _markdown(frame: str, options: Options) -> str:
    width, height = DEFAULT_SIZE
    return f"""\
## A frame of the viewer

Milliseconds of processor time from tick to picture at {width} x {height}, one thread: playing,
thinking, working out what the panel shows, drawing; the median and the 99th percentile of
{options.frames} frames, each of a new tick. At 60 frames a second there are {TARGET:.1f} ms. The
window draws only when something has changed: at 5 ticks a second, five times.

{frame}
"""


main = command("bench view", Options, run, EXAMPLES)
