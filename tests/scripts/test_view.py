"""The view: golden pictures, every panel at every size, what each panel adds."""

from typing import Any

import imageio.v3 as imageio
import numpy as np
import pygame
import pytest

from sidestep.envs import palette, sprites
from sidestep.scripts.panels.attention import was_seen
from sidestep.scripts.panels.curve import form_of
from sidestep.scripts.panels.moment import Curve, Moment
from sidestep.scripts.panels.pen import Pen, diverging, sequential
from sidestep.scripts.panels.registry import NAMES, PANELS
from sidestep.scripts.watching import view
from sidestep.scripts.watching.keys import HELP
from sidestep.scripts.watching.tiles import draw_tiles, tile_boxes

from .moments import GOLDEN, MOMENTS, SIZE, moment

SIZES = [(640, 480), (1280, 960), (480, 640), (1600, 500), (301, 203), (160, 120), (61, 47)]


@pytest.mark.parametrize("name", MOMENTS)
def test_golden_pictures(name: str) -> None:
    shown, panels = MOMENTS[name]
    picture = view.render(shown, SIZE, panels, f"the moment {name}").astype(int)
    golden = imageio.imread(GOLDEN / f"{name}.png")[..., :3].astype(int)
    assert picture.shape == golden.shape
    far = np.abs(picture - golden).max(axis=-1) > 24
    assert far.mean() < 0.004, f"{far.mean():.2%} of the pixels differ"


def test_the_same_moment_gives_the_same_pixels() -> None:
    for name, (shown, panels) in MOMENTS.items():
        first, second = (view.render(shown, SIZE, panels, name) for _ in range(2))
        assert np.array_equal(first, second)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("memory", ["none", "lstm", "attention"])
def test_every_panel_at_every_size(size: tuple[int, int], memory: str) -> None:
    picture = view.render(moment(memory), size, NAMES, "words " * 40, HELP)
    assert picture.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_every_panel_changes_the_picture(panel: view.Panel) -> None:
    memory = {"gates": "gru", "units": "gru", "attention": "attention"}.get(panel.name, "none")
    shown = moment(memory)
    assert panel.applies(shown)
    without, alone = (view.render(shown, SIZE, on) for on in ((), (panel.name,)))
    assert np.mean((without != alone).any(axis=-1)) > 0.003


@pytest.mark.parametrize("name", ["units", "gates", "attention", "heatmap", "regret", "curve"])
def test_a_panel_with_nothing_to_show_takes_no_room(name: str) -> None:
    shown = moment("none", cells=None, regrets=(), curve=None)
    assert np.array_equal(view.render(shown, SIZE, ()), view.render(shown, SIZE, (name,)))


def test_panels_do_not_overlap_and_stay_inside() -> None:
    for width, height in SIZES:
        frame = view.arrange(width, height, moment("lstm"), NAMES)
        boxes = [frame.board, frame.status, *(box for _, box in frame.panels)]
        for k, box in enumerate(boxes):
            assert pygame.Rect(0, 0, width, height).contains(box)
            assert not any(box.colliderect(other) for other in boxes[k + 1 :])
        if width >= 300 and height >= 200:
            assert len(frame.panels) == 6


def test_red_is_positive_blue_negative_dark_zero() -> None:
    positive, negative, zero = diverging(np.array([1.0, -1.0, 0.0])).astype(int)
    assert positive[0] > positive[2] + 100 and negative[2] > negative[0] + 100
    assert zero.sum() < 140
    brightness = sequential(np.linspace(0, 1, 9)).astype(int) @ (299, 587, 114)
    assert (np.diff(brightness) > 0).all()


def test_text_is_readable_in_a_small_window_and_grows_with_it() -> None:
    assert Pen.for_size(640, 480).scale == 1 and Pen.for_size(1280, 960).scale == 2
    assert Pen.for_size(200, 100).scale == 0.75
    surface, pen = pygame.Surface((90, 30)), Pen(1)
    assert pen.text(surface, "a long line that does not fit", (0, 15), room=80) <= 80


def test_values_of_many_actions_and_of_none_allowed() -> None:
    shown, _ = MOMENTS["foreign"]
    scores = np.full(37, -np.inf, dtype=np.float32)
    names = tuple(f"action {k}" for k in range(37))
    many = shown.insights[0]._replace(scores=scores, are_probabilities=False)
    picture = view.render(shown._replace(insights=(many,), actions=names), SIZE, ("values",))
    assert picture.shape == (SIZE[1], SIZE[0], 3)


