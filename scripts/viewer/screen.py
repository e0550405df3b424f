"""A window in which one or more sessions are played and looked into."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import pygame

from sidestep.agents.acting.policy import SinglePolicy
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.exact_values import ExactValues
from sidestep.scripts.viewer.keys import Command, help_words, panel_of, typed
from sidestep.scripts.viewer.panels.moment import Curve
from sidestep.scripts.viewer.panels.registry import (
    PANELS,
    check_panels,
    names,
    switched,
)
from sidestep.scripts.viewer.session import Record, Session
from sidestep.scripts.viewer.show import Show
from sidestep.scripts.viewer.tally import Tally, total
from sidestep.scripts.viewer.tiles import MOST_LANES, draw_lanes, lane_boxes

HOLD_SECONDS, HOLD_TICKS = 0.8, 4
"""The last picture of an episode stays so long, whichever is shorter."""


class Screen(Show):
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
        panels: Collection[str] | None = None,
        folder: Path = Path(),
    ) -> None:
        """Nothing is opened yet; `run` opens the window."""
        super().__init__(title, speed, folder)
        if not 1 <= len(sessions) <= MOST_LANES:
            raise ValueError(f"lanes: expected 1 to {MOST_LANES}, got {len(sessions)}")
        self.sessions, self.episodes = list(sessions), episodes
        self.panels = set(check_panels(names(by_default=True) if panels is None else panels))
        self.chosen: int | None = 0 if len(sessions) == 1 else None
        self._exposed: Record | None = None
        self._resting = [0] * len(sessions)

    @property
    def session(self) -> Session:
        """The one that is looked into, or the first."""
        return self.sessions[self.chosen or 0]

    @property
    def tally(self) -> Tally:
        """The score of all lanes; ticks and return are those of `session`."""
        return total(self.session.tally, [session.tally for session in self.sessions])

    def run(self) -> Tally:
        """Show until the window is closed or the episodes are over; returns the score."""
        self.show_until_closed()
        return self.tally

    def press(self, key: int) -> bool:
        """A key that switches a panel."""
        panel = panel_of(key)
        if panel is not None:
            self.switch(panel)
        return panel is not None

    def obey(self, command: Command) -> None:
        """Carry out one command."""
        match command:
            case Command.ALL_PANELS:
                self.panels = set() if self.panels >= set(names()) else set(names())
            case Command.LANES if len(self.sessions) > 1:
                self.chosen = 0 if self.chosen is None else None
            case Command.NEXT:
                self._each(lambda session: session.begin())
            case Command.AGAIN:
                self._each(lambda session: session.begin(session.seed))
            case Command.SEED:
                self.typed = ""
            case _:
                super().obey(command)

    def step(self) -> None:
        """Play one tick without a rest at an episode's end."""
        self.tick(resting=False)

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
            elif self._is_over(session):
                self.finished = True
                return
            elif not session.has_next:
                self.paused = True
                self.say("the end of the replay   N: from its beginning   A: this episode again")
            else:
                session.begin()
        self.expose()

    def _is_over(self, session: Session) -> bool:
        """Whether as many episodes as were asked for are played, or all that there are."""
        if self.episodes is None:
            return False
        return self.tally.episodes >= self.episodes or not session.has_next

    def back(self) -> None:
        """Go back by a tick in every lane."""
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
        moment = self.session.moment({panel})
        self.say(switched(panel, panel in self.panels, moment, self.chosen is not None))

    def click(self, place: tuple[int, int]) -> None:
        """A click at a pixel of the window: choose a lane, or go back to all."""
        if self.helping:
            self.helping = False
        elif len(self.sessions) > 1 and self.chosen is not None:
            self.chosen = None
        elif len(self.sessions) > 1 and self.window.size is not None:
            for lane, box in enumerate(self.boxes(*self.window.size)):
                if box.collidepoint(place):
                    self.chosen = lane

    def boxes(self, width: int, height: int) -> list[pygame.Rect]:
        """Where the lanes lie in a window of that size."""
        return lane_boxes(len(self.sessions), width, height, self.session.moment(()))

    def status(self) -> str:
        """The line below the picture."""
        if self.typed is not None:
            return f"seed: {self.typed}_   Enter: play it   Esc: leave"
        if self.notice:
            return self.notice + self.mark
        hint = "   click: one lane" if self.chosen is None else ""
        return f"{self.words()}{hint}   {self.pace}{self.mark}   H: keys"

    def words(self) -> str:
        """The score and the seed."""
        tells = self.session.world is not None or "is_success" in self.session.info
        tells = tells or self.tally.successes > 0  # an env may tell nothing but successes
        if self.chosen is None:
            played, tally = f"episodes {self.tally.episodes}", self.tally
            score = f"successes {tally.successes}/{tally.episodes}" if tells else played
            forced = f"   forced {self.session.forcing}" if self.session.forcing else ""
            return f"{len(self.sessions)} lanes   {score}{forced}"
        return f"seed {self.session.seed}   {self.session.tally.status(tells)}"

    def help_words(self) -> tuple[str, ...]:
        """What every key does."""
        return help_words()

    @property
    def stem(self) -> str:
        """A file name for the present tick."""
        return self.session.stem

    def draw(self, surface: pygame.Surface, status: str, message: Sequence[str] = ()) -> None:
        """Draw the present picture onto a surface of any size."""
        bright = self.is_bright(status)
        if self.chosen is not None:
            moment = self.session.moment(self.panels)
            view.draw(surface, moment, self.panels, status, message, bright)
            return
        shown = self.panels & {panel.name for panel in PANELS if panel.in_all_lanes}
        moments = [session.moment(shown) for session in self.sessions]
        captions = [f"seed {session.seed}" for session in self.sessions]
        draw_lanes(surface, moments, captions, shown, status, message, bright)

    def begin_film(self) -> None:
        """Take a film's first picture, whatever the last film showed."""
        self._exposed = None
        self.expose()

    def expose(self, hold: bool = False) -> None:
        """Take the present picture into the film; an episode's last one stays longer, and once."""
        if self.camera.is_filming:
            over = self.chosen is not None and self.session.tally.over
            if over and self._exposed is self.session.now:
                return  # its one picture stays for the whole rest
            self._exposed = self.session.now
            super().expose(hold or over)

    def _each(self, action: Callable[[Session], None]) -> None:
        """Do something with the lane that is looked into, or with all."""
        for session in [self.session] if self.chosen is not None else self.sessions:
            action(session)
        self._resting = [0] * len(self.sessions)

    def leave(self) -> None:
        """Esc: out of the help, out of one lane, out of the window."""
        if not self.helping and self.chosen is not None and len(self.sessions) > 1:
            self.chosen = None
        else:
            super().leave()

    def type(self, key: int) -> None:
        """A key while a seed is typed."""
        assert self.typed is not None
        self.typed, seed = typed(self.typed, key)
        if seed is not None:
            first = self.chosen or 0
            self._each(lambda session: session.begin(seed + self.sessions.index(session) - first))
            if self.session.seed != seed:
                self.say(f"no seed {seed} here: seed {self.session.seed} is played")


class Viewer(Screen):
    """A `Screen` of one lane.

    Args:
        env: one env with render_mode="rgb_array"; not closed.
        policy: what acts: a `sidestep.agents.player.Player`, or anything with its `act`.
        title: of the window.
        seed: of the first episode; the following ones count up from it.
        speed: ticks a second.
        episodes: stop after so many; None: when the window is closed.
        exact: knows what actions cost.
        curve: a learning curve to show; `viewer.session.curve` may be replaced at any time.
        panels: names of those that are on at first.
        folder: where pictures and recordings go.

    Raises:
        ValueError: an env that does not render, or a speed that is not positive.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        policy: SinglePolicy,
        title: str = "sidestep",
        seed: int | None = None,
        speed: float = 5,
        episodes: int | None = None,
        exact: ExactValues | None = None,
        curve: Curve | None = None,
        panels: Collection[str] | None = None,
        folder: Path = Path(),
    ) -> None:
        """Begin the first episode; `run` opens the window."""
        session = Session(env, policy, seed, exact=exact, curve=curve)
        super().__init__([session], title, speed, episodes, panels, folder)
