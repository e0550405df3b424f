"""`is_markov` against the count of aliased states: alike to the eye, unlike in what follows.

Every state that can be reached is visited; two states are aliased if their observations are equal
and some action leads to different observations, rewards or ends. Where none are, equal
observations have equal futures, so the observation is Markov.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import gymnasium as gym
import pytest

from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.observations.table import OBSERVATIONS, Observation, is_markov
from sidestep.envs.rules.tick import HIT

BOOK = gym.spec("sidestep/Book-v0").kwargs


class Count(NamedTuple):
    states: int
    observations: int
    aliased: int


def count(seeds: int = 40, draws: int = 1, most: int = 2000, **config: Any) -> Count:
    """States from the starts of `seeds` seeds, `most` of them; wanderers' moves `draws` times."""
    env = MovingObstaclesEnv(**config)
    world, every = env.world, env.config.visible_every
    known: dict[bytes, Any] = {}

    def add() -> None:
        world.state[HIT] = 0  # tells the past, decides nothing
        world.clock[:] %= every
        now = world.state.copy(), world.clock.copy(), world.level_of.copy()
        known.setdefault(b"".join(part.tobytes() for part in now), now)

    for seed in range(seeds):
        env.reset(seed=seed)
        add()
    futures: dict[bytes, set[Any]] = defaultdict(set)
    queue, done = list(known.values()), 0
    while done < min(len(queue), most):
        state, clock, world.level_of[:] = queue[done]
        world.state[:], world.clock[:], done = state, clock, done + 1
        shown, future = world.observe()[0].tobytes(), []
        for action in range(5):
            results = set()
            for key in range(draws):
                world.state[:], world.clock[:], world.ended[:] = state, clock, False
                world.streams[:, 0] = (0, 1, key * 7919)
                obs, reward, terminated, _, _ = env.step(action)
                results.add((b"" if terminated else obs.tobytes(), reward, terminated))
                if not terminated:
                    before = len(known)
                    add()
                    queue += list(known.values())[before:]
            future.append(frozenset(results))
        futures[shown].add(tuple(future))
    aliased = sum(len(different) > 1 for different in futures.values())
    return Count(done, len(futures), aliased)


def test_the_course_is_a_pomdp() -> None:
    config = {**BOOK, "random_starts": False}
    assert count(seeds=1, **config) == Count(385, 193, 192)
    assert not MovingObstaclesEnv(**config).is_markov
    config["observation"] = "features"
    assert count(seeds=1, **config) == Count(385, 385, 0)
    assert MovingObstaclesEnv(**config).is_markov


SMALL = "S..\n.>.\n..G"
WORLDS: list[dict[str, Any]] = [
    {"level": SMALL},
    {"level": SMALL, "obstacle_period": 3},
    {"level": SMALL, "hide": ["phase"]},
    {"level": SMALL, "hide": ["headings"]},
    {"level": SMALL, "hide": ["phase"], "obstacle_period": 1},
    {"level": SMALL, "visible_every": 2},
    {"level": "S.\n>.\n.G", "hide": ["headings"]},  # two cells: both headings turn
    {"level": "S#.\n...\n.#G", "hide": ["headings", "phase"], "visible_every": 3},
    {"level": "S.v\n.#.\n<.G", "hit_ends": False},
    {"level": "S..\n>>.\n..G", "hit_ends": False},  # two on one track: one seen is both
    {"level": "S..\n>>>\n..G", "hit_ends": False},  # of three, which two are together?
    {"level": "S..\n>>>\n..G"},
]


@pytest.mark.parametrize("observation", ["features", "planes", "window"])
@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_flag_and_count_agree(world: dict[str, Any], observation: str) -> None:
    config = {**world, "observation": observation, "radius": 2}  # covers the map
    assert MovingObstaclesEnv(**config).is_markov == (count(**config).aliased == 0)


@pytest.mark.parametrize(("radius", "markov"), [(1, False), (2, False), (4, True)])
def test_a_window_that_does_not_cover_the_map(radius: int, markov: bool) -> None:
    config: dict[str, Any] = {"level": "S....\n.>...\n....G", "observation": "window"}
    assert MovingObstaclesEnv(radius=radius, **config).is_markov == markov
    assert (count(radius=radius, **config).aliased == 0) == markov


@pytest.mark.parametrize(("level", "crowd"), [("S?\n?G", False), ("S???G", True)])
def test_three_wanderers_cannot_be_counted_in_a_plane(level: str, crowd: bool) -> None:
    config: dict[str, Any] = {"level": level, "obstacle_period": 1, "hit_ends": False}
    for observation, markov in (("features", True), ("planes", not crowd)):
        env = MovingObstaclesEnv(observation=observation, **config)
        assert env.is_markov == markov
        if not (crowd and markov):  # the joint states of three take long to visit
            alike = count(1, draws=60, most=150, observation=observation, **config).aliased == 0
            assert alike == markov


@pytest.mark.parametrize(
    ("levels", "hide", "markov"),
    [
        (["SG\n##\n??\n##\n>.", "SG\n##\n?.\n##\n>>"], [], False),  # which two are together?
        (["SG\n##\n??\n##\n>.", "SG\n##\n??\n##\n.<"], [], True),  # equally many of a kind
        (["S.>\n.#G", "S.<\n#.G"], [], True),
        (["S.G\n>.#", "S.G\n.v#"], [], True),
        (["S.G\n>.#", "S.G\n.v#"], ["headings"], False),  # across or down?
        (["S.G\n?.#", "S.G\n>.#"], ["headings"], False),
    ],
)
@pytest.mark.parametrize("observation", ["planes", "window"])
def test_levels_that_look_alike(
    observation: str, levels: list[str], hide: list[str], markov: bool
) -> None:
    config = {"levels": levels, "hide": hide, "observation": observation, "radius": 4}
    assert MovingObstaclesEnv(**config).is_markov == markov
    assert (count(draws=200, obstacle_period=1, **config).aliased == 0) == markov


def test_default_world_and_glimpse() -> None:
    for env_id, markov in (
        ("sidestep/MovingObstacles-v0", True),
        ("sidestep/Book-v0", False),
        ("sidestep/Glimpse-v0", False),
    ):
        native: Any = gym.make_vec(env_id, 2)
        single: Any = gym.make(env_id)
        assert native.unwrapped.is_markov == single.unwrapped.is_markov == markov
        assert single.unwrapped.config.is_markov == markov


def test_nothing_is_guaranteed_of_an_observation_that_has_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that nobody knows, and a new row of the table that says nothing about it."""
    config = MovingObstaclesEnv(level="S.G").config  # nothing moves: all that is known is Markov
    for name, row in OBSERVATIONS.items():
        assert row.proof is not None
        assert is_markov(name, config.maps, config.view, True)
    for name in ("", "Features", "features ", "pixels"):
        assert not is_markov(name, config.maps, config.view, True)
    kernels = OBSERVATIONS["features"][:4]
    monkeypatch.setitem(OBSERVATIONS, "mine", Observation(*kernels))
    assert not MovingObstaclesEnv(level="S.G", observation="mine").is_markov
    monkeypatch.setitem(OBSERVATIONS, "mine", Observation(*kernels, lambda *_: True))
    assert MovingObstaclesEnv(level="S.G", observation="mine").is_markov
