"""The optimum: the course's figures, search over everything, and the world itself agree."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sidestep.envs import ENV_IDS, Level, MovingObstaclesVectorEnv, Solution, WorldConfig, solve
from sidestep.envs.rules import tick as kernels

from .planner import best, starts


def test_values_that_take_long_to_settle_are_waited_for() -> None:
    """Who may wait for ever has 0.1 / (1 - gamma), to 1e-4 only after 14,000 ticks."""
    solution = solve(gym.make("sidestep/Book-v0", step_reward=0.1), 0.999)
    assert solution.mean_value == pytest.approx(100, abs=1e-6)


@pytest.mark.parametrize(
    ("step_reward", "discount", "expected"),
    [(0.0, 0.99, 0.9321), (-0.1, 0.99, 0.1595), (0.0, 1.0, 1.0), (-0.1, 1.0, 0.2)],
)
def test_figures_of_the_course(step_reward: float, discount: float, expected: float) -> None:
    solution = solve(gym.make("sidestep/Book-v0", step_reward=step_reward), discount)
    assert solution.mean_value == pytest.approx(expected, abs=5e-5)
    assert solution.mean_return == pytest.approx(1.0 + 8 * step_reward)
    assert (solution.success, solution.mean_length) == (1.0, 8.0)
    assert solution.starts.is_exact


def test_course_takes_8_steps_from_either_phase() -> None:
    env = gym.make_vec("sidestep/Book-v0", num_envs=2)
    env.reset(seed=0)
    world = env.unwrapped.world  # type: ignore[attr-defined]
    world.state[kernels.PHASE, 1] = 1
    solution = solve(env, discount=0.5)
    assert solution.value(world.state, world.clock).tolist() == [0.5**7, 0.5**7]


def test_default_world_by_hand() -> None:
    """Nothing is quicker than 8 ticks, and the return counts them: 1 - 0.05 n."""
    solution = solve(gym.make("sidestep/MovingObstacles-v0"))
    assert len(solution.starts.weight) == 8 * 8 * 8 * 2
    assert solution.success == pytest.approx(1.0)
    assert solution.mean_return == pytest.approx(1 - 0.05 * solution.mean_length)
    assert sorted(set(solution.lengths.tolist())) == [8.0, 9.0]
    assert solution.mean_length == pytest.approx(8.008)


REWARDS = st.sampled_from([-1.0, -0.3, -0.05, 0.0, 0.25, 1.0])
CELLS = st.sampled_from("....##<>^v")


@st.composite
def configs(draw: st.DrawFn, wanderers: int = 0) -> WorldConfig:
    """Small worlds of every rule."""
    width, height = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    cells = draw(st.lists(CELLS, min_size=width * height, max_size=width * height))
    places = draw(st.permutations(range(len(cells))))[: 2 + wanderers]
    assume(len(places) == 2 + wanderers)
    for place, character in zip(places, "SG" + wanderers * "?", strict=True):
        cells[place] = character
    assume(sum(c in "<>^v" for c in cells) <= 3)
    rows = ["".join(cells[y * width : (y + 1) * width]) for y in range(height)]
    try:
        level = Level.parse("\n".join(rows))
    except ValueError:
        assume(False)
    return WorldConfig(
        level=level,
        obstacle_period=draw(st.integers(1, 3)),
        random_starts=draw(st.booleans()),
        swap_hits=draw(st.booleans()),
        hit_ends=draw(st.booleans()),
        goal_reward=draw(REWARDS),
        hit_reward=draw(REWARDS),
        step_reward=draw(REWARDS),
    )


def searched(config: WorldConfig, max_ticks: int, discount: float) -> float:
    values = [best(config, max_ticks, discount, *start) for start in starts(config)]
    return sum(values) / len(values)


LIMITS, DISCOUNTS = st.integers(1, 9), st.sampled_from([0.0, 0.5, 0.9, 1.0])


@settings(max_examples=60, deadline=None)
@given(configs(), LIMITS, DISCOUNTS)
@example(WorldConfig(level="S<G", swap_hits=True, obstacle_period=1), 5, 1.0)
@example(WorldConfig(level="S<G\n...", swap_hits=False, hit_ends=False), 9, 0.9)
def test_search_over_everything_agrees(
    config: WorldConfig, max_ticks: int, discount: float
) -> None:
    assume(len(starts(config)) <= 150)
    solution = solve(config, discount, max_ticks)
    assert solution.mean_value == pytest.approx(searched(config, max_ticks, discount), abs=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2).flatmap(configs), st.integers(1, 5), DISCOUNTS)
@example(WorldConfig(level="S?.\n..G", obstacle_period=1, hit_ends=False), 5, 1.0)
def test_search_agrees_with_wanderers(config: WorldConfig, max_ticks: int, discount: float) -> None:
    assume(len(starts(config)) <= 20)
    solution = solve(config, discount, max_ticks)
    assert solution.mean_value == pytest.approx(searched(config, max_ticks, discount), abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(configs(), st.sampled_from([0.5, 0.9]))
def test_without_a_limit_as_with_a_long_one(config: WorldConfig, discount: float) -> None:
    assume(len(starts(config)) <= 150)
    endless, long = solve(config, discount, None), solve(config, discount, 400)
    assert endless.mean_value == pytest.approx(long.mean_value, abs=1e-10)


def all_starts(solution: Solution) -> MovingObstaclesVectorEnv:
    """A lane for every start, alike ones as often as they occur; lane by lane equally likely."""
    ways = starts(solution.config)
    fields: Any = {k: getattr(solution.config, k) for k in solution.config.__dataclass_fields__}
    env = MovingObstaclesVectorEnv(
        len(ways), solution.max_ticks, autoreset_mode="NextStep", **fields
    )
    env.reset(seed=0)
    state = env.get_state()
    for lane, (bodies, wait) in enumerate(ways):
        state["state"][kernels.PHASE, lane] = wait
        state["state"][kernels.FIRST :, lane] = np.ravel(bodies)
    env.set_state(state)
    return env


def played(solution: Solution, ticks: int) -> dict[str, np.ndarray]:
    """What `Solution.act` makes of every start in the world itself."""
    env = all_starts(solution)
    world, open_lanes = env.world, np.ones(env.num_envs, dtype=bool)
    figures = {name: np.zeros(env.num_envs) for name in ("value", "return", "success", "length")}
    first = solution.value(world.state, world.clock)
    for tick in range(ticks):
        q = solution.q(world.state, world.clock)
        actions = solution.act(world.state, world.clock)
        value = solution.value(world.state, world.clock)
        assert q[open_lanes].max(1) == pytest.approx(value[open_lanes], abs=1e-10)
        lanes = np.arange(env.num_envs)
        assert q[lanes, actions][open_lanes] == pytest.approx(value[open_lanes], abs=1e-10)
        _, reward, terminated, truncated, info = env.step(actions)
        figures["value"] += open_lanes * reward * solution.discount**tick
        figures["return"] += open_lanes * reward
        figures["success"] += open_lanes & info.get("is_success", np.zeros_like(open_lanes))
        figures["length"] += open_lanes
        open_lanes &= ~(terminated | truncated)
        if not open_lanes.any():
            break
    assert not open_lanes.any()
    assert first == pytest.approx(figures["value"], abs=1e-10)
    return figures


def agrees(solution: Solution, ticks: int = 200) -> None:
    figures = played(solution, ticks)
    assert figures["value"].mean() == pytest.approx(solution.mean_value, abs=1e-11)
    assert figures["return"].mean() == pytest.approx(solution.mean_return, abs=1e-11)
    assert figures["success"].mean() == pytest.approx(solution.success, abs=1e-11)
    assert figures["length"].mean() == pytest.approx(solution.mean_length, abs=1e-11)


@pytest.mark.parametrize("env_id", [e for e in ENV_IDS if "pool" not in gym.spec(e).kwargs])
@pytest.mark.parametrize("discount", [0.99, 1.0])
def test_played_from_every_start(env_id: str, discount: float) -> None:
    agrees(solve(gym.make(env_id), discount))


@settings(max_examples=40, deadline=None)
@given(configs(), st.integers(1, 12), DISCOUNTS)
def test_played_from_every_start_of_small_worlds(
    config: WorldConfig, max_ticks: int, discount: float
) -> None:
    assume(len(starts(config)) <= 400)
    agrees(solve(config, discount, max_ticks))


def test_wanderers_by_hand() -> None:
    """The wanderer stays, or goes down, right or left, each with chance 1/4.

    One tick: waiting is hit by a step to the left. Two: moving right is hit if it stays or swaps
    (-1/2), wins at once if it went down (+1/4), and if it went right the agent saves itself below.
    """
    config = WorldConfig(level="S?G\n#.#", obstacle_period=1, step_reward=0.0)
    one, two = solve(config, 1.0, 1), solve(config, 1.0, 2)
    assert (one.mean_value, one.success, one.mean_length) == (-0.25, 0.0, 1.0)
    assert (two.mean_value, two.success, two.mean_length) == (-0.25, 0.25, 1.5)


def test_wanderers_played() -> None:
    lanes = 4000
    config: dict[str, Any] = {"level": "S...\n.?..\n.>..\n...G", "obstacle_period": 2}
    env = gym.make_vec(
        "sidestep/MovingObstacles-v0",
        lanes,
        max_episode_steps=30,
        **config,
    )
    solution = solve(env)
    player = solution.player(env)
    env.reset(seed=1)
    total, length = np.zeros(lanes), np.zeros(lanes)
    wins, over = np.zeros(lanes, dtype=bool), np.zeros(lanes, dtype=bool)
    for _ in range(30):
        _, reward, terminated, truncated, info = env.step(player.actions())
        total, length = total + reward * ~over, length + ~over
        wins |= info.get("is_success", False) & ~over
        over |= terminated | truncated
    error = 4 / np.sqrt(lanes)
    assert solution.mean_value == solution.mean_return
    assert total.mean() == pytest.approx(solution.mean_return, abs=error * total.std())
    assert wins.mean() == pytest.approx(solution.success, abs=error * wins.std())
    assert length.mean() == pytest.approx(solution.mean_length, abs=error * length.std())
    assert 0.5 < solution.success < 1.0


def test_ties_prefer_fewer_ticks_then_the_lower_action() -> None:
    config = WorldConfig(level="S..\n...\n..G", step_reward=0.0)
    solution = solve(config, 1.0, 20)
    assert (solution.mean_length, solution.mean_return) == (4.0, 1.0)
    values, actions = solution.maps(0, 0)
    assert actions.tolist()[0] == [1, 1, 1]  # down comes before right
    assert values.tolist() == [[1.0] * 3] * 3
    assert solve(config, 1.0, None).mean_length == 4.0


def test_never_ending_episodes_have_infinite_length() -> None:
    config = WorldConfig(level="S.\n.G", step_reward=0.0, goal_reward=-1.0)
    solution = solve(config, 1.0, None)
    assert (solution.mean_value, solution.success, solution.mean_length) == (0.0, 0.0, np.inf)
    config = WorldConfig(level="S.\n.G", step_reward=0.25, goal_reward=-1.0)
    solution = solve(config, 0.5, None)
    assert solution.mean_value == pytest.approx(0.5)
    assert (solution.mean_return, solution.mean_length) == (np.inf, np.inf)


def test_maps_leave_out_walls() -> None:
    solution = solve(WorldConfig(level="S.G\n.##\n.#."), 1.0, 10)
    values, actions = solution.maps(0, 9)
    assert np.isnan(values).tolist() == [[False] * 3, [False, True, True], [False, True, True]]
    assert (actions < 0).tolist() == np.isnan(values).tolist()
    assert values[0, 1] == pytest.approx(0.95)
    assert values[0, 0] == pytest.approx(-0.05)  # one tick is left, and the goal two away


def test_seeds_give_their_own_starts() -> None:
    env = gym.make("sidestep/MovingObstacles-v0")
    few, same = solve(env, seeds=[3, 4]), solve(env, seeds=[4, 3])
    every = solve(env)
    assert not few.starts.is_exact and every.starts.is_exact
    assert few.starts.weight.tolist() == [0.5, 0.5]
    assert few.mean_return == same.mean_return
    for seed in (3, 4):
        env.reset(seed=seed)
        world = env.unwrapped.world  # type: ignore[attr-defined]
        one = solve(env, seeds=[seed])
        assert one.mean_value == every.value(world.state, world.clock)[0]
    many = solve(env, seeds=range(20_000))
    assert len(many.starts.weight) == 1024  # all of them come up, as often as they should
    assert abs(many.starts.weight - every.starts.weight).max() < 0.002


def test_a_restored_state_of_another_start_is_solved_on_demand() -> None:
    env = gym.make("sidestep/Book-v0")
    env.reset(seed=0)
    solution, world = solve(env, 0.99), env.unwrapped.world  # type: ignore[attr-defined]
    world.state[kernels.FIRST, 0] = 3
    other = WorldConfig(
        **{**solution.config.__dict__, "level": "S....\n...>.\n.>...\n..>..\n....G"}
    )
    assert solution.value(world.state, world.clock)[0] == solve(other, 0.99, None).mean_value
