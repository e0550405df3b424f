"""Named levels, levels from files, random ones that can be solved, and worlds of several."""

from collections import deque
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidestep.envs import Level, MovingObstaclesEnv, MovingObstaclesVectorEnv, WorldConfig, solve
from sidestep.envs.config import BOOK_LEVEL, DEFAULT_LEVEL
from sidestep.envs.levels.earliest_way import arrival
from sidestep.envs.levels.pool import LevelPool
from sidestep.envs.levels.random import is_solvable, random_grid
from sidestep.envs.levels.shipped import FOLDER, LEVELS, find_level
from sidestep.envs.rules.arrays import tables

from ..beside import pair
from ..test_vector_env import play

SMALL_POOL = {"width": 6, "height": 5, "patrols": 3, "count": 5, "wanderers": 1}
PINNED = [".S.#.", "<....", "..v.#", "...G."]
CROSSING = "sidestep/Crossing-v0"


def test_every_named_level_has_a_file_and_a_sentence() -> None:
    assert sorted(LEVELS) == sorted(path.stem for path in FOLDER.glob("*.txt"))
    assert len(LEVELS) >= 12
    assert all(text.endswith(".") and len(text) < 90 for text in LEVELS.values())
    assert find_level("three-rows") == Level.parse(DEFAULT_LEVEL)
    assert find_level("course") == Level.parse(BOOK_LEVEL)
    assert len({find_level(name) for name in LEVELS}) == len(LEVELS)


def test_a_file_that_was_edited_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "level.txt"
    path.write_text("S..\n..G")
    first = WorldConfig(level=str(path))
    path.write_text("S..\n.#G")
    second = WorldConfig(level=str(path))
    assert (str(first.map), str(second.map)) == ("S..\n..G", "S..\n.#G")
    path.write_text("S..\n..G")
    assert WorldConfig(level=str(path)).map is first.map


def test_walls_are_where_the_maps_have_them_and_all_round() -> None:
    levels = Level.parse("S#.\n..G"), Level.parse("S.\n#.\n.G")
    _, _, walls = tables(levels)
    assert walls.astype(int).tolist() == [
        [[0, 1, 0], [0, 0, 0], [1, 1, 1]],
        [[0, 0, 1], [1, 0, 1], [0, 0, 1]],
    ]


@pytest.mark.parametrize("name", LEVELS)
def test_named_levels_can_be_solved(name: str) -> None:
    assert is_solvable(find_level(name))
    env: Any = gym.make("sidestep/MovingObstacles-v0", level=name)
    assert env.unwrapped.level == find_level(name)


def test_a_level_is_a_name_a_text_or_a_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(b"\xef\xbb\xbfS.>\r\n..G\r\n")  # as some editors write it
    level = Level.parse("S.>\n..G")
    for source in ("S.>\n..G", level, file, str(file)):
        assert WorldConfig(level=source).map == level  # type: ignore[arg-type]
    assert WorldConfig(level="S.G").map == Level.parse("S.G")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"S.\n.\xffG", "row 2: expected text in UTF-8, got byte 0xff"),
        (b"S.G\n" + b"." * 1001, "row 2: expected at most 1000 cells, got 1001"),
        (b"S.x\n..G", "level row 1, column 3: expected one of"),
        (b"", "expected at least one row of cells"),
    ],
)
def test_files_that_are_no_levels(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        WorldConfig(level=str(file))
    assert "mine.txt" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["nowhere.txt", "./nowhere", "."])
def test_files_that_are_not_there(source: str) -> None:
    with pytest.raises(ValueError, match=r"level: expected"):
        WorldConfig(level=source)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match=r"or one of three-rows, course, .*, got 'rush_hour'"):
        WorldConfig(level="rush_hour")


def earliest(level: Level, period: int, limit: int) -> int:
    """The first tick that can reach the goal, by playing every action in every state."""
    env = MovingObstaclesEnv(level=level, obstacle_period=period, random_starts=False)
    env.reset(seed=0)
    queue, seen = deque([(0, env.get_state())]), set()
    while queue:
        tick, state = queue.popleft()
        for action in range(5 if tick < limit else 0):
            env.set_state(state)
            info = env.step(action)[4]
            if info["is_success"]:
                return tick + 1
            after = env.get_state()
            key = after["state"].tobytes()
            if not info["is_collision"] and (key, tick) not in seen:
                seen.add((key, tick))
                queue.append((tick + 1, after))
    return -1


