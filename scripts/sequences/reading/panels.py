"""Panels of a reading, a row each: states, gates, the next character, the loss."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pygame
from pygame import Rect

from sidestep.envs.drawing import palette
from sidestep.scripts.sequences.reading.reading import Layer, Reading, Values
from sidestep.scripts.viewer.letters import MONOSPACED, sign_of, write
from sidestep.scripts.viewer.panels.moment import WINDOW
from sidestep.scripts.viewer.panels.pen import Pen, diverging, sequential

ROW = 19
"""Height of a probable character at scale 1."""
FOOT = 17
"""Height of the letters below a picture of units, at scale 1."""
NARROWEST = 7
"""Pixels of a column that has its letter below."""
CURVE = 160
"""Characters of which the loss is drawn."""
TRUE, OTHER = (40, 190, 140), palette.SKY
"""The next character that really comes, and the others; its row has a mark too."""


class Look(NamedTuple):
    """What is looked at: a place in a reading, and one unit of one layer.

    Attributes:
        reading: of the whole text.
        at: index of the character that was read last.
        layer: from 0.
        part: h, or c of an LSTM, which is shown as tanh c.
        unit: from 0.
    """

    reading: Reading
    at: int
    layer: int
    part: str
    unit: int

    @property
    def computed(self) -> Layer:
        """What the layer computed."""
        return self.reading.layers[self.layer]

    @property
    def seen(self) -> slice:
        """The last characters, of which pictures have a column each."""
        return slice(max(0, self.at + 1 - WINDOW), self.at + 1)


class Panel(NamedTuple):
    """A row: something beside the text."""

    name: str
    title: str
    weight: float
    applies: Callable[[Look], bool]
    """Whether the model has anything for it."""
    note: Callable[[Look], str]
    """Words beside the title."""
    draw: Callable[[pygame.Surface, Look, Pen], None]
    state: str = ""
    """Whose units its rows are, which a click chooses; "": no units."""


def draw_units(surface: pygame.Surface, look: Look, pen: Pen, part: str) -> None:
    """A row for each unit, a column for each of the last characters, which stand below."""
    width, height = surface.get_size()
    foot = _foot(width, height, pen)
    box = Rect(0, 0, width, height - foot)
    values = look.computed.states[part][look.seen]  # (n, H)
    most = 1.0 if part == "h" else max(1.0, float(np.abs(values[-1]).max()))
    _columns(surface, box, diverging(values.T, most), pen)
    _letters(surface, look, Rect(0, box.bottom, width, foot), pen)
    if part == look.part:
        units = values.shape[1]
        row = _row(look.unit, units, box)
        pygame.draw.rect(surface, palette.YELLOW, row.inflate(0, pen.px(2)), 1)


def draw_gates(surface: pygame.Surface, look: Look, pen: Pen) -> None:
    """A picture for each gate, blue shut and yellow open; the chosen unit's row is marked."""
    width, height = surface.get_size()
    gates = look.computed.gates
    gap, label = pen.px(6), pen.px(15)
    wide = (width - gap * (len(gates) - 1)) / len(gates)
    foot = _foot(wide, height, pen)
    for number, (name, values) in enumerate(gates.items()):
        left = round(number * (wide + gap))
        now = float(values[look.at, look.unit])
        words, colour = f"{name}: {look.reading.gate_words[name]} {now:.2f}", palette.WHITE
        forced = look.reading.forced(look.layer).get(name)
        if forced is not None:
            words, colour = f"{name}={forced:g} forced", palette.ORANGE
        pen.text(surface, words, (left, label / 2), 15, colour, room=wide)
        box = Rect(left, label, round(wide), height - label - foot)
        seen = values[look.seen]
        _columns(surface, box, sequential(seen.T), pen)
        row = _row(look.unit, seen.shape[1], box)
        pygame.draw.rect(surface, palette.WHITE, row.inflate(0, pen.px(2)), 1)
        if forced is not None:
            pygame.draw.rect(surface, palette.ORANGE, box, pen.px(2))
        _letters(surface, look, Rect(left, box.bottom, round(wide), foot), pen)


