"""The view: golden pictures, every panel at every size, what each panel adds."""

from typing import Any

import imageio.v3 as imageio
import numpy as np
import pygame
import pytest

from sidestep.envs import Cell
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import palette, sprites
from sidestep.envs.drawing.layout import HEADER, MARGIN, Layout
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.keys import help_words
from sidestep.scripts.viewer.panels import heatmap
from sidestep.scripts.viewer.panels.attention import was_seen
from sidestep.scripts.viewer.panels.curve import draw as draw_curve
from sidestep.scripts.viewer.panels.curve import form_of
from sidestep.scripts.viewer.panels.moment import Curve, Moment
from sidestep.scripts.viewer.panels.pen import Pen, diverging, sequential
from sidestep.scripts.viewer.panels.registry import NAMES, PANELS
from sidestep.scripts.viewer.panels.values import draw, note, scale_of
from sidestep.scripts.viewer.tiles import draw_tiles, tile_boxes
from sidestep.scripts.viewer.view import SMALLEST_HEADER, draw_board

from .moments import GOLDEN, LEVEL, MOMENTS, SCENE, SIZE, moment

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
    picture = view.render(moment(memory), size, NAMES, "words " * 40, help_words())
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


def test_bars_of_values_that_are_alike_differ() -> None:
    """From zero, 0.51 and 0.53 looked the same."""
    assert scale_of(np.array([0.53, 0.51, 0.52])) == pytest.approx((0.505, 0.53))
    assert scale_of(np.array([-4.1, -4.0, -np.inf])) == pytest.approx((-4.125, -4.0))
    assert scale_of(np.array([0.1, 0.9])) == (0.0, 0.9)
    assert scale_of(np.array([-0.2, -0.9])) == (-0.9, 0.0)
    assert scale_of(np.array([-0.01, 0.5])) == (-0.01, 0.5)
    low, high = scale_of(np.array([0.5, 0.5]))
    assert low <= 0.5 < high
    assert scale_of(np.array([np.nan])) == (0.0, 1.0)
    scores = np.array([0.53, 0.51, 0.52, 0.515, 0.505], dtype=np.float32)
    last = moment("none").insights[-1]._replace(scores=scores)
    shown = moment("none", insights=(last,), optimal=None)
    assert note(shown) == "value, bars from 0.499"
    surface = pygame.Surface((300, 150), 0, 32)
    surface.fill(palette.NIGHT)
    draw(surface, shown, Pen(1.0))
    blue = (pygame.surfarray.array3d(surface) == palette.SKY).all(axis=-1)
    best, worst = (blue[:, int((k + 0.5) * 30)].sum() for k in (2, 4))
    assert best > 3 * worst > 0


def corner(place: tuple[int, int], **others: Any) -> Moment:
    """The agent in a corner, wanting out of it."""
    scene = SCENE._replace(agent=Cell(*place), previous=(Cell(*place), *SCENE.previous[1:]))
    return moment("none", scene=scene, cells=None, **others)


@pytest.mark.parametrize("action", range(4))
def test_arrows_stay_on_the_board(action: int) -> None:
    """The arrow up covered the tick counter, those at other edges were cut."""
    place = ((2, 0), (2, 4), (4, 1), (0, 1))[action]
    shown = corner(place, action=action)
    board = view.arrange(*SIZE, shown, ("values",), False).board
    plain, drawn = (pygame.Surface(board.size, 0, 32) for _ in range(2))
    draw_board(plain, shown, (), Pen.for_size(*SIZE))
    draw_board(drawn, shown, ("values",), Pen.for_size(*SIZE))
    changed = (rendering.pixels(plain) != rendering.pixels(drawn)).any(axis=-1)  # (H, W)
    header, margin = (HEADER, MARGIN) if board.width >= SMALLEST_HEADER else (0, 4)
    layout = Layout.inside(LEVEL, *board.size, margin=margin, header=header)
    (left, top), (right, bottom) = layout.corner(0, 0), layout.corner(5, 5)
    inside = np.zeros_like(changed)
    inside[top:bottom, left:right] = True
    assert changed.any() and not (changed & ~inside).any()


@pytest.mark.parametrize("figure", [-0.5, 0.25, 1.0])
@pytest.mark.parametrize("size", [(240, 200), (300, 120), (700, 500)])
def test_the_curve_does_not_cross_its_label(size: tuple[int, int], figure: float) -> None:
    line = tuple((float(k), figure if k < 20 else 1.0 - figure) for k in range(1, 21))
    shown = Moment(curve=Curve((), (), line, (), 20))
    surface = pygame.Surface(size, 0, 32)
    surface.fill(palette.INK)
    draw_curve(surface, shown, Pen(1.0))
    pixels = rendering.pixels(surface)
    blue, white = ((pixels == colour).all(axis=-1) for colour in (palette.SKY, palette.WHITE))
    rows = [set(np.flatnonzero(part.any(axis=1)).tolist()) for part in (blue, white)]
    assert rows[0] and rows[1] and not rows[0] & rows[1]


def test_values_of_cells_are_large_enough_to_read() -> None:
    """They were a fifth of the cell high: 11 pixels in a window of 800x560."""
    written: list[float] = []

    class Noting(Pen):
        def text(self, *args: Any, **_: Any) -> int:
            written.append(args[3] * self.scale)
            return 0

    level = MOMENTS["heatmap"][0]
    layout = Layout.inside(LEVEL, 480, 560)
    surface = pygame.Surface((480, 560), 0, 32)
    heatmap.under(surface, layout, level, Noting(1.0))
    assert len(written) == 23 and min(written) > 0.3 * layout.cell > 24


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