def found_by_search(level: Level, period: int, limit: int) -> int:
    """The same by the search."""
    sites, tracks, walls = tables((level,))
    env = MovingObstaclesEnv(level=level, obstacle_period=period, random_starts=False)
    env.reset(seed=0)
    state = env.world.state[:, 0].copy()
    return arrival(state, sites[0], tracks[0], walls[0], period, limit)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_search_against_play(seed: int, period: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.choice(list("...#<>^v"), (4, 4))
    cells[0, 0], cells[3, 3] = "S", "G"
    try:
        level = Level(tuple("".join(row) for row in cells))
    except ValueError:  # walled in
        return
    assert found_by_search(level, period, 12) == earliest(level, period, 12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 6), st.integers(0, 2))
def test_random_levels(seed: int, patrols: int, wanderers: int) -> None:
    level = Level.random(seed, 7, 6, wall_density=0.2, patrols=patrols, wanderers=wanderers)
    assert level == Level.random(seed, 7, 6, wall_density=0.2, patrols=patrols, wanderers=wanderers)
    assert (level.width, level.height, level.goal.y) == (7, 6, 5) and level.start.y < 5
    assert sum(o.is_wanderer for o in level.obstacles) == wanderers
    assert len(level.obstacles) == patrols + wanderers
    assert str(level).count("#") == round(0.2 * 42)
    for obstacle in level.obstacles:
        left, top, right, bottom = level.track(obstacle)
        if not obstacle.is_wanderer:
            assert right - left + bottom - top > 1
            for x, y in (level.start, level.goal):
                assert not (left <= x <= right and top <= y <= bottom)


def test_random_levels_by_the_solver() -> None:
    """From the map's own start the optimum reaches the goal for certain."""
    for seed in range(6):
        level = Level.random(seed, 6, 6, patrols=3)
        solution = solve(WorldConfig(level=level, random_starts=False), 0.99, 100)
        assert solution.success == 1.0


