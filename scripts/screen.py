"""A window in which one or more sessions are played and looked into."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pygame

from sidestep.envs import palette, rendering
from sidestep.envs.rendering import Window
from sidestep.scripts import view
from sidestep.scripts.film import Film, save_png
from sidestep.scripts.keys import DIGITS, ENTER, HELP, KEYS, Command, command_of
from sidestep.scripts.moment import Pixels
from sidestep.scripts.panels import BY_DEFAULT, NAMES, PANELS, check_panels
from sidestep.scripts.pen import Pen
from sidestep.scripts.session import Session
from sidestep.scripts.stage import REFRESH_RATE, Tally
from sidestep.scripts.tiles import MOST_LANES, aspect_of, draw_tiles, tile_boxes

SPEEDS = (1, 2, 3, 5, 8, 12, 20, 30, 60, 120)
"""Ticks a second to choose from."""
HOLD_SECONDS, HOLD_TICKS = 0.8, 4
"""The last picture of an episode stays so long, whichever is shorter."""
NOTICE_SECONDS = 4.0
"""What has been done is said for so long."""
MOST_DIGITS = 9
"""Of a typed seed."""


class Screen:
    """Plays sessions at one pace, shows them, and does what keys and clicks ask for.

    Args:
        sessions: 1 to 64, whose envs are not closed. Of several, all are shown side by side until
            one is chosen.
        title: of the window.
        speed: ticks a second.
        episodes: stop after so many, of all lanes together; None: when the window is closed.
        panels: names of those that are on at first.
        folder: where pictures and recordings go.

    Raises:
        ValueError: a speed that is not positive, too many sessions, an unknown panel.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        title: str = "sidestep",
        speed: float = 5,
        episodes: int | None = None,
        panels: Collection[str] = BY_DEFAULT,
        folder: Path = Path(),
    ) -> None:
        """Nothing is opened yet; `run` opens the window."""
        if not speed > 0:
            raise ValueError(f"speed: expected a positive number of ticks a second, got {speed}")
        if not 1 <= len(sessions) <= MOST_LANES:
            raise ValueError(f"lanes: expected 1 to {MOST_LANES}, got {len(sessions)}")
        self.sessions, self.window, self.folder = list(sessions), Window(title), folder
        self.speed, self.episodes = float(speed), episodes
        self.panels = set(check_panels(panels))
        self.chosen: int | None = 0 if len(sessions) == 1 else None
        self.paused = self.helping = self.finished = False
        self.typed: str | None = None
        self.film: Film | None = None
        self.changed = True
        self._resting = [0] * len(sessions)
        self._due, self._notice, self._notice_left = 1 / self.speed, "", 0.0

    @property
    def session(self) -> Session:
        """The one that is looked into, or the first."""
        return self.sessions[self.chosen or 0]

    @property
    def tally(self) -> Tally:
        """The score of all lanes; ticks and return are those of `session`."""
        if len(self.sessions) == 1:
            return self.session.tally
        total = Tally()
        total.ticks, total.total = self.session.tally.ticks, self.session.tally.total
        for session in self.sessions:
            total.episodes += session.tally.episodes
            total.successes += session.tally.successes
            total.returns += session.tally.returns
        return total

    def run(self) -> Tally:
        """Show until the window is closed or the episodes are over; returns the score."""
        self.window.open(*view.DEFAULT_SIZE)
        clock, size = pygame.time.Clock(), None
        while not self.finished and not self.window.closed:
            self.handle(self.window.events())
            self.advance(clock.tick(REFRESH_RATE) / 1000)
            if self.changed or size != self.window.size:
                self.changed, size = False, self.window.size
                self.show()
        self.window.close()
        self.stop_recording()
        return self.tally

    def handle(self, events: Sequence[pygame.Event]) -> None:
        """Do what the events ask for."""
        for event in events:
            self.changed = True
            if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                self.click(self.window.pixel(event.pos))
            elif event.type == pygame.KEYDOWN and self.typed is not None:
                self._type(event.key)
            elif event.type == pygame.KEYDOWN and DIGITS.get(event.key, 0) > 0:
                self.switch(PANELS[DIGITS[event.key] - 1].name)
            else:
                command = command_of(event)
                if command is not None:
                    self.obey(command)

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
                self.stop_recording() if self.film is not None else self.start_recording()
            case Command.ALL_PANELS:
                self.panels = set() if self.panels else set(NAMES)
            case Command.LANES:
                self._toggle_lanes()
            case Command.HELP:
                self.helping = not self.helping
            case Command.LEAVE:
                self._leave()
            case Command.QUIT:
                self.finished = True
            case _:
                self._play(command)

    def _play(self, command: Command) -> None:
        """Carry out a command that moves the sessions."""
        match command:
            case Command.PAUSE:
                self.paused = not self.paused
            case Command.STEP:
                self.paused = True
                self.tick(resting=False)
            case Command.BACK:
                self.paused = True
                self.back()
            case Command.NEXT:
                self._each(lambda session: session.begin())
            case Command.AGAIN:
                self._each(lambda session: session.begin(session.seed))
            case Command.SEED:
                self.typed = ""

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

    def tick(self, resting: bool = True) -> None:
        """Play one tick in every lane; ended ones rest a little, then begin the next episode.

        Args:
            resting: whether they rest.
        """
        self.changed = True
        for lane, session in enumerate(self.sessions):
            if session.now.action is not None:
                session.tick()
                if session.tally.over:
                    rest = min(HOLD_TICKS, round(HOLD_SECONDS * self.speed))
                    self._resting[lane] = max(1, rest) - 1
            elif self._resting[lane] > 0 and resting:
                self._resting[lane] -= 1
            elif self.tally.episodes == self.episodes:
                self.finished = True
                return
            else:
                session.begin()
        self._expose()

    def back(self) -> None:
        """Go back by a tick in every lane that is shown."""
        for session in self.sessions:
            try:
                if not session.back():
                    self.say("no earlier tick is kept")
            except ValueError as error:
                session.begin(session.seed)
                self.say(str(error))

    def switch(self, panel: str) -> None:
        """Turn a panel on or off, and say which."""
        self.panels ^= {panel}
        title = next(p.title for p in PANELS if p.name == panel)
        moment = self.session.moment({panel})
        known = next(p for p in PANELS if p.name == panel).applies(moment)
        state = "on" if panel in self.panels else "off"
        self.say(f"{title}: {state}" if known else f"{title}: nothing to show here")

    def click(self, place: tuple[int, int]) -> None:
        """A click at a pixel of the window: choose a lane, or go back to all."""
        if self.helping:
            self.helping = False
        elif len(self.sessions) > 1 and self.chosen is not None:
            self.chosen = None
        elif len(self.sessions) > 1 and self.window.size is not None:
            for lane, box in enumerate(self._boxes(*self.window.size)):
                if box.collidepoint(place):
                    self.chosen = lane

    def status(self) -> str:
        """The line below the picture."""
        if self.typed is not None:
            return f"seed: {self.typed}_   Enter: play it   Esc: leave"
        mark = "   REC" if self.film is not None else ""
        if self._notice_left > 0:
            return self._notice + mark
        pace = "paused" if self.paused else f"{self.speed:g} ticks/s"
        hint = "   click: one lane" if self.chosen is None else ""
        return f"{self.words()}{hint}   {pace}{mark}   H: keys"

    def words(self) -> str:
        """The score and the seed."""
        tells = self.session.world is not None or "is_success" in self.session.info
        if self.chosen is None:
            tally = self.tally
            score = f"successes {tally.successes}/{tally.episodes}" if tells else ""
            return f"{len(self.sessions)} lanes   {score or f'episodes {tally.episodes}'}"
        return f"seed {self.session.seed}   {self.session.tally.status(tells)}"

    def say(self, words: str) -> None:
        """Show a notice in the status line for a while."""
        self._notice, self._notice_left, self.changed = words, NOTICE_SECONDS, True

    def show(self) -> None:
        """Draw the present picture into the window."""
        message = HELP if self.helping else ()
        self.window.paint(lambda surface: self.draw(surface, self.status(), message))

    def draw(self, surface: pygame.Surface, status: str, message: Sequence[str] = ()) -> None:
        """Draw the present picture onto a surface of any size."""
        bright = self._notice_left > 0 or self.typed is not None
        if self.chosen is not None:
            moment = self.session.moment(self.panels)
            view.draw(surface, moment, self.panels, status, message, bright)
            return
        width, height = surface.get_size()
        pen = Pen.for_size(width, height)
        low = min(height - 1, pen.px(view.STATUS)) if status else 0
        shown = self.panels & {"ghosts"}
        moments = [session.moment(shown) for session in self.sessions]
        captions = [f"seed {session.seed}" for session in self.sessions]
        surface.fill(palette.NIGHT)
        draw_tiles(surface.subsurface((0, 0, width, height - low)), moments, captions, shown)
        if low:
            line = surface.subsurface((0, height - low, width, low))
            view.draw_status(line, status, pen, bright)
        if message:
            view.draw_message(surface, message, pen)

    def picture(self, size: tuple[int, int] = view.DEFAULT_SIZE) -> Pixels:
        """The present picture off screen, (H, W, 3), without help and notices."""
        surface = pygame.Surface(size, 0, 32)
        self.draw(surface, self.words())
        return rendering.pixels(surface)

    def save_frame(self) -> None:
        """Write the present picture to a PNG, as large as the window."""
        path = self._path(".png")
        self._written(
            path, lambda: save_png(path, self.picture(self.window.size or view.DEFAULT_SIZE))
        )

    def start_recording(self) -> None:
        """Every picture from now on goes into a film."""
        self.film = Film(fps=min(self.speed, 30))
        self._expose()

    def stop_recording(self) -> None:
        """Write the film to a GIF; nothing when none is recorded."""
        film, self.film = self.film, None
        if film is not None:
            path = self._path(".gif")
            self._written(path, lambda: film.write(path))

    def _expose(self) -> None:
        """Take the present picture into the film."""
        if self.film is not None:
            over = self.chosen is not None and self.session.tally.over
            self.film.add(self.picture(), hold=over)
            if self.film.is_full:
                self.stop_recording()

    def _written(self, path: Path, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.say(f"not saved: {error.strerror or error}")
        else:
            self.say(f"saved {path}")

    def _path(self, suffix: str) -> Path:
        """A name that is not there yet."""
        stem, number = f"sidestep-{self.session.seed}-{self.session.now.tick}", 1
        path = self.folder / f"{stem}{suffix}"
        while path.exists():
            number += 1
            path = self.folder / f"{stem}-{number}{suffix}"
        return path

    def _each(self, action: Callable[[Session], None]) -> None:
        """Do something with the lane that is looked into, or with all."""
        for session in [self.session] if self.chosen is not None else self.sessions:
            action(session)
        self._resting = [0] * len(self.sessions)

    def _boxes(self, width: int, height: int) -> list[pygame.Rect]:
        low = min(height - 1, Pen.for_size(width, height).px(view.STATUS))
        aspect = aspect_of(self.sessions[0].moment(()))
        return tile_boxes(len(self.sessions), width, height - low, aspect)

    def _toggle_lanes(self) -> None:
        if len(self.sessions) > 1:
            self.chosen = 0 if self.chosen is None else None

    def _leave(self) -> None:
        """Esc: out of the help, out of one lane, out of the window."""
        if self.helping:
            self.helping = False
        elif self.chosen is not None and len(self.sessions) > 1:
            self.chosen = None
        else:
            self.finished = True

    def _type(self, key: int) -> None:
        """A key while a seed is typed."""
        assert self.typed is not None
        if key in DIGITS and len(self.typed) < MOST_DIGITS:
            self.typed += str(DIGITS[key])
        elif key == pygame.K_BACKSPACE:
            self.typed = self.typed[:-1]
        elif key in ENTER and self.typed:
            seed, self.typed = int(self.typed), None
            self._each(lambda session: session.begin(seed + self.sessions.index(session)))
        elif key in ENTER or KEYS.get(key) in (Command.LEAVE, Command.SEED):
            self.typed = None
