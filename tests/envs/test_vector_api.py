"""What else a vector env promises: options, arrays, attributes, metadata."""

import copy
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from sidestep.envs import ENV_IDS, MovingObstaclesEnv, MovingObstaclesVectorEnv

from .beside import identical, pair

MODES = ("NextStep", "SameStep", "Disabled")
DEFAULT = "sidestep/MovingObstacles-v0"


def test_reset_without_a_seed_draws_one_and_can_be_repeated() -> None:
    env: Any = gym.make_vec(DEFAULT, 50)
    first, _ = env.reset()
    drawn = env.unwrapped.np_random_seed
    assert len(set(drawn)) == 50
    again, _ = gym.make_vec(DEFAULT, 50).reset()
    assert not np.array_equal(first, again)
    assert np.array_equal(env.reset(seed=list(drawn))[0], first)


def test_np_random_seed_is_that_of_sync_vector_env() -> None:
    native, sync = pair(DEFAULT, 3, "NextStep", None)
    native.reset(seed=[4, 9, 2**63])
    sync.reset(seed=[4, 9, 2**63])
    assert native.np_random_seed == sync.np_random_seed == (4, 9, 2**63)
    assert native.get_attr("np_random_seed") == sync.get_attr("np_random_seed")


def test_options_are_never_changed() -> None:
    env = MovingObstaclesVectorEnv(3)
    mask = np.array([True, False, True])
    options = {"reset_mask": mask}
    env.reset(seed=0)
    env.reset(options=options)
    assert list(options) == ["reset_mask"]
    assert options["reset_mask"] is mask
    assert mask.tolist() == [True, False, True]


def test_masked_reset_leaves_the_others_alone() -> None:
    env = MovingObstaclesVectorEnv(4)
    env.reset(seed=0)
    env.step(np.full(4, 4))
    before = env.get_state()
    env.reset(options={"reset_mask": np.array([False, True, False, False])})
    after = env.get_state()
    for name in ("state", "clock", "streams", "ended"):
        kept = [0, 2, 3]
        assert np.array_equal(after[name][..., kept], before[name][..., kept])
    assert after["clock"].tolist() == [1, 0, 1, 1]
    assert after["streams"][1].tolist() == [1, 2, 1, 1]  # its next episode


@pytest.mark.parametrize(
    ("limit", "expected"),
    [({"max_episode_steps": 3}, 3), ({"max_episode_steps": -1}, None), ({}, 100)],
)
def test_max_episode_steps_through_make_vec(limit: dict[str, Any], expected: int | None) -> None:
    env = gym.make_vec(DEFAULT, 2, level="S...\n...G", step_reward=0.0, **limit)
    env.reset(seed=0)
    ticks = next((t for t in range(1, 300) if env.step(np.zeros(2, int))[3].all()), None)
    assert ticks == expected


def test_max_episode_steps_none_is_none() -> None:
    assert MovingObstaclesVectorEnv(2, max_episode_steps=None).max_episode_steps is None
    assert MovingObstaclesVectorEnv(2, max_episode_steps=-1).max_episode_steps is None


@pytest.mark.parametrize("mode", ["NextStep", "NEXT_STEP", AutoresetMode.NEXT_STEP])
def test_mode_by_value_name_or_member(mode: Any) -> None:
    env = MovingObstaclesVectorEnv(1, autoreset_mode=mode)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert MovingObstaclesVectorEnv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_metadata_belongs_to_the_instance() -> None:
    same = MovingObstaclesVectorEnv(1, autoreset_mode="SameStep")
    assert same.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert MovingObstaclesVectorEnv(1).metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def arrays(value: Any) -> list[NDArray[Any]]:
    """Every array in a returned value, those in object arrays too."""
    if isinstance(value, dict):
        return [a for v in value.values() for a in arrays(v)]
    if isinstance(value, tuple | list):
        return [a for v in value for a in arrays(v)]
    if isinstance(value, np.ndarray):
        inner = [a for v in value for a in arrays(v)] if value.dtype == object else []
        return [value, *inner]
    return []


