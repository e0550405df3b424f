"""Every wrapper of Gymnasium that fits a Box of numbers and a Discrete action runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.wrappers import vector

from sidestep.envs import ENV_IDS

Wrap = Callable[[Any], Any]


def one_row(space: gym.Space[Any]) -> tuple[int, int]:
    return 1, int(np.prod(space.shape or ()))


SINGLE: dict[str, Wrap] = {
    "Autoreset": wrappers.Autoreset,
    "ClipReward": lambda e: wrappers.ClipReward(e, -0.5, 0.5),
    "DelayObservation": lambda e: wrappers.DelayObservation(e, 2),
    "DiscretizeObservation": lambda e: wrappers.DiscretizeObservation(
        e, bins=3, multidiscrete=True
    ),
    "DtypeObservation": lambda e: wrappers.DtypeObservation(e, np.float64),
    "FlattenObservation": wrappers.FlattenObservation,
    "FrameStackObservation": lambda e: wrappers.FrameStackObservation(e, 3),
    "MaxAndSkipObservation": lambda e: wrappers.MaxAndSkipObservation(e, 2),
    "NormalizeObservation": wrappers.NormalizeObservation,
    "NormalizeReward": wrappers.NormalizeReward,
    "NumpyToTorch": lambda e: wrappers.NumpyToTorch(e),
    "OrderEnforcing": wrappers.OrderEnforcing,
    "PassiveEnvChecker": wrappers.PassiveEnvChecker,
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "RepeatAction": lambda e: wrappers.RepeatAction(e, 2),
    "RescaleObservation": lambda e: wrappers.RescaleObservation(e, np.float32(0), np.float32(1)),
    "ReshapeObservation": lambda e: wrappers.ReshapeObservation(e, one_row(e.observation_space)),
    "StickyAction": lambda e: wrappers.StickyAction(e, 0.3),
    "TimeAwareObservation": lambda e: wrappers.TimeAwareObservation(wrappers.TimeLimit(e, 50)),
    "TimeLimit": lambda e: wrappers.TimeLimit(e, 20),
    "TransformAction": lambda e: wrappers.TransformAction(e, lambda a: 4 - a, e.action_space),
    "TransformObservation": lambda e: wrappers.TransformObservation(
        e,
        lambda o: np.clip(o, -1, 1).astype(np.float64),
        gym.spaces.Box(-1, 1, e.observation_space.shape, np.float64),
    ),
    "TransformReward": lambda e: wrappers.TransformReward(e, lambda r: 2 * float(r)),
}
"""By name; `NOT_HERE` has the others."""

VECTOR: dict[str, Wrap] = {
    "ClipReward": lambda e: vector.ClipReward(e, -0.5, 0.5),
    "DictInfoToList": vector.DictInfoToList,
    "DtypeObservation": lambda e: vector.DtypeObservation(e, np.float64),
    "FlattenObservation": vector.FlattenObservation,
    "NormalizeObservation": vector.NormalizeObservation,
    "NormalizeReward": vector.NormalizeReward,
    "NumpyToTorch": lambda e: vector.NumpyToTorch(e),
    "RecordEpisodeStatistics": vector.RecordEpisodeStatistics,
    "RescaleObservation": lambda e: vector.RescaleObservation(e, np.float32(0), np.float32(1)),
    "ReshapeObservation": lambda e: vector.ReshapeObservation(
        e, one_row(e.single_observation_space)
    ),
    "TransformAction": lambda e: vector.TransformAction(e, lambda a: 4 - a),
    "TransformObservation": lambda e: vector.TransformObservation(e, lambda o: 2 * o),
    "TransformReward": lambda e: vector.TransformReward(e, lambda r: 2 * r),
    "VectorizeTransformAction": lambda e: vector.VectorizeTransformAction(
        e, wrappers.TransformAction, func=lambda a: 4 - a, action_space=e.single_action_space
    ),
    "VectorizeTransformObservation": lambda e: vector.VectorizeTransformObservation(
        e, wrappers.FlattenObservation
    ),
    "VectorizeTransformReward": lambda e: vector.VectorizeTransformReward(
        e, wrappers.TransformReward, func=lambda r: 2 * r
    ),
}

GYMNASIUM_CASTS = pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
"""DtypeObservation compares a float32 Box with float64's limits, for every environment."""

NOT_HERE = {
    # images
    *("AddRenderObservation", "AddWhiteNoise", "AtariPreprocessing", "GrayscaleObservation"),
    *("ObstructView", "ResizeObservation", "HumanRendering", "RecordVideo", "RenderCollection"),
    # Dict observations, Box actions, other libraries
    *("FilterObservation", "ClipAction", "DiscretizeAction", "RescaleAction", "vector"),
    *("ArrayConversion", "JaxToNumpy", "JaxToTorch"),
}


