"""An agent before a shard of the lanes, where several shards are played one after another."""

import copy

from torch import Tensor

from sidestep.agents.acting.batch import Inputs
from sidestep.agents.acting.choosing import Actions
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.normalization import PartMoments
from sidestep.sequence import State

from .learner import Agent


class Seat:
    """An agent that acts in some lanes, with their random numbers and running statistics.

    Args:
        agent: whose parameters it acts by.
        first_lane: of the shard.
    """

    def __init__(self, agent: Agent, first_lane: int) -> None:
        """Take the seat."""
        self.agent, self.random = agent, Draws(agent.random.seed, first_lane)
        self.random.tick = agent.random.tick
        self.encoder = copy.copy(agent.encoder)
        self.encoder.moments = self.seen = PartMoments(agent.encoder.moments)
        self.reward_moments = PartMoments(agent.reward_moments)

    def __repr__(self) -> str:
        """Name the agent and the first lane."""
        return f"Seat({self.agent!r}, first_lane={self.random.first_lane})"

    def take(self) -> None:
        """Go on from the agent's running statistics."""
        agent = self.agent
        self.seen.meet(agent.encoder.moments)
        self.reward_moments.meet(agent.reward_moments)
        self.encoder.largest = agent.encoder.largest

    @property
    def device(self) -> object:
        """Where the network lives."""
        return self.agent.device

    @property
    def reward_scale(self) -> float:
        """Factor on the rewards, by what this shard knows of them."""
        return self.agent.scale_by(self.reward_moments)

    @property
    def reward_limit(self) -> float | None:
        """Size to which scaled rewards are cut; None: they are not."""
        return self.agent.reward_limit

    def initial_state(self, batch: int) -> State:
        """The cleared state of `batch` lanes."""
        return self.agent.initial_state(batch)

    def act(self, inputs: Inputs, state: State, greedy: bool = False) -> tuple[Actions, State]:
        """Choose actions as the agent does, by this shard's random numbers."""
        held, self.agent.random = self.agent.random, self.random
        try:
            return self.agent.act(inputs, state, greedy)
        finally:
            self.agent.random = held

    def peek(self, inputs: Inputs, state: State) -> Tensor:
        """The values (B,) of observations that end an episode."""
        return self.agent.peek(inputs, state)
