"""The exact optimum beside what agents reach, wherever the solver applies."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import gymnasium as gym
import torch
from gymnasium.vector import VectorEnv
from rich.progress import Progress

from sidestep.agents import EnvConfig, make_single
from sidestep.agents.acting.batch import Inputs
from sidestep.agents.acting.choosing import Actions
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.encoding import ObservationEncoder
from sidestep.envs import (
    LevelSolutions,
    MovingObstaclesVectorEnv,
    Solution,
    Unsolvable,
    WorldConfig,
    solve_levels,
)
from sidestep.envs.solver.by_level import Report
from sidestep.envs.solver.chains import MOST_STARTS, Problem
from sidestep.envs.solver.worlds import rules_of
from sidestep.scripts.shared.console import progress
from sidestep.sequence import State

PATIENCE = 2**27
"""States, over all starts, that are solved for a table beside agents' results: seconds."""
SEEDED_STARTS, FEWEST_STARTS = 1024, 16
"""Where starts are too many to solve all: so many in all, shared out evenly over the levels, and
at least so few on each, so of a larger pool on its first levels; a world that allows none is left
out."""


class Optimum(float):
    """A largest mean return, and what it is the mean over.

    `over` is empty where that is every start, else the words for a table.
    """

    over: str

    def __new__(cls, value: float, over: str = "") -> "Optimum":
        """The return and the words."""
        self = super().__new__(cls, value)
        self.over = over
        return self


def optimum_of(config: EnvConfig, seeds: int | None = None, show: bool = False) -> Optimum | None:
    """The largest mean return that any policy can have in an env, without discount.

    It knows everything, the obstacles' headings and the move phase included, whatever the env
    shows; so an agent with less may not be able to reach it. Of a world of several levels it is
    the mean over those that the env plays, or over the first ones of a large pool.

    Args:
        config: of any env.
        seeds: take the mean over the first starts of seeds 0 to `seeds` - 1, on each level. If
            left out: over all starts, or where these are too many over those of some seeds.
        show: a bar while levels are solved.

    Returns:
        The return; None for envs of others, with wrappers of their own, and for worlds that the
        solver cannot do in a few seconds.
    """
    rules = _rules(config)
    return None if rules is None else _solved(*rules, seeds, show)


def optimum_later(config: EnvConfig, env: VectorEnv[Any, Any, Any]) -> Callable[[], Optimum | None]:
    """`optimum_of` the worlds that `env` plays, solved only when the function returned is called.

    Args:
        config: of `env`.
        env: its rules are read now: a level's file may have changed by the time of the call.
    """
    inner, spec = env.unwrapped, env.spec
    own = type(inner) is MovingObstaclesVectorEnv and env is inner
    if own and not (spec and spec.additional_wrappers):
        return partial(_solved, *rules_of(env), None, True)
    rules = _rules(config)
    return lambda: None if rules is None else _solved(*rules, None, True)


def _rules(config: EnvConfig) -> tuple[WorldConfig, int | None] | None:
    """What the solver asks of an env; None for one of others, or with wrappers of its own."""
    try:
        env = make_single(config)
    except gym.error.Error:  # one that comes as a vector env only
        return None
    try:
        wrapped = env.spec is not None and env.spec.additional_wrappers
        return None if wrapped else rules_of(env)
    except TypeError:
        return None
    finally:
        env.close()


@lru_cache(maxsize=32)
def _solved(world: WorldConfig, limit: int | None, seeds: int | None, show: bool) -> Optimum | None:
    """`optimum_of` a configuration, whose levels are text: no file that could change."""
    few, levels = _sample(world), len(world.maps)
    try:
        if seeds is None:
            possible, seeds = seeds_for(_problems(few, limit))
            if few is not world and (possible, seeds) == (True, None):  # perhaps all can be solved
                all_possible, seeds = seeds_for(_problems(world, limit))
                few = world if all_possible else few
            if not possible:
                return None
        else:
            few = world
        with level_progress(len(few.maps) if show else 1) as report:
            chosen = None if seeds is None else range(seeds)
            found = solve_levels(few, max_ticks=limit, seeds=chosen, report=report)
        return Optimum(found.mean_return, words_of(found, seeds, levels))
    except (TypeError, Unsolvable):
        return None


