"""Rollouts of the project's own world, and of every kind of observation space."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from sidestep.agents import DeepSarsa, DeepSarsaConfig, NetworkConfig
from sidestep.agents.acting.collector import Collector

from ..toys import MODES, Rows, rows_of

ID = "sidestep.envs:sidestep/MovingObstacles-v0"


def own(mode: AutoresetMode, lanes: int) -> Any:
    return gym.make_vec(ID, lanes, max_episode_steps=11, autoreset_mode=mode)


def own_synchronous(mode: AutoresetMode, lanes: int) -> Any:
    makers = [lambda: gym.make(ID, max_episode_steps=11, disable_env_checker=True)] * lanes
    return SyncVectorEnv(makers, autoreset_mode=mode)


@pytest.mark.parametrize("memory", ["none", "gru"])
def test_the_projects_own_world_gives_the_same_data_in_every_mode(memory: str) -> None:
    network = NetworkConfig((7,), memory, 5, last_action=True, last_reward=True)
    config = DeepSarsaConfig(network=network, reward_scale=0.5, epsilon_start=0.0, epsilon_end=0.0)
    probe = own(AutoresetMode.NEXT_STEP, 1)
    agent = DeepSarsa(probe.single_observation_space, probe.single_action_space, config, seed=0)
    data: list[list[Rows]] = []
    for make in (own, own_synchronous):
        for mode in MODES:
            played = Collector(make(mode, 6), agent, peek=agent.peek)
            played.begin(5)
            rollout = played.rollout(60)
            data.append([rows_of(rollout, lane) for lane in range(6)])
    ends = {(r["terminated"], r["truncated"]) for rows in data[0] for r in rows}
    assert ends == {(False, False), (True, False), (False, True)}
    for other in data[1:]:
        for rows, theirs in zip(data[0], other, strict=True):
            count = min(len(rows), len(theirs))
            assert count > 40
            values = [[row["final_value"] for row in part[:count]] for part in (rows, theirs)]
            assert values[0] == pytest.approx(values[1], abs=1e-6)
            for row, their in zip(rows[:count], theirs[:count], strict=True):
                assert {**row, "final_value": 0} == {**their, "final_value": 0}


class Clock(gym.Env[Any, Any]):
    """Shows its tick in a space of the caller's; every third tick cuts the episode."""

    action_space = gym.spaces.Discrete(2)

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.observation_space: Any = {
            "discrete": gym.spaces.Discrete(4, start=-1),
            "dict": gym.spaces.Dict(t=gym.spaces.Box(0, 9, (1,), np.float32)),
            "tuple": gym.spaces.Tuple([gym.spaces.Discrete(4), gym.spaces.MultiBinary(1)]),
        }[kind]

    def _obs(self) -> Any:
        t = self.tick
        if self.kind == "dict":
            return {"t": np.array([t], dtype=np.float32)}
        return t - 1 if self.kind == "discrete" else (t, np.array([t % 2], dtype=np.int8))

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.tick = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.tick += 1
        return self._obs(), 1.0, False, self.tick == 3, {}


@pytest.mark.parametrize("kind", ["discrete", "dict", "tuple"])
@pytest.mark.parametrize("mode", MODES)
def test_final_observations_of_every_kind_of_space(mode: AutoresetMode, kind: str) -> None:
    env = SyncVectorEnv([lambda: Clock(kind)] * 2, autoreset_mode=mode)
    config = DeepSarsaConfig(network=NetworkConfig(()), epsilon_start=0.5)
    agent = DeepSarsa(env.single_observation_space, env.single_action_space, config)
    played = Collector(env, agent, peek=lambda inputs, state: inputs.obs.argmax(-1).float())
    if kind == "dict":
        played.peek = lambda inputs, state: inputs.obs[:, 0]
    played.begin(0)
    rollout = played.rollout(9)
    assert rollout.truncated.sum() > 3
    assert rollout.final_value.tolist() == (3.0 * rollout.truncated).tolist()