def draw_next(surface: pygame.Surface, look: Look, pen: Pen) -> None:
    """The most probable next characters as bars; the one that comes is green, and always there."""
    width, height = surface.get_size()
    fit = max(2, height // pen.px(ROW))
    true, rank = look.reading.after(look.at), look.reading.rank(look.at)
    rows = [(k + 1, *found) for k, found in enumerate(look.reading.ahead(look.at, fit))]
    if true is not None and rank is not None and all(symbol != true for _, symbol, _ in rows):
        rows[-1] = (rank[0], true, rank[1])
    high = height / fit
    left, right = pen.px(64), width - pen.px(48)
    for number, (place, symbol, share) in enumerate(rows):
        y = (number + 0.5) * high
        hit = symbol == true
        colour = TRUE if hit else OTHER
        if hit:
            mark = Rect(0, round(number * high), width, round(high) - 1)
            pygame.draw.rect(surface, palette.mix(palette.NIGHT, TRUE, 0.3), mark, border_radius=4)
            write(surface, "✓", (pen.px(8), y), 12 * pen.scale, TRUE, 0.5)
        size = 14 * pen.scale
        write(surface, str(place), (pen.px(34), y), 0.75 * size, palette.DIM, 1)
        write(surface, sign_of(symbol), (pen.px(48), y), size, palette.WHITE, 0.5,
              family=MONOSPACED)  # fmt: skip
        bar = Rect(left, round(y - 0.28 * high), round((right - left) * share), round(0.56 * high))
        pygame.draw.rect(surface, colour, bar)
        write(surface, f"{share:.3f}", (width, y), 0.85 * size, palette.WHITE, 1, family=MONOSPACED)


def draw_loss(surface: pygame.Surface, look: Look, pen: Pen) -> None:
    """What each of the last characters cost as bars, and the mean so far as a line."""
    width, height = surface.get_size()
    first = max(0, look.at + 1 - CURVE)
    nats = look.reading.nats[first : look.at + 1]
    top = max(4.0, float(np.nanmax(nats)) if not np.isnan(nats).all() else 0.0)
    wide = width / CURVE
    for k, cost in enumerate(nats):
        if not math.isnan(cost):
            high = max(1, round(float(cost) / top * height))
            left = width - (len(nats) - k) * wide
            box = Rect(int(left), height - high, max(1, math.ceil(wide)), high)
            pygame.draw.rect(surface, palette.YELLOW if k == len(nats) - 1 else palette.LINE, box)
    means = means_of(look.reading.nats[: look.at + 1])[first:]
    places = [
        (width - (len(nats) - k - 0.5) * wide, height - mean / top * height)
        for k, mean in enumerate(means.tolist())
        if not math.isnan(mean)
    ]
    if len(places) > 1:
        pygame.draw.lines(surface, palette.ORANGE, False, places, pen.px(2))


def means_of(nats: Values) -> Values:
    """(T,) the mean up to each, over what is no NaN."""
    counts = np.cumsum(~np.isnan(nats))
    with np.errstate(invalid="ignore"):
        means: Values = (np.cumsum(np.nan_to_num(nats), dtype=np.float64) / counts).astype(
            np.float32
        )
    return means


def loss_words(look: Look) -> str:
    """The mean so far, and what the last character cost."""
    mean, last = look.reading.mean_nats(look.at), float(look.reading.nats[look.at])
    if math.isnan(mean):
        return "nothing foreseen yet"
    return f"now {last:.2f}, mean {mean:.3f} nats, {mean / math.log(2):.3f} bits"


def next_words(look: Look) -> str:
    """The true next character and its place."""
    true, rank = look.reading.after(look.at), look.reading.rank(look.at)
    if true is None or rank is None:
        return "the end of the text"
    return f"p = {rank[1]:.3f}, place {rank[0]}"


def _columns(surface: pygame.Surface, box: Rect, colours: np.ndarray, pen: Pen) -> None:
    """Colours (H, n, 3) as columns, the last at the right, `WINDOW` wide."""
    pygame.draw.rect(surface, palette.NIGHT, box)
    wide = round(box.width * colours.shape[1] / WINDOW)
    pen.image(surface, colours, Rect(box.right - wide, box.top, wide, box.height))


def _foot(width: float, height: int, pen: Pen) -> int:
    """Height of the letters below a picture of units; 0 where they would be too small."""
    return min(pen.px(FOOT), height // 3) if width / WINDOW >= NARROWEST else 0


def _letters(surface: pygame.Surface, look: Look, box: Rect, pen: Pen) -> None:
    """The last characters below their columns."""
    shown, wide = look.reading.text[look.seen], box.width / WINDOW
    if not box.height:
        return
    for k, symbol in enumerate(shown):
        middle = box.right - (len(shown) - k - 0.5) * wide
        colour = palette.YELLOW if k == len(shown) - 1 else palette.DIM
        size = min(12 * pen.scale, 1.4 * wide)
        write(surface, sign_of(symbol), (middle, box.centery), size, colour, 0.5,
              family=MONOSPACED)  # fmt: skip


def _row(unit: int, units: int, box: Rect) -> Rect:
    """Where a unit's row lies in a box."""
    top = box.top + round(unit * box.height / units)
    return Rect(box.left, top, box.width, max(2, round(box.height / units)))


def unit_at(panel: Panel, look: Look, body: Rect, y: int, pen: Pen) -> int | None:
    """The unit whose row of a panel's body lies at a height of the window; None: none."""
    if not panel.state:
        return None
    foot = _foot(body.width, body.height, pen)
    units = look.computed.states[panel.state].shape[1]
    share = (y - body.top) / max(1, body.height - foot)
    return int(share * units) if 0 <= share < 1 else None


PANELS = (
    Panel("hidden", "hidden state h", 1.0, lambda look: True,
          lambda look: f"{look.computed.states['h'].shape[1]} units, {WINDOW} characters",
          lambda surface, look, pen: draw_units(surface, look, pen, "h"), "h"),
    Panel("cell", "cell c", 1.0, lambda look: "c" in look.computed.states,
          lambda look: f"c = {look.computed.states['c'][look.at, look.unit]:+.2f}",
          lambda surface, look, pen: draw_units(surface, look, pen, "c"), "c"),
    Panel("gates", "gates", 1.0, lambda look: bool(look.computed.gates),
          lambda look: "blue shut, yellow open", draw_gates),
    Panel("next", "next character", 1.2, lambda look: True, next_words, draw_next),
    Panel("loss", "loss", 0.6, lambda look: True, loss_words, draw_loss),
)  # fmt: skip
"""Every panel, in the order of `names.NAMES`."""
