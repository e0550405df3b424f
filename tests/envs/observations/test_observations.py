"""Planes, window, and what is hidden: every number against the scene it is said to show."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sidestep.envs import MovingObstaclesEnv, MovingObstaclesVectorEnv, Scene
from sidestep.envs.observations import planes as cells

from ..test_contract import tables

MIXED = "S.#.?v.\n.>#....\n..##.<.\n^.?..G#"
KINDS = {(-1, 0): 3, (1, 0): 4, (0, -1): 5, (0, 1): 6, (0, 0): 7}


def digits(number: int, most: int, shape: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """`number` in binary, lowest digit first, as many as `most` needs; a full plane a digit."""
    return [np.full(shape, number >> d & 1, np.uint8) for d in range(most.bit_length())]


def expected_planes(scene: Scene, config: Any) -> NDArray[np.uint8]:
    """The planes as the docstring has them, drawn cell by cell."""
    shape = (scene.level.height, scene.level.width)
    cells = np.zeros((8, *shape), np.uint8)
    for (x, y), character in scene.level.cells():
        cells[0, y, x] = character == "#"
    cells[1, scene.agent.y, scene.agent.x] = 1
    cells[2, scene.level.goal.y, scene.level.goal.x] = 1
    age = scene.tick % config.visible_every
    if age == 0:
        for x, y, hx, hy in scene.obstacles:
            cells[KINDS[hx, hy], y, x] = 1
    parts = list(cells)
    if "headings" in config.hide:
        parts[3:] = [cells[3:].max(axis=0)]
    if "phase" not in config.hide:
        parts += digits(scene.phase, config.obstacle_period - 1, shape)
    if config.visible_every > 1:
        parts += [np.full(shape, age == 0, np.uint8)]
        parts += digits(age, config.visible_every - 1, shape)
    return np.array(parts)


def expected_window(scene: Scene, config: Any) -> NDArray[np.uint8]:
    """The planes cut out round the agent; outside in a plane of its own instead of the agent."""
    radius, whole = config.radius, expected_planes(scene, config)
    whole[1] = whole[0]
    whole[0] = 0
    count = 4 if "headings" in config.hide else 8
    pad = [(0, 0), (radius, radius), (radius, radius)]
    padded = np.pad(whole, pad)
    padded[0] = np.pad(whole[0], pad[1:], constant_values=1)
    padded[count:] = whole[count:, :1, :1]  # these tell no places
    (x, y), side = scene.agent, 2 * radius + 1
    return padded[:, y : y + side, x : x + side]


def expected_beacon(scene: Scene, config: Any) -> NDArray[np.uint8]:
    """The window with the goal's plane made anew: a goal beyond it at the nearest edge."""
    found, r = expected_window(scene, config).copy(), config.radius
    cells = [(x, y) for y in range(-r, r + 1) for x in range(-r, r + 1)]
    (x, y), goal = scene.agent, scene.level.goal
    away = [abs(goal.x - x - dx) + abs(goal.y - y - dy) for dx, dy in cells]
    found[2].flat[:] = [steps == min(away) for steps in away]
    return found


def expected_features(scene: Scene, config: Any) -> NDArray[np.float32]:
    """`features` as the docstring has them, with 0 for what is hidden."""
    (x, y), level = scene.agent, scene.level
    w, h, numbers = level.width - 1, level.height - 1, []
    age = scene.tick % config.visible_every
    for ox, oy, hx, hy in scene.obstacles:
        heading = (0, 0) if "headings" in config.hide else (hx, hy)
        numbers += [0.0] * 4 if age else [(ox - x) / w, (oy - y) / h, *heading]
    numbers += [(level.goal.x - x) / w, (level.goal.y - y) / h]
    longest = max(config.obstacle_period - 1, 1)
    numbers += [0.0 if "phase" in config.hide else scene.phase / longest]
    if config.visible_every > 1:
        numbers += [age == 0, age / (config.visible_every - 1)]
    return np.array(numbers, np.float32)


