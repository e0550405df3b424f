"""The winner of a search, run again on seeds that the search has not seen."""

import time
from pathlib import Path
from typing import Any

from sidestep.scripts.shared.modules import NAMED
from sidestep.scripts.studies import seeds
from sidestep.scripts.studies.run import TARGET
from sidestep.scripts.train import ending

from .sweep import Sweep

PAUSE = 0.5
"""Seconds between two looks at what another process does."""


def runs_of(sweep: Sweep, number: int, stored: dict[str, Any]) -> seeds.Study:
    """The runs of a trial's settings on fresh seeds: plain ones, of a study with `--seeds`.

    Args:
        sweep: what was searched.
        number: of the trial; each has a folder of its own.
        stored: its parameters, as the search's study keeps them.
    """
    options = sweep.options
    run = sweep.run_of(sweep.space.point_of(stored))
    folder = sweep.folder / "winner" / f"trial-{number}"
    return seeds.Study(run, sweep.fresh_seeds(), folder, options.episodes, options.gif_episodes)


def make_runs(sweep: Sweep, runs: seeds.Study, stop: list[str]) -> list[int]:
    """Make what is missing of a winner's runs, and show all; returns the seeds that failed.

    Args:
        sweep: what was searched.
        runs: of the winner.
        stop: once something is in it, all runs save and end.
    """
    typed = ["sweep", sweep.learner, *sweep.args]
    task = {"modules": list(NAMED), "typed": typed, "more": ending(sweep.options)}
    while not stop:
        try:
            return seeds.make_runs(
                runs, TARGET, min(sweep.options.jobs, len(runs.seeds)), task, stop
            )
        except BlockingIOError:  # somebody who has joined the search makes them
            time.sleep(PAUSE)
    return []


def folders_of(runs: seeds.Study) -> list[Path]:
    """The folders of the runs."""
    return [runs.folder_of(seed) for seed in runs.seeds]
