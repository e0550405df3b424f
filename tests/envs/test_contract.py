"""What Gymnasium expects of every id and observation, and what the docstring promises."""

import json
import pickle
import re
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from sidestep.envs import ENV_IDS, Level, MovingObstaclesEnv, MovingObstaclesVectorEnv, WorldConfig
from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.envs.rules.tick import COLLISION, SUCCESS

EVERY = [
    (env_id, observation)
    for env_id, observation in product(ENV_IDS, OBSERVATIONS)
    if not (observation == "book" and "hide" in gym.spec(env_id).kwargs)
]
VECTORS = ("features", "book")
SMALL = [e for e in EVERY if e[1] in VECTORS and "pool" not in gym.spec(e[0]).kwargs]
"""In the bounds of hundreds of lanes every bound is reached."""
WORLDS = {
    "walls and a pocket": "S.#.v\n.>#..\n..##.\n^.?G#",
    "a wanderer in a pocket": "S..\n..G\n###\n.?.",
    "one row": "S.>.G",
    "one column": "S\nv\n.\nG",
    "no obstacles": "S.\n.G",
    "no way for the patrol": "S.G\n#>#",
}


@pytest.mark.parametrize(("env_id", "observation"), EVERY)
def test_check_env(env_id: str, observation: str) -> None:
    env = gym.make(env_id, observation=observation)
    check_env(env.unwrapped)  # warnings are errors


@pytest.mark.parametrize("level", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_check_env_on_other_levels(level: str, observation: str) -> None:
    check_env(MovingObstaclesEnv(level=level, observation=observation), skip_render_check=True)


def shown(lanes: int, ticks: int, **config: Any) -> NDArray[np.float32]:
    """Every observation of a long random play, (ticks * lanes, D), all inside the space."""
    env = MovingObstaclesVectorEnv(lanes, autoreset_mode="NextStep", **config)
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=0)[0]]
    seen += [env.step(rng.integers(0, 5, lanes))[0] for _ in range(ticks)]
    assert all(obs in env.observation_space for obs in seen)
    return np.concatenate(seen)


def check_tight(obs: NDArray[np.float32], space: gym.Space[Any], constants: set[int]) -> None:
    assert isinstance(space, gym.spaces.Box)
    assert space.dtype == obs.dtype == np.float32
    low, high = obs.min(axis=0), obs.max(axis=0)
    for column in range(obs.shape[1]):
        bounds = (space.low[column], space.high[column])
        if column in constants:
            assert low[column] == high[column]
            assert bounds == (-1, 1)
        else:
            assert bounds == (low[column], high[column]), column


@pytest.mark.parametrize(("env_id", "observation"), SMALL)
def test_observations_fill_their_box(env_id: str, observation: str) -> None:
    env = gym.make(env_id, observation=observation)
    kwargs = {**gym.spec(env_id).kwargs, "observation": observation}
    horizontal = {3, 7, 11}  # heading's y
    constants = horizontal if observation == "features" else {2, 6, 10, 14}
    if "hide" in kwargs:
        constants |= {2, 6, 10}
    check_tight(shown(500, 800, **kwargs), env.observation_space, constants)


def test_box_of_a_walled_level_leaves_out_what_nobody_reaches() -> None:
    config: dict[str, Any] = {"level": WORLDS["a wanderer in a pocket"], "hit_ends": False}
    env: Any = MovingObstaclesEnv(**config)
    check_tight(shown(300, 300, **config), env.observation_space, {2, 3})
    assert env.observation_space.high[1] == 1  # the wanderer, three rows below the agent
    assert env.observation_space.low[1] == np.float32(2 / 3)


@pytest.mark.parametrize("level", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("period", [1, 3])
def test_observations_stay_in_their_box(level: str, observation: str, period: int) -> None:
    for starts, ends in product((True, False), repeat=2):
        rules = {"random_starts": starts, "hit_ends": ends, "obstacle_period": period}
        shown(50, 100, level=level, observation=observation, **rules)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_spec_survives_json_and_pickle(env_id: str) -> None:
    kwargs: dict[str, Any] = {"observation": "planes", "obstacle_period": 3}
    if "pool" not in gym.spec(env_id).kwargs:
        kwargs["level"] = "S.>\n..G"
    env = gym.make(env_id, **kwargs)
    assert env.spec is not None
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        again = gym.make(spec)
        assert again.spec == env.spec
        ours, theirs = env.unwrapped, again.unwrapped
        assert isinstance(ours, MovingObstaclesEnv)
        assert isinstance(theirs, MovingObstaclesEnv)
        assert ours.config == theirs.config
        assert np.array_equal(env.reset(seed=3)[0], again.reset(seed=3)[0])


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_vector_spec_survives_json_and_pickle(env_id: str) -> None:
    env = gym.make_vec(env_id, 3, autoreset_mode="SameStep", max_episode_steps=9)
    assert env.spec is not None
    json.loads(env.spec.to_json())
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        again = gym.make_vec(spec)
        assert again.num_envs == 3
        assert again.metadata["autoreset_mode"] is env.metadata["autoreset_mode"]
        assert np.array_equal(env.reset(seed=3)[0], again.reset(seed=3)[0])


def test_environments_can_be_pickled_and_copied() -> None:
    for env in (MovingObstaclesEnv(), MovingObstaclesVectorEnv(3)):
        env.reset(seed=0)
        again = pickle.loads(pickle.dumps(env))
        action: Any = 1 if isinstance(env, MovingObstaclesEnv) else np.array([1, 2, 3])
        assert str(env.step(action)) == str(again.step(action))


def test_configurations_compare_and_keep_their_level_as_text() -> None:
    assert WorldConfig(level=Level.parse("S.G")) == WorldConfig(level="\n S.G\n")
    assert WorldConfig(level="S.G").level == "S.G"
    assert WorldConfig(goal_reward=1) == WorldConfig()


DOC = MovingObstaclesEnv.__doc__ or ""
HEADINGS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "References",
    "Version History",
]


