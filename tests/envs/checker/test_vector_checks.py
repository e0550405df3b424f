"""`check_vector_env`: every planted fault is found, this package's worlds have none."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from sidestep.envs import (
    ENV_IDS,
    FaultyVectorEnv,
    MovingObstaclesVectorEnv,
    check_vector_env,
    find_faults,
)

from .planted_faults import FAULTS
from .planting import LIMIT, NEXT, Planted, after_step, planted

MODES = tuple(mode.value for mode in AutoresetMode)
DEFAULT = "sidestep/MovingObstacles-v0"


def single() -> gym.Env[Any, Any]:
    return gym.make(DEFAULT, max_episode_steps=LIMIT)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", ENV_IDS)
def test_this_packages_worlds_have_no_fault(env_id: str, mode: str) -> None:
    config: dict[str, Any] = {"max_episode_steps": LIMIT}
    env = gym.make_vec(env_id, 3, autoreset_mode=mode, **config)
    check_vector_env(env, lambda: gym.make(env_id, **config), ticks=30)


@pytest.mark.parametrize("lanes", [1, 5])
def test_any_number_of_lanes(lanes: int) -> None:
    check_vector_env(MovingObstaclesVectorEnv(lanes, max_episode_steps=LIMIT), single, ticks=40)


@pytest.mark.parametrize(("make", "mode", "line"), FAULTS.values(), ids=FAULTS)
def test_planted_faults_are_found(make: Callable[[str], Any], mode: str, line: str) -> None:
    lines = [str(finding) for finding in find_faults(make(mode), single, ticks=24)]
    assert any(line in found for found in lines), lines
    assert all("\n" not in found and " expected " in found and ", got " in found for found in lines)


@pytest.mark.parametrize("mode", MODES)
def test_the_wrapper_of_the_planted_faults_has_none(mode: str) -> None:
    assert find_faults(Planted(mode), single, ticks=60) == []


def test_all_findings_are_in_the_error() -> None:
    env = after_step(lambda env, o, r, *rest: (o, r.astype(np.float32) * 2, *rest))(NEXT)
    with pytest.raises(FaultyVectorEnv, match="single: expected lane i") as caught:
        check_vector_env(env, single, ticks=60)
    lines = str(caught.value).splitlines()
    assert lines == [str(finding) for finding in caught.value.findings]
    assert [finding.rule for finding in caught.value.findings] == ["single", "reset_mask"]


def test_tolerance_and_ignored_keys() -> None:
    def timed(env: Any, o: Any, r: Any, e: Any, c: Any, info: Any) -> Any:
        return o, np.where(r == 0, r, r + 1e-6), e, c, {"call": [env.calls] * 3, "_call": e | True}

    config: dict[str, Any] = {"ticks": 60, "tolerance": 1e-5}
    env = after_step(timed)(NEXT)
    assert {f.rule for f in find_faults(env, **config)} >= {"seeding", "lanes"}
    assert find_faults(env, **config, ignored=["call"]) == []
    found = find_faults(env, single, **config, ignored=["call"])
    assert [f.got.split(" (")[0] for f in found] == ["[], not ['is_collision', 'is_success']"] * 2
    keys = ["call", "is_success", "is_collision"]
    assert find_faults(env, single, **config, ignored=keys) == []
    assert find_faults(env, single, ticks=60, ignored=keys) != []


def test_a_play_without_an_end_is_no_check() -> None:
    env = MovingObstaclesVectorEnv(3, max_episode_steps=None, hit_ends=False)
    (finding,) = find_faults(env, ticks=2)
    assert str(finding) == (
        "autoreset: expected an episode that ends within 2 ticks, got none; give more"
    )


def test_errors_of_the_env_are_findings() -> None:
    def fail(env: Any, actions: Any) -> Any:
        raise RuntimeError("out\nof order")

    found = find_faults(planted(step=fail)(NEXT), ticks=5)
    assert str(found[0]) == "returns: expected no error in a play, got RuntimeError: out of order"


def test_what_is_no_vector_env() -> None:
    with pytest.raises(TypeError, match=r"expected a gymnasium\.vector\.VectorEnv, got TimeLimit"):
        check_vector_env(single())  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(ValueError, match="ticks: expected at least 2, got 1"):
        check_vector_env(MovingObstaclesVectorEnv(2), ticks=1)


def cart_pole() -> gym.Env[Any, Any]:
    return gym.make("CartPole-v1")


@pytest.mark.parametrize("mode", AutoresetMode)
def test_sync_vector_env_has_one_fault(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([cart_pole] * 3, autoreset_mode=mode)
    (finding,) = find_faults(env, cart_pole, ticks=80)
    assert str(finding) == "inputs: expected options untouched, got keys [] after reset"


def test_async_vector_env_has_the_same() -> None:
    env = AsyncVectorEnv([cart_pole] * 2)
    try:
        (finding,) = find_faults(env, cart_pole, ticks=60)
    finally:
        env.close()
    assert str(finding) == "inputs: expected options untouched, got keys [] after reset"


def test_dict_observations_and_several_actions() -> None:
    class Mixed(gym.Env[dict[str, Any], Any]):
        observation_space = gym.spaces.Dict(
            {"a": gym.spaces.Box(0, 1, (2,)), "b": gym.spaces.Discrete(7)}
        )
        action_space = gym.spaces.Tuple([gym.spaces.Discrete(3), gym.spaces.Box(0, 1, (2,))])  # type: ignore[assignment]

        def look(self) -> dict[str, Any]:
            a = self.np_random.random(2).astype(np.float32)
            return {"a": a, "b": self.np_random.integers(7)}

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            return self.look(), {"begun": {"at": 1.0}}

        def step(self, action: Any) -> Any:
            choice, place = action
            return (
                self.look(),
                float(choice + place.sum()),
                bool(self.np_random.random() < 0.1),
                (False),
                {"a": "word"},
            )

    for mode in AutoresetMode:
        env = SyncVectorEnv([Mixed] * 3, autoreset_mode=mode)
        assert [f.rule for f in find_faults(env, Mixed, ticks=24)] == ["inputs"]


def test_native_cart_pole() -> None:
    env = gym.make_vec("CartPole-v1", 3)
    found = {str(f).split(", got")[0] for f in find_faults(env, cart_pole, ticks=80)}
    lane = "expected lane i to play what a single env plays with seed s + i"
    assert found == {
        "lanes: expected no error in a play with a seed for each lane",
        "reset_mask: expected lanes outside of the mask to show what they showed",
        "reset_mask: expected no error in a play with a reset mask",
        "reset_mask: expected an error for a mask of a list",
        "reset_mask: expected an error for a mask of integers",
        "reset_mask: expected an error for a mask of 4 entries",
        "reset_mask: expected an error for a mask of no lane in it",
        f"single: {lane}",
        f"reset_mask: {lane}, reset masks among its calls",
    }


@pytest.mark.skipif(
    gym.__version__.startswith("1.3."), reason="docs/checking.md lists the faults of 1.4"
)
def test_episode_statistics_of_gymnasium() -> None:
    def statistics() -> gym.Env[Any, Any]:
        return gym.wrappers.RecordEpisodeStatistics(cart_pole())

    found: dict[str, set[str]] = {}
    for mode in AutoresetMode:
        env = RecordEpisodeStatistics(SyncVectorEnv([cart_pole] * 3, autoreset_mode=mode))
        faults = find_faults(env, statistics, ticks=200, ignored=["t"])
        found[mode.value] = {f.rule for f in faults}
    assert found == {
        "NextStep": {"buffers", "inputs", "reset_mask"},
        "SameStep": {"inputs", "reset_mask", "single"},
        "Disabled": {"inputs", "lanes", "reset_mask", "single"},
    }
