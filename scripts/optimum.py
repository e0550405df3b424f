"""The exact optimum beside what agents reach, wherever the solver applies."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from sidestep.agents import EnvConfig, make_single
from sidestep.agents.observations import ObservationEncoder
from sidestep.agents.types import Inputs
from sidestep.envs import Solution, Unsolvable, solve
from sidestep.envs.problem import MOST_STARTS, Problem
from sidestep.envs.solver_lanes import rules_of
from sidestep.sequence import State

PATIENCE = 2**27
"""Worlds with more states than this, over all starts, take seconds: they must be asked for."""


@lru_cache(maxsize=32)
def optimum_of(config: EnvConfig) -> float | None:
    """The largest mean return that any policy can have in an env, without discount.

    It knows everything, the obstacles' headings and the move phase included, whatever the env
    shows; so an agent with less may not be able to reach it.

    Args:
        config: of any env.

    Returns:
        The return; None for envs of others, with wrappers of their own, and for worlds that the
        solver cannot do in a few seconds.
    """
    env = make_single(config)
    try:
        if env.spec is not None and env.spec.additional_wrappers:
            return None
        world, max_ticks = rules_of(env)
        problem = Problem(world, max_ticks, 1.0)
        work = problem.number_of_starts * problem.states * problem.draws
        if problem.number_of_starts > MOST_STARTS or work > PATIENCE:
            return None
        return solve(env).mean_return
    except (TypeError, Unsolvable):
        return None
    finally:
        env.close()


class OptimalPolicy:
    """A `Solution` as a policy that `sidestep.agents.evaluate` can play.

    Args:
        solution: of the env's world.
        env: the very vector env in which it will play; its true state is read.

    Raises:
        TypeError, ValueError: an env of another world.
    """

    reward_scale = 1.0

    def __init__(self, solution: Solution, env: VectorEnv[Any, Any, Any]) -> None:
        """Take the controls."""
        self.player = solution.player(env)
        self.encoder = ObservationEncoder(env.single_observation_space)
        self.random = np.random.default_rng(0)
        self.device = torch.device("cpu")

    def initial_state(self, batch: int) -> State:
        """None is kept."""
        return ()

    def act(self, inputs: Inputs, state: State, greedy: bool) -> tuple[NDArray[np.int64], State]:
        """The optimal actions (B,)."""
        return self.player.actions(), state
