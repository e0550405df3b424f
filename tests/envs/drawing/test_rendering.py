"""Pictures: what they show, at which pixels, of which size, and in which tick."""

import re
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import imageio.v3 as imageio
import numpy as np
import pytest

import sidestep.envs  # noqa: F401
from sidestep.envs import Level, Scene
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette
from sidestep.envs.drawing.board import Layout, Pixels, frame, text, tiled

from .scenes import GOLDEN, GOLDEN_SIZE, LEVEL, MIXED, SCENES, scene

WAITING_ORANGE = palette.mix(palette.ORANGE, palette.FLOOR, 0.30)


def at(facts: Scene, x: float, y: float) -> tuple[int, ...]:
    """The colour in the default picture, x and y in cells: (0.5, 0.5) is the first one's middle."""
    left, top = Layout.default(facts.level).corner(x, y)
    return tuple(frame(facts)[top, left].tolist())


def count(picture: Pixels, colour: palette.Colour) -> int:
    """How many pixels have exactly this colour."""
    return int((picture == colour).all(axis=-1).sum())


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (["S....", ".....", ".....", ".....", "....G"], (432, 464)),
        (["SG"], (336, 144)),
        (["S" + "." * 11, *["." * 12] * 10, "." * 11 + "G"], (608, 640)),
        (["S" + "." * 159 + "G"], (676, 68)),
    ],
)
def test_default_sizes(rows: list[str], size: tuple[int, int]) -> None:
    level = Level(tuple(rows))
    picture = frame(scene((0, 0), level=level))
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (301, 203), (60, 40), (1600, 300)])
def test_any_size(size: tuple[int, int]) -> None:
    picture = frame(SCENES["waiting"], size)
    assert picture.shape == (size[1], size[0], 3)
    assert count(picture, palette.SKY) > 0


def test_colours_of_cells() -> None:
    facts = scene((1, 3), level=MIXED)
    assert at(facts, 0.1, 4.1) == palette.FLOOR
    assert at(facts, 1.9, 4.9) == palette.FLOOR_ODD
    assert at(facts, 2.5, 0.5) == palette.WALL
    assert at(facts, 1.5, 3.56) == palette.SKY
    assert at(facts, 5.55, 4.35) == palette.GREEN
    assert at(facts, 5.5, 0.35) == palette.PURPLE
    assert at(facts, 2.35, 1.5) == palette.ORANGE


HEADINGS = {(1, 0): (0.83, 0.5), (-1, 0): (0.17, 0.5), (0, 1): (0.5, 0.83), (0, -1): (0.5, 0.17)}


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_nose_points_where_a_patrol_moves_next(heading: tuple[int, int]) -> None:
    facts = scene((0, 0), [(2, 2, *heading)])
    for other, (dx, dy) in HEADINGS.items():
        assert (at(facts, 2 + dx, 2 + dy) == palette.ORANGE) == (other == heading)


def test_a_patrol_at_the_end_of_its_track_has_turned() -> None:
    outward, inward = scene((0, 0), [(4, 2, 1, 0)]), scene((0, 0), [(4, 2, -1, 0)])
    assert np.array_equal(frame(outward), frame(inward))
    corridor = Level.parse("S#>#.\n....G")
    alone = scene((0, 0), level=corridor)
    assert at(alone, 2.8, 0.5) == palette.ORANGE  # nowhere to go: the heading stays


def test_obstacles_are_bright_when_they_move_next() -> None:
    now = scene((0, 0), [(2, 2, 1, 0)])
    assert at(now, 2.3, 2.3) == palette.ORANGE
    assert at(now._replace(phase=1), 2.3, 2.3) == WAITING_ORANGE
    wanderer = scene((0, 0), [(2, 2, 0, 0)])
    assert at(wanderer, 2.5, 2.36) == palette.PURPLE
    assert at(wanderer._replace(phase=3), 2.5, 2.36) != palette.PURPLE


def test_trails_lead_to_where_figures_stood() -> None:
    facts, still = SCENES["waiting"], scene((2, 2), [(3, 1, 1, 0)], phase=1)
    assert at(facts, 2.5, 1.75) != at(still, 2.5, 1.75)  # the agent came from above
    assert at(facts, 2.5, 3.5) == at(still, 2.5, 3.5)


