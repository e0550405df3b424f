"""Training: the loop of collecting, learning, logging, evaluating and checkpointing."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from torch import Tensor

from sidestep.sequence.fitting.checkpoint import (
    check_course,
    check_tensors,
    from_arrays,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint,
    to_arrays,
    under,
)
from sidestep.sequence.fitting.lock import writing
from sidestep.sequence.fitting.log import RunLog
from sidestep.sequence.fitting.runs import Every, says_stop

from .acting.collector import Collector
from .acting.evaluation import evaluate
from .acting.normalization import RewardScaler
from .acting.recent import Recent
from .algorithms.learner import Agent, LearnerConfig, Metrics
from .settings import TrainingConfig


class Progress(NamedTuple):
    """How training stands, for a progress bar or a viewer."""

    steps: int
    seconds: float
    """Spent collecting and learning; evaluation and writing are apart."""
    metrics: dict[str, float]
    """Of the last update, and means over the last episodes."""
    evaluation: dict[str, Any] | None
    """The summary of an evaluation that was just made."""


Report = Callable[[Progress], bool | None]
"""Called after every update; returning False ends training early, with a checkpoint. None and all
else goes on."""


class Trainer:
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
        self.agent, self.env, self.config, self._optimum = agent, env, config, optimum
        self.evaluation_env, self.folder, self.facts = evaluation_env, folder, facts or {}
        learner = agent.config
        scaler = RewardScaler(env.num_envs, learner.discount, agent.reward_moments)
        rewards = scaler if learner.normalize_rewards else None
        self.collector = Collector(env, agent, peek=agent.peek, rewards=rewards)
        agent.begin(self.collector, self._worlds_seed())
        self.recent, self.log = Recent(), RunLog(folder, config.tensorboard)
        self.schedule_steps: int | None = None
        """The training's length for schedules; None: `config.total_steps`, where it ends too."""
        self.seconds, self.best = 0.0, -math.inf
        self.logs, self.evaluations = Every(config.log_every), Every(config.evaluate_every)
        self.checkpoints = Every(config.checkpoint_every)
        self.written: list[Path] = []

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

    def run(self, report: Report | None = None) -> None:
        """Train until `total_steps`, or until `report` returns False; then write a checkpoint.

        Anything else that it returns, None too, goes on.

        Raises:
            FloatingPointError: a loss, a reward or an observation that is not finite; the last
                checkpoint stays as it was.
            OSError: the disk is full or read-only; likewise; or another process writes there.
        """
        with writing(self.folder):
            self._run(report)

    def _run(self, report: Report | None) -> None:
        go_on, logged, metrics = True, True, Metrics()
        if not self.written:
            self.save()
        while go_on and self.agent.steps < self.config.total_steps:
            metrics = {**self._update(), **self.recent.summary()}
            evaluation = None
            if self.evaluations.due(self.agent.steps):
                evaluation = self.evaluate()
                go_on = not self._is_enough(evaluation)
            logged = self.logs.due(self.agent.steps)
            if logged:
                self._write(metrics)
            if self.checkpoints.due(self.agent.steps):
                self.save()
            if report is not None:
                progress = Progress(self.agent.steps, self.seconds, metrics, evaluation)
                go_on = not says_stop(report(progress)) and go_on
        self.save()
        if not logged:  # after the checkpoint: a resumed run forgets this line and has its own
            self._write(metrics)
        self.log.close()

    def _update(self) -> Metrics:
        """Collect and learn once; only this is timed."""
        start = time.perf_counter()
        self.agent.schedule(self.schedule_steps or self.config.total_steps)
        rollout = self.agent.collect(self.collector)
        self.recent.add(self.collector.drain())
        metrics = self.agent.update(rollout)
        self.agent.steps += int(rollout.valid.sum())
        self.seconds += time.perf_counter() - start
        return metrics

    def evaluate(self) -> dict[str, Any] | None:
        """Play greedy episodes on evaluation's own seeds; keep the agent if it is the best yet."""
        if self.evaluation_env is None:
            return None
        seed = stream_seed(self.config.seed, EVALUATION)
        episodes, tells = self.config.evaluation_episodes, self.recent.tells
        result = evaluate(self.agent, self.evaluation_env, episodes, seed, True, tells).summary(
            self.optimum
        )
        self.log.write({"steps": self.agent.steps, "seconds": self.seconds, "evaluation": result})
        score = result["return_mean"][0]
        if score > self.best:
            self.best = score
            if self.folder is not None:
                tensors = {f"agent.{k}": v for k, v in self.agent.state_dict().items()}
                save_checkpoint(self.folder, "best", tensors, self._facts())
        return result

    def _is_enough(self, evaluation: dict[str, Any] | None) -> bool:
        target = self.config.stop_at_success
        if evaluation is None or target == 0 or "success" not in evaluation:
            return False
        return bool(evaluation["success"][0] >= target)

    def _write(self, metrics: Metrics) -> None:
        rate = self.agent.steps / self.seconds if self.seconds else 0.0
        place = {"steps": self.agent.steps, "seconds": self.seconds}
        self.log.write(
            {**place, "steps_per_second": rate, "episodes": self.recent.episodes, **metrics}
        )

    def _facts(self) -> dict[str, Any]:
        return {
            **self.facts,
            "learner": self.agent.name,
            "steps": self.agent.steps,
            "total_steps": self.agent.total_steps,
            "seconds": self.seconds,
            "best": self.best if math.isfinite(self.best) else None,
            "log_position": self.log.position(),
            "next": [self.logs.next, self.evaluations.next, self.checkpoints.next],
        }

    def save(self) -> None:
        """Write everything that the future depends on; then remove what is too old."""
        if self.folder is None:
            return
        name = f"checkpoint-{self.agent.steps:012d}"
        path = save_checkpoint(self.folder, name, self.state_dict(), self._facts())
        if path not in self.written:
            self.written.append(path)
        while len(self.written) > self.config.keep_checkpoints:
            remove_checkpoint(self.written.pop(0))

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

    def load_state_dict(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        """Go on from a checkpoint.

        Returns:
            Whether the worlds were restored too; if not, they begin new episodes on fresh seeds.

        Raises:
            ValueError: tensors or facts that no such training writes; nothing was changed.
            BlockingIOError: another process writes to the folder; likewise.
        """
        self._check(tensors, facts)
        with writing(self.folder):
            return self._restore(tensors, facts)

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        worlds = under(tensors, "env.")
        if self.worlds is not None:  # the only part that checks and changes in one
            self.worlds.set_state(to_arrays(worlds, self.worlds.get_state()))
        self.agent.load_state_dict(under(tensors, "agent."))
        self.recent.load_state_dict(under(tensors, "recent."))
        self.seconds, best = facts["seconds"], facts["best"]
        self.best = -math.inf if best is None else best
        self.logs.next, self.evaluations.next, self.checkpoints.next = facts["next"]
        self.log.rewind(facts["log_position"])
        if self.folder is not None:
            remove_leftovers(self.folder)
            self.written = sorted(self.folder.glob("checkpoint-*.json"))
        if self.worlds is not None:
            self.collector.load_state_dict(under(tensors, "collector."))
            return True
        self.agent.begin(self.collector, self._worlds_seed())
        self.log.write({"steps": self.agent.steps, "resumed": True, "fresh_seeds": True})
        return False

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Refuse a checkpoint that `load_state_dict` could not take."""
        check_course(facts, "steps")
        self.log.position()
        self.agent.check_state(under(tensors, "agent."))
        if facts["steps"] != int(tensors["agent.steps"]):
            raise ValueError(
                f"checkpoint: expected {facts['steps']} steps, got {tensors['agent.steps']}"
            )
        self.recent.check_state(under(tensors, "recent."))
        self.collector.check_state(under(tensors, "collector."), self.agent.whole_episodes)
        own = {} if self.worlds is None else from_arrays(self.worlds.get_state())
        check_tensors(own, under(tensors, "env."), "env.")
        parts = ("agent.", "recent.", "collector.", "env.")
        check_tensors({}, {k: v for k, v in tensors.items() if not k.startswith(parts)})


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


def settings_of(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as config.json holds it."""
    return asdict(config)
