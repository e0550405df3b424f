"""`check_vector_env` with nothing but the env: what seeds stand for, and resets that write over."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sidestep.envs import ENV_IDS, MovingObstaclesVectorEnv, check_vector_env, find_faults

from .planting import LIMIT, NEXT, OFF, SAME, Planted, seeds

MODES = (NEXT, SAME, OFF)
LIST = "lanes: expected reset(seed=[s, s + 1, ...]) to play what reset(seed=s) plays, got"
SHIFTED = (
    "lanes: expected lane i of reset(seed=s + 1) to play what lane i + 1 of reset(seed=s) plays"
)
OTHER = (
    "seeding: expected another play of another seed, as one seed's episodes differ, got the same"
)
KEPT = "buffers: expected returned arrays that stay as they are, got"


def ten_apart(seed: Any) -> Any:
    """Lane i has the seed 10 s + i, with s the first of a list."""
    if seed is None:
        return None
    first = seed if isinstance(seed, int) else seed[0] or 0
    return [10 * first + lane for lane in range(3)]


def of_int(change: Callable[[int], Any]) -> Callable[[str], Planted]:
    """A whole number as a seed becomes something else; lists stay."""
    return seeds(lambda seed: change(seed) if isinstance(seed, int) else seed)


SEEDS: dict[str, tuple[Callable[[str], Planted], str]] = {
    "ignored, lanes alike": (seeds(lambda seed: None if seed is None else [7, 7, 7]), OTHER),
    "ignored": (seeds(lambda seed: None if seed is None else [7, 8, 9]), SHIFTED),
    "whole numbers ignored": (of_int(lambda seed: 0), LIST),
    "ten apart": (of_int(lambda seed: [10 * seed + lane for lane in range(3)]), LIST),
    "ten apart, lists too": (seeds(ten_apart), SHIFTED),
    "halved": (of_int(lambda seed: seed // 2), LIST),
    "squared": (of_int(lambda seed: seed * seed), LIST),
    "1000 at most": (of_int(lambda seed: seed % 1000), LIST),
    "lanes in steps of seeds": (of_int(lambda s: [s + lane * (s + 1) for lane in range(3)]), LIST),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("make", "line"), SEEDS.values(), ids=SEEDS)
def test_seeds_that_do_not_count(make: Callable[[str], Planted], line: str, mode: str) -> None:
    found = [str(finding) for finding in find_faults(make(mode), ticks=12)]
    assert any(one.startswith(line) for one in found), found


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_fixed_generator_of_few_lanes(lanes: int) -> None:
    """One lane has no neighbour to compare with: the seed itself must make a difference."""

    class Fixed(gym.Env[Any, Any]):
        observation_space = gym.spaces.Box(0, 1, (2,))
        action_space = gym.spaces.Discrete(2)  # type: ignore[assignment]

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            if seed is not None:
                self.generator = np.random.default_rng(0)
            self.tick = 0
            return self.generator.random(2, np.float32), {}

        def step(self, action: Any) -> Any:
            self.tick += 1
            return self.generator.random(2, np.float32), 0.0, self.tick == 4, False, {}

    class Seeded(Fixed):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            first = super().reset(seed=0)
            if seed is not None:
                self.own = np.random.default_rng(seed)
            self.generator = self.own
            return first

    for mode in AutoresetMode:
        found = [
            str(f)
            for f in find_faults(SyncVectorEnv([Fixed] * lanes, autoreset_mode=mode), ticks=30)
        ]
        assert any(line.startswith(OTHER) for line in found), found
        assert found[0].endswith("the same for the seeds 0, 1, 1009, 2, 31, 500, 77, 12345, 99991")
        found = [
            f.rule
            for f in find_faults(SyncVectorEnv([Seeded] * lanes, autoreset_mode=mode), ticks=30)
        ]
        assert found == ["inputs"] * (lanes > 1)  # Gymnasium's own


class Writes(Planted):
    """Every full reset returns one array, written anew."""

    buffer: Any = None
    masked = False

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        obs, info = self.env.reset(seed=seed, options=options)
        if bool(options) != self.masked:
            return obs, info
        type(self).buffer = obs.copy() if self.buffer is None else self.buffer
        self.buffer[:] = obs
        return self.buffer, info


class WritesInfo(Planted):
    """`reset` returns one dict of arrays."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.info = {"drawn": np.zeros(3), "_drawn": np.ones(3, dtype=np.bool_)}

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        obs, _ = self.env.reset(seed=seed, options=options)
        self.info["drawn"][:] = obs[:, 0]
        return obs, self.info


class WritesStep(Planted):
    """`reset` writes over the last observation that `step` returned."""

    last: Any = None

    def step(self, actions: Any) -> Any:
        self.last, *rest = self.env.step(actions)
        return self.last, *rest

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        obs, info = self.env.reset(seed=seed, options=options)
        if self.last is not None and not options:
            self.last[:] = obs
        return obs, info


class WritesMasked(WritesStep):
    """A reset of some lanes writes over what all have been shown."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        obs, info = self.env.reset(seed=seed, options=options)
        if self.last is not None and options:
            self.last[:] = obs
        return obs, info


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", [Writes, WritesInfo, WritesStep, WritesMasked])
def test_resets_that_write_over_what_was_returned(make: Any, mode: str) -> None:
    fault: Any = type("Fault", (make,), {})
    found = [str(finding) for finding in find_faults(fault(mode), ticks=12)]
    assert any(line.startswith(KEPT) for line in found), found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [0, 3, 10**6])
def test_what_has_no_fault(mode: str, seed: int) -> None:
    assert find_faults(Planted(mode), ticks=12, seed=seed) == []
    for lanes in (1, 4):
        env = MovingObstaclesVectorEnv(lanes, max_episode_steps=LIMIT, autoreset_mode=mode)
        check_vector_env(env, ticks=12, seed=seed)


@pytest.mark.parametrize("env_id", [name for name in ENV_IDS if name != "sidestep/Crossing-v0"])
def test_worlds_in_which_nothing_is_drawn(env_id: str) -> None:
    """Every seed is the same play there, and that is right."""
    config: dict[str, Any] = {"max_episode_steps": LIMIT, "random_starts": False}
    check_vector_env(gym.make_vec(env_id, num_envs=3, **config), ticks=30)
