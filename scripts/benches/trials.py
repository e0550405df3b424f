"""One training run measured: greedy success along the way, and success and regret at its end."""

from typing import Annotated, NamedTuple

from sidestep.agents import EnvConfig, Progress, RunConfig, Trainer, TrainingConfig, evaluate
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.environments import make_vector
from sidestep.agents.runs import build_agent
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.shared.console import some_of
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.sequence import MEMORIES

ENV = "sidestep/MovingObstacles-v0"
LEARNERS = ("deep-sarsa", "reinforce")
Learners = Annotated[tuple[str, ...], some_of(LEARNERS)]
Memories = Annotated[tuple[str, ...], some_of(MEMORIES)]
"""Flags that take some of these names."""
EVERY, EPISODES, FINAL_EPISODES = 20_000, 500, 10_000
"""Env steps between evaluations, and episodes of each and of the last."""


class Point(NamedTuple):
    """An evaluation along the way."""

    steps: int
    seconds: float
    """Of training; evaluation is apart."""
    success: float
    """Of greedy episodes."""


class Outcome(NamedTuple):
    """Greedy play after training, over fresh episodes of one env."""

    success: float
    mean_return: float
    optimum: float | None
    """The largest mean return that can be had, where it is known."""

    @property
    def regret(self) -> float | None:
        """The optimum minus the mean return."""
        return None if self.optimum is None else self.optimum - self.mean_return


class Trial(NamedTuple):
    """One run of one contestant."""

    curve: list[Point]
    seconds: float
    """All its training."""
    steps: int
    outcomes: list[Outcome]
    """One for each env it was tested in; none where training was stopped on the way."""

    def reached(self, success: float) -> float | None:
        """Seconds of training until an evaluation first showed `success`; None: never."""
        return next((p.seconds for p in self.curve if p.success >= success), None)

    def reached_steps(self, success: float) -> int | None:
        """Env steps until an evaluation first showed `success`; None: never."""
        return next((p.steps for p in self.curve if p.success >= success), None)


def train_trial(
    learner: str,
    memory: str,
    env: EnvConfig,
    seed: int,
    total_steps: int | None = None,
    tests: tuple[EnvConfig, ...] = (),
    every: int = EVERY,
) -> Trial:
    """Train with the default settings, and evaluate.

    Args:
        learner: deep-sarsa or reinforce.
        memory: of its network.
        env: trained in.
        seed: of everything.
        total_steps: the defaults' if None.
        tests: where the trained agent is measured; none given: in `env`.
        every: env steps between evaluations.
    """
    agent_config, base = preset(learner, env, memory)
    training = TrainingConfig(
        total_steps=total_steps or base.total_steps,
        num_envs=base.num_envs,
        seed=seed,
        evaluate_every=every,
        evaluation_episodes=EPISODES,
    )
    config = RunConfig(learner, env, agent_config, training)
    curve: list[Point] = []

    def report(state: Progress) -> bool:
        if state.evaluation is not None:
            curve.append(Point(state.steps, state.seconds, state.evaluation["success"][0]))
        return True

    worlds, check = make_vector(env, training.num_envs), make_vector(env, EPISODES)
    trainer = Trainer(build_agent(config, seed, env=worlds), worlds, training, check)
    trainer.run(report)
    outcomes = [_outcome(trainer, test, seed) for test in tests or (env,)]
    return Trial(curve, trainer.seconds, trainer.agent.steps, outcomes)


def _outcome(trainer: Trainer, env: EnvConfig, seed: int) -> Outcome:
    episodes = evaluate(
        trainer.agent, make_vector(env, EPISODES), FINAL_EPISODES, stream_seed(seed, FINAL)
    ).summary()
    return rounded(Outcome(episodes["success"][0], episodes["return_mean"][0], optimum_of(env)))


def rounded(outcome: Outcome) -> Outcome:
    """Leave six decimals, as records have them: pages are made of what is in the record."""
    success, mean_return, optimum = outcome
    best = None if optimum is None else round(float(optimum), 6)
    return Outcome(success, round(mean_return, 6), best)
