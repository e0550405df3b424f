"""A window in which a text is read character by character, with what the model computes."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pygame
from pygame import Rect

from sidestep.envs.drawing import palette
from sidestep.scripts.sequences.reading import page
from sidestep.scripts.sequences.reading.names import NAMES, SIZE, check_panels
from sidestep.scripts.sequences.reading.panels import PANELS, Look, Panel, unit_at
from sidestep.scripts.sequences.reading.reading import Reading
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.keys import DIGITS, ENTER, MOST_DIGITS, PANEL_KEYS, Command
from sidestep.scripts.viewer.letters import sign_of, write
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.show import Show

HEAD = 34
"""Height of the words above the page, at scale 1."""

_HELP = (
    "Keys",
    "space\tpause and go on",
    "right, left arrow\tone character forward, one back",
    "up, down, + or -\tspeed",
    "A, N\tfrom the beginning, to the next line",
    "S, or a click\ttype a character's number, Enter goes there",
    "page up, page down\tthe unit above, the one below",
    "U, or a click\ttype a unit's number; M: the strongest now",
    "Tab, C\tnext layer; paint h or the cell",
    "F, R\tsave this picture, record on and off",
)


class ReadingScreen(Show):
    """Reads a text at one pace, shows it, and does what keys and clicks ask for.

    Args:
        reading: of the whole text.
        title: of the window.
        speed: characters a second.
        panels: names of those that are on at first; None: all.
        at: index of the character that was read last, at first.
        layer: that is looked into.
        part: h or c, whose values colour the text; None: c where there is one.
        unit: of the layer.
        folder: where pictures and recordings go.

    Raises:
        ValueError: a speed that is not positive; a character, layer, part, unit or panel that is
            not there.
    """

    SIZE = SIZE

    def __init__(
        self,
        reading: Reading,
        title: str = "sidestep lm watch",
        speed: float = 8,
        panels: Collection[str] | None = None,
        at: int = 0,
        layer: int = 0,
        part: str | None = None,
        unit: int = 0,
        folder: Path = Path(),
    ) -> None:
        """Nothing is opened yet; `show_until_closed` opens the window."""
        super().__init__(title, speed, folder)
        self.reading = reading
        self.panels = set(check_panels(NAMES if panels is None else panels))
        layers = len(reading.layers)
        _check("at", at, len(reading.text))
        _check("layer", layer, layers)
        states = reading.layers[layer].states
        part = part or list(states)[-1]
        if part not in states:
            raise ValueError(f"state: expected {' or '.join(states)}, got {part!r}")
        _check("unit", unit, states[part].shape[1])
        self.at, self.layer, self.part, self.unit = at, layer, part, unit
        self._asked = ""

    @property
    def look(self) -> Look:
        """What is looked at."""
        return Look(self.reading, self.at, self.layer, self.part, self.unit)

    @property
    def units(self) -> int:
        """Of the layer."""
        return int(self.look.computed.states[self.part].shape[1])

    @property
    def is_over(self) -> bool:
        """Whether the text's last character was read."""
        return self.at == len(self.reading.text) - 1

    def tick(self) -> None:
        """Read a character; at the end of the text pause."""
        self.changed = True
        if self.is_over:
            self.paused = True
            self.say("the end of the text   A: from its beginning")
            return
        self.at += 1
        self.expose()

    def back(self) -> None:
        """Go back by a character."""
        if self.at == 0:
            self.say("the beginning of the text")
        self.at = max(0, self.at - 1)

    def expose(self, hold: bool = False) -> None:
        """Take the present picture into the film; the text's last one stays longer."""
        super().expose(hold or self.is_over)

    def jump(self, at: int) -> None:
        """Go to a character; to the last one where there are fewer."""
        last = len(self.reading.text) - 1
        if at > last:
            self.say(f"no character {at:,} here: the last one is {last:,}")
        self.at, self.changed = max(0, min(at, last)), True
        self.expose()

    def choose(self, unit: int) -> None:
        """Look at another unit; nothing where there is none of that number."""
        if 0 <= unit < self.units:
            self.unit = unit
        else:
            self.say(f"no unit {unit} here: units are 0 to {self.units - 1}")

    def obey(self, command: Command) -> None:
        """Carry out one command."""
        match command:
            case Command.ALL_PANELS:
                self.panels = set() if self.panels >= set(NAMES) else set(NAMES)
            case Command.LANES:
                self._next_layer()
            case Command.NEXT:
                line = self.reading.text.find("\n", self.at)
                self.jump(len(self.reading.text) - 1 if line < 0 else line + 1)
            case Command.AGAIN:
                self.jump(0)
            case Command.SEED:
                self.typed, self._asked = "", "character"
            case _:
                super().obey(command)

    def press(self, key: int) -> bool:
        """A key of a unit, a state or a panel."""
        number = PANEL_KEYS.get(key, "")
        if key == pygame.K_PAGEUP:
            self.choose((self.unit - 1) % self.units)
        elif key == pygame.K_PAGEDOWN:
            self.choose((self.unit + 1) % self.units)
        elif key == pygame.K_u:
            self.typed, self._asked = "", "unit"
        elif key == pygame.K_m:
            self.choose(self.reading.strongest(self.at, self.layer, self.part))
        elif key == pygame.K_c:
            self._other_part()
        elif number.isdecimal() and int(number) <= len(PANELS):
            self._switch(PANELS[int(number) - 1])
        else:
            return False
        return True

    def type(self, key: int) -> None:
        """A key while the number of a character or a unit is typed."""
        assert self.typed is not None
        if key in DIGITS and len(self.typed) < MOST_DIGITS:
            self.typed += str(DIGITS[key])
        elif key == pygame.K_BACKSPACE:
            self.typed = self.typed[:-1]
        elif key in ENTER or key == pygame.K_ESCAPE:
            entered, self.typed = self.typed, None
            if entered and key in ENTER:
                (self.jump if self._asked == "character" else self.choose)(int(entered))

    def click(self, place: tuple[int, int]) -> None:
        """A click: on a character goes there, on a unit's row chooses it."""
        if self.helping:
            self.helping = False
            return
        width, height = self.window.size or self.SIZE
        frame, pen = self._frame(width, height, True), Pen.for_size(width, height)
        for panel, box in frame.panels:
            body = view.body_of(box, pen)
            if body is not None and body.collidepoint(place):
                unit = unit_at(panel, self.look, body, place[1], pen)
                if unit is not None:
                    self.part = panel.state
                    self.choose(unit)
        for index, spot in page.spots(self.reading.text, self.at, _paper(frame.board, pen), pen):
            if spot.collidepoint(place):
                self.paused = True
                self.jump(index)

    def words(self) -> str:
        """How far the reading is, and what it cost."""
        mean = self.reading.mean_nats(self.at)
        cost = "" if mean != mean else f"   {mean:.3f} nats per character"
        forced = f"   forced {self.reading.forcing}" if self.reading.forcing else ""
        return f"character {self.at:,} of {len(self.reading.text) - 1:,}{cost}{forced}"

    def status(self) -> str:
        """The line below the picture."""
        if self.typed is not None:
            return f"{self._asked}: {self.typed}_   Enter: go there   Esc: leave"
        return super().status()

    @property
    def pace(self) -> str:
        """The speed in words."""
        return "paused" if self.paused else f"{self.speed:g} characters/s"

    def help_words(self) -> tuple[str, ...]:
        """What every key does."""
        panels = (f"{k + 1}\t{panel.title}" for k, panel in enumerate(PANELS))
        return (*_HELP, *panels, "0\tall panels on or off", "H, Q\tthis help, quit")

    @property
    def stem(self) -> str:
        """A file name for the present picture."""
        return f"reading-{self.at}"

    def draw(self, surface: pygame.Surface, status: str, message: Sequence[str] = ()) -> None:
        """Draw the page, the panels and a status line."""
        surface.fill(palette.NIGHT)
        width, height = surface.get_size()
        pen, look = Pen.for_size(width, height), self.look
        frame = self._frame(width, height, bool(status))
        self._draw_page(surface, frame.board, pen)
        for panel, box in frame.panels:
            part = surface.subsurface(box)
            view.draw_ground(part, panel.title, panel.note(look), pen)
            body = view.body_of(part.get_rect(), pen)
            if body is not None:
                panel.draw(part.subsurface(body), look, pen)
        if status:
            view.draw_status(surface.subsurface(frame.status), status, pen, self.is_bright(status))
        if message:
            view.draw_message(surface, message, pen)

    def _draw_page(self, surface: pygame.Surface, board: Rect, pen: Pen) -> None:
        """Words on the unit, and the text in its colours."""
        paper = _paper(board, pen)
        values = self.reading.values(self.layer, self.part, self.unit)
        state = "tanh c" if self.part == "c" else "h"
        layer = f" layer {self.layer + 1}" if len(self.reading.layers) > 1 else ""
        words = f"{self.reading.name}{layer}, unit {self.unit}: {state} = {values[self.at]:+.2f}"
        place, size = (paper.left, board.top + HEAD * pen.scale / 2), 14 * pen.scale
        used = write(surface, words, place, size, palette.WHITE, room=paper.width)
        last = f"read {sign_of(self.reading.text[self.at])}"
        room = paper.width - used - pen.px(12)
        if room > pen.px(50):
            write(surface, last, (paper.right, place[1]), size, palette.YELLOW, 1, room)
        page.draw(surface, paper, self.reading.text, page.scaled(values), self.at, pen)

    def _frame(self, width: int, height: int, with_status: bool) -> view.Frame[Panel]:
        """Where everything lies."""
        chosen = [p for p in PANELS if p.name in self.panels and p.applies(self.look)]
        return view.arranged(width, height, chosen, with_status)

    def _next_layer(self) -> None:
        """Look into the layer above, after the highest into the lowest."""
        layers = len(self.reading.layers)
        self.layer = (self.layer + 1) % layers
        self.say(f"layer {self.layer + 1} of {layers}")

    def _other_part(self) -> None:
        """Paint the other state of an LSTM."""
        parts = list(self.look.computed.states)
        self.part = parts[(parts.index(self.part) + 1) % len(parts)]
        self.say(f"the text shows {'tanh c' if self.part == 'c' else 'h'}")

    def _switch(self, panel: Panel) -> None:
        """Turn a panel on or off, and say which."""
        if not panel.applies(self.look):
            self.say(f"{panel.title}: this model has none")
            return
        self.panels ^= {panel.name}
        self.say(f"{panel.title}: {'on' if panel.name in self.panels else 'off'}")


def _paper(board: Rect, pen: Pen) -> Rect:
    """The part of the board on which the text stands."""
    margin, head = pen.px(14), pen.px(HEAD)
    return Rect(board.left + margin, board.top + head, board.width - 2 * margin,
                board.height - head - pen.px(6))  # fmt: skip


def _check(name: str, number: int, count: int) -> None:
    """Raise ValueError for a number that is not in 0..count - 1."""
    if not 0 <= number < count:
        raise ValueError(f"{name}: expected one of 0..{count - 1}, got {number}")
