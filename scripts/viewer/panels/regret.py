"""Panel: what every action of the episode cost against the best one, where the solver knows."""

import pygame

from sidestep.envs.drawing import palette
from sidestep.scripts.viewer.panels.moment import Moment
from sidestep.scripts.viewer.panels.pen import Pen

LEAST_SCALE = 0.1
"""Return at the top of the panel, at least: small faults look small."""
NOTHING = 1e-6
SHOWN = 40
"""Ticks."""


def applies(moment: Moment) -> bool:
    """Where the solver knows the world."""
    return bool(moment.regrets)


def note(moment: Moment) -> str:
    """The last action's regret, and all of the episode's."""
    return f"now {moment.regrets[-1]:.2f}   episode {sum(moment.regrets):.2f}"


def draw(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """A bar for each tick, the present one at the right; a green dot where nothing was lost."""
    width, height = surface.get_size()
    regrets = moment.regrets[-SHOWN:]
    most = max(LEAST_SCALE, *regrets)
    base, top = height - pen.px(4), pen.px(2)
    step = width / SHOWN
    pen.text(surface, f"{most:.2f}", (0, top + pen.px(6)), 15, palette.DIM)
    pygame.draw.line(surface, palette.LINE, (0, base), (width, base))
    for k, regret in enumerate(reversed(regrets)):
        middle = width - (k + 0.5) * step
        if regret <= NOTHING:
            pygame.draw.circle(surface, palette.GREEN, (middle, base), max(1.5, 0.28 * step))
            continue
        high = max(2, round((base - top) * regret / most))
        bar = pygame.Rect(0, 0, max(2, round(0.72 * step)), high)
        bar.midbottom = (round(middle), base)
        pygame.draw.rect(surface, palette.VERMILION, bar, border_radius=min(2, bar.width // 3))
