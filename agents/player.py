"""An agent at one env's controls: watching, recording and playing go through this."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector.utils import concatenate, create_empty_array

from sidestep.sequence import State

from .acting.batch import Inputs
from .acting.draws import Draws
from .acting.infos import read_mask
from .acting.normalization import shown_rewards
from .acting.policy import undisturbed
from .algorithms.learner import Agent
from .insight import Impression


class PlayerState(NamedTuple):
    """All that a player carries from tick to tick; nothing in it is ever written to again."""

    memory: State
    action: int
    seed: int | tuple[int, ...]
    """Of the exploration's random numbers."""
    tick: int
    """At which they stand."""


class Player:
    """Feeds one env's observations to `agent.act` and keeps the hidden state between ticks.

    Args:
        agent: what plays; its running statistics and its random numbers are not touched.
        greedy: without exploration.
        seed: of the exploration, where not greedy.

    Attributes:
        impression: what the agent was shown in the last `act`; its `insight` says why it acted so.
    """

    def __init__(self, agent: Agent, greedy: bool = True, seed: int = 0) -> None:
        """Begin with a cleared state."""
        self.agent, self.greedy = agent, greedy
        self.random = Draws(seed)
        self.state = agent.initial_state(1)
        self.action = 0
        self.impression: Impression | None = None

    def __repr__(self) -> str:
        """Name the agent and how it plays."""
        return f"Player({self.agent!r}, greedy={self.greedy})"

    def act(
        self, obs: Any, episode_start: bool, reward: float = 0.0, info: dict[str, Any] | None = None
    ) -> int:
        """The action for `obs`.

        Args:
            obs: one observation, as the env gave it.
            episode_start: True for the observation of `reset`.
            reward: what came with `obs`; only agents with `last_reward` look at it.
            info: what came with `obs`; only its `action_mask` is looked at.

        Raises:
            ValueError: a mask of another shape, or an observation that is not finite.
        """
        agent, space = self.agent, self.agent.observation_space
        empty: Any = create_empty_array(space, 1)
        with undisturbed(agent, self.random):
            encoded = agent.encoder(concatenate(space, [obs], empty), agent.device)
            inputs = self._inputs(encoded, episode_start, reward, info or {})
            self.impression = Impression(agent, inputs, self.state)
            actions, self.state = agent.act(inputs, self.state, self.greedy)
        self.random.tick += 1
        self.action = int(actions[0])
        return self.action

    def get_state(self) -> PlayerState:
        """What `set_state` takes to go on from here as if nothing had happened since."""
        return PlayerState(self.state, self.action, self.random.seed, self.random.tick)

    def set_state(self, state: PlayerState) -> None:
        """Go back to a `get_state()` of this player: memory, last action and exploration."""
        self.state, self.action = state.memory, state.action
        if self.random.seed != state.seed:
            self.random = Draws(state.seed)
        self.random.tick = state.tick

    def _shown(self, reward: float) -> torch.Tensor:
        agent = self.agent
        return shown_rewards(np.array([float(reward)]), agent.reward_scale, agent.reward_limit)

    def _inputs(
        self, encoded: torch.Tensor, episode_start: bool, reward: float, info: dict[str, Any]
    ) -> Inputs:
        device, told = self.agent.device, info.get("action_mask")
        told = None if told is None else [told]
        mask = read_mask({"action_mask": told}, 1, self.agent.num_actions)
        return Inputs(
            encoded,
            torch.tensor([episode_start], device=device),
            torch.tensor([self.action], device=device),
            self._shown(reward).to(device),
            None if mask is None else torch.from_numpy(mask).to(device),
        )
