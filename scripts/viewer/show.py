"""A window whose picture goes on by ticks: keys, pace, pauses, notices, pictures and films.

What is shown is a child's: a played world (`screen.Screen`), a text that is read, and so on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pygame

from sidestep.envs.drawing import board
from sidestep.envs.drawing.board import Window
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.camera import Camera
from sidestep.scripts.viewer.keys import Command, command_of
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.window import REFRESH_RATE, open_window

SPEEDS = (1, 2, 3, 5, 8, 12, 20, 30, 60, 120)
"""Ticks a second to choose from."""
NOTICE_SECONDS = 4.0
"""What has been done is said for so long."""


class Show:
    """A window at one pace, with what all windows' keys do.

    A child draws (`draw`), goes on (`tick`) and back (`back`), and says what it shows (`words`,
    `help_words`, `stem`).

    Args:
        title: of the window.
        speed: ticks a second.
        folder: where pictures and recordings go.

    Raises:
        ValueError: a speed that is not positive.
    """

    SIZE: ClassVar[tuple[int, int]] = view.DEFAULT_SIZE
    """(width, height) of a picture, and of a window before it is fitted to the screen."""

    def __init__(self, title: str, speed: float, folder: Path) -> None:
        """Nothing is opened yet; `show_until_closed` opens the window."""
        if not speed > 0:
            raise ValueError(f"speed: expected a positive number of ticks a second, got {speed}")
        self.window = Window(title)
        self.speed = float(speed)
        self.paused = self.helping = self.finished = False
        self.typed: str | None = None
        self.camera = Camera(folder)
        self.changed = True
        self._due, self._notice, self._notice_left = 1 / self.speed, "", 0.0

    # What a child shows.

    def tick(self) -> None:
        """Go on by one."""
        raise NotImplementedError

    def back(self) -> None:
        """Go back by one."""
        raise NotImplementedError

    def draw(self, surface: pygame.Surface, status: str, message: Sequence[str] = ()) -> None:
        """Draw the present picture onto a surface of any size."""
        raise NotImplementedError

    def words(self) -> str:
        """What the status line says of the present picture."""
        raise NotImplementedError

    def help_words(self) -> tuple[str, ...]:
        """What every key does, a line each; a tab parts key and words."""
        raise NotImplementedError

    @property
    def stem(self) -> str:
        """A file name for the present picture, without its ending."""
        raise NotImplementedError

    # What all do.

    def show_until_closed(self) -> None:
        """Show until the window is closed or all is over."""
        open_window(self.window, *self.SIZE)
        clock, size = pygame.time.Clock(), None
        while not self.finished and not self.window.closed:
            self.handle(self.window.events())
            self.advance(clock.tick(REFRESH_RATE) / 1000)
            if self.changed or size != self.window.size:
                self.changed, size = False, self.window.size
                self.show()
        self.window.close()
        self.stop_recording()

    def handle(self, events: Sequence[pygame.Event]) -> None:
        """Do what the events ask for."""
        for event in events:
            self.changed = True
            if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                self.click(self.window.pixel(event.pos))
            elif event.type == pygame.KEYDOWN and self.typed is not None:
                self.type(event.key)
            elif event.type == pygame.KEYDOWN and self.press(event.key):
                pass
            else:
                command = command_of(event)
                if command is not None:
                    self.obey(command)

    def click(self, place: tuple[int, int]) -> None:
        """A click at a pixel of the window."""
        del place
        self.helping = False

    def type(self, key: int) -> None:
        """A key while a number is typed."""

    def press(self, key: int) -> bool:
        """A key of the child's own; False: it has no such key."""
        del key
        return False

    def obey(self, command: Command) -> None:
        """Carry out one command."""
        match command:
            case Command.FASTER:
                self.speed = next((s for s in SPEEDS if s > self.speed), self.speed)
            case Command.SLOWER:
                self.speed = next((s for s in reversed(SPEEDS) if s < self.speed), self.speed)
            case Command.FRAME:
                self.save_frame()
            case Command.RECORD:
                self._record()
            case Command.HELP:
                self.helping = not self.helping
            case Command.LEAVE:
                self.leave()
            case Command.QUIT:
                self.finished = True
            case _:
                self._move(command)

    def _move(self, command: Command) -> None:
        """Carry out a command that goes on or back."""
        match command:
            case Command.PAUSE:
                self.paused = not self.paused
            case Command.STEP:
                self.paused = True
                self.step()
            case Command.BACK:
                self.paused = True
                self.back()

    def step(self) -> None:
        """Go on by one because a key asked for it."""
        self.tick()

    def leave(self) -> None:
        """Esc: out of the help, out of the window."""
        if self.helping:
            self.helping = False
        else:
            self.finished = True

    def advance(self, seconds: float) -> None:
        """Play the ticks that are due when `seconds` have passed; time stands still in a pause."""
        if self._notice_left > 0:
            self._notice_left -= seconds
            self.changed |= self._notice_left <= 0
        if self.paused or self.helping or self.typed is not None:
            return
        self._due -= seconds
        most = int(self.speed / REFRESH_RATE) + 1  # a slow machine plays slower, and never hangs
        for _ in range(most):
            if self._due > 0 or self.finished:
                break
            self.tick()
            self._due += 1 / self.speed
        self._due = max(self._due, 0.0)

    def is_bright(self, status: str) -> bool:
        """Whether a status line asks for attention: a notice, or a number that is typed."""
        return (bool(self.notice) or self.typed is not None) and status != self.words()

    @property
    def mark(self) -> str:
        """The status line's end while a film is recorded."""
        return "   REC" if self.camera.is_filming else ""

    @property
    def notice(self) -> str:
        """What was said a moment ago; "" once its time is over."""
        return self._notice if self._notice_left > 0 else ""

    @property
    def pace(self) -> str:
        """The speed in words."""
        return "paused" if self.paused else f"{self.speed:g} ticks/s"

    def status(self) -> str:
        """The line below the picture."""
        if self.notice:
            return self.notice + self.mark
        return f"{self.words()}   {self.pace}{self.mark}   H: keys"

    def say(self, words: str) -> None:
        """Show a notice in the status line for a while."""
        self._notice, self._notice_left, self.changed = words, NOTICE_SECONDS, True

    def show(self) -> None:
        """Draw the present picture into the window."""
        message = self.help_words() if self.helping else ()
        self.window.paint(lambda surface: self.draw(surface, self.status(), message))

    def picture(self, size: tuple[int, int] | None = None) -> Pixels:
        """The present picture off screen, (H, W, 3), without help and notices."""
        surface = pygame.Surface(size or self.SIZE, 0, 32)
        self.draw(surface, self.words())
        return board.pixels(surface)

    def save_frame(self) -> None:
        """Write the present picture to a PNG, as large as the window."""
        picture = self.picture(self.window.size)
        self.say(self.camera.save(picture, self.stem))

    def stop_recording(self) -> None:
        """Write the film to a GIF; nothing when none is recorded."""
        if self.camera.is_filming:
            self.say(self.camera.stop(self.stem))

    def _record(self) -> None:
        """Begin a film, or end it."""
        if self.camera.is_filming:
            self.stop_recording()
        else:
            self.camera.start(min(self.speed, REFRESH_RATE / 2))
            self.begin_film()

    def begin_film(self) -> None:
        """Take a film's first picture."""
        self.expose()

    def expose(self, hold: bool = False) -> None:
        """Take the present picture into the film, if one is recorded; `hold`: it stays longer."""
        if self.camera.is_filming and self.camera.expose(self.picture(), hold):
            self.stop_recording()
