"""One trial: settings trained with several seeds side by side, and measured at rungs."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sidestep.agents import RunConfig, Trainer, make_vector
from sidestep.agents.acting.evaluation import iqm
from sidestep.agents.environments import lanes_for
from sidestep.agents.runs import build_agent, training_device

ENOUGH = 4
"""Seeds from which on the middle of their values is the interquartile mean."""


class Plan(NamedTuple):
    """What is the same in all trials of a sweep."""

    learner: str
    seeds: tuple[int, ...]
    rungs: int
    """Evaluations of a trial, evenly over its steps; the last one at its end."""
    evaluation_seed: int
    """Of the worlds in which all seeds of all trials are measured."""
    optimum: float | None
    """The largest mean return that can be had; None: it is not known."""


class Stopped(Exception):
    """The process is to end: the trial is left as it is."""


class Pruned(Exception):
    """Others were better at a rung."""


def middle(values: list[float]) -> float:
    """The mean over seeds; from four on the interquartile mean."""
    array = np.array(values, dtype=float)
    return iqm(array) if len(values) >= ENOUGH else float(array.mean())


def run_trial(
    plan: Plan,
    options: Any,
    report: Callable[[int, float], bool],
    stop: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Train and measure; the seeds go on from rung to rung side by side.

    Args:
        plan: of the sweep.
        options: flags of `sidestep train`, the trial's settings among them.
        report: is told each rung, from 1 on, and the middle of the seeds' values there; whether to
            go on.
        stop: is asked after every update whether to end now.

    Returns:
        The value of each seed at the end: its regret, or its mean return where no optimum is known.

    Raises:
        Pruned, Stopped: as they say.
        FloatingPointError: a loss that is not finite.
        ValueError, TypeError, OSError: settings that do not go together.
    """
    total, values = options.training.total_steps, [0.0] * len(plan.seeds)
    with ExitStack() as stack:
        episodes = options.training.evaluation_episodes
        config = options.env_config()
        place = stack.enter_context(closing(make_vector(config, lanes_for(episodes, config))))
        trainers = [_trainer(plan, options, seed, place, stack) for seed in plan.seeds]
        for rung in range(1, plan.rungs + 1):
            goal = -(-total * rung // plan.rungs)
            for number, trainer in enumerate(trainers):
                _train_to(trainer, goal, stop)
                values[number] = value_of(trainer.evaluate() or {})
            if not report(rung, middle(values)):
                raise Pruned
    return values


def value_of(figures: dict[str, Any]) -> float:
    """The value of an evaluation: the regret where it is known, else the mean return."""
    value: float = (figures["regret"] if "regret" in figures else figures["return_mean"])[0]
    return value


def _trainer(plan: Plan, options: Any, seed: int, place: Any, stack: ExitStack) -> Trainer:
    """The training of one seed, which writes nothing."""
    training = replace(
        options.training,
        seed=seed,
        evaluation_seed=plan.evaluation_seed,
        evaluate_every=0,  # here, at rungs
        tensorboard=False,
    )
    run = RunConfig(plan.learner, options.env_config(), options.agent, training)
    env = stack.enter_context(closing(make_vector(run.env, training.num_envs)))
    agent = build_agent(run, seed, training_device(run, env), env=env)
    return Trainer(agent, env, training, place, optimum=plan.optimum)


def _train_to(trainer: Trainer, goal: int, stop: Callable[[], bool]) -> None:
    """Go on until so many steps are made, or a few more: updates are whole."""
    stopped = False

    def report(progress: Any) -> bool:
        nonlocal stopped
        stopped = stop()
        return not stopped and progress.steps < goal

    if trainer.agent.steps < goal:
        trainer.run(report)
    if stopped:
        raise Stopped
