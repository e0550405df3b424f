"""Random maps in bulk: the same ones as ever, and what is told of them as arrays."""

import hashlib
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidestep.envs import Level, WorldConfig
from sidestep.envs.levels.mersenne import SIZE, begin, below, words_of
from sidestep.envs.levels.pool import LevelPool
from sidestep.envs.levels.random import (
    CHUNK,
    is_solvable,
    random_grid,
    random_maps,
    rows_of,
    solvable,
)
from sidestep.envs.rules.arrays import tables, tables_of
from sidestep.envs.rules.compiling import compiled

from .test_levels import earliest, found_by_search

SEEDS = (*range(12), 2**32 - 1, 2**32, 2**41 + 1, 2**64 + 5, 10**30)
GOLDEN: list[tuple[dict[str, Any], str]] = [
    (dict(), "d203169be61e7b9b"),
    (dict(width=2, height=2, patrols=0, wall_density=0), "efd681408a6543cc"),
    (dict(width=5, height=4, wall_density=0.1, patrols=2), "3d5db9c29714a280"),
    (dict(width=9, height=30, wall_density=0.3, patrols=12), "796660944a34e4a1"),
    (dict(width=70, height=5, wall_density=0.1, patrols=20), "ec4ae81b2c833eed"),
    (dict(width=8, height=8, patrols=10, wall_density=0.2), "e8a49b9b6d096a3f"),
    (dict(width=5, height=5, patrols=4, wall_density=0.3, tries=3), "db56d568aa1647c5"),
]
"""Digests of the levels of SEEDS as they were made when maps were drawn in plain Python."""


@compiled
def _numbers(words: Any, used: Any, bounds: Any, out: Any) -> None:
    state = np.zeros(SIZE + 1, np.int64)
    begin(state, words, used)
    for i in range(len(bounds)):
        out[i] = below(state, bounds[i])


@pytest.mark.parametrize("seed", [*SEEDS, pytest.param(2**20010 - 3, id="of 626 words")])
def test_numbers_are_those_of_python(seed: int) -> None:
    words, used = words_of([seed, 2**20000])
    bounds = np.random.default_rng(3).integers(1, 10**6, 2000)  # more than two rounds of 312
    out = np.zeros_like(bounds)
    _numbers(words[0], used[0], bounds, out)
    theirs = random.Random(seed)
    assert out.tolist() == [int(theirs.random() * bound) for bound in bounds.tolist()]


def _text(seed: int, kind: dict[str, Any]) -> str:
    try:
        return str(random_grid(seed, **kind))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(("kind", "digest"), GOLDEN, ids=lambda value: str(value)[:40])
def test_levels_of_a_seed_never_change(kind: dict[str, Any], digest: str) -> None:
    texts = "\n\n".join(_text(seed, kind) for seed in SEEDS)
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == digest


def test_many_are_the_ones_of_each_seed() -> None:
    """Chunks, and maps that are drawn again beside others that are not, change nothing."""
    kind: Any = (6, 5, 0.2, 4, 1)
    seeds = range(2, 2 * CHUNK + 90)
    maps = list(rows_of(random_maps(seeds, *kind)))
    for place in (0, 1, CHUNK - 1, CHUNK, len(seeds) - 1, *range(300, 340)):
        assert maps[place] == random_grid(seeds[place], *kind).rows


def test_what_is_made_unchecked_is_what_is_read() -> None:
    level = LevelPool(count=2).levels("train")[1]
    assert type(level) is Level and Level.parse(str(level)) is level
    assert level == Level(level.rows) and Level(level.rows).extent(level.start) == level.extent(
        level.start
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_tables_against_the_levels_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = []
    for _ in range(3):
        height, width = rng.integers(2, 7, 2)
        cells = rng.choice(list("..#"), (height, width))
        places = rng.permutation([(y, x) for y in range(height) for x in range(width)])
        for (y, x), character in zip(places, [*"SG", *rng.choice(list("<>^v?"), 2)], strict=False):
            cells[y, x] = character
        try:
            levels.append(Level(tuple("".join(row) for row in cells)))
        except ValueError:  # walled in
            levels.append(Level(("S<G", ".?.")))
    sites, tracks, walls = tables(levels)
    assert (sites.dtype, tracks.dtype, walls.dtype) == (np.int32, np.int32, np.bool_)
    for n, level in enumerate(levels):
        assert sites[n].tolist() == [*level.start, *level.goal, level.width, level.height]
        expected = [
            [*level.track(o), o.x, o.y, *o.heading, int(o.is_wanderer)] for o in level.obstacles
        ]
        assert tracks[n].tolist() == expected
        for (y, x), wall in np.ndenumerate(walls[n]):
            assert wall == level.is_wall(x, y)


def test_tables_are_shared_and_without_obstacles_empty() -> None:
    levels = LevelPool(count=3, patrols=0).levels("test")
    assert tables(levels)[1].shape == (3, 0, 9)
    assert tables(levels)[0] is tables(list(levels))[0]


def test_levels_at_once_are_solvable_as_one_by_one() -> None:
    maps = random_maps(range(40), 5, 5, 0.2, 4, 0)
    blocked = ["S####", "v####", ".#>>>", ".####", "G####"]  # nobody gets past the first
    maps[7] = maps[31] = np.array([list(map(ord, row)) for row in blocked])
    found = solvable(*tables_of(maps))
    assert found.tolist() == [is_solvable(Level(rows)) for rows in rows_of(maps)]
    assert np.flatnonzero(~found).tolist() == [7, 31]


@pytest.mark.parametrize("rows", ["S.<.G", "G.>.S", "S\n.\n^\n.\nG", "G\n.\nv\n.\nS"])
def test_no_way_swaps_cells_with_a_patrol(rows: str) -> None:
    """Where only a swap leads past it, whichever way the agent goes."""
    level = Level.parse(rows)
    for period in (1, 2, 3):
        assert found_by_search(level, period, 40) == earliest(level, period, 40) == -1


@pytest.mark.parametrize("width", [63, 64, 65, 100])
def test_search_in_wide_maps_against_play(width: int) -> None:
    rng = np.random.default_rng(width)
    cells = rng.choice(list("....#<>^v"), (4, width))
    cells[0, width - 3], cells[3, width - 1] = "S", "G"
    cells[:3, width - 4 :][cells[:3, width - 4 :] == "#"] = "."
    level = Level(tuple("".join(row) for row in cells))
    for period in (1, 2):
        assert found_by_search(level, period, 8) == earliest(level, period, 8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 100_001}, "pool count: expected an integer from 1 to 100000, got 100001"),
        ({"count": 0}, "pool count: expected an integer from 1 to 100000, got 0"),
        (
            {"count": 10_001, "width": 100, "height": 100},
            "pool count: expected at most 100,000,000 cells, width x height x count, "
            "got 100 x 100 x 10001",
        ),
    ],
)
def test_pools_that_are_too_large(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        LevelPool(**fields)  # type: ignore[arg-type]


def test_the_largest_pools_are_taken() -> None:
    assert LevelPool(count=100_000).count == 100_000
    assert LevelPool(count=10_000, width=100, height=100).width == 100


def test_a_test_split_has_no_level_of_any_training_split() -> None:
    """A thousand levels to test on, and as many to train on as the commands take by themselves."""
    large, small = LevelPool(count=8000), LevelPool(count=1000)
    test = WorldConfig(pool=small, split="test").maps
    assert test == large.levels("test")[:1000] and len(set(test)) == 1000
    assert not set(test) & set(large.levels("train"))
    assert small.levels("train") == large.levels("train")[:1000]
