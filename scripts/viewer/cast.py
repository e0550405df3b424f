"""Who acts and where, by the flags of `watch` and `record`: a run's agent, or the optimum."""

from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from sidestep.agents import Agent, EnvConfig, load_agent
from sidestep.agents.acting.policy import SinglePolicy
from sidestep.agents.player import Player
from sidestep.agents.runs import read_checkpoint
from sidestep.scripts.viewer.controllers import OptimalController
from sidestep.scripts.viewer.oracle import Oracle, oracle_of
from sidestep.scripts.viewer.panels.moment import Curve
from sidestep.scripts.viewer.replay import Replay
from sidestep.scripts.viewer.replay_session import ReplaySession
from sidestep.scripts.viewer.session import Session
from sidestep.scripts.viewer.stage import make_drawn, warm_up
from sidestep.sequence.fitting.log import read_log

DISCOUNT = 0.99
"""Gamma of the optimum, where there is no run."""


class Flags(Protocol):
    """What the commands have in common."""

    @property
    def run(self) -> Path | None:
        """The run's folder."""

    @property
    def seed(self) -> int | None:
        """Of the first episode."""

    @property
    def sampled(self) -> bool:
        """Act with exploration."""

    @property
    def checkpoint(self) -> str:
        """Which one of the run."""

    @property
    def optimum(self) -> bool:
        """The optimum acts."""

    @property
    def env(self) -> str | None:
        """Where there is no run."""

    @property
    def env_kwargs(self) -> tuple[str, ...]:
        """Of that env."""

    @property
    def modules(self) -> tuple[str, ...]:
        """That may be imported for the run's env."""


def check_cast(flags: Flags) -> None:
    """Raise ValueError where the flags do not say who acts, or one of them would do nothing."""
    if flags.run is None and not flags.optimum:
        raise ValueError("run: expected a run's folder, or --optimum, got neither")
    if flags.run is not None and (flags.env is not None or flags.env_kwargs):
        raise ValueError(f"env: expected none beside {flags.run}, which is shown in its own world")
    if flags.optimum and (flags.sampled or flags.checkpoint != "last"):
        raise ValueError("optimum: expected neither --sampled nor --checkpoint beside it")
    if flags.seed is not None and flags.seed < 0:
        raise ValueError(f"seed: expected a non-negative integer, got {flags.seed}")


class Cast:
    """An agent or the optimum, the env that it plays in, and the sessions in which it does.

    Args:
        config: of the env.
        agent: None: the optimum acts.
        title: in words.
        greedy: without exploration.
        discount: gamma of exact values.
        curve: the run's learning curve.
    """

    def __init__(
        self,
        config: EnvConfig,
        agent: Agent | None,
        title: str,
        greedy: bool = True,
        discount: float = DISCOUNT,
        curve: Curve | None = None,
    ) -> None:
        """Nothing is made yet."""
        self.config, self.agent, self.title, self.greedy = config, agent, title, greedy
        self.discount, self.curve = discount, curve
        self.replay: Replay | None = None
        """What is played again, in one session; nobody else acts then."""
        self._envs: list[gym.Env[Any, Any]] = []

    @classmethod
    def of(cls, flags: Flags) -> "Cast":
        """What the flags name.

        Raises:
            FileNotFoundError, ValueError: no such run or checkpoint.
        """
        if flags.run is not None and flags.run.suffix == ".json":
            replay = Replay.load(flags.run)
            if flags.optimum or flags.sampled or flags.checkpoint != "last":
                raise ValueError("run: expected a run's folder with these flags, got a replay")
            cast = cls(replay.env, None, f"{flags.run.name} ({replay.player})")
            cast.replay = replay
            return cast
        if flags.run is None:
            config = EnvConfig(kwargs=flags.env_kwargs)
            if flags.env is not None:
                config = EnvConfig(flags.env, flags.env_kwargs)
            return cls(config, None, f"{config.id} (optimum)")
        if flags.optimum:
            run = read_checkpoint(flags.run, modules=flags.modules).config
            title = f"{flags.run.name} (optimum)"
            return cls(run.env, None, title, discount=run.agent.discount)
        path = None
        if flags.checkpoint != "last":
            path = flags.run / f"{flags.checkpoint.removesuffix('.json')}.json"
        agent, run = load_agent(flags.run, path, flags.modules)
        curve = Curve.of(read_log(flags.run), run.training.total_steps)
        title = f"{flags.run.name} ({agent.name})"
        greedy = not flags.sampled
        return cls(run.env, agent, title, greedy, run.agent.discount, curve)

    def sessions(self, lanes: int, seed: int | None, regret: bool = True) -> list[Session]:
        """Sessions side by side, on the seeds `seed` to `seed + lanes - 1` at first.

        Args:
            lanes: how many.
            seed: of the first; None: drawn below a million.
            regret: solve the world where that can be done, to know what actions cost.

        Raises:
            ValueError: the optimum of a world that cannot be solved, or an env that does not
                render.
        """
        first = int(np.random.default_rng().integers(1_000_000)) if seed is None else seed
        oracle: Oracle | None = None
        made: list[Session] = []
        for lane in range(lanes):
            env = self.make_env()
            if lane == 0:
                oracle = self._oracle(env, regret)
                warm_up(env)
            policy: SinglePolicy
            if self.replay is not None:
                return [ReplaySession(env, self.replay, oracle)]
            if self.agent is None:
                assert oracle is not None
                policy = OptimalController(oracle, env)
            else:
                policy = Player(self.agent, self.greedy)
            made.append(Session(env, policy, first + lane, lanes, oracle, self.curve))
        return made

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the only episodes that there are; none where any seed can be played."""
        return () if self.replay is None else tuple(e.seed for e in self.replay.episodes)

    def make_env(self) -> gym.Env[Any, Any]:
        """One more env, closed by `close`.

        Raises:
            ValueError: it does not draw.
        """
        env = make_drawn(self.config)
        self._envs.append(env)
        return env

    def close(self) -> None:
        """Close every env."""
        for env in self._envs:
            env.close()

    def _oracle(self, env: gym.Env[Any, Any], regret: bool) -> Oracle | None:
        if self.agent is not None or self.replay is not None:
            return oracle_of(env, self.discount) if regret else None
        try:
            return Oracle(env, self.discount)
        except TypeError:
            raise ValueError(
                f"optimum: expected one of this package's worlds, got {self.config.id}"
            ) from None
