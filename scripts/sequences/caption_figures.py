"""Attention over the cells of a world, a picture for each word of its caption."""

from collections.abc import Sequence

import numpy as np
import pygame
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from sidestep.envs import Scene
from sidestep.envs.drawing import board
from sidestep.envs.drawing.layout import Layout
from sidestep.scripts.sequences.hangul import labels_for
from sidestep.scripts.shared.curves import ORANGE
from sidestep.scripts.viewer.panels.moment import Pixels

CELL = 24
"""Pixels of a cell in a picture."""
ACROSS = 6
"""Symbols beside each other."""
SHADE = 0.25
"""How much of a cell without weight is seen."""


FRAMED = 0.2
"""Least weight of a cell that has a frame: below it, many are looked at."""


def drawing_of(scene: Scene) -> Pixels:
    """A world large enough to look at, without header and margin, (height, width, 3)."""
    width, height = scene.level.width * CELL, scene.level.height * CELL
    surface = pygame.Surface((width, height), 0, 32)
    board.draw(surface, scene, Layout(width, height, CELL, 0, 0, 0))
    return board.pixels(surface)


def lit(picture: Pixels, weights: Tensor, columns: int) -> Pixels:
    """A picture whose cells are the brighter the more they weigh; the heaviest is as it was.

    Args:
        picture: (height, width, 3).
        weights: (T,) of the cells in reading order.
        columns: cells of a row.
    """
    table = weights.double().numpy().reshape(-1, columns)
    share = SHADE + (1 - SHADE) * table / max(float(table.max()), 1e-12)
    high, wide = picture.shape[0] // table.shape[0], picture.shape[1] // table.shape[1]
    scale = share.repeat(high, 0).repeat(wide, 1)[..., None]
    return np.asarray(np.rint(picture * scale), dtype=np.uint8)


def caption_figure(
    scene: Scene, words: Sequence[str], weights: Tensor | None, sentence: str, title: str
) -> Figure:
    """The world beside its caption, and for each word the cells that were looked at.

    Args:
        scene: the world.
        words: tokens that were written.
        weights: (S, T), a row for each word, perhaps END's behind them; None without attention.
        sentence: the whole caption.
        title: above the figure.
    """
    shown = 0 if weights is None else min(len(words), len(weights))
    rows = -(-shown // ACROSS)
    figure = Figure(figsize=(9.6, 2.9 + 2.0 * rows), dpi=110, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    grid = figure.add_gridspec(rows + 2 if rows else 1, ACROSS)
    picture, columns = drawing_of(scene), scene.level.width
    world = figure.add_subplot(grid[: 2 if rows else 1, :2])
    world.imshow(picture)
    world.axis("off")
    text = figure.add_subplot(grid[: 2 if rows else 1, 2:])
    text.axis("off")
    (label,), font, remark = labels_for([sentence])
    text.text(0.02, 0.6, _broken(label), fontsize=12, va="center", **font)
    if remark:
        text.text(0.02, 0.05, remark, fontsize=8, color="#555555")
    labels, font, _ = labels_for(list(words))
    for number in range(shown):
        assert weights is not None
        axes = figure.add_subplot(grid[2 + number // ACROSS, number % ACROSS])
        axes.imshow(lit(picture, weights[number], columns))
        place, heaviest = int(weights[number].argmax()), float(weights[number].max())
        if heaviest >= FRAMED:
            corner = (place % columns * CELL - 0.5, place // columns * CELL - 0.5)
            frame = Rectangle(corner, CELL, CELL, fill=False, edgecolor=ORANGE, linewidth=1.4)
            axes.add_patch(frame)
        axes.set_title(
            f"{labels[number]}\n{heaviest:.2f}", fontsize=9, pad=3, linespacing=1.4, **font
        )
        axes.axis("off")
    return figure


def _broken(sentence: str, most: int = 44) -> str:
    """A sentence in lines."""
    lines, line = [], ""
    for word in sentence.split():
        if line and len(line) + 1 + len(word) > most:
            lines.append(line)
            line = ""
        line += f" {word}" if line else word
    return "\n".join([*lines, line])
