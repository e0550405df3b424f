"""Training: the run loop filled with collecting, learning and evaluating."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from torch import Tensor

from sidestep.sequence.fitting.checkpoint import from_arrays, to_arrays
from sidestep.sequence.fitting.runs import Every, Progress, RunLoop
from sidestep.sequence.fitting.stored import check_tensors, under

from .acting.collector import Collector
from .acting.episodes import Recent
from .acting.evaluation import evaluate
from .acting.normalization import RewardScaler
from .algorithms.learner import Agent, LearnerConfig, Metrics
from .settings import TrainingConfig


class Trainer(RunLoop):
    """Trains one agent in one vector env; `run` goes on from wherever it stands.

    Args:
        agent: what learns.
        env: where; not closed.
        config: how long, how wide, what is kept.
        evaluation_env: where greedy episodes are played; None: no evaluations.
        folder: of the run; None: nothing is written.
        facts: stored in every checkpoint.
        optimum: the largest mean return that can be had, or a function that finds it, called when
            it is first needed; where it is known, evaluations tell the regret.
    """

    clock, parts = "steps", ("agent.", "recent.", "collector.", "env.")
    config: TrainingConfig

    def __init__(
        self,
        agent: Agent,
        env: VectorEnv[Any, Any, Any],
        config: TrainingConfig,
        evaluation_env: VectorEnv[Any, Any, Any] | None = None,
        folder: Path | None = None,
        facts: dict[str, Any] | None = None,
        optimum: float | Callable[[], float | None] | None = None,
    ) -> None:
        """Begin the first episodes."""
        super().__init__(config, config.evaluate_every, folder, facts)
        self.agent, self.env, self._optimum = agent, env, optimum
        self.evaluation_env, self.recent = evaluation_env, Recent()
        learner = agent.config
        scaler = RewardScaler(env.num_envs, learner.discount, agent.reward_moments)
        rewards = scaler if learner.normalize_rewards else None
        self.collector = Collector(env, agent, peek=agent.peek, rewards=rewards)
        agent.begin(self.collector, self._worlds_seed())
        self.schedule_steps: int | None = None
        """The training's length for schedules; None: `config.total_steps`, where it ends too."""

    def __repr__(self) -> str:
        """Name the agent, and how far it is."""
        return (
            f"Trainer({self.agent!r}, num_envs={self.env.num_envs}, "
            f"env_steps={self.agent.steps:,} of {self.config.total_steps:,}, folder={self.folder})"
        )

    @property
    def optimum(self) -> float | None:
        """The largest mean return that can be had, found the first time; None: it is not known."""
        if callable(self._optimum):
            self._optimum = self._optimum()
        return self._optimum

    @optimum.setter
    def optimum(self, optimum: float | Callable[[], float | None] | None) -> None:
        self._optimum = optimum

    @property
    def worlds(self) -> Any:
        """The env if its state can be saved and restored (as this package's can), else None."""
        return self.env if hasattr(self.env, "set_state") else None

    def _worlds_seed(self) -> int:
        """Of new episodes: an agent that has learned before is not shown the same worlds again."""
        steps = self.agent.steps
        return stream_seed(self.config.seed, TRAINING, *([steps] if steps else []))

    def go_on(
        self,
        config: TrainingConfig,
        schedule_steps: int | None,
        evaluation_env: VectorEnv[Any, Any, Any] | None,
    ) -> None:
        """Prepare to `run` again as `config` says, from where the agent stands, on a clock at 0."""
        self.config, self.schedule_steps = config, schedule_steps
        self.evaluation_env, self.seconds = evaluation_env, 0.0
        self.evaluations = Every(config.evaluate_every, self.agent.steps)

    @property
    def now(self) -> int:
        """Env steps learned from."""
        return self.agent.steps

    @property
    def end(self) -> int:
        """Env steps to learn from."""
        return self.config.total_steps

    def _update(self) -> Metrics:
        self.agent.schedule(self.schedule_steps or self.config.total_steps)
        rollout = self.agent.collect(self.collector)
        self.recent.add(self.collector.drain())
        metrics = self.agent.update(rollout)
        self.agent.steps += int(rollout.valid.sum())
        return metrics

    def _observe(self, metrics: Metrics, seconds: float) -> Progress:
        del seconds
        metrics = {**metrics, **self.recent.summary()}
        evaluation = self.evaluate() if self.evaluations.due(self.now) else None
        rate = self.now / self.seconds if self.seconds else 0.0
        line = {"steps_per_second": rate, "episodes": self.recent.episodes, **metrics}
        self.untold = None if self.logs.due(self.now) else line
        if self.untold is None:
            self._tell(line)
        return Progress(self.now, self.seconds, metrics, evaluation)

    def evaluate(self) -> dict[str, Any] | None:
        """Play greedy episodes on evaluation's own seeds; keep the agent if it is the best yet."""
        if self.evaluation_env is None:
            return None
        told = self.config.evaluation_seed
        seed = stream_seed(self.config.seed if told is None else told, EVALUATION)
        episodes, tells = self.config.evaluation_episodes, self.recent.tells
        result = evaluate(self.agent, self.evaluation_env, episodes, seed, True, tells).summary(
            self.optimum
        )
        agent = {f"agent.{k}": v for k, v in self.agent.state_dict().items()}
        self._judge({"evaluation": result}, result["return_mean"][0], agent)
        return result

    def _is_enough(self, evaluation: dict[str, Any] | None) -> bool:
        target = self.config.stop_at_success
        if evaluation is None or target == 0 or "success" not in evaluation:
            return False
        return bool(evaluation["success"][0] >= target)

    def _course(self) -> dict[str, Any]:
        agent = self.agent
        return {"learner": agent.name, "steps": agent.steps, "total_steps": agent.total_steps}

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint: agent, what is carried between ticks, worlds, log."""
        parts: dict[str, dict[str, Tensor]] = {
            "agent": self.agent.state_dict(),
            "collector": self.collector.state_dict(),
            "recent": self.recent.state_dict(),
        }
        if self.worlds is not None:
            parts["env"] = from_arrays(self.worlds.get_state())
        return {f"{part}.{k}": v for part, values in parts.items() for k, v in values.items()}

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        worlds = under(tensors, "env.")
        if self.worlds is not None:  # the only part that checks and changes in one
            self.worlds.set_state(to_arrays(worlds, self.worlds.get_state()))
        self.agent.load_state_dict(under(tensors, "agent."))
        self.recent.load_state_dict(under(tensors, "recent."))
        self._rewind(facts)
        if self.worlds is not None:
            self.collector.load_state_dict(under(tensors, "collector."))
            return True
        self.agent.begin(self.collector, self._worlds_seed())
        self.log.write({"steps": self.now, "resumed": True, "fresh_seeds": True})
        return False

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self.agent.check_state(under(tensors, "agent."))
        if facts["steps"] != int(tensors["agent.steps"]):
            raise ValueError(
                f"checkpoint: expected {facts['steps']} steps, got {tensors['agent.steps']}"
            )
        self.recent.check_state(under(tensors, "recent."))
        self.collector.check_state(under(tensors, "collector."), self.agent.whole_episodes)
        own = {} if self.worlds is None else from_arrays(self.worlds.get_state())
        check_tensors(own, under(tensors, "env."), "env.")


def unfinished(config: LearnerConfig, total_steps: int) -> str | None:
    """A sentence where exploration has not fallen to its end when training is over, else None."""
    steps = config.exploration_steps(total_steps)
    if steps <= total_steps:
        return None
    return (
        f"Exploration falls over {steps:,} steps, but training ends after {total_steps:,}, at "
        f"{total_steps / steps:.0%} of its way."
    )


TRAINING, EVALUATION, FINAL = 0, 1, 2
"""Who asks for seeds; each has streams of its own."""


def stream_seed(seed: int, *who: int) -> int:
    """A 31-bit seed for one purpose; different purposes do not share worlds.

    Args:
        seed: of the run.
        who: TRAINING, EVALUATION or FINAL, and any further numbers.
    """
    return int(np.random.SeedSequence([seed, *who]).generate_state(1)[0] >> 1)
