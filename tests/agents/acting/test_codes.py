"""Small integers and bytes of any range: one-hot, scaled by what came, or left as they are."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsa,
    DeepSarsaConfig,
    NetworkConfig,
    ReinforceConfig,
)
from sidestep.agents.acting.encoding import ObservationEncoder
from sidestep.agents.player import Player
from sidestep.scripts.viewer.live import policy_of
from sidestep.sequence.fitting.checkpoint import load_checkpoint, save_checkpoint

BYTES = spaces.Box(0, 255, (2, 7, 5), np.uint8)


def one_hot(batch: Any, codes: int) -> Any:
    """(B, C, H, W) codes as (B, C * codes, H, W), one comparison each."""
    planes = [batch[:, c] == k for c in range(batch.shape[1]) for k in range(codes)]
    return np.stack(planes, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("space", "codes", "found"),
    [
        (spaces.Box(0, 2, (3,), np.int8), None, (3, 0)),
        (spaces.Box(-1, 1, (3,), np.int64), None, (3, -1)),
        (spaces.Box(1, 16, (3,), np.int64), None, (16, 1)),
        (spaces.Box(0, 16, (3,), np.int64), None, None),  # seventeen values
        (spaces.Box(0, 1, (3,), np.uint8), None, None),
        (spaces.Box(0, 2, (3,), np.float32), None, None),
        (spaces.Box(0, 15, (32, 33), np.int8), None, None),  # 16,896 entries
        (spaces.Box(0, 2, (3,), np.int8), 0, None),
        (spaces.Box(0, 255, (3,), np.uint8), 11, (11, 0)),
        (spaces.Box(-9, 9, (3,), np.int64), 11, (11, 0)),
        (spaces.Box(-1, 3, (3,), np.int64), 11, (5, -1)),
        (spaces.Box(0, 1, (3,), np.uint8), 11, None),
        (spaces.Box(0, 9, (3,), np.float64), 11, None),
    ],
)
def test_which_boxes_hold_codes(
    space: spaces.Box, codes: int | None, found: tuple[int, int] | None
) -> None:
    encoder = ObservationEncoder(space, codes=codes)
    batch = np.full((2, *space.shape), 1, dtype=space.dtype)
    got = encoder(batch)
    if found is None:
        assert encoder.shape == space.shape and bool((got == 1).all())
        return
    count, first = found
    want = [float(k == 1 - first) for k in range(count)] * 3
    assert encoder.shape == (3 * count,) and got.tolist() == [want, want]


@pytest.mark.parametrize("axis", ["first", "last"])
def test_codes_of_pictures_are_channels(axis: str) -> None:
    batch = np.random.default_rng(0).integers(0, 5, (3, 2, 7, 5)).astype(np.uint8)
    want = one_hot(batch, 5)
    told = batch if axis == "first" else np.moveaxis(batch, 1, -1)
    for high, codes in ((4, None), (255, 5)):
        space = spaces.Box(0, high, told.shape[1:], np.uint8)
        encoder = ObservationEncoder(space, channels_axis=axis, codes=codes)
        assert encoder.shape == (10, 7, 5)
        assert encoder(told).tolist() == want.tolist()


def test_a_board_of_codes_is_a_picture_and_a_stack_has_the_channels_of_all() -> None:
    board = np.random.default_rng(1).integers(-1, 2, (2, 6, 7)).astype(np.int8)
    encoder = ObservationEncoder(spaces.Box(-1, 1, (6, 7), np.int8), codes=None)
    assert encoder.shape == (3, 6, 7)
    assert encoder(board).tolist() == one_hot(board[:, None] + 1, 3).tolist()
    stack = np.random.default_rng(2).integers(0, 3, (2, 4, 2, 7, 5)).astype(np.int64)
    encoder = ObservationEncoder(spaces.Box(0, 2, (4, 2, 7, 5), np.int64), codes=None)
    assert encoder.shape == (24, 7, 5)
    assert encoder(stack).tolist() == one_hot(stack.reshape(2, 8, 7, 5), 3).tolist()


def test_codes_beyond_those_there_are_are_refused_where_somebody_looks() -> None:
    encoder = ObservationEncoder(spaces.Box(0, 255, (2,), np.uint8), codes=8)
    batch = np.array([[1, 7], [3, 10]], np.uint8)
    with pytest.raises(ValueError, match=r"of lane 1: expected whole numbers from 0 to 7, got 10$"):
        encoder(batch)
    got = encoder(batch, used=np.array([True, False]))
    assert got[0].nonzero().flatten().tolist() == [1, 15]
    with pytest.raises(ValueError, match=r"of lane 0: expected whole numbers from 2 to 4, got 1$"):
        ObservationEncoder(spaces.Discrete(3, start=2))(np.array([1, 3]))


def test_bytes_are_divided_by_the_first_full_scale_that_none_exceeded() -> None:
    encoder = ObservationEncoder(spaces.Box(0, 255, (3,), np.uint8), codes=None)
    for value, scale in ((0, 1), (1, 1), (2, 3), (10, 15), (3, 15), (16, 31), (128, 255)):
        got = encoder(np.array([[value, 0, 1]], np.uint8))
        torch.testing.assert_close(got, torch.tensor([[value / scale, 0, 1 / scale]]))
    assert encoder.largest.tolist() == [128.0]
    assert encoder(np.array([[255, 0, 1]], np.uint8)).tolist() == [[1.0, 0.0, 1 / np.float32(255)]]


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_not_counted_moves_no_scale_and_stays_within_one(frozen: bool) -> None:
    encoder = ObservationEncoder(spaces.Box(0, 255, (2,), np.uint8), codes=None)
    encoder(np.array([[7, 1], [200, 0]], np.uint8), count=np.array([True, False]))
    encoder.frozen = frozen
    got = encoder(np.array([[14, 255]], np.uint8), count=frozen)
    assert got.tolist() == [[1.0, 1.0]] and encoder.largest.tolist() == [7.0]


def test_each_channel_has_a_scale_of_its_own_in_stacks_and_parts_too() -> None:
    stack = np.zeros((1, 3, 2, 7, 5), np.uint8)
    stack[0, 0, 0, 4, 4], stack[0, 2, 1, 3, 3] = 6, 40  # channels 0 and 1
    encoder = ObservationEncoder(spaces.Box(0, 255, (3, 2, 7, 5), np.uint8), codes=None)
    got = encoder(stack)
    assert encoder.largest.tolist() == [6.0, 40.0]
    assert got[0, 0, 4, 4] == pytest.approx(6 / 7) and got[0, 5, 3, 3] == pytest.approx(40 / 63)
    space = spaces.Dict(
        a=spaces.Box(-9, 9, (2,), np.float32),
        b=spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 255, (2,), np.uint8)]),
        c=spaces.Box(0, 255, (7, 5, 1), np.uint8),
    )
    picture = np.zeros((1, 7, 5, 1), np.uint8)
    picture[0, 0, 1, 0] = 100
    obs = {
        "a": np.array([[4, -5]], np.float32),
        "b": (np.array([1]), np.array([[2, 3]], np.uint8)),
        "c": picture,
    }
    encoder = ObservationEncoder(space, codes=None)
    want = [4.0, -5.0, 0.0, 1.0, 2 / 3, 1.0, 0.0, 100 / 127] + [0.0] * 33
    torch.testing.assert_close(encoder(obs), torch.tensor([want]))
    assert encoder.largest.tolist() == [3.0, 100.0]


def test_pictures_in_a_dict_keep_the_order_in_which_agents_of_before_saw_them() -> None:
    space = spaces.Dict(a=spaces.Box(-1, 1, (3, 3, 4), np.float32))
    batch = np.random.default_rng(4).normal(size=(2, 3, 3, 4)).astype(np.float32)
    for axis, want in (("bytes", batch), ("auto", np.moveaxis(batch, -1, 1))):
        got = ObservationEncoder(space, channels_axis=axis)({"a": batch})
        assert got.tolist() == want.reshape(2, -1).tolist()


def test_normalised_bytes_need_no_scale() -> None:
    encoder = ObservationEncoder(BYTES, normalize=True, codes=None)
    assert len(encoder.largest) == 0
    batch = np.random.default_rng(3).integers(0, 9, (5, 2, 7, 5)).astype(np.uint8)
    deviation = np.maximum(batch.std(0), 255e-4)
    want = (batch - batch.mean(0)) / deviation
    np.testing.assert_allclose(encoder(batch).numpy(), want, rtol=1e-4, atol=1e-4)


def test_text_is_left_out_wherever_it_stands() -> None:
    space = spaces.Dict(
        mission=spaces.Text(9),
        v=spaces.Box(-9, 9, (2,), np.float32),
        w=spaces.Tuple([spaces.Text(3), spaces.Discrete(2)]),
    )
    encoder = ObservationEncoder(space)
    assert encoder.shape == (4,)
    assert encoder.left_out == ("mission (Text)", "w.0 (Text)")
    obs = {
        "mission": ("go", "wait"),
        "v": np.array([[1, 2], [3, 4]], np.float32),
        "w": (("a", "b"), np.array([1, 0])),
    }
    assert encoder(obs).tolist() == [[1.0, 2.0, 0.0, 1.0], [3.0, 4.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Dict(a=spaces.Text(3)),
        spaces.Tuple([spaces.Dict(a=spaces.Text(3)), spaces.Discrete(2)]),
        spaces.Graph(spaces.Discrete(2), None),
        spaces.Dict(a=spaces.Sequence(spaces.Discrete(2)), b=spaces.Discrete(2)),
        spaces.OneOf([spaces.Discrete(2)]),
    ],
    ids=lambda space: type(space).__name__,
)
def test_what_cannot_be_read_is_refused_in_one_line(space: spaces.Space[Any]) -> None:
    with pytest.raises(TypeError, match=r"^observation space: expected Box, .*, got ") as error:
        ObservationEncoder(space)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("codes", [-1, 1, 2, 257, 3.5, "auto", True])
def test_impossible_numbers_of_codes_are_refused(codes: Any) -> None:
    with pytest.raises(ValueError, match=r"codes: expected "):
        NetworkConfig(codes=codes)


class Cells(gym.Env[Any, Any]):
    """Shows a text and eight codes of 0 to 10 in bytes, of which the first says the right action.

    Episodes are three ticks long.
    """

    observation_space = spaces.Dict(
        cells=spaces.Box(0, 255, (8,), np.uint8), mission=spaces.Text(20)
    )
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.tick = 0
        return self.observe(), {}

    def observe(self) -> Any:
        self.cells = self.np_random.integers(0, 11, 8).astype(np.uint8)
        return {"cells": self.cells, "mission": "find it"}

    def step(self, action: Any) -> Any:
        reward = float(action == self.cells[0] % 2)
        self.tick += 1
        return self.observe(), reward, self.tick == 3, False, {}


def lanes(number: int = 4) -> SyncVectorEnv:
    return SyncVectorEnv([Cells for _ in range(number)])


@pytest.mark.filterwarnings("ignore:Text in observations")
@pytest.mark.parametrize(("codes", "width"), [(None, 8), (0, 8), (11, 88)])
@pytest.mark.parametrize("learner", [DeepSARSA, REINFORCE])
def test_scales_survive_saving_and_whoever_plays(
    learner: Any, codes: int | None, width: int, tmp_path: Path
) -> None:
    network = NetworkConfig((7,), codes=codes)
    config = (DeepSarsaConfig if learner is DeepSARSA else ReinforceConfig)(network=network)
    model = learner(lanes(), config, seed=3).learn(60, log_interval=None)
    encoder = model.agent.encoder
    assert encoder.shape == (width,)
    assert encoder.largest.tolist() == ([10.0] if codes is None else [])
    model.save(tmp_path / "model")
    other = learner.load(tmp_path / "model", env=lanes())
    obs = {"cells": np.array([0, 1, 2, 3, 4, 5, 10, 7], np.uint8), "mission": "find it"}
    batch = {"cells": obs["cells"][None], "mission": ("find it",)}
    want = {None: obs["cells"] / 15, 0: obs["cells"] / 255, 11: np.eye(11)[obs["cells"]].ravel()}
    for agent in (model.agent, other.agent):
        got = agent.encoder(batch, count=False).numpy()[0]
        np.testing.assert_allclose(got, want[codes], rtol=1e-6)
    single, _ = other.predict(obs, deterministic=True)
    many, _ = other.predict(batch, deterministic=True)
    player = Player(other.agent)
    assert int(single) == int(many[0]) == player.act(obs, True)
    if codes is None:  # the window that looks on while training goes on
        window = DeepSarsa if learner is DeepSARSA else type(other.agent)
        shown = window(other.agent.observation_space, spaces.Discrete(2), config, seed=9)
        shown.load_state_dict(policy_of(model.agent), learning=False)
        assert shown.encoder.largest.tolist() == [10.0]


@pytest.mark.filterwarnings("ignore:Text in observations")
@pytest.mark.parametrize("largest", [[-1.0], [256.0], [float("nan")]])
def test_scales_that_no_learning_leads_to_are_refused(largest: Any, tmp_path: Path) -> None:
    config = DeepSarsaConfig(network=NetworkConfig((7,)))
    DeepSARSA(lanes(), config).save(tmp_path / "model")
    tensors, facts = load_checkpoint(tmp_path / "model.json")
    own = ("format", "tensors", "bytes", "sha256", "digest")
    facts = {name: fact for name, fact in facts.items() if name not in own}
    save_checkpoint(tmp_path, "model", tensors | {"obs_largest": torch.tensor(largest)}, facts)
    with pytest.raises(ValueError, match="'obs_largest': expected finite numbers from 0 to 255"):
        DeepSARSA.load(tmp_path / "model", env=lanes())


def test_the_library_says_what_it_leaves_out() -> None:
    with pytest.warns(UserWarning, match=r"^Text in observations is left out: mission \(Text\)\.$"):
        DeepSARSA(lanes(), DeepSarsaConfig(network=NetworkConfig((7,))))