EXPECTED = {
    "planes": expected_planes,
    "window": expected_window,
    "beacon": expected_beacon,
    "features": expected_features,
}
CONFIGS = st.fixed_dictionaries(
    {
        "observation": st.sampled_from(list(EXPECTED)),
        "hide": st.sampled_from([[], ["phase"], ["headings"], ["phase", "headings"]]),
        "visible_every": st.integers(1, 6),
        "radius": st.integers(1, 8),
        "obstacle_period": st.integers(1, 5),
        "hit_ends": st.booleans(),
        "level": st.sampled_from([MIXED, "S.>..\n.....\n..v.G", "S.\n.G"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(CONFIGS, st.integers(0, 2**32))
def test_every_number(config: dict[str, Any], seed: int) -> None:
    env = MovingObstaclesVectorEnv(3, max_episode_steps=11, **config)
    obs, _ = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        assert obs in env.observation_space
        for lane in range(3):
            expected = EXPECTED[env.config.observation](env.scene(lane), env.config)
            assert obs.dtype == expected.dtype
            assert np.array_equal(obs[lane], expected)
        obs = env.step(rng.integers(0, 5, 3))[0]


def test_window_by_hand() -> None:
    env = MovingObstaclesEnv(
        level="S>.\n#.G", observation="window", radius=1, random_starts=False, obstacle_period=1
    )
    obs, _ = env.reset(seed=0)
    assert obs[0].tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]  # outside
    assert obs[1].tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]  # wall
    assert obs[2].sum() == 0  # the goal is two columns away
    assert obs[4].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]  # a patrol, to the right
    assert obs.shape == (8, 3, 3)


def test_windows_of_maps_too_many_to_cut_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for largest in (cells.LARGEST_CUT, 0):
        monkeypatch.setattr(cells, "LARGEST_CUT", largest)
        cells._window_ground.cache_clear()
        env = gym.make_vec("sidestep/Crossing-v0", 70)
        obs = [env.reset(seed=4)[0], *(env.step(np.full(70, a))[0] for a in (1, 2, 1, 2))]
        seen.append((env.unwrapped.world.ground.shape, np.stack(obs)))  # type: ignore[attr-defined]
    cells._window_ground.cache_clear()
    (cut, first), (whole, second) = seen
    assert (cut, whole) == ((64, 12, 3, 18, 7), (64, 1, 3, 18, 18))
    assert first.tobytes() == second.tobytes() and first.any()


def test_beacon_by_hand() -> None:
    level = "...G\n....\nS...\n....\n...."
    env = MovingObstaclesEnv(level=level, observation="beacon", radius=1)
    obs, _ = env.reset(seed=0)
    assert obs[2].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert env.step(2)[0][2].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    for action in (0, 0):
        obs = env.step(action)[0]
    assert obs[2].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert env.step(2)[0][2].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]  # and there it is


def test_first_tick_of_every_episode_is_shown() -> None:
    env = MovingObstaclesVectorEnv(8, autoreset_mode="SameStep", visible_every=1000)
    obs, _ = env.reset(seed=0)
    assert (obs[:, -2] == 1).all() and (obs[:, -1] == 0).all()
    ended = 0
    for _ in range(60):
        obs, _, terminated, _, _ = env.step(env.action_space.sample())
        assert np.array_equal(obs[:, -2] == 1, terminated)
        ended += int(terminated.sum())
    assert ended > 8


def test_docstring_rows_of_visible_every() -> None:
    env = MovingObstaclesEnv(visible_every=3)
    rows = tables()["visible_every"]
    assert [row[0] for row in rows] == ["4 K + 3", "4 K + 4"]
    assert env.observation_space.shape == (4 * 3 + 5,)
    assert [row[1].split(",")[0].split(" where")[0] for row in rows] == [
        "1",
        "ticks since they were shown",
    ]
    assert all(row[2] == "[0, 1]" for row in rows)


def test_docstring_rows_of_planes() -> None:
    """Each row's number of planes and its meaning; the planes themselves are held above."""
    rows = [(row[0], row[1]) for row in tables()["planes"]]
    assert [index for index, _ in rows] == ["0", "1", "2", "3, 4, 5, 6", "7", "8 + d"]
    words = ["walls", "agent", "goal", "left, right, up, down", "wanderers", "binary digit d"]
    assert all(word in text for word, (_, text) in zip(words, rows, strict=True))
    headings = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    assert [KINDS[headings[word]] for word in words[3].split(", ")] == [3, 4, 5, 6]
    for period, count in ((1, 8), (2, 9), (3, 10), (9, 12)):
        env = MovingObstaclesEnv(observation="planes", obstacle_period=period)
        assert env.observation_space.shape == (count, 5, 5)


def test_docs_and_docstring_have_the_same_tables(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "world.md").read_text(encoding="utf-8")
    written = {re.sub(r"\s+", " ", line) for line in text.splitlines()}
    for name in ("visible_every", "planes"):
        for row in tables()[name]:
            assert f"| {' | '.join(row)} |" in written, row


def test_glimpse() -> None:
    env: Any = gym.make("sidestep/Glimpse-v0")
    assert (env.unwrapped.config.hide, env.unwrapped.config.visible_every) == (("headings",), 8)
    assert not env.unwrapped.is_markov
    assert (
        gym.make_vec("sidestep/Glimpse-v0", 2, visible_every=100).unwrapped.config.visible_every
        == 100
    )
