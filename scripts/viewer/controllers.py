"""Who acts in a session: an agent, the optimum, or anything with `act`; and what each can tell."""

from typing import Any

import gymnasium as gym
import numpy as np

from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.policy import SinglePolicy
from sidestep.agents.insight import Impression, imagine
from sidestep.agents.player import Player, PlayerState
from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.world import State, World
from sidestep.scripts.viewer.exact_values import ExactValues, crossed, lanes_at
from sidestep.scripts.viewer.panels.moment import CellValues

EXPLORATION = 1
"""Keeps the exploration's stream apart from the env's, which has the same seed."""


class Controller:
    """A policy as a session plays it: it can be asked why, and put back to where it was.

    Whatever a policy lacks is left out: this class serves any, its children know more.

    Args:
        policy: with `get_state` and `set_state` where it carries anything from tick to tick.
    """

    def __init__(self, policy: SinglePolicy) -> None:
        """Take the policy."""
        self.policy = policy

    @property
    def impression(self) -> Impression | None:
        """What it was shown in the last `act`, if it can say."""
        return None

    def begin(self, seed: int) -> None:
        """The episode of a seed is about to begin."""

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        """The action for `obs`."""
        return self.policy.act(obs, episode_start, reward, info)

    def get_state(self) -> Any:
        """What it carries from tick to tick."""
        get = getattr(self.policy, "get_state", None)
        return None if get is None else get()

    def set_state(self, state: Any) -> None:
        """Go back to a `get_state()`."""
        if state is not None:
            self.policy.set_state(state)  # type: ignore[attr-defined]  # it had get_state

    def cells(self, state: State, impression: Impression | None) -> CellValues | None:
        """What each cell of a world would be worth in this tick, as far as it can say."""
        del state, impression
        return None


class AgentController(Controller):
    """A trained agent.

    Args:
        player: at the controls.
        env: in which it plays; its world's cells can be valued where it is one of ours and shown
            to the agent as it is.
    """

    policy: Player

    def __init__(self, player: Player, env: gym.Env[Any, Any]) -> None:
        """Take the player."""
        super().__init__(player)
        world = env.unwrapped
        same = isinstance(world, MovingObstaclesEnv) and env.observation_space == world.world.space
        self.env = world if same and isinstance(world, MovingObstaclesEnv) else None
        self._lanes: tuple[int, World] | None = None

    @property
    def impression(self) -> Impression | None:
        """What it was shown in the last `act`."""
        return self.policy.impression

    def begin(self, seed: int) -> None:
        """Explore by the seed too: the same episode comes again, whatever was played before."""
        self.policy.random = Draws((seed, EXPLORATION))

    def get_state(self) -> PlayerState:
        """Memory, last action and exploration."""
        return self.policy.get_state()

    def set_state(self, state: PlayerState) -> None:
        """Go back to a `get_state()`."""
        self.policy.set_state(state)

    def cells(self, state: State, impression: Impression | None) -> CellValues | None:
        """What the agent would make of every cell, had it remembered the same."""
        if self.env is None or impression is None:
            return None
        number = int(state["level_of"][0])
        level = self.env.world.levels[number]
        at = crossed(level)
        world = self._world_of(number, len(at))
        world.state[:] = lanes_at(state["state"], at)
        world.clock[:] = state["clock"][0]
        worth = imagine(impression, world.observe())
        rows, columns = [cell.y for cell in at], [cell.x for cell in at]
        actions = np.full((level.height, level.width), -1, dtype=np.int64)
        actions[rows, columns] = worth.actions
        if worth.values is None:
            return CellValues(None, actions)
        values = np.full((level.height, level.width), np.nan)
        values[rows, columns] = worth.values
        return CellValues(values, actions)

    def _world_of(self, number: int, lanes: int) -> World:
        """A world of one level with a lane for each cell, to be shown to the agent; kept."""
        assert self.env is not None
        if self._lanes is None or self._lanes[0] != number:
            config = self.env.config
            alone = config.alone(number) if len(self.env.world.levels) > 1 else config
            self._lanes = number, World(alone, lanes, None)
        return self._lanes[1]


class OptimalController(Controller):
    """The optimum, which knows the true state of its env's world.

    Args:
        exact: of the env's world.
        env: in which it plays.
    """

    def __init__(self, exact: ExactValues, env: gym.Env[Any, Any]) -> None:
        """Take the controls."""
        world = env.unwrapped
        assert isinstance(world, MovingObstaclesEnv)
        self.exact, self.env = exact, world

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        """The optimal action; nothing of what is passed is looked at."""
        return self.exact.act(self.env.get_state())

    def get_state(self) -> Any:
        """Nothing is carried."""
        return None

    def cells(self, state: State, impression: Impression | None) -> CellValues | None:
        """The exact values and best actions."""
        return self.exact.cells(state)


def controller_of(policy: SinglePolicy, env: gym.Env[Any, Any]) -> Controller:
    """Make a controller of players and of anything with `act`; a controller is one already."""
    if isinstance(policy, Controller):
        return policy
    return AgentController(policy, env) if isinstance(policy, Player) else Controller(policy)
