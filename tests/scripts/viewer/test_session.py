"""Sessions: what a tick holds, and going back by restored states or by playing again."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import TransformObservation

import sidestep.envs  # noqa: F401
from sidestep.agents import DeepSarsa, DeepSarsaConfig, NetworkConfig, Reinforce, ReinforceConfig
from sidestep.agents.player import Player
from sidestep.envs import solve
from sidestep.scripts.viewer.controllers import OptimalController
from sidestep.scripts.viewer.exact_values import ExactValues, exact_values_of
from sidestep.scripts.viewer.panels.moment import Curve, Moment
from sidestep.scripts.viewer.panels.registry import NAMES
from sidestep.scripts.viewer.session import Session

MEMORIES = ("none", "rnn", "lstm", "gru", "attention")


def make(env_id: str = "sidestep/Glimpse-v0", **config: Any) -> gym.Env[Any, Any]:
    return gym.make(env_id, render_mode="rgb_array", **config)


def player_of(env: gym.Env[Any, Any], memory: str, **options: Any) -> Player:
    network = NetworkConfig((11,), memory, 7, 1, 5, last_action=True, last_reward=True)
    config = DeepSarsaConfig(network=network, epsilon_start=0.5)
    agent = DeepSarsa(env.observation_space, env.action_space, config, seed=3)
    return Player(agent, **options)


def facts(session: Session) -> tuple[Any, ...]:
    """All that a tick shows, as plain values."""
    moment = session.moment(NAMES)
    insights = [
        (i.scores.tolist(), i.units is not None and i.units.tolist(), [n for n, _ in i.gates])
        for i in moment.insights
    ]
    tally = session.tally.get_state()
    return session.seed, moment.scene, moment.action, moment.trail, moment.regrets, tally, insights


@pytest.mark.parametrize("memory", MEMORIES)
def test_going_back_and_on_repeats_every_tick(memory: str) -> None:
    env = make()
    session = Session(
        env, player_of(env, memory, greedy=False), 0, exact=exact_values_of(env, 0.97)
    )
    first = []
    for _ in range(67):
        first.append(facts(session))
        session.begin() if session.tally.over else session.tick()
    assert len({fact[0] for fact in first}) > 2  # over several episodes
    for number in reversed(range(67)):
        assert session.back()
        assert facts(session) == first[number]
    assert not session.back()
    for number in range(67):
        assert facts(session) == first[number]
        session.begin() if session.tally.over else session.tick()


def test_an_explored_episode_comes_again_by_its_seed() -> None:
    env = make()
    session = Session(env, player_of(env, "gru", greedy=False), 5)

    def actions(seed: int) -> list[int]:
        session.begin(seed)
        while not session.tally.over:
            session.tick()
        return session.now.episode.actions

    first = [actions(seed) for seed in (5, 6, 7)]
    assert [actions(seed) for seed in (7, 5, 6)] == [first[2], *first[:2]]
    assert len({tuple(one[:2]) for one in [actions(seed) for seed in range(23)]}) > 5


def test_the_time_limit_counts_right_after_going_back() -> None:
    env = make(max_episode_steps=5, level="S..\n...\n..G")
    stay: Any = type("Stay", (), {"act": lambda self, *_: 4})()
    session = Session(env, stay, seed=0)
    for _ in range(4):
        session.tick()
    for _ in range(3):
        session.back()
    played = 0
    while not session.tally.over:
        session.tick()
        played += 1
    assert (played, session.tally.ticks) == (4, 5)


@pytest.mark.parametrize("wrapped", [False, True])
def test_envs_without_states_are_played_again(wrapped: bool) -> None:
    env: Any = make("CartPole-v1")
    if wrapped:
        env = TransformObservation(make(), lambda obs: obs * 2, None)
    session = Session(env, player_of(env, "gru", greedy=False), 7)
    assert not session.keeps_states
    seen = []
    for _ in range(9):
        seen.append((session.moment(NAMES).picture, session.now.obs, session.now.action))
        session.begin() if session.tally.over else session.tick()
    for picture, obs, action in reversed(seen):
        assert session.back()
        assert np.array_equal(session.now.obs, obs) and session.now.action == action
        assert np.array_equal(session.moment(NAMES).picture, picture)


def test_an_env_that_does_not_repeat_says_so() -> None:
    class Drifting(gym.Env[Any, int]):
        observation_space, action_space = spaces.Box(0, 99, (1,)), spaces.Discrete(2)
        render_mode, count = "rgb_array", 0

        def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
            self.count += 1
            return np.array([self.count], np.float32), {}

        def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.array([self.count], np.float32), 0.0, False, False, {}

    env = Drifting()
    session = Session(env, player_of(env, "none"), 0)
    session.tick()
    with pytest.raises(ValueError, match="back: expected an env that repeats itself"):
        session.back()


def test_regret_is_that_of_the_solver() -> None:
    env: Any = make()
    session = Session(env, player_of(env, "gru"), 3, exact=ExactValues(env, 0.97))
    solution, costs = solve(env, 0.97, seeds=[3]), []
    while not session.tally.over:
        world = env.unwrapped.world
        q = solution.q(world.state, world.clock)[0]
        costs.append(q.max() - q[session.now.action])
        assert session.moment({"regret"}).regrets == pytest.approx(costs)
        assert session.moment({"regret"}).optimal == pytest.approx(q)
        session.tick()
    assert sum(costs) > 0.01


@pytest.mark.parametrize("env_id", ["sidestep/MovingObstacles-v0", "sidestep/Crossing-v0"])
def test_the_optimum_never_regrets(env_id: str) -> None:
    env = make(env_id)
    exact = ExactValues(env, 0.99)
    session = Session(env, OptimalController(exact, env), 0, exact=exact)
    for _ in range(3):
        session.begin()
        while not session.tally.over:
            session.tick()
        assert max(session.moment({"regret"}).regrets) == pytest.approx(0, abs=1e-9)
        assert session.info["is_success"]


def test_the_last_action_is_told_at_the_end() -> None:
    env: Any = make()
    session = Session(env, player_of(env, "none"), 3)
    while not session.tally.over:
        last = session.moment({"values"})
        assert last.last_action is None
        session.tick()
    moment = session.moment({"values"})
    assert (moment.action, moment.last_action) == (None, last.action)


def test_cells_of_the_optimum_are_its_values() -> None:
    env: Any = make("sidestep/MovingObstacles-v0", level="S.#\n.>.\n#.G", max_episode_steps=17)
    exact = ExactValues(env, 0.9)
    session = Session(env, OptimalController(exact, env), 2, exact=exact)
    session.tick()
    cells = session.moment({"heatmap"}).cells
    assert cells is not None and cells.values is not None
    solution, world = solve(env, 0.9, seeds=[2]), env.unwrapped.world
    for (y, x), value in np.ndenumerate(cells.values):
        if env.unwrapped.level.is_wall(x, y) or (x, y) == (2, 2):
            assert np.isnan(value) and cells.actions[y, x] == -1
            continue
        state = world.state.copy()
        state[:2, 0] = x, y
        assert value == pytest.approx(solution.value(state, world.clock)[0])
        assert cells.actions[y, x] == solution.act(state, world.clock)[0]


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("env_id", ["sidestep/Glimpse-v0", "sidestep/Crossing-v0"])
def test_the_agents_own_cell_has_the_value_of_its_best_action(env_id: str, memory: str) -> None:
    env = make(env_id)
    session = Session(env, player_of(env, memory), 4)
    session.tick()
    while session.tally.over:
        session.begin()
        session.tick()
    moment = session.moment({"heatmap", "values"})
    assert moment.scene is not None and moment.cells is not None and moment.insight is not None
    x, y = moment.scene.agent
    assert moment.cells.values is not None
    best = float(moment.insight.scores.max())
    assert moment.cells.values[y, x] == pytest.approx(best, abs=1e-5)
    assert moment.cells.actions[y, x] == moment.action


def test_a_learner_without_values_has_arrows_only() -> None:
    env = make()
    config = ReinforceConfig(network=NetworkConfig((7,)), baseline="mean", trace_decay=1.0)
    agent = Reinforce(env.observation_space, env.action_space, config)
    moment = Session(env, Player(agent), 0).moment({"heatmap", "values"})
    assert moment.cells is not None and moment.cells.values is None
    assert moment.insight is not None and moment.insight.are_probabilities
    assert moment.insight.scores.sum() == pytest.approx(1)


def test_only_what_is_asked_for_is_worked_out() -> None:
    env = make()
    session = Session(env, player_of(env, "gru"), 0, exact=exact_values_of(env, 0.9), curve=Curve())
    bare = session.moment(())
    assert isinstance(bare, Moment)
    assert (bare.insights, bare.regrets, bare.optimal, bare.cells) == ((), (), None, None)
    assert "insight" not in vars(session.now.impression)


def test_no_exact_values_for_others_and_for_what_is_too_large() -> None:
    assert exact_values_of(make("CartPole-v1"), 0.9) is None
    crowd = "S" + "?" * 9 + "\n" + "." * 10 + "\n" + "." * 9 + "G"
    assert exact_values_of(make("sidestep/MovingObstacles-v0", level=crowd), 0.9) is None


def test_a_curve_from_a_log() -> None:
    records: list[dict[str, Any]] = [
        {"steps": 10, "return": -1.0, "success": 0.25},
        {"steps": 20, "loss": 1.0},
        {"steps": 30, "evaluation": {"return_mean": [0.5, 0.4, 0.6], "success": None}},
    ]
    assert Curve.of(records, 99) == Curve(((10, -1.0),), ((10, 0.25),), ((30, 0.5),), (), 99)