def _sample(world: WorldConfig) -> WorldConfig:
    """A world whose levels can all have their share of starts: of a larger pool the first levels.

    Each is drawn like every other, so these are a fair sample.
    """
    most = SEEDED_STARTS // FEWEST_STARTS
    if world.pool is None or world.pool.count <= most:
        return world
    return replace(world, pool=replace(world.pool, count=most))


def _problems(world: WorldConfig, limit: int | None) -> list[Problem]:
    """What is to be solved on each level, without discount."""
    levels = len(world.maps)
    every = [world.alone(n) if levels > 1 else world for n in range(levels)]
    return [Problem(alone, limit, 1.0) for alone in every]


def seeds_for(problems: Sequence[Problem]) -> tuple[bool, int | None]:
    """How a few seconds are spent on a world's levels.

    Returns:
        Whether they are enough, and how many seeds on each level; None for all starts.
    """
    cost = [problem.states * problem.draws for problem in problems]
    starts = [problem.number_of_starts for problem in problems]
    work = sum(a * b for a, b in zip(cost, starts, strict=True))
    if max(starts) <= MOST_STARTS and work <= PATIENCE:
        return True, None
    if max(starts) == 1:
        return False, None
    number = min(SEEDED_STARTS // len(problems), PATIENCE // sum(cost))
    return number >= FEWEST_STARTS, number


def words_of(found: LevelSolutions, seeds: int | None, of: int) -> str:
    """What the means of a solution are over; empty: every start of the only level.

    Args:
        found: of some levels.
        seeds: on each of them.
        of: levels of the world.
    """
    levels = len(found.levels)
    if of == 1:
        return "" if found.is_exact else f"{seeds:,} seeds"
    each = "" if found.is_exact else f", {seeds:,} seeds on each"
    return f"{levels} levels{each}" if levels == of else f"{levels} of {of:,} levels{each}"


_OUTER: ContextVar[Progress | None] = ContextVar("bar of the work within which is solved")


@contextmanager
def shown_in(bar: Progress) -> Iterator[None]:
    """Let `level_progress` be a line of `bar`, which is on the screen already."""
    token = _OUTER.set(bar)
    try:
        yield
    finally:
        _OUTER.reset(token)


@contextmanager
def level_progress(levels: int) -> Iterator[Report | None]:
    """A bar over the levels while they are solved; none for a single one."""
    if levels == 1:
        yield None
        return
    outer = _OUTER.get(None)
    with progress(transient=True) if outer is None else nullcontext(outer) as bar:
        task = bar.add_task("optimum", total=levels, figures="")
        try:
            yield lambda solved, total: bar.update(task, completed=solved)
        finally:
            bar.remove_task(task)


class OptimalPolicy:
    """A `Solution`, or one of several levels, as a policy that `sidestep.agents.evaluate` can play.

    Args:
        solution: of the env's world.
        env: the very vector env in which it will play; its true state is read.

    Raises:
        TypeError, ValueError: an env of another world.
    """

    reward_scale = 1.0

    def __init__(self, solution: Solution | LevelSolutions, env: VectorEnv[Any, Any, Any]) -> None:
        """Take the controls."""
        self.player = solution.player(env)
        self.encoder = ObservationEncoder(env.single_observation_space)
        self.random = Draws(0)
        self.device = torch.device("cpu")

    def initial_state(self, batch: int) -> State:
        """None is kept."""
        return ()

    def act(self, inputs: Inputs, state: State, greedy: bool) -> tuple[Actions, State]:
        """The optimal actions (B,)."""
        return self.player.actions(), state