def test_a_hit_shows() -> None:
    calm = frame(SCENES["waiting"])
    assert count(calm, palette.YELLOW) == count(calm, palette.VERMILION) == 0
    for name in ("hit", "swap"):
        picture = frame(SCENES[name])
        assert count(picture, palette.YELLOW) > 500
        assert count(picture, palette.VERMILION) > 3000
    assert at(SCENES["swap"], 2.0, 1.05) == palette.YELLOW  # where they met, on the edge
    assert at(SCENES["hit"], 2.5, 1.05) == palette.YELLOW


@pytest.mark.parametrize("cell", [(4, 2), (0, 2), (2, 4), (2, 0), (4, 4)])
def test_bursts_and_rays_are_whole_at_the_edge(
    cell: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst is wider than a cell and the margin: at the edge the picture cut it."""
    level = Level((".....", ".S...", ".....", ".....", "....G"))
    facts = scene(cell, level=level, obstacles=((*cell, 0, 0),), hit=True, success=cell == (4, 4))
    places: list[tuple[int, int, int, int]] = []
    blit = rendering._blit

    def noted(surface: Any, sprite: Any, layout: Layout, x: float, y: float) -> None:
        if (sprite.get_width() > layout.cell) and (x, y) == cell:
            left, top = layout.corner(x + 0.5, y + 0.5)
            half = sprite.get_width() // 2
            places.append((left - half, top - half, left + half, top + half))
        blit(surface, sprite, layout, x, y)

    monkeypatch.setattr(rendering, "_blit", noted)
    height, width, _ = frame(facts).shape
    assert len(places) == 1 + (cell == (4, 4))
    for left, top, right, bottom in places:
        assert left >= 0 and top >= 32  # below the tick counter
        assert right <= width and bottom <= height


def test_a_hit_does_not_show_on_obstacles_elsewhere() -> None:
    hit = SCENES["hit"]
    for k in (1, 2):
        x, y, _, _ = hit.obstacles[k]
        assert at(hit, x + 0.35, y + 0.28) == at(SCENES["waiting"], x + 0.35, y + 0.28)


def test_the_goal_shows() -> None:
    picture = frame(SCENES["goal"])
    assert count(picture, palette.YELLOW) > 200
    assert at(SCENES["goal"], 4.5, 4.56) == palette.SKY
    assert at(SCENES["goal"], 0, 2.5) == palette.GREEN  # the frame round the board
    assert at(scene((0, 0)), 4.5, 4.56) != palette.SKY


def test_the_time_limit_shows() -> None:
    late = scene((0, 4), tick=100)
    assert at(late, 0, 2.5) == palette.DIM
    assert at(late._replace(tick=99), 0, 2.5) == palette.NIGHT
    bars = [frame(late._replace(tick=t))[40, 16:416] for t in (0, 25, 50, 100)]
    assert [int((bar == palette.SKY).all(-1).sum()) for bar in bars] == pytest.approx(
        [400, 300, 200, 0], abs=4
    )


def test_outcomes_in_words() -> None:
    words = [rendering.outcome(SCENES[name]) for name in ("start", "hit", "goal")]
    assert [w and w[0] for w in words] == [None, "HIT", "GOAL"]
    both = SCENES["goal"]._replace(hit=True)  # Book-v0: a hit on the goal
    assert rendering.outcome(both) == ("GOAL, HIT", palette.VERMILION)
    late = scene((0, 0), tick=100)
    assert rendering.outcome(late) == ("TIME OUT", palette.DIM)


def test_same_scene_same_pixels_and_no_shared_memory() -> None:
    first = frame(SCENES["hit"])
    second = frame(scene((0, 0)))
    again = frame(SCENES["hit"]._replace(level=Level.parse(str(LEVEL))))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    again[:] = 0
    assert np.array_equal(frame(SCENES["hit"]), first)


@pytest.mark.parametrize("name", SCENES)
def test_golden_images(name: str) -> None:
    picture = frame(SCENES[name], GOLDEN_SIZE).astype(int)
    difference = np.abs(picture - imageio.imread(GOLDEN / f"{name}.png"))
    assert difference.mean() < 0.5
    assert (difference > 24).mean() < 0.005


@pytest.mark.parametrize(
    ("lanes", "shape"),
    [(1, (416, 416, 3)), (2, (396, 792, 3)), (16, (784, 784, 3)), (64, (784, 784, 3))],
)
def test_tiled_sizes(lanes: int, shape: tuple[int, ...]) -> None:
    assert tiled([SCENES["waiting"]] * lanes).shape == shape


def test_tiled_shows_each_lane_in_its_place() -> None:
    picture = tiled([SCENES["start"], SCENES["hit"], SCENES["goal"]])
    high, wide = picture.shape[0] // 2, picture.shape[1] // 2
    tiles = [picture[:high, :wide], picture[:high, wide:], picture[high:, :wide]]
    assert [count(tile, palette.VERMILION) > 0 for tile in tiles] == [False, True, False]
    assert [count(tile, palette.YELLOW) > 0 for tile in tiles] == [False, True, True]
    assert (picture[high:, wide:] == palette.NIGHT).all()


def test_tiled_takes_levels_of_several_sizes_and_refuses_none() -> None:
    wide = scene((0, 0), level=Level.parse("S......G"))
    assert tiled([wide, SCENES["start"]]).shape[2] == 3
    with pytest.raises(ValueError, match="expected at least one, got none"):
        tiled([])


def plain(ansi: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", ansi)


def test_text_exactly() -> None:
    small = Level.parse("S?G\n#>.")
    ready = scene((0, 0), level=small, tick=3, max_ticks=9)
    assert text(ready) == (
        "tick 3/9, obstacles move now\n"
        "\x1b[1;36m@\x1b[0m \x1b[1;33m?\x1b[0m \x1b[1;32mG\x1b[0m\n"
        "\x1b[2;7m#\x1b[0m \x1b[1;33m>\x1b[0m \x1b[2m.\x1b[0m"
    )


@pytest.mark.parametrize(
    ("name", "first", "row", "line"),
    [
        ("waiting", "tick 37/100, obstacles move in 1", 3, "> . @ . ."),
        ("hit", "tick 5/100, obstacles move in 1, hit", 2, ". . X . ."),
        ("goal", "tick 9/100, obstacles move now, goal", 5, ". . . . *"),
        ("mixed", "tick 12, obstacles move now", 4, ". @ . . # ."),
    ],
)
def test_text_of_scenes(name: str, first: str, row: int, line: str) -> None:
    lines = plain(text(SCENES[name])).split("\n")
    assert lines[0] == first
    assert lines[row] == line


def play(mode: str, env_id: str, actions: list[int], **config: Any) -> tuple[list[Any], list[bool]]:
    """What `render` gives after reset and after every action, and whether each brought a hit."""
    env = gym.make(env_id, render_mode=mode, **config)
    env.reset(seed=3)
    pictures, hits = [env.render()], [False]
    for action in actions:
        env.step(action)
        pictures.append(env.render())
        hits.append(env.unwrapped.scene().hit)  # type: ignore[attr-defined]
    env.close()
    return pictures, hits


def test_a_hit_is_drawn_in_its_own_tick() -> None:
    actions = np.random.default_rng(1).choice([0, 1, 4], 60).tolist()  # up and down column 1
    pictures, hits = play("rgb_array", "sidestep/Book-v0", actions)
    assert [count(p, palette.VERMILION) > 0 for p in pictures] == hits
    assert 2 < sum(hits) < 30


def test_the_goal_frame_is_drawn() -> None:
    pictures, _ = play(
        "rgb_array", "sidestep/MovingObstacles-v0", [2, 2], level="S.G\n#v.\n...\n..."
    )
    assert [count(p, palette.YELLOW) > 0 for p in pictures] == [False, False, True]


@pytest.mark.parametrize("mode", ["rgb_array_list", "ansi_list"])
def test_list_modes_hold_every_frame(mode: str) -> None:
    env = gym.make("sidestep/MovingObstacles-v0", render_mode=mode)
    env.reset(seed=0)
    for action in (2, 2, 4):
        env.step(action)
    frames: Any = env.render()
    assert len(frames) == 4
    if mode == "rgb_array_list":
        assert [f.shape for f in frames] == [(464, 432, 3)] * 4
        assert not np.array_equal(frames[0], frames[1])
    else:
        assert [plain(f).split("\n")[0][:6] for f in frames] == [f"tick {t}" for t in range(4)]
    env.close()


def test_vector_pictures_are_those_of_the_lanes() -> None:
    env: Any = gym.make_vec("sidestep/MovingObstacles-v0", 5, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(np.array([2, 1, 4, 2, 1]))
    scenes = [env.scene(i) for i in range(5)]
    draw: Callable[[Scene], Pixels] = frame
    assert all(np.array_equal(p, draw(s)) for p, s in zip(env.render(), scenes, strict=True))
    assert np.array_equal(env.render_lane(3), frame(scenes[3]))
    assert np.array_equal(env.render_tiled(4), tiled(scenes[:4]))
    env.close()
