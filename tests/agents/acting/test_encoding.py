"""Every observation space as numbers, and running normalisation against numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from sidestep.agents.acting.encoding import ObservationEncoder


def encode(space: spaces.Space[Any], *observations: Any) -> Any:
    empty: Any = create_empty_array(space, len(observations))
    encoder = ObservationEncoder(space)
    result = encoder(concatenate(space, list(observations), empty))
    assert result.dtype == torch.float32
    assert tuple(result.shape) == (len(observations), *encoder.shape)
    return result


def test_vectors_stay_as_they_are() -> None:
    for dtype in (np.float32, np.float64, np.int16):
        space = spaces.Box(-9, 9, (3,), dtype)
        got = encode(space, np.array([1, -2, 3], dtype), np.array([0, 5, 9], dtype))
        assert got.tolist() == [[1.0, -2.0, 3.0], [0.0, 5.0, 9.0]]


def test_boxes_of_other_ranks() -> None:
    assert encode(spaces.Box(-9, 9, (), np.float32), np.float32(4)).tolist() == [[4.0]]
    assert encode(spaces.Box(0, 255, (), np.uint8), np.uint8(51)).tolist() == [[pytest.approx(0.2)]]
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert encode(spaces.Box(-9, 9, (2, 3), np.float32), table).tolist() == [table.tolist()]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_with_the_channels_last_become_planes(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, channels), dtype=np.uint8)
    got = encode(spaces.Box(0, 255, (7, 5, channels), np.uint8), image, image[::-1])
    assert got.shape == (2, channels, 7, 5)
    np.testing.assert_allclose(got[0].numpy(), image.transpose(2, 0, 1) / 255, rtol=1e-6)
    np.testing.assert_allclose(got[1].numpy(), image[::-1].transpose(2, 0, 1) / 255, rtol=1e-6)


def test_planes_with_the_channels_first_stay_planes() -> None:
    planes = np.random.default_rng(0).integers(0, 2, (2, 5, 7), dtype=np.uint8)
    got = encode(spaces.Box(0, 1, (2, 5, 7), np.uint8), planes)
    assert got[0].tolist() == planes.tolist()  # ones are not 1 / 255


def test_discrete_counts_from_its_start() -> None:
    space = spaces.Discrete(4, start=-1)
    assert encode(space, -1, 2).tolist() == [[1.0, 0, 0, 0], [0, 0, 0, 1.0]]


def test_multi_binary() -> None:
    assert encode(spaces.MultiBinary(3), np.array([1, 0, 1], np.int8)).tolist() == [[1.0, 0, 1.0]]
    table = np.array([[1, 0], [0, 0], [1, 1]], np.int8)
    assert encode(spaces.MultiBinary([3, 2]), table).tolist() == [[1.0, 0, 0, 0, 1.0, 1.0]]


def test_multi_discrete() -> None:
    space = spaces.MultiDiscrete([2, 3], start=[0, 5])
    got = encode(space, np.array([1, 5]), np.array([0, 7]))
    assert got.tolist() == [[0, 1.0, 1.0, 0, 0], [1.0, 0, 0, 0, 1.0]]
    table = spaces.MultiDiscrete(np.array([[2, 3], [1, 2]]))
    assert encode(table, np.array([[1, 2], [0, 0]])).tolist() == [[0, 1.0, 0, 0, 1, 1, 1, 0]]


def test_dict_and_tuple_are_joined_in_the_order_of_the_space() -> None:
    space = spaces.Dict(
        z=spaces.Box(-9, 9, (2,), np.float32),
        a=spaces.Discrete(2),
        m=spaces.Tuple([spaces.MultiBinary(1), spaces.Box(0, 255, (5, 5, 1), np.uint8)]),
    )
    image = np.full((5, 5, 1), 255, np.uint8)
    obs = {"a": 1, "m": (np.array([1], np.int8), image), "z": np.array([4, -5], np.float32)}
    values = {"a": [0.0, 1.0], "m": [1.0] + 25 * [1.0], "z": [4.0, -5.0]}
    want = [x for name in space for x in values[name]]
    assert encode(space, obs, obs).tolist() == [want, want]


def test_an_unknown_space_is_refused() -> None:
    for space, got in ((spaces.Text(5), "Text"), (spaces.Dict(a=spaces.Text(5)), "Dict.*Text")):
        with pytest.raises(TypeError, match=rf"observation space: expected Box, .*, got {got}"):
            ObservationEncoder(space)


def test_running_statistics_against_numpy() -> None:
    random = np.random.default_rng(1)
    encoder = ObservationEncoder(spaces.Box(-99, 99, (3,), np.float32), normalize=True)
    seen: list[Any] = []
    for rows in (5, 1, 17, 2):
        batch = (random.normal(size=(rows, 3)) * [1, 10, 0] + [50, -3, 4]).astype(np.float32)
        seen.append(batch)
        got = encoder(batch).numpy()
        past = np.concatenate(seen).astype(np.float64)
        deviation = np.maximum(past.std(0), 1e-4)
        want = np.clip((batch - past.mean(0)) / deviation, -10, 10)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    assert encoder.moments.count == 25


def test_frozen_statistics_do_not_move_and_survive_saving() -> None:
    space = spaces.Box(-99, 99, (2,), np.float32)
    encoder = ObservationEncoder(space, normalize=True)
    batch = np.array([[1, 2], [3, 8]], np.float32)
    encoder(batch)
    encoder.frozen = True
    before = encoder(batch)
    encoder(batch + 40)
    assert torch.equal(encoder(batch), before)
    encoder.frozen = False
    encoder(batch + 40, count=False)
    saved = {name: value.clone() for name, value in encoder.moments.state_dict().items()}
    other = ObservationEncoder(space, normalize=True)
    other.moments.load_state_dict(saved)
    assert torch.equal(other(batch, count=False), before)
    other(batch + 40)
    assert torch.equal(encoder(batch, count=False), before)  # nothing is shared


def test_outliers_are_clipped() -> None:
    encoder = ObservationEncoder(spaces.Box(-np.inf, np.inf, (1,), np.float32), normalize=True)
    encoder(np.ones((1000, 1), np.float32))
    encoder.frozen = True
    assert encoder(np.array([[1e9], [-1e9]], np.float32)).tolist() == [[10.0], [-10.0]]


def test_batches_of_vector_envs_are_what_is_encoded() -> None:
    space = spaces.Dict(t=spaces.Discrete(3), v=spaces.Box(0, 1, (2,), np.float32))
    batch = batch_space(space, 4)
    batch.seed(0)
    assert ObservationEncoder(space)(batch.sample()).shape == (4, 5)


def test_planes_of_a_narrow_map_are_not_taken_for_a_picture() -> None:
    space = spaces.Box(0, 1, (9, 5, 3), np.uint8)  # planes first, three columns
    batch = np.random.default_rng(0).integers(0, 2, (2, 9, 5, 3)).astype(np.uint8)
    encoder = ObservationEncoder(space)
    assert encoder.shape == (9, 5, 3)
    assert encoder(batch).tolist() == batch.astype(float).tolist()
