"""What plays: an agent, or anything that chooses actions for a batch of lanes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sidestep.sequence import State

from .batch import Inputs
from .choosing import Actions
from .draws import Draws
from .encoding import ObservationEncoder


class SinglePolicy(Protocol):
    """What plays one env, tick by tick; `sidestep.agents.player.Player` is one."""

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        """The action for `obs`, which came with `reward` and `info`."""
        ...


class Policy(Protocol):
    """What plays: training, evaluation, watching and recording all go through this `act`."""

    encoder: ObservationEncoder
    random: Draws

    @property
    def reward_scale(self) -> float:
        """Factor on the rewards that it is shown and learns from."""
        ...

    def initial_state(self, batch: int) -> State:
        """The cleared state of `batch` lanes."""
        ...

    def act(self, inputs: Inputs, state: State, greedy: bool) -> tuple[Actions, State]:
        """Actions (B,) for o_t, and the state after it."""
        ...


@contextmanager
def undisturbed(policy: Policy, random: Draws) -> Iterator[None]:
    """Let `policy` act on `random`, with its running statistics frozen; then give both back.

    No lane is in a bout of exploring when it begins.
    """
    frozen, policy.encoder.frozen = policy.encoder.frozen, True
    random.exploring = random.exploring[:0]
    stream, policy.random = policy.random, random
    try:
        yield
    finally:
        policy.encoder.frozen, policy.random = frozen, stream
