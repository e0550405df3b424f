"""A replay as a session: what `sidestep play --replay` and `sidestep record` show."""

from typing import Any

import gymnasium as gym

from sidestep.scripts.viewer.exact_values import ExactValues
from sidestep.scripts.viewer.replay import Replay, ReplayPolicy
from sidestep.scripts.viewer.session import Session


class ReplaySession(Session):
    """Plays the episodes of a replay once, in their order; from the beginning when asked.

    The score is that of the episodes up to the present one, however often they are played.

    Args:
        env: of `replay.make_env("rgb_array")`; not closed.
        replay: what to play.
        exact: knows what actions cost; None: regret is not shown.
    """

    def __init__(
        self, env: gym.Env[Any, Any], replay: Replay, exact: ExactValues | None = None
    ) -> None:
        """Begin the first episode."""
        self.replay, self.seeds = replay, [episode.seed for episode in replay.episodes]
        super().__init__(env, ReplayPolicy(replay, env), self.seeds[0], exact=exact)

    def begin(self, seed: int | None = None) -> None:
        """Begin the episode of `seed`, or the next one; the first where there is no such seed."""
        if seed is None:
            seed = self.seeds[(self.seeds.index(self.seed) + 1) % len(self.seeds)]
        number = self.seeds.index(seed) if seed in self.seeds else 0
        before = self.replay.episodes[:number]
        self.tally.episodes = number
        self.tally.successes = sum(episode.success for episode in before)
        self.tally.returns[:] = [episode.total for episode in before]
        super().begin(self.seeds[number])

    @property
    def has_next(self) -> bool:
        """Whether the present episode is not the last."""
        return self.seed != self.seeds[-1]