@pytest.mark.parametrize("mode", MODES)
def test_returned_arrays_are_never_reused(mode: str) -> None:
    env = MovingObstaclesVectorEnv(6, max_episode_steps=3, autoreset_mode=mode)
    calls = [arrays(env.reset(seed=0))]
    for _ in range(5):
        calls.append(arrays(env.step(np.full(6, 4))))
        ended = env.world.ended
        if mode == "Disabled" and ended.any():
            calls.append(arrays(env.reset(options={"reset_mask": ended.copy()})))
    everything = [a for call in calls for a in call]
    for n, a in enumerate(everything):
        assert not np.shares_memory(a, env.world.state)
        assert not np.shares_memory(a, env.world.ended)
        for b in everything[n + 1 :]:
            assert not np.shares_memory(a, b)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_plays_on_in_memory_of_its_own(way: Any) -> None:
    env = MovingObstaclesVectorEnv(5, observation="window")
    env.reset(seed=3)
    env.step(np.full(5, 1))
    again = copy.copy(env)
    again.world = way(env.world)
    expected = env.world.state.copy()
    outcomes = [one.step(np.arange(5)) for one in (env, again)]
    assert way is copy.copy or identical(*outcomes)
    assert np.shares_memory(again.world.state, again.world.memory)
    assert np.shares_memory(env.world.memory, again.world.memory) is (way is copy.copy)
    assert not np.array_equal(env.world.state, expected)


def test_actions_of_any_layout_and_integer_type() -> None:
    envs = [MovingObstaclesVectorEnv(4) for _ in range(3)]
    for env in envs:
        env.reset(seed=8)
    wide = np.array([[1, 0], [2, 0], [3, 0], [4, 0]])
    ours = [
        env.step(a)
        for env, a in zip(envs, (wide[:, 0], [1, 2, 3, 4], wide[:, 0].astype("u1")), strict=True)
    ]
    assert identical(ours[0], ours[1]) and identical(ours[0], ours[2])
    assert len(envs[0].world._step.signatures) == 1  # type: ignore[union-attr]


def test_overwriting_what_was_returned_changes_nothing() -> None:
    careless, careful = (MovingObstaclesVectorEnv(4, autoreset_mode="SameStep") for _ in range(2))
    careful.reset(seed=2)
    for a in arrays(careless.reset(seed=2)):
        a[...] = 0
    for actions in np.random.default_rng(0).integers(0, 5, (100, 4)):
        ours = careless.step(actions)
        assert identical(ours, careful.step(actions))
        for a in arrays(ours):
            a[...] = 0


@pytest.mark.parametrize("mode", MODES)
def test_copy_false_returns_the_same_arrays_with_the_same_numbers(mode: str) -> None:
    reused, fresh = (
        MovingObstaclesVectorEnv(5, max_episode_steps=9, autoreset_mode=mode, copy=copy)
        for copy in (False, True)
    )
    first, _ = reused.reset(seed=1)
    assert np.array_equal(first, fresh.reset(seed=1)[0])
    kept: Any = None
    for actions in np.random.default_rng(0).integers(0, 5, (60, 5)):
        ours, theirs = reused.step(actions), fresh.step(actions)
        assert identical(ours, theirs)
        assert ours[0] is first
        assert kept is None or all(
            np.shares_memory(a, b) for a, b in zip(ours[:4], kept, strict=True)
        )
        kept = ours[:4]
        ended = ours[2] | ours[3]
        if mode == "Disabled" and ended.any():
            for env in (reused, fresh):
                env.reset(options={"reset_mask": ended.copy()})


