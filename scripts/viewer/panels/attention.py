"""Panel: to which of the last K ticks the memory attends, as bars and as rings on the board."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen

LEAST_RING = 0.05
"""Weights below this have no ring."""


def applies(moment: Moment) -> bool:
    """Where the memory is an attention."""
    return moment.insight is not None and moment.insight.attention is not None


def note(moment: Moment) -> str:
    """What the colours mean."""
    return "orange: seen" if _glimpses(moment) else ""


def _glimpses(moment: Moment) -> bool:
    return moment.scene is not None and moment.sight is not None and moment.sight.every > 1


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A bar for each tick, the present one at the right; orange where obstacles were seen."""
    assert moment.insight is not None and moment.insight.attention is not None
    weights = moment.insight.attention
    width, height = surface.get_size()
    known = _known(moment, weights)
    low = pen.px(15)
    base, step = height - low, width / len(weights)
    most = max(0.25, float(weights.max()))
    pygame.draw.line(surface, palette.LINE, (0, base), (width, base))
    pen.text(surface, "now", (width, base + low / 2), 15, palette.DIM, align=1)
    pen.text(surface, f"{len(weights) - 1} ticks ago", (0, base + low / 2), 15, palette.DIM)
    pen.text(surface, f"{most:.0%}", (0, pen.px(6)), 15, palette.DIM)
    for lag, weight in enumerate(weights.tolist()):
        middle = width - (lag + 0.5) * step
        seen = _glimpses(moment) and was_seen(moment, lag)
        colour = palette.ORANGE if seen else palette.SKY
        if lag >= known:
            continue
        high = max(2, round((base - pen.px(2)) * weight / most))
        bar = pygame.Rect(0, 0, max(2, round(0.7 * step)), high)
        bar.midbottom = (round(middle), base)
        pygame.draw.rect(surface, colour, bar, border_radius=min(2, bar.width // 3))


def _known(moment: Moment, weights: np.ndarray) -> int:
    """How many of the last K ticks belong to the episode; of others' worlds, those with weight."""
    if moment.scene is not None:
        return min(_tick(moment) + 1, len(weights))
    return int(np.flatnonzero(weights).max(initial=0)) + 1


def _tick(moment: Moment) -> int:
    """The tick of the weights: an episode's end has none of its own, those before it stay."""
    assert moment.scene is not None
    return moment.scene.tick - (moment.action is None)


def over(surface: pygame.Surface, layout: Layout, moment: Moment, pen: Pen) -> None:
    """Rings where the agent was in the ticks that it attends to, thicker for more."""
    if not applies(moment) or moment.action is None:
        return
    assert moment.insight is not None and moment.insight.attention is not None
    by_cell: dict[tuple[int, int], float] = {}
    for lag, weight in enumerate(moment.insight.attention.tolist()):
        if lag < len(moment.trail):
            x, y = moment.trail[-1 - lag]
            by_cell[x, y] = by_cell.get((x, y), 0.0) + weight
    for (x, y), weight in by_cell.items():
        if weight >= LEAST_RING:
            middle = layout.corner(x + 0.5, y + 0.5)
            thick = max(2, round(0.13 * layout.cell * np.sqrt(weight)))
            pygame.draw.circle(surface, palette.PURPLE, middle, 0.47 * layout.cell, thick)


def was_seen(moment: Moment, lag: int) -> bool:
    """Whether obstacles were shown so many ticks before the one that is attended from."""
    assert moment.sight is not None
    tick = _tick(moment) - lag
    return tick >= 0 and tick % moment.sight.every == 0
