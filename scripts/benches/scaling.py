"""`sidestep bench scaling`: what more processes bring, beside one.

Each part measures something of its own and has a heading of its own on the page; parts that are
not measured this time are as they were.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple

from sidestep.agents import EnvConfig, RunConfig, TrainingConfig
from sidestep.agents.algorithms.registry import preset
from sidestep.scripts.benches import ranks
from sidestep.scripts.benches.records import timed_result, write_result
from sidestep.scripts.benches.skeleton import Flags, shown
from sidestep.scripts.benches.trials import ENV, LEARNERS, Learners
from sidestep.scripts.shared.console import command, say
from sidestep.scripts.studies.jobs import run_jobs
from sidestep.scripts.studies.run import TARGET
from sidestep.scripts.studies.seeds import Study, job_of
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.sequence.fitting.records import read_record
from sidestep.sequence.limits import COUNT, at_least

EXAMPLES = """\
  sidestep bench scaling
  sidestep bench scaling --learners deep-sarsa --steps 2000000 --rounds 5"""


@dataclass(frozen=True)
class Options(Flags):
    """Measure several processes beside one."""

    parts: tuple[str, ...] = ("jobs", "ranks")
    """What is measured."""
    learners: Learners = LEARNERS
    """That are trained."""
    jobs: int = 2
    """Runs of `train --seeds` made at the same time, beside one after the other."""
    steps: int = 1_000_000
    """Env steps of each run."""
    updates: int = 100
    """Updates of each training over processes."""
    rounds: int = 3
    """Measurements of each, interleaved; the median of the ratios counts."""
    limits: ClassVar = {"jobs": at_least(2), "steps": COUNT, "updates": COUNT, "rounds": COUNT}

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        unknown = [name for name in self.parts if name not in PARTS]
        if unknown or not self.parts:
            got = unknown[0] if unknown else "none"
            raise ValueError(f"parts: expected some of {', '.join(PARTS)}, got {got}")


class Part(NamedTuple):
    """Something that is measured."""

    measure: Callable[[Options], dict[str, Any]]
    """Returns a record, JSON-serialisable."""
    page: Callable[[dict[str, Any]], str]
    """Makes its heading, table and sentences of that record."""


class Rates(NamedTuple):
    """Env steps per second of all runs of a measurement."""

    whole: float
    """By the clock from the first process's start to the last one's end, evaluations and all."""
    training: float
    """In the time that runs spent in updates, those at the same time added up."""
    processor: float
    """By the time that their processes spent on a processor, those at the same time added up: what
    is left of more processors than one where others take none of them."""


def measure_jobs(options: Options) -> dict[str, Any]:
    """Make runs one after the other and several at once, by turns."""
    found: dict[str, dict[str, list[Rates]]] = {}
    for learner in options.learners:
        rates: dict[str, list[Rates]] = {"one": [], "several": []}
        for number in range(1, options.rounds + 1):
            rates["one"].append(jobs_rate(learner, options, 1))
            rates["several"].append(jobs_rate(learner, options, options.jobs))
            say(f"{learner}, round {number}: {gain(rates, 'whole', number - 1):.2f} times one")
        found[learner] = rates
    learners = {
        learner: {how: [one._asdict() for one in each] for how, each in rates.items()}
        for learner, rates in found.items()
    }
    return {"env": ENV, "steps": options.steps, "jobs": options.jobs, "learners": learners}


def gain(rates: dict[str, list[Rates]], name: str, number: int) -> float:
    """How many times one job's rate several have in a round."""
    several, one = rates["several"][number], rates["one"][number]
    return float(getattr(several, name) / getattr(one, name))


def jobs_rate(learner: str, options: Options, at_once: int) -> Rates:
    """Train as many seeds as there are jobs, so many at once.

    Raises:
        RuntimeError: a run failed.
    """
    agent, base = preset(learner, ENV)
    training = TrainingConfig(options.steps, base.num_envs, evaluate_every=0)
    run = RunConfig(learner, EnvConfig(ENV), agent, training)
    failed: list[str] = []
    with TemporaryDirectory() as folder:
        study = Study(run, list(range(options.jobs)), Path(folder) / "runs", 100, 0)
        task: dict[str, Any] = {"modules": [], "typed": [], "more": []}
        jobs = [job_of(study, seed, task) for seed in study.seeds]
        begin, before = time.perf_counter(), _processor_seconds()
        run_jobs(
            TARGET,
            jobs,
            at_once,
            f"{learner}, {at_once} at once",
            [],
            lambda job, error: failed.append(error) if error else None,
        )
        seconds, worked = time.perf_counter() - begin, _processor_seconds() - before
        if failed:
            raise RuntimeError(f"expected every run to reach its end, got: {failed[0]}")
        ends = [read_record(latest_checkpoint(study.folder_of(seed))) for seed in study.seeds]
    steps = sum(end["steps"] for end in ends)
    training = statistics.mean(end["steps"] / end["seconds"] for end in ends) * at_once
    return Rates(steps / seconds, training, steps / worked * at_once)


def _processor_seconds() -> float:
    """Of all processes that this one began and that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def page_of_jobs(record: dict[str, Any]) -> str:
    """The section on `--seeds`."""
    rows = []
    for learner, told in record["learners"].items():
        rates = {how: [Rates(**one) for one in each] for how, each in told.items()}
        rounds = range(len(rates["one"]))
        gains = [
            statistics.median(gain(rates, name, number) for number in rounds)
            for name in Rates._fields
        ]
        whole = [f"{statistics.median(one.whole for one in each):,.0f}" for each in rates.values()]
        rows.append([learner, *whole, *(f"{value:.2f}" for value in gains)])
    jobs, steps = record["jobs"], record["steps"]
    columns = ["learner", "one at a time, steps/s", f"{jobs} at once", "ratio"]
    columns += ["of training alone", "by processor time"]
    markdown = shown("Runs of --seeds", columns, rows)
    return f"""### Several seeds at once

{jobs} runs of `sidestep train LEARNER --seeds {jobs}` on `{record["env"]}`, {steps:,} env steps
each with the preset's lanes and no evaluations, `--jobs 1` beside `--jobs {jobs}`. Rates are all
runs' env steps by the clock, the start of every process and its last evaluation included. Of
training alone counts the time in updates; by processor time the time on a processor, which others
on the machine do not lengthen. Medians of {len(rounds)} interleaved rounds, ratios within a round.

{markdown}"""


PARTS = {
    "jobs": Part(measure_jobs, page_of_jobs),
    "ranks": Part(lambda options: ranks.measure(options.rounds, options.updates), ranks.page),
}
"""What can be measured, in the order of the page."""


def run(options: Options) -> None:
    """Measure the parts, and write them beside those that were measured before at this commit."""
    known = timed_result(options, "scaling")
    record = {name: known[name] for name in PARTS if name in known}
    record |= {name: PARTS[name].measure(options) for name in options.parts}
    sections = [part.page(record[name]) for name, part in PARTS.items() if name in record]
    write_result(options, "scaling", record, "\n\n".join(["## Scaling", *sections]))


main = command("bench scaling", Options, run, EXAMPLES)
