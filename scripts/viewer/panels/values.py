"""Panel: what the learner makes of its actions, as bars beside and arrows on the board."""

import numpy as np
import pygame

from sidestep.envs.drawing import palette
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.viewer.panels.moment import STEPS, Moment
from sidestep.scripts.viewer.panels.pen import Pen

ALIKE = 0.5
"""Values of one sign that differ by less than this share of the larger are alike."""
BEST_WITHIN = 1e-9
"""Actions whose exact values differ by no more are equally good."""


def applies(moment: Moment) -> bool:
    """Where a learner acts, or the solver knows what actions are worth."""
    return bool(moment.insights) or moment.optimal is not None


def scores_of(moment: Moment) -> tuple[np.ndarray, str]:
    """(A,) numbers to show, and what they are."""
    if moment.insight is not None:
        kind = "probability" if moment.insight.are_probabilities else "value"
        return np.asarray(moment.insight.scores, dtype=np.float64), kind
    assert moment.optimal is not None
    return moment.optimal, "exact value"


def scale_of(scores: np.ndarray) -> tuple[float, float]:
    """Where bars of values begin and end.

    They begin at zero where it lies among the values, or the values differ much. Else they begin
    below the least: between 0.51 and 0.53 nobody sees a difference of bars from 0.
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low <= 0 <= high or high - low > ALIKE * max(abs(low), abs(high)):
        low, high = min(0.0, low), max(0.0, high)
    else:
        low -= 0.25 * (high - low)
    return low, max(high, low + 1e-9)


def note(moment: Moment) -> str:
    """What the numbers are, and where bars begin if not at zero."""
    best = "green: best   " if moment.optimal is not None else ""
    scores, kind = scores_of(moment)
    low, high = (0.0, 1.0) if kind == "probability" else scale_of(scores)
    begin = "" if low <= 0 <= high else f", bars from {low:.{2 if high - low >= 0.1 else 3}f}"
    return f"{best}{kind}{begin}"


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A bar for each action; yellow is the one that is chosen, a green dot what is best."""
    scores, kind = scores_of(moment)
    width, height = surface.get_size()
    finite = np.isfinite(scores)
    low, high = (0.0, 1.0) if kind == "probability" else scale_of(scores)
    span = high - low
    least = pen.px(13)
    shown = list(range(len(scores)))
    if height < least * len(scores):  # the best ones, in the order of the actions
        shown = sorted(np.argsort(-scores)[: max(1, height // least)].tolist())
    row = min(height / len(shown), pen.px(30))
    size, digits = min(18.0, 0.9 * row / pen.scale), 2 if span >= 0.1 else 3
    names = [moment.actions[k] if k < len(moment.actions) else str(k) for k in shown]
    left = pen.px(70 if max(map(len, names)) > 5 else 48)
    right = width - pen.px(50)
    zero = left + (right - left) * max(0.0, -low / span)
    for place, (k, name) in enumerate(zip(shown, names, strict=True)):
        middle = (place + 0.5) * row
        chosen = k == (moment.last_action if moment.action is None else moment.action)
        colour = palette.YELLOW if chosen else palette.SKY
        ink = palette.WHITE if chosen else palette.DIM
        pen.text(surface, name, (pen.px(11), middle), size, ink, room=left - pen.px(17))
        if _is_best(moment, k):
            pygame.draw.circle(surface, palette.GREEN, (pen.px(4), middle), pen.px(3.5))
        if not finite[k]:
            pen.text(surface, "not allowed", (left, middle), size, palette.DIM)
            continue
        end = left + (right - left) * (scores[k] - low) / span
        bar = pygame.Rect(0, 0, max(2, round(abs(end - zero))), max(2, round(0.62 * row)))
        bar.midleft = (round(min(zero, end)), round(middle))
        pygame.draw.rect(surface, colour, bar, border_radius=min(3, bar.height // 3))
        number = f"{scores[k]:.0%}" if kind == "probability" else f"{scores[k]:.{digits}f}"
        pen.text(surface, number, (width, middle), size, ink, align=1)
    pygame.draw.line(surface, palette.DIM, (zero, 0), (zero, row * len(shown)))


def over(surface: pygame.Surface, layout: Layout, moment: Moment, pen: Pen) -> None:
    """Arrows from the agent, longer for better ones; a ring is staying."""
    if moment.action is None or moment.scene is None or not applies(moment):
        return
    scores, kind = scores_of(moment)
    if len(scores) != len(STEPS):
        return
    share = scores if kind == "probability" else _spread(scores)
    (x, y), level = moment.scene.agent, moment.scene.level
    middle = layout.corner(x + 0.5, y + 0.5)
    order = sorted(range(len(STEPS)), key=lambda k: k == moment.action)
    for k in order:
        chosen = k == moment.action
        colour = palette.YELLOW if chosen else palette.WHITE
        part = max(float(share[k]), 0.25 if chosen else 0.0)
        if part < 0.04:
            continue
        width = layout.cell * (0.10 if chosen else 0.055)
        dx, dy = STEPS[k]
        if (dx, dy) == (0, 0):
            if chosen or part > 0.5:
                thick = max(2, round(0.6 * width))
                pygame.draw.circle(surface, palette.INK, middle, 0.46 * layout.cell, thick + 2)
                pygame.draw.circle(surface, colour, middle, 0.45 * layout.cell, thick)
            continue
        begin, end = 0.42, 0.46 + 0.5 * part
        if not (0 <= x + dx < level.width and 0 <= y + dy < level.height):
            begin, end = 0.1, 0.2 + 0.22 * part  # inside the cell: what is beyond is not the board
        tail = (middle[0] + dx * begin * layout.cell, middle[1] + dy * begin * layout.cell)
        tip = (middle[0] + dx * end * layout.cell, middle[1] + dy * end * layout.cell)
        pen.arrow(surface, tail, tip, colour, width)


def _spread(scores: np.ndarray) -> np.ndarray:
    """Values as shares in [0, 1]: the worst action 0, the best 1."""
    finite = scores[np.isfinite(scores)]
    low, high = finite.min(), finite.max()
    share: np.ndarray = np.where(np.isfinite(scores), (scores - low) / max(high - low, 1e-9), 0.0)
    return share


def _is_best(moment: Moment, action: int) -> bool:
    best = moment.optimal
    return best is not None and bool(best[action] >= best.max() - BEST_WITHIN)
