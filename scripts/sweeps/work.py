"""What a worker does: trials until none is left, then the winner's runs."""

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sidestep.agents import make_vector
from sidestep.scripts.shared.console import console
from sidestep.scripts.shared.loop_bar import leave, stoppable
from sidestep.scripts.shared.modules import import_named
from sidestep.scripts.train import ResumeOptions, has_ended, resume, train
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.sequence.fitting.folder import LOCK, writing
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.records import read_record

from .study import Busy, Study, Taken
from .sweep import Sweep, sweep_of
from .trial import Pruned, Stopped, middle, run_trial
from .workers import Worker

PAUSE = 0.5
"""Seconds between two looks at what others do."""
Stop = Callable[[], bool]


def make_trials(
    sweep: Sweep, study: Study, stop: Stop, each: Callable[[], object] = lambda: None
) -> None:
    """Make trials until all are made, over all workers, or until `stop` says so.

    Args:
        sweep: what is searched.
        study: its storage.
        stop: is asked after every update.
        each: is called whenever something has changed.
    """
    torch.set_num_threads(sweep.options.training.threads)
    with Worker(sweep.folder / "workers") as worker:
        while not stop():
            taken = study.take(worker, sweep.options.trials)
            if taken is None:
                break
            if isinstance(taken, Busy):
                time.sleep(PAUSE)
            else:
                _make(sweep, study, taken, stop, each)
            each()


def _make(sweep: Sweep, study: Study, taken: Taken, stop: Stop, each: Callable[[], object]) -> None:
    """Make one trial, and note how it ended: no trial ends the search."""

    def report(rung: int, value: float) -> bool:
        go_on = study.report(taken, rung, value)
        each()
        return go_on

    try:
        options = sweep.options_of(sweep.space.point_of(taken.stored))
        values = run_trial(sweep.plan(study.optimum), options, report, stop)
    except Pruned:
        study.prune(taken)
    except FloatingPointError as error:  # settings to keep away from, as the sampler is to know
        study.prune(taken, why=f"not finite: {error}")
    except (Stopped, KeyboardInterrupt):
        study.give_back(taken)
    except Exception as error:
        study.fail(taken, f"{type(error).__name__}: {' '.join(str(error).split())}")
    else:
        if all(map(math.isfinite, values)):
            study.complete(taken, middle(values), seeds=values)
        else:
            study.prune(taken, why=f"not finite: {values}")


def winners_of(sweep: Sweep, number: int) -> list[Path]:
    """The folders of a trial's runs on fresh seeds."""
    return [sweep.folder / "winner" / f"trial-{number}" / f"seed-{seed}" for seed in
            sweep.fresh_seeds()]  # fmt: skip


def run_winner(sweep: Sweep, number: int, stored: dict[str, Any], stop: Stop) -> None:
    """Train a trial's settings on fresh seeds, as plain runs; each by whoever comes first.

    Args:
        sweep: what was searched.
        number: of the trial.
        stored: its parameters, as the study keeps them.
        stop: ends it; a run is left with a checkpoint.
    """
    options = sweep.options_of(sweep.space.point_of(stored))
    folders = winners_of(sweep, number)
    while not stop():
        for folder, seed in zip(folders, sweep.fresh_seeds(), strict=True):
            if not stop() and not is_made(sweep, folder):
                training = replace(options.training, seed=seed)
                _run(sweep, folder, replace(options, out=folder, training=training))
        if all(is_made(sweep, folder) for folder in folders):
            return
        time.sleep(PAUSE)


def is_made(sweep: Sweep, folder: Path) -> bool:
    """Whether a winner's run is over: trained to its end, and the pictures of its end drawn."""
    training = sweep.options.training  # its length is the same in all trials
    try:
        last = latest_checkpoint(folder)
        if not has_ended(folder, last):
            return False
        steps = read_record(last)["steps"]
    except FileNotFoundError:  # not begun, or another process is just writing
        return False
    told = [r["evaluation"] for r in read_log(folder) if "evaluation" in r]
    successes = [figures["success"][0] for figures in told if "success" in figures]
    enough = training.stop_at_success > 0 and max(successes, default=0) >= training.stop_at_success
    return enough or bool(steps >= training.total_steps)


def _run(sweep: Sweep, folder: Path, options: Any) -> None:
    """Train, or go on with, one run, unless another process does."""
    try:
        with writing(folder):
            if is_made(sweep, folder):
                return
            if list(folder.glob("checkpoint-*.json")):
                resume(ResumeOptions(folder, None, None, options.episodes, options.gif_episodes))
                return
            for left in folder.iterdir():  # by a process that was killed before its checkpoint
                if left.name != LOCK:
                    left.unlink()
            with closing(make_vector(options.env_config(), options.training.num_envs)) as env:
                train(sweep.learner, options, env)
    except BlockingIOError:
        return


def work_in_process(learner: str, args: list[str], modules: list[str]) -> None:
    """Be one of a command's processes: silent, and gone with the command that started it."""
    console.quiet = True
    for name in modules:
        import_named(name)
    threading.Thread(target=_follow, daemon=True).start()
    with stoppable() as caught:

        def stop() -> bool:
            return bool(caught)

        sweep = sweep_of(learner, args, check=False)
        study = Study(sweep.folder, sweep.space, sweep.record(), lambda: None)
        make_trials(sweep, study, stop)
        best = study.best()
        if best is not None and not stop():
            run_winner(sweep, best.number, best.params, stop)
    leave(caught[0] if caught else None)


def _follow() -> None:
    """Ask this process to stop when the command that started it is gone, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
