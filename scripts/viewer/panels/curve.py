"""Panel: the learning curve so far, return above success."""

import math

import pygame

from sidestep.envs.drawing import palette
from sidestep.scripts.viewer.panels.moment import Curve, Moment
from sidestep.scripts.viewer.panels.pen import Pen

Line = tuple[tuple[float, float], ...]


def applies(moment: Moment) -> bool:
    """Where there is a curve, be it empty as yet."""
    return moment.curve is not None


def note(moment: Moment) -> str:
    """What the colours mean."""
    return "blue: greedy"


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """Return, and success below it where the env tells; grey explores, blue with dots is greedy."""
    assert moment.curve is not None
    curve = moment.curve
    width, height = surface.get_size()
    last = _last(curve)
    most = max(curve.total_steps or 0, last, 1)
    if last == 0:
        words = "no figures yet"
        pen.text(surface, words, (width / 2, height / 2), 17, palette.DIM, align=0.5)
        return
    plots = [("return", curve.returns, curve.greedy_returns)]
    if curve.success or curve.greedy_success:
        plots.append(("success", curve.success, curve.greedy_success))
    gap, foot = pen.px(6), pen.px(15)
    high = (height - foot - gap * (len(plots) - 1)) / len(plots)
    for number, (name, exploring, greedy) in enumerate(plots):
        box = pygame.Rect(pen.px(40), 0, width - pen.px(40), int(high))
        box.top = round(number * (high + gap))
        limits = (0.0, 1.0) if name == "success" else _limits(exploring + greedy)
        form, line = form_of(name, limits), greedy or exploring
        words = f"{name} {form.format(line[-1][1])}" if line else name
        used = _head(surface, box, words, pen)
        box = pygame.Rect(box.left, box.top + used, box.width, box.height - used)
        _plot(surface, box, (exploring, greedy), most, limits, pen)
        _label(surface, box, form, limits, pen)
    words = f"{_steps(last)} of {_steps(most)} steps" if last < most else f"{_steps(last)} steps"
    pen.text(surface, words, (width, height - foot / 2), 15, palette.DIM, align=1)


def _last(curve: Curve) -> float:
    lines = (curve.returns, curve.greedy_returns)
    return max((line[-1][0] for line in lines if line), default=0.0)


def _limits(points: Line) -> tuple[float, float]:
    """Lowest and highest figure, never the same."""
    figures = [figure for _, figure in points if math.isfinite(figure)]
    low, high = min(figures, default=0.0), max(figures, default=1.0)
    return (low, high) if high - low > 1e-6 else (low - 0.5, low + 0.5)


def _plot(
    surface: pygame.Surface,
    box: pygame.Rect,
    lines: tuple[Line, Line],
    most: float,
    limits: tuple[float, float],
    pen: Pen,
) -> None:
    low, high = limits
    pygame.draw.rect(surface, palette.NIGHT, box)

    def at(steps: float, figure: float) -> tuple[float, float]:
        share = (figure - low) / (high - low)
        return box.left + (box.width - 3) * steps / most, box.bottom - 2 - (box.height - 4) * share

    for line, colour, width in zip(lines, (palette.DIM, palette.SKY), (1.2, 2.2), strict=True):
        points = [at(*point) for point in _thinned(line, box.width) if math.isfinite(point[1])]
        if len(points) > 1:
            pygame.draw.lines(surface, colour, False, points, pen.px(width))
        if colour == palette.SKY:
            for point in points:
                pygame.draw.circle(surface, colour, point, pen.px(2.4))


def _thinned(line: Line, most: int) -> Line:
    """No more points than pixels; the last one stays."""
    every = max(1, math.ceil(len(line) / max(1, most)))
    return line[len(line) % every - 1 :: every] if every > 1 else line


def form_of(name: str, limits: tuple[float, float]) -> str:
    """How figures between these limits are written, short enough for the margin."""
    if name == "success":
        return "{:.0%}"
    return "{:.2f}" if max(map(abs, limits)) < 100 else "{:.0f}"


def _head(surface: pygame.Surface, box: pygame.Rect, words: str, pen: Pen) -> int:
    """Name and last figure above the lines, which must not cross them; returns the height used."""
    high = pen.px(15)
    if box.height < 2 * high:
        return 0
    pen.text(surface, words, (box.right, box.top + high / 2), 16, palette.WHITE, 1, box.width)
    return high


def _label(
    surface: pygame.Surface,
    box: pygame.Rect,
    form: str,
    limits: tuple[float, float],
    pen: Pen,
) -> None:
    """The scale at the left."""
    left = box.left - pen.px(4)
    if box.height > pen.px(30):
        pen.text(surface, form.format(limits[1]), (left, box.top + pen.px(7)), 15, palette.DIM, 1)
        pen.text(
            surface, form.format(limits[0]), (left, box.bottom - pen.px(7)), 15, palette.DIM, 1
        )


def _steps(number: float) -> str:
    """A number of steps, short."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}"