def test_docstring_headings() -> None:
    assert re.findall(r"^ *## (.+)$", DOC, re.M) == HEADINGS


def tables() -> dict[str, list[list[str]]]:
    """The rows below each `observation="..."`, and below `visible_every=n`, in the docstring."""
    found: dict[str, list[list[str]]] = {}
    for text in DOC.splitlines():
        name = re.search(r'`observation="(\w+)"`|\. `visible_every=n` shows', text)
        if name:
            rows = found.setdefault(name[1] or "visible_every", [])
        elif re.match(r" *\| \d", text):
            rows.append([cell.strip() for cell in text.strip().strip("|").split("|")])
    return found


def indices(text: str, k: int) -> list[int]:
    """`4 k + 1` or `4 K, 4 K + 1` with numbers in; k and K are given one value."""
    terms = [re.fullmatch(r"4 [kK](?: \+ (\d))?", part.strip()) for part in text.split(",")]
    return [4 * k + int(term[1] or 0) for term in terms if term]


@pytest.mark.parametrize("observation", VECTORS)
@pytest.mark.parametrize("level", ["S.>..\n.....\n..v.G", "S>.\n.<G\n.^."])
def test_docstring_tables(observation: str, level: str) -> None:
    env = MovingObstaclesEnv(level=level, observation=observation, obstacle_period=3)
    obstacles = len(env.level.obstacles)
    covered: list[int] = []
    box = env.observation_space
    assert isinstance(box, gym.spaces.Box)
    for index, number, scope in tables()[observation]:
        for k in range(obstacles) if "k" in index else [obstacles]:
            for column in indices(index, k):
                covered.append(column)
                check_row(env, box, column, k, number, scope)
    assert sorted(covered) == list(range(box.shape[0]))


def check_row(
    env: MovingObstaclesEnv, box: gym.spaces.Box, column: int, k: int, number: str, scope: str
) -> None:
    """One row of an index table: its range, and its number over a short play."""
    if scope.startswith("["):
        low, high = json.loads(scope)
        assert low <= box.low[column] and box.high[column] <= high
    obs, _ = env.reset(seed=0)
    for action in (1, 2, 4, 4, 4, 4):
        scene = env.scene()
        ox, oy, hx, hy = (
            scene.obstacles[k] if k < len(scene.obstacles) else (*scene.level.goal, 0, 0)
        )
        x, y = ox - scene.agent.x, oy - scene.agent.y
        w, h = scene.level.width - 1, scene.level.height - 1
        meanings = {
            "column of": x / w,
            "row of": y / h,
            "its heading's x": hx,
            "its heading's y": hy,
            "ticks until": scene.phase / 2,
            "obstacle k minus": (x, y)[column % 4 % 2],
            "goal minus": (x, y)[column % 4 % 2],
            "-1, the": -1,
            "1, the": 1,
            "direction": -(hx + hy),
        }
        (meaning,) = [value for start, value in meanings.items() if number.startswith(start)]
        assert obs[column] == np.float32(meaning), (column, number)
        if env.world.ended[0]:
            break
        obs, *_ = env.step(action)


def test_docstring_information() -> None:
    information = DOC.split("## Information")[1].split("##")[0]
    assert set(re.findall(r"`(is_\w+)`", information)) == {"is_success", "is_collision"}
    env = MovingObstaclesEnv(level="S.G", random_starts=False)
    assert env.reset(seed=0)[1] == {}
    env.step(2)
    assert env.step(2)[4] == {"is_success": True, "is_collision": False}
    assert (SUCCESS, COLLISION) == (2, 3)


def test_docstring_defaults() -> None:
    config = WorldConfig()
    rewards = DOC.split("## Rewards")[1].split("##")[0]
    found = dict(re.findall(r"`(\w+_reward)`[^()]*\(([^)]+)\)", rewards))
    assert {name: float(value) for name, value in found.items()} == {
        name: getattr(config, name) for name in ("step_reward", "goal_reward", "hit_reward")
    }
    end = DOC.split("## Episode End")[1].split("##")[0]
    limit = re.search(r"after (\d+) ticks", end)
    assert limit is not None
    assert int(limit[1]) == gym.spec("sidestep/MovingObstacles-v0").max_episode_steps