def test_get_attr_and_call() -> None:
    native, sync = pair(DEFAULT, 3, "NextStep", None)
    for env in (native, sync):
        env.reset(seed=0)
    for name in ("action_space", "observation_space", "level", "config", "render_mode"):
        assert native.get_attr(name) == sync.get_attr(name)
    ours, theirs = native.call("scene"), sync.call("scene")
    assert [s._replace(max_ticks=None) for s in ours] == list(theirs)
    assert native.get_attr("num_envs") == (3, 3, 3)
    with pytest.raises(AttributeError, match="nonsense"):
        native.get_attr("nonsense")
    with pytest.raises(AttributeError, match="expected a lane's method"):
        native.call("close")


def test_set_attr() -> None:
    env = MovingObstaclesVectorEnv(2)
    env.set_attr("render_mode", "rgb_array")
    assert env.get_attr("render_mode") == ("rgb_array", "rgb_array")
    env.set_attr("render_mode", [None, None])
    assert env.render_mode is None
    for values in (["rgb_array"], ["rgb_array", None]):
        with pytest.raises(ValueError, match="set_attr: expected 2 equal values"):
            env.set_attr("render_mode", values)
    with pytest.raises(AttributeError, match="expected 'render_mode', got 'num_envs'"):
        env.set_attr("num_envs", 4)
    with pytest.raises(ValueError, match="render_mode: expected"):
        env.set_attr("render_mode", "human")


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_the_picture_of_a_restarted_lane_is_its_new_episode(mode: str) -> None:
    env = MovingObstaclesVectorEnv(
        2, max_episode_steps=2, autoreset_mode=mode, render_mode="rgb_array"
    )
    env.reset(seed=0)
    restarted = 0
    for _ in range(12):
        env.step(np.array([4, 1]))
        for lane in range(2):
            scene = env.scene(lane)
            if scene.tick == 0:
                restarted += 1
                assert scene.previous == (scene.agent, *((o[0], o[1]) for o in scene.obstacles))
                assert not scene.hit and not scene.success
    assert restarted > 6


def test_single_and_native_share_their_spaces() -> None:
    for env_id in ENV_IDS:
        single = gym.make(env_id)
        native = gym.make_vec(env_id, 2)
        assert isinstance(single.unwrapped, MovingObstaclesEnv)
        assert native.single_observation_space == single.observation_space
        assert native.single_action_space == single.action_space
        assert native.observation_space.shape == (2, *single.observation_space.shape)  # type: ignore[misc]


def test_pictures_of_lanes_and_an_overview() -> None:
    rendering = pytest.importorskip("sidestep.envs.drawing.board")
    env = MovingObstaclesVectorEnv(5, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(np.arange(5))
    frames = env.render()
    assert frames is not None and len(frames) == 5
    for lane, frame in enumerate(frames):
        assert frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
        assert np.array_equal(frame, rendering.frame(env.scene(lane)))
        assert np.array_equal(frame, env.render_lane(lane))
    assert not np.array_equal(frames[0], frames[1])
    assert identical(env.call("render"), frames)
    overview = env.render_tiled(4)
    assert np.array_equal(overview, rendering.tiled([env.scene(i) for i in range(4)]))
    assert np.array_equal(env.render_tiled(99), env.render_tiled(5))
    with pytest.raises(IndexError, match="lane: expected 0 to 4, got 5"):
        env.render_lane(5)


def test_pictures_are_those_of_the_single_env() -> None:
    native, sync = pair(DEFAULT, 3, "NextStep", -1, render_mode="rgb_array")
    for env in (native, sync):
        env.reset(seed=2)
    for actions in np.random.default_rng(0).integers(0, 5, (30, 3)):
        for env in (native, sync):
            env.step(actions)
        assert native.call("scene") == sync.call("scene")
    assert identical(native.render(), sync.render())


def test_without_a_render_mode_there_is_a_warning() -> None:
    env = MovingObstaclesVectorEnv(2)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render: expected a render_mode"):
        assert env.render() is None
