"""A replay as a session: what `sidestep play --replay` and `sidestep record` show."""

from typing import Any

import gymnasium as gym

from sidestep.scripts.watching.oracle import Oracle
from sidestep.scripts.watching.replay import Replay, ReplayPolicy
from sidestep.scripts.watching.session import Session


class ReplaySession(Session):
    """Plays the episodes of a replay, in their order and round again.

    Args:
        env: of `replay.make_env("rgb_array")`; not closed.
        replay: what to play.
        oracle: knows what actions cost; None: regret is not shown.
    """

    def __init__(
        self, env: gym.Env[Any, Any], replay: Replay, oracle: Oracle | None = None
    ) -> None:
        """Begin the first episode."""
        self.seeds = [episode.seed for episode in replay.episodes]
        super().__init__(env, ReplayPolicy(replay, env), self.seeds[0], oracle=oracle)

    def begin(self, seed: int | None = None) -> None:
        """Begin the episode of `seed`, or the next one; the first where there is no such seed."""
        if seed is None:
            seed = self.seeds[(self.seeds.index(self.seed) + 1) % len(self.seeds)]
        super().begin(seed if seed in self.seeds else self.seeds[0])
