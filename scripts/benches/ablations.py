"""`sidestep bench ablations`: what each setting of the presets does, one changed at a time.

On the default world, where the optimum is known: the regret says how far from it a setting ends,
the length of episodes whether it dawdles. Runs that are in the record already are not made again.
"""

import statistics
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sidestep.agents import EnvConfig, RunConfig
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.settings import with_settings
from sidestep.scripts.benches.records import as_rows, from_rows, timed_result, write_result
from sidestep.scripts.benches.skeleton import Flags, shown
from sidestep.scripts.benches.tasks import SIGNS, digest, measured
from sidestep.scripts.benches.trials import ENV, LEARNERS, Learners
from sidestep.scripts.shared.console import command, progress
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import COUNT

EXAMPLES = """\
  sidestep bench ablations
  sidestep bench ablations --learners reinforce --seeds 3 --total-steps 1e6"""

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "deep-sarsa": {
        "the preset": {},
        "discount 0.9": {"discount": 0.9},
        "discount 0.99": {"discount": 0.99},
        "lambda 0": {"trace_decay": 0.0},
        "lambda 0.95": {"trace_decay": 0.95},
        "two minibatches": {"minibatches": 2},
        "two epochs": {"epochs": 2},
        "epsilon 1 to 0 over half": {"epsilon_start": 1.0, "epsilon_fraction": 0.5},
        "epsilon 0.1 to 0": {"epsilon_start": 0.1},
        "epsilon 0.3 to 0.05": {"epsilon_end": 0.05},
        "a rate of 1e-3": {"learning_rate": 1e-3},
        "the action played next": {"target": "sarsa"},
        "squared errors": {"loss": "squared"},
    },
    "reinforce": {
        "the preset": {},
        "no baseline": {"baseline": "none"},
        "baseline leave-one-out": {"baseline": "leave-one-out"},
        "entropy from 0.3": {"entropy_start": 0.3},
        "entropy from 0.03": {"entropy_start": 0.03},
        "entropy from 0.003": {"entropy_start": 0.003},
        "entropy over all": {"entropy_fraction": 1.0},
        "discount 0.95": {"discount": 0.95},
        "discount 1": {"discount": 1.0},
        "a rate of 1e-3": {"learning_rate": 1e-3},
        "a rate of 1e-2": {"learning_rate": 1e-2},
        "standardised advantages": {"normalize_advantages": True},
        "lambda 0.9": {"trace_decay": 0.9},
        "rollouts of 16, lambda 0.95": {"batch": "rollout", "rollout_steps": 16,
                                         "trace_decay": 0.95},
    },
}  # fmt: skip
"""For each learner what is changed of its preset, by a name for it."""
COLUMNS = ("learner", "changed", "s", "regret: median", "worst", "success: worst", "length: median")


@dataclass(frozen=True)
class Options(Flags):
    """Train on the default world with one setting of the presets changed at a time."""

    learners: Learners = LEARNERS
    """Which."""
    seeds: int = 5
    """Runs of each."""
    total_steps: int | None = None
    """Of every run; the preset's if left out."""
    reuse: bool = True
    """Take finished runs of the same settings and commit from results/ablations.json."""
    limits: ClassVar = {"seeds": COUNT, "total_steps": COUNT}


def run(options: Options) -> None:
    """Make every run that is missing; the result is written after each."""
    torch.set_num_threads(1)
    known = from_rows(timed_result(options, "ablations")) if options.reuse else {}
    found: dict[str, dict[str, Any]] = {}
    jobs = [
        (learner, name, seed)
        for seed in range(options.seeds)
        for learner in options.learners
        for name in VARIANTS[learner]
    ]
    with progress("{task.fields[now]}") as bar:
        line = bar.add_task("ablations", total=len(jobs), now="")
        for learner, name, seed in jobs:
            key = f"{learner}; {name}; {seed}"
            bar.update(line, now=key)
            config = config_of(learner, name, seed, options.total_steps)
            earlier = known.get(key)
            if earlier is not None and earlier["settings"][:SIGNS] == digest(config):
                found[key] = earlier
            else:
                found[key] = measured(config, None)
                _write(options, found)
            bar.advance(line)
    shown("One setting changed at a time", COLUMNS, rows_of(found))
    _write(options, found, finished=True)


def config_of(learner: str, name: str, seed: int, total_steps: int | None) -> RunConfig:
    """The preset with that change."""
    env = EnvConfig(ENV)
    agent, training = preset(learner, env)
    changed = with_settings(type(agent)(), VARIANTS[learner][name]).over(agent)
    total = total_steps or training.total_steps
    training = replace(training, total_steps=total, seed=seed, evaluate_every=0)
    return RunConfig(learner, env, changed, training)


def rows_of(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for each learner and change: medians and worst seeds."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, row in found.items():
        learner, name, _ = key.split("; ")
        groups.setdefault((learner, name), []).append(row)
    rows = []
    for (learner, name), runs in groups.items():
        regrets = [run["optimum"] - run["greedy"] for run in runs]
        rows.append(
            [
                learner,
                name,
                f"{statistics.median(run['seconds'] for run in runs):.0f}",
                f"{statistics.median(regrets):.3f}",
                f"{max(regrets):.3f}",
                f"{min(run['success'] for run in runs):.1%}",
                f"{statistics.median(run['length'] for run in runs):.2f}",
            ]
        )
    return rows


def _write(options: Options, found: dict[str, dict[str, Any]], finished: bool = False) -> None:
    table = markdown_table(COLUMNS, rows_of(found))
    write_result(
        options,
        "ablations",
        {"seeds": options.seeds, "total_steps": options.total_steps, **as_rows(found)},
        f"""## What each setting does

On `{ENV}`, the presets with one setting changed at a time, {options.seeds} seeds each; greedy, over
fresh episodes. The best mean length is 8.01.

{table}""",
        finished=finished,
    )


main = command("bench ablations", Options, run, EXAMPLES)
