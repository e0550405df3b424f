"""Boxes of two, three and four axes: tables, pictures and stacks of them, in every layout."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import FlattenObservation, FrameStackObservation, TransformObservation

from sidestep.agents import (
    REINFORCE,
    Collector,
    DeepSARSA,
    DeepSarsa,
    DeepSarsaConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
    Trainer,
    TrainingConfig,
)
from sidestep.agents.acting.encoding import ObservationEncoder, check_picture
from sidestep.agents.runs import learner_config
from sidestep.envs import Level
from sidestep.sequence import MEMORIES


def picture(shape: tuple[int, ...], dtype: Any = np.float32, high: float = 1.0) -> spaces.Box:
    return spaces.Box(0, high, shape, dtype)


LAYOUTS = [
    (picture((84, 84, 3)), "last"),
    (picture((3, 84, 84)), "first"),
    (picture((210, 160, 3)), "last"),
    (picture((3, 210, 160), np.float64), "first"),
    (picture((7, 7, 20), np.uint8, 255), "last"),
    (picture((20, 7, 7), np.uint8, 255), "first"),
    (picture((10, 10, 4), bool), "last"),
    (picture((10, 10, 6), np.uint8), "last"),
    (picture((7, 7, 2), np.int64, 9), "last"),
    (picture((64, 48, 2), np.uint8, 255), "last"),
    (picture((4, 84, 64), np.uint8, 255), "first"),
    (picture((5, 12, 10)), "first"),
    (picture((9, 5, 3), np.uint8), "first"),
    (picture((9, 5, 3), np.uint8, 255), "last"),
]


@pytest.mark.parametrize(("space", "axis"), LAYOUTS, ids=lambda x: getattr(x, "shape", x))
def test_channels_of_any_picture_are_put_first(space: spaces.Box, axis: str) -> None:
    space.seed(3)
    batch = np.stack([space.sample(), space.sample()])
    want = batch if axis == "first" else batch.transpose(0, 3, 1, 2)
    scale = 255 if space.dtype == np.uint8 and space.high.max() == 255 else 1
    encoder = ObservationEncoder(space)
    check_picture(space)
    assert encoder.shape == want.shape[1:]
    np.testing.assert_allclose(encoder(batch).numpy(), want / scale, rtol=1e-6)
    other = "last" if axis == "first" else "first"  # what is said outweighs the guess
    turned = batch if other == "first" else batch.transpose(0, 3, 1, 2)
    told = ObservationEncoder(space, channels_axis=other)
    np.testing.assert_allclose(told(batch).numpy(), turned / scale, rtol=1e-6)


@pytest.mark.parametrize("space", [space for space, _ in LAYOUTS], ids=lambda x: str(x.shape))
def test_agents_of_before_there_was_a_choice_see_what_they_saw(
    space: spaces.Box, tmp_path: Path
) -> None:
    space.seed(4)
    batch = np.stack([space.sample(), space.sample()])
    is_bytes = space.dtype == np.uint8 and space.high.max() == 255
    last = is_bytes and space.shape[2] in (1, 3, 4)
    want = (batch.transpose(0, 3, 1, 2) if last else batch) / (255 if is_bytes else 1)
    values = asdict(DeepSarsaConfig(network=NetworkConfig((7,), channels=(2,))))
    del values["network"]["channels_axis"], values["network"]["codes"]
    del values["epsilon_fraction"]
    config = learner_config("deep-sarsa", values | {"epsilon_steps": 200_000}, "config.json")
    agent = DeepSarsa(space, spaces.Discrete(2), config)  # type: ignore[arg-type]
    np.testing.assert_allclose(agent.encoder(batch).numpy(), want, rtol=1e-6)
    assert agent.config.exploration_steps(10) == 200_000


@pytest.mark.parametrize("shape", [(9, 5, 3), (5, 4, 26), (8, 8, 8), (4, 4, 4), (2, 5, 6, 7)])
def test_pictures_that_may_be_either_are_refused_where_they_are_convolved(shape: Any) -> None:
    space = picture(shape)
    with pytest.raises(
        TypeError, match=r"channels are plainly .*, got shape .*; say channels_axis"
    ):
        check_picture(space)
    for axis in ("first", "last"):
        check_picture(space, axis)
    make = (DeepSarsa, DeepSarsaConfig), (Reinforce, ReinforceConfig)
    for learner, config in make:
        with pytest.raises(TypeError, match="say channels_axis first or last"):
            learner(space, spaces.Discrete(2), config())
        for network in (NetworkConfig(channels=()), NetworkConfig(channels_axis="last")):
            learner(space, spaces.Discrete(2), config(network=network))


def test_this_packages_planes_say_where_their_channels_are() -> None:
    level = Level.parse("S..\n" + "...\n" * 6 + "..G")  # as many rows as planes, three columns
    env = gym.make("sidestep.envs:sidestep/MovingObstacles-v0", level=level, observation="planes")
    shape = env.observation_space.shape
    assert shape is not None and shape[1:] == (8, 3)
    for copied in (env.observation_space, copy.deepcopy(env.observation_space)):
        assert ObservationEncoder(copied).shape == shape
    plain = picture((8, 8, 3), np.uint8)
    assert ObservationEncoder(plain).shape == (3, 8, 8)


def test_stacks_of_pictures_have_the_channels_of_all() -> None:
    random = np.random.default_rng(5)
    last = random.integers(0, 256, (2, 4, 9, 7, 3)).astype(np.uint8)
    want = np.concatenate([last[:, k].transpose(0, 3, 1, 2) for k in range(4)], axis=1) / 255
    for batch in (last, last.transpose(0, 1, 4, 2, 3)):
        for dtype, scale in ((np.uint8, 1), (np.float32, 255)):
            space = picture(batch.shape[1:], dtype, 255 / scale)
            encoder = ObservationEncoder(space)
            assert encoder.shape == (12, 9, 7)
            got = encoder((batch / scale).astype(dtype)).numpy()
            np.testing.assert_allclose(got, want, rtol=1e-6)


def test_grey_pictures_have_one_channel_and_tables_none() -> None:
    grey = np.random.default_rng(6).integers(0, 256, (2, 11, 9)).astype(np.uint8)
    encoder = ObservationEncoder(picture((11, 9), np.uint8, 255))
    np.testing.assert_allclose(encoder(grey).numpy(), grey[:, None] / 255, rtol=1e-6)
    for table in (picture((11, 9)), picture((4, 128), np.uint8, 255)):  # a stack of vectors
        assert ObservationEncoder(table).shape == table.shape


class Shown(gym.Env[Any, Any]):
    """Shows one random Box after another; five ticks long."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: spaces.Box) -> None:
        self.observation_space, self.tick = space, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.observation_space.seed(seed)
        self.tick = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self.tick += 1
        return self.observation_space.sample(), float(action), self.tick == 5, False, {}