def numbers_for(env_id: str) -> dict[str, str]:
    """Many wrappers are for numbers, not for planes."""
    return {} if "book" in str(gym.spec(env_id).kwargs) else {"observation": "features"}


def needs(name: str) -> None:
    if name == "NumpyToTorch":
        pytest.importorskip("array_api_compat")  # an extra of Gymnasium's


def test_the_tables_are_complete() -> None:
    """A wrapper that a later Gymnasium adds has to be placed."""
    assert set(wrappers.__all__) == SINGLE.keys() | NOT_HERE
    assert set(vector.__all__) <= VECTOR.keys() | NOT_HERE


@GYMNASIUM_CASTS
@pytest.mark.parametrize("env_id", ENV_IDS)
@pytest.mark.parametrize("name", SINGLE)
def test_single(name: str, env_id: str) -> None:
    needs(name)
    env = SINGLE[name](gym.make(env_id, **numbers_for(env_id)))
    numbers = name == "NumpyToTorch"
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(150):
        assert numbers or obs in env.observation_space
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert np.isfinite(float(reward))
        if (terminated or truncated) and name != "Autoreset":
            obs, _ = env.reset()
    env.close()


@GYMNASIUM_CASTS
@pytest.mark.parametrize("env_id", ENV_IDS)
@pytest.mark.parametrize("name", VECTOR)
def test_vector(name: str, env_id: str) -> None:
    needs(name)
    env = VECTOR[name](gym.make_vec(env_id, 4, **numbers_for(env_id)))
    obs, _ = env.reset(seed=0)
    assert obs.shape[0] == 4
    env.action_space.seed(0)
    for _ in range(150):
        actions = env.action_space.sample()
        if name == "NumpyToTorch":
            import torch

            actions = torch.as_tensor(actions)
        obs, reward, _, _, _ = env.step(actions)
        assert np.isfinite(np.asarray(reward)).all()
        assert obs.shape == (4, *env.single_observation_space.shape)
    env.close()


def test_episode_statistics_agree() -> None:
    """The wrappers' count of returns and lengths is the same for single and native."""
    single = wrappers.RecordEpisodeStatistics(gym.make(ENV_IDS[0]))
    native = vector.RecordEpisodeStatistics(gym.make_vec(ENV_IDS[0], 1))
    single.reset(seed=6)
    native.reset(seed=6)
    episodes = 0
    for action in np.random.default_rng(0).integers(0, 5, 400).tolist():
        *_, terminated, truncated, info = single.step(action)
        _, _, t, u, infos = native.step(np.array([action]))
        assert (terminated, truncated) == (t[0], u[0])
        if terminated or truncated:
            episodes += 1
            assert infos["episode"]["r"][0] == pytest.approx(info["episode"]["r"])
            assert infos["episode"]["l"][0] == info["episode"]["l"]
            single.reset()
            native.step(np.array([0]))  # the step that restarts
    assert episodes > 10


@pytest.mark.parametrize(
    "name", ["AddRenderObservation", "AddWhiteNoise", "ObstructView", "RenderCollection"]
)
def test_picture_wrappers(name: str) -> None:
    env: Any = gym.make(ENV_IDS[0], render_mode="rgb_array")
    wraps: dict[str, Wrap] = {
        "AddRenderObservation": wrappers.AddRenderObservation,
        "AddWhiteNoise": lambda e: wrappers.AddWhiteNoise(e, probability_of_noise_per_pixel=0.1),
        "ObstructView": lambda e: wrappers.ObstructView(e, 0.1, 10),
        "RenderCollection": wrappers.RenderCollection,
    }
    env = wraps[name](env)
    env.reset(seed=0)
    for _ in range(3):
        obs = env.step(4)[0]
    if name == "AddRenderObservation":
        assert obs in env.observation_space
    else:
        frames = env.render()
        assert np.asarray(frames).dtype == np.uint8
    env.close()


def test_pixels_can_be_preprocessed() -> None:
    env: Any = wrappers.AddRenderObservation(gym.make(ENV_IDS[0], render_mode="rgb_array"))
    env = wrappers.GrayscaleObservation(env)
    obs, _ = env.reset(seed=0)
    assert obs in env.observation_space
    assert obs.ndim == 2
    env.close()


@pytest.mark.parametrize("form", ["rgb_array_list", "ansi_list"])
def test_list_forms(form: str) -> None:
    env: Any = gym.make(ENV_IDS[0], render_mode=form)
    env.reset(seed=0)
    for _ in range(2):
        env.step(4)
    assert len(env.render()) == 3
    env.close()


def test_record_video_asks_for_moviepy_or_records(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env: Any = wrappers.RecordVideo(gym.make(ENV_IDS[0], render_mode="rgb_array"), str(tmp_path))
    env.reset(seed=0)
    env.step(4)
    env.close()
    assert list(tmp_path.glob("*.mp4"))