def test_seeds_of_random_levels_never_change() -> None:
    assert str(Level.random(7, 5, 4, wall_density=0.1, patrols=2)).split() == PINNED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"seed": -3}, "seed: expected a non-negative integer, got -3"),
        ({"seed": 1.5}, "seed: expected a non-negative integer, got 1.5"),
        ({"width": 0}, "width: expected an integer from 2 to 100, got 0"),
        ({"height": "5"}, "height: expected an integer from 2 to 100, got '5'"),
        (
            {"wall_density": float("nan")},
            "wall_density: expected a number from 0 to below 1, got nan",
        ),
        ({"wall_density": -0.5}, "wall_density: expected a number from 0 to below 1, got -0.5"),
        ({"patrols": -1}, "patrols: expected an integer from 0 to 1000, got -1"),
        ({"wanderers": 1001}, "wanderers: expected an integer from 0 to 1000, got 1001"),
        ({"tries": 0}, "tries: expected a positive integer, got 0"),
    ],
)
def test_wrong_words_for_a_random_level(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^random level: {message}$"):
        Level.random(**{"seed": 0, **words})


def test_random_levels_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"found none that can be solved in 20 tries with 4x4"):
        random_grid(0, 4, 4, wall_density=0.8, patrols=9, tries=20)
    with pytest.raises(ValueError, match="expected fewer walls or obstacles, or more room"):
        WorldConfig(pool={"width": 3, "height": 3}).maps  # type: ignore[arg-type]  # noqa: B018


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"levels": "S.G"}, TypeError, "levels: expected a list of maps, got str"),
        (
            {"levels": ["S.G", "S.>\n..G"]},
            ValueError,
            r"equally many obstacles in each, got \[0, 1\]",
        ),
        ({"pool": 3}, TypeError, "pool: expected a dict or a LevelPool, got int"),
        ({"pool": {"size": 3}}, ValueError, "pool: expected width, height, .*, got 'size'"),
        (
            {"pool": {"width": 1}},
            ValueError,
            "pool width: expected an integer from 2 to 100, got 1",
        ),
        ({"pool": {"wall_density": 1}}, ValueError, "pool wall_density: expected a number from 0"),
        ({"split": "validation"}, ValueError, "split: expected train or test, got 'validation'"),
        ({"split": "test"}, ValueError, "split: expected a pool beside 'test', got none"),
        (
            {"pool": {}, "levels": ["S.G"]},
            ValueError,
            "levels, pool: expected one of them, got 2",
        ),
        ({"pool": {}, "level": "gate"}, ValueError, "level, pool: expected one .* pool=None take"),
        ({"levels": ["S.G"], "level": "gate"}, ValueError, "level, levels: expected one of them"),
    ],
)
def test_wrong_keywords(config: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MovingObstaclesEnv(**config)


def test_train_and_test_levels_are_disjoint() -> None:
    pool = LevelPool()
    train, test = pool.levels("train"), pool.levels("test")
    assert len(set(train) | set(test)) == 128
    assert train[3] == Level.random(6) and test[3] == Level.random(7)
    assert LevelPool(count=2, first=3).levels("test")[0] == test[3]
    single: Any = gym.make(CROSSING, split="test")
    assert single.unwrapped.world.levels == test
    assert all(len(level.obstacles) == 16 for level in train)
    assert single.observation_space.shape == (9, 7, 7)
    assert not single.unwrapped.is_markov
    assert gym.make(CROSSING, observation="planes").unwrapped.is_markov
    with pytest.raises(TypeError, match="expected a world of one level, got 64"):
        _ = single.unwrapped.config.map
    assert single.unwrapped.config.alone(3).map == test[3]


LEVELS_OF_TWO_SIZES = ["S.>.\n.#..\n...G", "S..\n<.G", "S.#.G\n...v.\n....."]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("observation", ["features", "planes", "window"])
def test_vector_equals_sync_with_several_levels(observation: str, mode: str) -> None:
    for several in ({"levels": LEVELS_OF_TWO_SIZES}, {"pool": SMALL_POOL, "split": "test"}):
        native, sync = pair(
            "sidestep/MovingObstacles-v0", 7, mode, 15, observation=observation, **several
        )
        assert play(native, sync, 120, 5) > 30
        assert len(set(native.unwrapped.world.level_of.tolist())) > 1  # type: ignore[attr-defined]


def test_each_episode_draws_its_level() -> None:
    env = MovingObstaclesVectorEnv(400, levels=LEVELS_OF_TWO_SIZES, autoreset_mode="SameStep")
    obs, _ = env.reset(seed=0)
    counts = np.bincount(env.world.level_of, minlength=3)
    assert counts.min() > 100  # 133 expected, standard deviation 9
    for _ in range(100):
        assert obs in env.observation_space
        before = env.world.level_of.copy()
        obs, _, terminated, _, _ = env.step(env.action_space.sample())
        assert np.array_equal(before[~terminated], env.world.level_of[~terminated])
    assert env.call("level") == tuple(env.world.levels[n] for n in env.world.level_of)


def test_options_choose_the_level() -> None:
    env = MovingObstaclesVectorEnv(3, levels=LEVELS_OF_TWO_SIZES)
    env.reset(seed=0, options={"level": 2})
    assert env.world.level_of.tolist() == [2, 2, 2]
    drawn = MovingObstaclesVectorEnv(3, levels=LEVELS_OF_TWO_SIZES)
    drawn.reset(seed=4)
    env.reset(seed=4, options={"level": [1, None, LEVELS_OF_TWO_SIZES[0]]})
    assert env.world.level_of.tolist() == [1, drawn.world.level_of[1], 0]
    single = MovingObstaclesEnv(levels=LEVELS_OF_TWO_SIZES)
    single.reset(seed=0, options={"level": LEVELS_OF_TWO_SIZES[1]})
    assert single.level == Level.parse(LEVELS_OF_TWO_SIZES[1])
    for level, message in ((3, "expected 0 to 2, got 3"), ("S.G", "one of this world's 3")):
        for one in (env, single):
            with pytest.raises(ValueError, match=message):
                one.reset(options={"level": level})
    with pytest.raises(ValueError, match="options level: expected 3, got 2"):
        env.reset(options={"level": [0, 1]})


def test_options_restore_a_state() -> None:
    for make in (MovingObstaclesEnv, lambda **kw: MovingObstaclesVectorEnv(4, **kw)):
        env: Any = make(levels=LEVELS_OF_TWO_SIZES)
        env.reset(seed=1)
        action: Any = 1 if isinstance(env, MovingObstaclesEnv) else np.array([1, 2, 1, 4])
        state = env.get_state()
        expected = str(env.step(action))
        other: Any = make(levels=LEVELS_OF_TWO_SIZES)
        obs, info = other.reset(options={"state": state})
        assert info == {}
        assert np.array_equal(obs, make(levels=LEVELS_OF_TWO_SIZES).reset(seed=1)[0])
        assert str(other.step(action)) == expected
        with pytest.raises(ValueError, match="expected state alone, got a seed"):
            other.reset(seed=1, options={"state": state})
        state["level_of"][:] = 3
        with pytest.raises(ValueError, match="expected levels 0 to 2"):
            other.set_state(state)
