"""One training with many seeds: which seeds, what is done of them already, table and curve."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sidestep.agents import RunConfig
from sidestep.agents.environments import final_episodes
from sidestep.scripts.shared.console import console, say, warn
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.groups import Evaluated, flat_settings
from sidestep.scripts.studies.curve import seeds_figure
from sidestep.scripts.studies.found import final_of, found_run
from sidestep.scripts.studies.jobs import Job, run_jobs
from sidestep.scripts.studies.tables import counted, seeds_table, write_csv
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.sequence.fitting.folder import writing
from sidestep.sequence.fitting.records import read_record
from sidestep.sequence.limits import LAST_SEED

FORM = "a count as 10, a list as 0,3,7, a range as 20-29 with both ends, or several as 0-4,9"
MOST_SEEDS = 10_000
"""More runs than this are a slip of the finger."""
CURVE, TABLE = "curve.png", "table.csv"


def seeds_of(text: str) -> list[int]:
    """Read which seeds are meant: `10` is 0 to 9, `0,3,7` these, `20-29` ten of them.

    Raises:
        ValueError: no seeds, or one of them twice.
    """
    if re.fullmatch(r"\d+", text):
        if not 1 <= int(text) <= MOST_SEEDS:
            raise ValueError(f"seeds: expected a count of 1 to {MOST_SEEDS}, got {text}")
        return list(range(int(text)))
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last <= LAST_SEED or last - first + len(seeds) >= MOST_SEEDS:
            raise ValueError(f"seeds: expected {FORM}, got {text!r}")
        seeds += range(first, last + 1)
    for number, seed in enumerate(seeds):
        if seed in seeds[:number]:
            raise ValueError(f"seeds: expected each once, got {seed} twice")
    return seeds


class Study(NamedTuple):
    """One training, many seeds."""

    run: RunConfig
    """Of any of them."""
    seeds: list[int]
    folder: Path
    """Of the runs' folders, seed-0 and so on."""
    episodes: int | None
    """Fresh greedy episodes of a run's end; None: as many as a single run has."""
    gif_episodes: int

    def run_of(self, seed: int) -> RunConfig:
        """The configuration of one of them."""
        return replace(self.run, training=replace(self.run.training, seed=seed))

    def folder_of(self, seed: int) -> Path:
        """The folder of one of them."""
        return self.folder / f"seed-{seed}"


def make_runs(
    study: Study, target: str, at_once: int, task: dict[str, Any], stop: list[str]
) -> list[int]:
    """Make all runs that are not made yet, and show what comes of all; returns seeds that failed.

    Args:
        study: what is to be made.
        target: as of `run_jobs`.
        at_once: how many runs are made at the same time.
        task: what every job is told beside its run.
        stop: once something is in it, all runs save and end.

    Raises:
        FileExistsError, ValueError: the folder is a run's, or a run of another configuration is
            there; nothing was changed.
        BlockingIOError: another process is at work in the folder.
    """
    check_runs(study)
    with writing(study.folder):
        missing = [seed for seed in study.seeds if not is_made(study, seed)]
        there = len(study.seeds) - len(missing)
        if there:
            say(f"{there} of {len(study.seeds)} seeds are there already.")
        failed: dict[int, str] = {}
        jobs = [job_of(study, seed, task) for seed in missing]
        seed_of = dict(zip((job.name for job in jobs), missing, strict=True))

        def ended(job: Job, error: str | None) -> None:
            seed = seed_of[job.name]
            if error is not None:
                failed[seed] = error
            say(f"{job.name}: {words_of(study, seed) if error is None else f'failed: {error}'}")

        if jobs:
            title = f"{study.run.learner}, {counted(len(study.seeds), 'seed')}"
            run_jobs(target, jobs, at_once, title, stop, ended)
        if not stop:
            _show(study)
        for seed, error in failed.items():
            warn(f"seed {seed} failed: {error}")
    return list(failed)


def check_runs(study: Study) -> None:
    """Refuse a study whose folder is a run's, or holds a run of another configuration.

    Raises:
        FileExistsError: it is a run's.
        ValueError: the first setting that differs.
    """
    if (study.folder / "config.json").exists():
        raise FileExistsError(f"{study.folder}: expected a folder for runs, got a run's own")
    for seed in study.seeds:
        path = study.folder_of(seed) / "config.json"
        if not path.is_file():
            continue
        known, asked = (flat_settings(run) for run in (_known(path), study.run_of(seed)))
        for name in [*asked, *known]:
            if known.get(name) != asked.get(name):
                raise ValueError(
                    f"{path.parent}: expected a run of this command, got one of another "
                    f"{name.split('.', 1)[-1]}: {known.get(name)!r}, and not {asked.get(name)!r}"
                )


def _known(path: Path) -> RunConfig:
    return RunConfig.of(read_record(path), str(path))


def is_made(study: Study, seed: int) -> bool:
    """Whether a run is at its end, evaluation and all."""
    folder = study.folder_of(seed)
    if not any(folder.glob("checkpoint-*.json")):
        return False
    final = final_of(folder)
    asked = final_episodes(study.run.env) if study.episodes is None else study.episodes
    return final is not None and final["episodes"] == asked


def job_of(study: Study, seed: int, task: dict[str, Any]) -> Job:
    """One of a study's runs as a job; `task` is what every job is told beside it."""
    folder, run = study.folder_of(seed), study.run_of(seed)
    own = {"run": run.to_json(), "folder": str(folder), "episodes": study.episodes}
    own["gif_episodes"] = study.gif_episodes
    begin, steps = 0, run.training.total_steps
    if any(folder.glob("checkpoint-*.json")):
        begin = int(latest_checkpoint(folder).stem.partition("-")[2])
    study.folder.mkdir(parents=True, exist_ok=True)
    return Job(f"seed {seed}", {**task, **own}, steps, study.folder / f"seed-{seed}.log", begin)


def words_of(study: Study, seed: int) -> str:
    """What came of a run, in a line."""
    _, _, summary = found_run(study.folder_of(seed))
    words = [f"{summary['steps']:,} steps"]
    forms = {"success": "success {:.2%}", "return_mean": "return {:.3f}", "regret": "regret {:.4f}"}
    words += [form.format(summary[key][0]) for key, form in forms.items() if key in summary]
    return ", ".join(words)


def _show(study: Study) -> None:
    """Print the table, and write it and the curve, of all runs that are made."""
    made = [seed for seed in study.seeds if is_made(study, seed)]
    runs: list[Evaluated] = [found_run(study.folder_of(seed)) for seed in made]
    if not runs:
        return
    console.print(seeds_table(runs, len(study.seeds)))
    write_csv(study.folder / TABLE, runs)
    save_figure(seeds_figure(runs), study.folder / CURVE)
    say(f"Runs, {TABLE} and {CURVE}: {study.folder}")