def stacked_cart_pole() -> Any:
    return FrameStackObservation(gym.make("CartPole-v1"), 4)


MAKERS = {
    "stack": stacked_cart_pole,
    "table": lambda: Shown(picture((5, 3))),
    "grey": lambda: Shown(picture((11, 9), np.uint8, 255)),
    "float": lambda: Shown(picture((8, 8, 3))),
    "stacked": lambda: Shown(picture((2, 8, 8, 3), np.uint8, 255)),
    "five": lambda: Shown(picture((2, 2, 2, 2, 3))),
}


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("learner", ["deep-sarsa", "episodes", "rollout"])
@pytest.mark.parametrize("name", MAKERS)
def test_every_learner_and_memory_learns_from_what_it_acted_on(
    name: str, learner: str, memory: str
) -> None:
    env = SyncVectorEnv([MAKERS[name]] * 3)
    network = NetworkConfig((7,), memory, 5, 1, 3, last_action=True, channels=(2,))
    common: dict[str, Any] = {"network": network, "rollout_steps": 6}
    agent: Any = (
        DeepSarsa(env.single_observation_space, spaces.Discrete(2), DeepSarsaConfig(**common))
        if learner == "deep-sarsa"
        else Reinforce(
            env.single_observation_space,
            spaces.Discrete(2),
            ReinforceConfig(batch=learner, **common),
        )
    )
    acted: list[torch.Tensor] = []
    choose = agent.choose
    agent.choose = lambda output, *rest: (
        acted.append(torch.from_numpy(output.copy())) or choose(output, *rest)
    )
    collector = Collector(env, agent)
    collector.begin(0)
    rollout = collector.rollout(6)
    output, _ = agent.network(rollout.inputs, rollout.state)
    torch.testing.assert_close(output, torch.stack(acted), rtol=0, atol=1e-5)
    assert torch.stack(acted).std() > 1e-4
    before = agent.flat.detach().clone()
    Trainer(agent, env, TrainingConfig(40, 3, evaluate_every=0)).run()
    assert agent.steps >= 40 and not torch.equal(agent.flat, before)


