"""The native vector env against SyncVectorEnv and the single env, bit for bit, in every mode."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from sidestep.envs import ENV_IDS
from sidestep.envs.rules.tick import BLOCK

from .beside import identical, pair

MODES = ("NextStep", "SameStep", "Disabled")
DEFAULT = "sidestep/MovingObstacles-v0"
BOOK = "sidestep/Book-v0"
WALLED = "S.v.\n?##.\n.>.G\n...^"


def play(native: VectorEnv[Any, Any, Any], sync: SyncVectorEnv, ticks: int, seed: Any) -> int:
    """Step both with the same actions, compare everything; how many episodes ended."""
    rng = np.random.default_rng(ticks)
    assert identical(native.reset(seed=seed), sync.reset(seed=seed))
    episodes = 0
    for _ in range(ticks):
        actions = rng.integers(0, 5, native.num_envs)
        ours, theirs = native.step(actions), sync.step(actions)
        assert identical(ours, theirs)
        ended = ours[2] | ours[3]
        episodes += int(ended.sum())
        if native.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            options = [{"reset_mask": ended.copy()} for _ in range(2)]
            assert identical(native.reset(options=options[0]), sync.reset(options=options[1]))
    return episodes


CONFIGS = st.fixed_dictionaries(
    {
        "obstacle_period": st.integers(1, 4),
        "random_starts": st.booleans(),
        "swap_hits": st.booleans(),
        "hit_ends": st.booleans(),
        "step_reward": st.sampled_from([-0.05, 0.0, -0.3]),
        "observation": st.sampled_from(["features", "planes", "window"]),
    },
    optional={
        "level": st.sampled_from([WALLED, "S<\n.G", "S.?.G"]),
        "hide": st.sampled_from([["phase"], ["headings"], ["headings", "phase"]]),
        "visible_every": st.integers(1, 5),
        "radius": st.integers(1, 3),
    },
) | st.fixed_dictionaries({"observation": st.just("book"), "hit_ends": st.booleans()})


@settings(max_examples=40, deadline=None)
@given(
    CONFIGS,
    st.sampled_from(MODES),
    st.integers(1, 5),
    st.sampled_from([1, 2, 7, 40, None, -1]),
    st.integers(0, 2**40),
)
def test_sync_vector_env_any_configuration(
    config: dict[str, Any], mode: str, lanes: int, limit: int | None, seed: int
) -> None:
    native, sync = pair(DEFAULT, lanes, mode, limit, **config)
    play(native, sync, 120, seed)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", ENV_IDS)
def test_sync_vector_env_for_thousands_of_steps(env_id: str, mode: str) -> None:
    native, sync = pair(env_id, 3, mode, None)
    assert play(native, sync, 2000, 7) > 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lanes", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_sync_vector_env_around_the_block(lanes: int, mode: str) -> None:
    native, sync = pair(DEFAULT, lanes, mode, 9, level=WALLED)
    assert play(native, sync, 25, 3) > lanes


@pytest.mark.parametrize("lanes", [1, 3, BLOCK + 5])
def test_lane_i_is_the_single_env_with_seed_s_plus_i(lanes: int) -> None:
    native = gym.make_vec(DEFAULT, lanes, autoreset_mode="SameStep", level=WALLED)
    obs, _ = native.reset(seed=40)
    actions = np.random.default_rng(1).integers(0, 5, (300, lanes))
    batches = [(obs, None, None, None)]
    batches += [native.step(a)[:4] for a in actions]
    for i in {0, lanes // 2, lanes - 1}:
        single = gym.make(DEFAULT, level=WALLED)
        shown, _ = single.reset(seed=40 + i)
        assert identical(obs[i], shown)
        for t, action in enumerate(actions[:, i], start=1):
            shown, reward, terminated, truncated, _ = single.step(action)
            if terminated or truncated:
                shown, _ = single.reset()
            got = (batches[t][0][i], *(float(x[i]) for x in batches[t][1:]))  # type: ignore[index]
            assert identical(got, (shown, reward, float(terminated), float(truncated)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [5, [9, 2, 2**63, 0], [0, 2**64 - 1, 2**70, 1]])
def test_seeds(seed: Any, mode: str) -> None:
    native, sync = pair(DEFAULT, 4, mode, 5)
    play(native, sync, 30, seed)


@pytest.mark.parametrize("mode", MODES)
def test_lists_with_none_go_on_with_their_streams(mode: str) -> None:
    native, sync = pair(DEFAULT, 3, mode, 5)
    for seed in (1, None, [None, 8, None], [None] * 3):
        play(native, sync, 17, seed)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("random_mask", [0, 1, 2])
def test_reset_mask_at_any_time(mode: str, random_mask: int) -> None:
    native, sync = pair(DEFAULT, 5, mode, 12)
    rng = np.random.default_rng(random_mask)
    assert identical(native.reset(seed=3), sync.reset(seed=3))
    for tick in range(200):
        actions = rng.integers(0, 5, 5)
        ours, theirs = native.step(actions), sync.step(actions)
        assert identical(ours, theirs)
        mask = (rng.random(5) < 0.1) | ((ours[2] | ours[3]) & (mode == "Disabled"))
        if mask.any():
            seed = [None, tick, None, tick + 1, None] if tick % 3 == 0 else None
            a, b = {"reset_mask": mask}, {"reset_mask": mask.copy()}
            assert identical(native.reset(seed=seed, options=a), sync.reset(seed=seed, options=b))
            assert a.keys() == {"reset_mask"}
            assert a["reset_mask"] is mask  # nothing of the caller's is changed


def test_goal_on_the_last_tick_is_both() -> None:
    native, sync = pair(DEFAULT, 1, "NextStep", 1, level="SG.", random_starts=False)
    for env in (native, sync):
        env.reset(seed=0)
        _, _, terminated, truncated, _ = env.step(np.array([2]))
        assert (terminated[0], truncated[0]) == (True, True)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_reset_when_every_lane_has_just_ended(mode: str, masked: bool) -> None:
    native, sync = pair(DEFAULT, 2, mode, 1)
    native.reset(seed=0)
    sync.reset(seed=0)
    for _ in range(3):
        actions = np.array([4, 4])
        assert identical(native.step(actions), sync.step(actions))
        options = [{"reset_mask": np.ones(2, bool)} if masked else None for _ in range(2)]
        assert identical(native.reset(options=options[0]), sync.reset(options=options[1]))