def test_attention_at_an_episodes_end_is_that_of_the_tick_before() -> None:
    shown = moment("attention")  # tick 6: obstacles were seen in ticks 0 and 4
    assert [lag for lag in range(7) if was_seen(shown, lag)] == [2, 6]
    assert shown.scene is not None
    last = shown._replace(action=None, scene=shown.scene._replace(tick=7))
    assert [lag for lag in range(7) if was_seen(last, lag)] == [2, 6]
    pictures = [view.render(one, SIZE, ("attention",)) for one in (shown, last)]
    panel = view.arrange(*SIZE, shown, ("attention",), with_status=False).panels[0][1]
    parts = [picture[panel.top : panel.bottom, panel.left :] for picture in pictures]
    assert np.array_equal(*parts)


def test_attention_before_the_episode_has_no_bars_in_others_worlds() -> None:
    shown, _ = MOMENTS["foreign"]
    thoughts, pictures = moment("attention").insights[-1], []
    for size in (7, 3):
        weights = np.zeros(7, dtype=np.float32)
        weights[:size] = 1 / size
        one = shown._replace(insights=(thoughts._replace(attention=weights),))
        pictures.append(view.render(one, SIZE, ("attention",)))
    bars = [(picture == palette.SKY).all(axis=-1).any(axis=0).sum() for picture in pictures]
    assert bars[1] < 0.5 * bars[0]


def test_the_last_action_of_an_episode_stays_marked() -> None:
    shown = moment("none")
    over = shown._replace(action=None, last_action=shown.action)
    frame = view.arrange(*SIZE, shown, ("values",), with_status=False).panels[0][1]
    pictures = [view.render(one, SIZE, ("values",)) for one in (shown, over)]
    parts = [p[frame.top : frame.bottom, frame.left :] for p in pictures]
    assert np.array_equal(*parts)
    assert (parts[0] == palette.YELLOW).all(axis=-1).sum() > 50


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_notes_fit_in_a_small_window(panel: view.Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all panels that an agent has at once, in 640x480."""
    memory = "attention" if panel.name == "attention" else "lstm"
    cut: list[str] = []
    label = sprites.label

    def noted(words: str, *others: Any) -> Any:
        cut.append(words)
        return label(words, *others)

    monkeypatch.setattr(sprites, "label", noted)
    shown = moment(memory)
    view.render(shown, (640, 480), NAMES)
    if panel.note is not None and panel.applies(shown):
        assert panel.note(shown) in cut


def test_the_scale_of_returns_far_below_zero_fits() -> None:
    curve = Curve(((1.0, -500.0), (2.0, -83.0)), total_steps=2)
    assert form_of("return", (-500.0, -83.0)) == "{:.0f}"
    assert form_of("return", (-9.0, 7.0)) == "{:.2f}" and form_of("success", (0, 1)) == "{:.0%}"
    assert view.render(moment("none", curve=curve), SIZE, ("curve",)).any()


def test_an_empty_curve_and_an_empty_moment() -> None:
    assert view.render(moment("none", curve=Curve()), SIZE, ("curve",)).any()
    lone = Curve(returns=((5.0, float("nan")), (9.0, 2.0)))
    assert view.render(moment("none", curve=lone), SIZE, ("curve",)).any()
    assert view.render(Moment(), SIZE, NAMES).any()


@pytest.mark.parametrize("count", [1, 2, 5, 16, 63, 64])
@pytest.mark.parametrize("size", [(640, 480), (300, 900), (97, 89)])
def test_tiles_fill_the_picture(count: int, size: tuple[int, int]) -> None:
    boxes = tile_boxes(count, *size)
    assert len(boxes) == count
    canvas = np.zeros((size[1], size[0]), dtype=int)
    for box in boxes:
        canvas[box.top : box.bottom, box.left : box.right] += 1
    assert canvas.max() == 1 and canvas.mean() > 0.7
    surface = pygame.Surface(size)
    draw_tiles(surface, [moment("none")] * count, ["seed"] * count, ())
    assert surface.get_at((boxes[0].left, boxes[0].top))[:3] == palette.NIGHT
