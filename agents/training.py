"""Training: the run loop filled with collecting, learning and evaluating."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from torch import Tensor

from sidestep.sequence.fitting.runs import Every, Progress, RunLoop
from sidestep.sequence.fitting.stored import under

from .acting.collector import Collector
from .acting.episodes import Recent
from .acting.evaluation import Evaluation, evaluate, gather, play, quotas
from .algorithms.learner import Agent, LearnerConfig, Metrics
from .algorithms.ranks import ALONE, Ranks
from .algorithms.shards import Env, Shards
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
        ranks: the processes that train together, where several do; then `env` and
            `evaluation_env` are lists, an env for each of this process's shards (None where none of
            evaluation's lanes is left for it), and the folder is the first process's alone.

    Raises:
        ValueError: envs that are not those of the shards.
    """

    clock, parts = "steps", ("agent.", "recent.", "collector.", "env.")
    config: TrainingConfig

    def __init__(
        self,
        agent: Agent,
        env: Env | Sequence[Env],
        config: TrainingConfig,
        evaluation_env: Env | Sequence[Env | None] | None = None,
        folder: Path | None = None,
        facts: dict[str, Any] | None = None,
        optimum: float | Callable[[], float | None] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Begin the first episodes."""
        super().__init__(config, config.evaluate_every, folder, facts)
        self.agent, self._optimum, self.ranks = agent, optimum, ranks
        self.evaluation_env, self.recent = evaluation_env, Recent()
        self.shards = Shards(agent, [env] if isinstance(env, VectorEnv) else env, ranks)
        self.shards.begin(self._worlds_seed())
        self.schedule_steps: int | None = None
        """The training's length for schedules; None: `config.total_steps`, where it ends too."""

    def __repr__(self) -> str:
        """Name the agent, and how far it is."""
        return (
            f"Trainer({self.agent!r}, num_envs={sum(e.num_envs for e in self.shards.envs)}, "
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
    def env(self) -> Env:
        """Of the only shard, or of this process's first."""
        return self.shards.envs[0]

    @property
    def collector(self) -> Collector:
        """Of the only shard, or of this process's first."""
        return self.shards.collectors[0]

    def _worlds_seed(self) -> int:
        """Of new episodes: an agent that has learned before is not shown the same worlds again."""
        steps = self.agent.steps
        return stream_seed(self.config.seed, TRAINING, *([steps] if steps else []))

    def go_on(
        self,
        config: TrainingConfig,
        schedule_steps: int | None,
        evaluation_env: Env | None,
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
        rollouts: Any = self.shards.collect()
        metrics = self.agent.update(*rollouts)
        self.agent.steps += self.shards.steps(rollouts)
        if self.ranks.shards == 1 or self._tells():
            self.recent.add(self.shards.drain())
        return metrics

    def _tells(self) -> bool:
        """Whether this update is told of or saved: then the shards tell what has ended in them."""
        due = (self.logs, self.evaluations, self.checkpoints)
        return any(every.is_due(self.now) for every in due) or self.now >= self.end

    def _agree(self, go_on: bool) -> bool:
        return self.ranks.decided(go_on)

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
        if isinstance(self.evaluation_env, VectorEnv):
            played = evaluate(self.agent, self.evaluation_env, episodes, seed, True, tells)
        else:
            played = self._evaluate_shards(self.evaluation_env, episodes, seed, tells)
        # to find the optimum takes a while: once, when there is something to compare with it
        result = played.summary(self.optimum if self.ranks.rank == 0 else None)
        agent = {f"agent.{k}": v for k, v in self.agent.state_dict().items()}
        self._judge({"evaluation": result}, result["return_mean"][0], agent)
        return result

    def _evaluate_shards(
        self, envs: Sequence[Env | None], episodes: int, seed: int, tells: bool
    ) -> Evaluation:
        """The episodes that the lanes of all shards have played."""
        own = [0 if env is None else env.num_envs for env in envs]
        counts = self.ranks.all_of(own)  # of every shard
        quota, kept = quotas(episodes, sum(counts)), []
        for env, shard in zip(envs, self.ranks.own, strict=True):
            first = sum(counts[:shard])
            part = quota[first : first + counts[shard]]
            kept.append([] if env is None else play(self.agent, env, part, seed, True, first))
        return gather([part for parts in self.ranks.all_of(kept) for part in parts], tells)

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
        self.recent.add(self.shards.drain())  # a training may be stopped at any update
        carried = self.shards.state_dict()
        parts: dict[str, dict[str, Tensor]] = {
            "agent": self.agent.state_dict(),
            "recent": self.recent.state_dict(),
        }
        own = {f"{part}.{k}": v for part, values in parts.items() for k, v in values.items()}
        return own | carried

    def save(self) -> None:
        """Write everything that the future depends on, from all processes, in the first."""
        if self.ranks.size > 1 and self.folder is None:
            self.saved = True
            self.state_dict()  # the others' part of it
            return
        super().save()

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        self.shards.load_worlds(tensors)  # the only part that checks and changes in one
        self.agent.load_state_dict(under(tensors, "agent."))
        self.recent.load_state_dict(under(tensors, "recent."))
        self._rewind(facts)
        self.shards.take_seats(tensors)
        if self.shards.restorable:
            self.shards.load_collectors(tensors)
            return True
        self.shards.begin(self._worlds_seed())
        self.log.write({"steps": self.now, "resumed": True, "fresh_seeds": True})
        return False

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self.agent.check_state(under(tensors, "agent."))
        if facts["steps"] != int(tensors["agent.steps"]):
            raise ValueError(
                f"checkpoint: expected {facts['steps']} steps, got {tensors['agent.steps']}"
            )
        self.recent.check_state(under(tensors, "recent."))
        carried = {k: v for k, v in tensors.items() if k.startswith(("collector.", "env."))}
        self.shards.check_state(carried)


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
