"""The classic drawing of a network that spells a word: layers as boxes, steps side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pygame
from pygame import Rect

from sidestep.envs.drawing import board, palette
from sidestep.envs.drawing.palette import Colour
from sidestep.scripts.sequences.hello import Lesson, Snapshot
from sidestep.scripts.viewer.letters import MONOSPACED, sign_of, write
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.panels.pen import GROUND, Pen, diverging

ROW, GAP, PAD = 25, 74, 22
"""Pixels: of a number's row, between layers, and round the whole."""
HEADER, FOOTER, LEFT = 138, 62, 158
"""Pixels: of words and curve above, of the letters that are read, of the layers' names."""
MOST_ROWS = 8
"""Units of a box that stand below each other; more stand in columns."""
RIGHT, WRONG = (40, 190, 140), (240, 116, 50)
"""Green and vermilion, bright enough for letters on night blue; marks differ too."""
PEN = Pen(1.0)


class Plan(NamedTuple):
    """Where everything lies."""

    size: tuple[int, int]
    columns: tuple[int, ...]
    """The middle of each step."""
    wide: int
    """Of a box."""
    output: Rect
    """Of the first step, as are the next two."""
    hidden: Rect
    input: Rect


def plan(lesson: Lesson) -> Plan:
    """Lay out the drawing of a lesson: as wide as its word, as high as its letters and units."""
    steps, letters = len(lesson.word) - 1, len(lesson.vocabulary)
    states = lesson.snapshots[0].states
    units = next(iter(states.values())).shape[1]
    wide = 176 if steps <= 4 else 146
    apart = wide + (46 if steps <= 4 else 40)
    width = max(LEFT + steps * apart + PAD, 900)
    apart = (width - LEFT - PAD) // steps
    columns = tuple(LEFT + apart * step + apart // 2 for step in range(steps))
    rows = min(units, MOST_ROWS) + (len(states) > 1)
    top = HEADER + 50
    left = columns[0] - wide // 2
    output = Rect(left, top, wide, letters * ROW + 8)
    hidden = Rect(left, output.bottom + GAP, wide, rows * ROW + 8)
    inputs = Rect(left, hidden.bottom + GAP, wide, letters * ROW + 8)
    return Plan((width, inputs.bottom + FOOTER), columns, wide, output, hidden, inputs)


def picture(lesson: Lesson, snapshot: Snapshot) -> Pixels:
    """The network over the whole word at one snapshot, (H, W, 3)."""
    laid = plan(lesson)
    surface = pygame.Surface(laid.size, 0, 32)
    surface.fill(palette.NIGHT)
    _draw_header(surface, lesson, snapshot)
    _draw_names(surface, lesson, laid)
    for step, middle in enumerate(laid.columns):
        _draw_step(surface, lesson, snapshot, laid, step, middle)
    return board.pixels(surface)


def _draw_header(surface: pygame.Surface, lesson: Lesson, snapshot: Snapshot) -> None:
    """Words on the left, the loss so far on the right."""
    said = lesson.vocabulary.decode(snapshot.foreseen)
    hits, steps = int(snapshot.right.sum()), len(snapshot.right)
    updates = len(lesson.losses) - 1
    config = lesson.model.config
    name = f"{config.cell.upper()} of {config.hidden_size} units spells"
    words = write(surface, name, (PAD, 30), 19, palette.DIM)
    write(surface, f"“{lesson.word}”", (PAD + words + 8, 30), 23)
    write(surface, f"update {snapshot.update:,} of {updates:,}", (PAD, 66), 19)
    aside = PAD + max(230, 120 + 24 * steps)
    write(surface, f"loss {snapshot.loss:.3f} nats", (aside, 66), 19, palette.YELLOW)
    right = write(surface, "foresees", (PAD, 102), 19, palette.DIM)
    place = PAD + right + 10
    for letter, hit in zip(said, snapshot.right.tolist(), strict=True):
        colour = RIGHT if hit else WRONG
        place += write(surface, sign_of(letter), (place, 102), 23, colour, family=MONOSPACED) + 3
    write(surface, f"{hits} of {steps} right", (aside, 102), 19, RIGHT if hits == steps else WRONG)
    box = Rect(surface.get_width() - 400 - PAD, 16, 400, HEADER - 28)
    _draw_curve(surface, box, lesson.losses, snapshot.update)


def _draw_curve(surface: pygame.Surface, box: Rect, losses: Sequence[float], now: int) -> None:
    """The loss over updates, bright up to the present one."""
    pygame.draw.rect(surface, GROUND, box, border_radius=8)
    write(surface, "loss over updates", (box.right - 10, box.top + 14), 13, palette.DIM, 1)
    inner = box.inflate(-24, -28).move(0, 6)
    top = max(losses) or 1.0
    across = np.linspace(inner.left, inner.right, len(losses))
    down = inner.bottom - np.array(losses) / top * inner.height
    pygame.draw.line(surface, palette.LINE, inner.bottomleft, inner.bottomright)
    points = list(zip(across.tolist(), down.tolist(), strict=True))
    if len(points) > 1:
        pygame.draw.aalines(surface, palette.LINE, False, points)
    if now:
        pygame.draw.lines(surface, palette.YELLOW, False, points[: now + 1], 2)
    pygame.draw.circle(surface, palette.YELLOW, points[now], 4)


def _draw_names(surface: pygame.Surface, lesson: Lesson, laid: Plan) -> None:
    """What stands at the left of each row of boxes."""
    parts = lesson.model.recurrent.part_names
    states = "h" if len(parts) == 1 else " and ".join(parts)
    named = (
        (laid.output, "output layer", "logits and softmax"),
        (laid.hidden, "hidden layer", f"state {states}"),
        (laid.input, "input layer", "one-hot"),
    )
    for box, name, words in named:
        write(surface, name, (PAD, box.centery - 10), 16)
        write(surface, words, (PAD, box.centery + 11), 13, palette.DIM)
    write(surface, "next letter", (PAD, laid.output.top - 26), 16)
    write(surface, "is read", (PAD, laid.input.bottom + 36), 16)


def _draw_step(
    surface: pygame.Surface, lesson: Lesson, snapshot: Snapshot, laid: Plan, step: int, middle: int
) -> None:
    """One column: letter, one-hot, state, output, the next letter; and its arrows."""
    output, hidden, inputs = (
        box.move(middle - laid.columns[0], 0) for box in (laid.output, laid.hidden, laid.input)
    )
    first = step == 0
    up = palette.SKY
    _arrow(surface, (middle, inputs.top - 3), (middle, hidden.bottom + 5), up, "W", "xh", first)
    _arrow(surface, (middle, hidden.top - 3), (middle, output.bottom + 5), up, "W", "hy", first)
    if step:
        begin = (laid.columns[step - 1] + laid.wide // 2 + 3, hidden.centery)
        end = (hidden.left - 5, hidden.centery)
        _arrow(surface, begin, end, palette.YELLOW, "W", "hh", step == 1)
    _draw_one_hot(surface, inputs, lesson, step)
    _draw_states(surface, hidden, snapshot, step)
    _draw_output(surface, output, lesson, snapshot, step)
    read = lesson.word[step]
    write(surface, sign_of(read), (middle, inputs.bottom + 36), 30, align=0.5)
    _draw_verdict(surface, (middle, output.top - 26), lesson, snapshot, step)


def _draw_verdict(
    surface: pygame.Surface, place: tuple[int, int], lesson: Lesson, snapshot: Snapshot, step: int
) -> None:
    """The next letter, and whether it was foreseen."""
    wanted, hit = lesson.word[step + 1], bool(snapshot.right[step])
    said = lesson.vocabulary.symbols[int(snapshot.foreseen[step])]
    colour = RIGHT if hit else WRONG
    words = "✓" if hit else f"✗ got {sign_of(said)}"
    x, y = place
    write(surface, sign_of(wanted), (x - 16, y), 30, palette.WHITE, 0.5)
    write(surface, words, (x + 6, y + 2), 18, colour)


def _box(surface: pygame.Surface, box: Rect, rim: Colour) -> None:
    pygame.draw.rect(surface, GROUND, box, border_radius=7)
    pygame.draw.rect(surface, rim, box, 2, border_radius=7)


def _draw_one_hot(surface: pygame.Surface, box: Rect, lesson: Lesson, step: int) -> None:
    _box(surface, box, palette.WHITE)
    for row, letter in enumerate(lesson.vocabulary.symbols):
        y = box.top + 4 + row * ROW + ROW / 2
        on = lesson.word[step] == letter
        colour = palette.WHITE if on else palette.DIM
        write(surface, sign_of(letter), (box.left + 18, y), 17, colour, 0.5)
        write(surface, str(int(on)), (box.centerx + 8, y), 17, colour, 0.5, family=MONOSPACED)


def _draw_states(surface: pygame.Surface, box: Rect, snapshot: Snapshot, step: int) -> None:
    """Units as cells, red above zero and blue below; of an LSTM the cell beside h."""
    _box(surface, box, palette.WHITE)
    inner = box.inflate(-8, -8)
    many = len(snapshot.states) > 1
    wide = inner.width / len(snapshot.states)
    for number, (name, values) in enumerate(snapshot.states.items()):
        place = Rect(round(inner.left + number * wide), inner.top, round(wide), inner.height)
        if many:
            write(surface, name, (place.centerx, place.top + ROW / 2), 15, palette.DIM, 0.5)
            place = Rect(place.left, place.top + ROW, place.width, place.height - ROW)
        _draw_units(surface, place, values[step].tolist())


def _draw_units(surface: pygame.Surface, box: Rect, values: list[float]) -> None:
    """Cells below each other, with numbers where there is room; more than eight in columns."""
    columns = -(-len(values) // MOST_ROWS)
    wide = box.width / columns
    grounds = diverging(np.array(values))
    for number, value in enumerate(values):
        column, row = divmod(number, MOST_ROWS)
        cell = Rect(round(box.left + column * wide), box.top + row * ROW, round(wide), ROW)
        red, green, blue = (int(part) for part in grounds[number])
        pygame.draw.rect(surface, (red, green, blue), cell.inflate(-4, -4), border_radius=3)
        if wide >= 56:
            ink = palette.INK if red + green + blue > 430 else palette.WHITE
            write(surface, f"{value:+.2f}", cell.center, 15, ink, 0.5, family=MONOSPACED)


def _draw_output(
    surface: pygame.Surface, box: Rect, lesson: Lesson, snapshot: Snapshot, step: int
) -> None:
    """A row a letter: its logit, its probability as a bar; the next letter's green, others' red."""
    _box(surface, box, RIGHT if snapshot.right[step] else WRONG)
    for row, letter in enumerate(lesson.vocabulary.symbols):
        y = box.top + 4 + row * ROW + ROW / 2
        wanted = lesson.word[step + 1] == letter
        colour = RIGHT if wanted else WRONG
        logit, share = float(snapshot.logits[step, row]), float(snapshot.softmax[step, row])
        if row == int(snapshot.foreseen[step]):
            mark = Rect(box.left + 4, round(y - ROW / 2) + 1, box.width - 8, ROW - 2)
            pygame.draw.rect(surface, palette.mix(GROUND, colour, 0.28), mark, border_radius=4)
        write(surface, sign_of(letter), (box.left + 18, y), 17, colour, 0.5)
        write(surface, f"{logit:+.1f}", (box.left + 66, y), 15, colour, 1, family=MONOSPACED)
        bar = Rect(box.left + 72, round(y - 6), box.width - 72 - 42, 12)
        pygame.draw.rect(surface, palette.NIGHT, bar)
        pygame.draw.rect(surface, colour, Rect(bar.left, bar.top, round(share * bar.width), 12))
        words = f"{share:.2f}"
        write(surface, words, (box.right - 6, y), 14, palette.WHITE, 1, family=MONOSPACED)


def _arrow(
    surface: pygame.Surface,
    begin: tuple[float, float],
    end: tuple[float, float],
    colour: Colour,
    name: str,
    index: str,
    named: bool,
) -> None:
    """An arrow, with the name of its weights where it is the first of its kind."""
    PEN.arrow(surface, begin, end, colour, 5)
    if not named:
        return
    x, y = (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2
    level = begin[1] == end[1]
    x, y = (x - 16, y - 22) if level else (x + 14, y)
    wide = write(surface, name, (x, y), 17, colour)
    write(surface, index, (x + wide + 1, y + 6), 12, colour)