def turned(env: Any, function: Any) -> Any:
    """The env with `function` applied to what it shows."""
    space = env.observation_space
    shown = function(space.low)
    box = spaces.Box(shown.min(), float(space.high.max()), shown.shape, space.dtype.type)
    return TransformObservation(env, function, box)


PAIRS: list[tuple[Any, Any]] = [
    (stacked_cart_pole, lambda: FlattenObservation(stacked_cart_pole())),
    (MAKERS["five"], lambda: FlattenObservation(MAKERS["five"]())),
    (MAKERS["float"], lambda: turned(MAKERS["float"](), lambda x: x.transpose(2, 0, 1))),
    (MAKERS["grey"], lambda: turned(MAKERS["grey"](), lambda x: x[None])),
    (
        MAKERS["stacked"],
        lambda: turned(MAKERS["stacked"](), lambda x: np.concatenate(x.transpose(0, 3, 1, 2))),
    ),
]


@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
@pytest.mark.parametrize("memory", ["none", "gru"])
@pytest.mark.parametrize("pair", PAIRS, ids=["stack", "five", "float", "grey", "stacked"])
def test_what_is_learned_is_that_of_the_same_numbers_in_the_plain_layout(
    pair: Any, memory: str, kind: Any
) -> None:
    config = DeepSarsaConfig if kind is DeepSARSA else ReinforceConfig
    network = NetworkConfig((7,), memory, 5, channels=(2,))
    models = []
    for maker in pair:
        env = SyncVectorEnv([maker] * 3)
        settings = config(network=network, rollout_steps=6, normalize_observations=False)
        models.append(kind(env, settings).learn(100))
    shapes = [model.env.single_observation_space.shape for model in models]
    assert shapes[0] != shapes[1]
    assert torch.equal(models[0].agent.flat, models[1].agent.flat)
    one, batch = (model.env.single_observation_space.sample() for model in models)
    assert np.ndim(models[0].predict(one)[0]) == 0
    assert models[1].predict(batch[None])[0].shape == (1,)


@pytest.mark.parametrize("axis", ["first", "last"])
def test_what_is_said_of_a_picture_is_saved_with_the_agent(axis: str, tmp_path: Path) -> None:
    env = SyncVectorEnv([lambda: Shown(picture((9, 5, 3)))] * 2)
    config = DeepSarsaConfig(network=NetworkConfig((7,), channels=(2,), channels_axis=axis))
    model = DeepSARSA(env, config).learn(50)
    model.save(tmp_path / "model")
    again = DeepSARSA.load(tmp_path / "model", env)
    assert again.agent.encoder.shape == ((9, 5, 3) if axis == "first" else (3, 9, 5))
    assert torch.equal(again.agent.flat, model.agent.flat)
