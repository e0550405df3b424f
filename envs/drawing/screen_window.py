"""A window that shows pictures and never hangs."""

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import pygame
from numpy.typing import NDArray

from . import palette

FORWARDED = (pygame.KEYDOWN, pygame.KEYUP, pygame.MOUSEBUTTONDOWN, pygame.WINDOWCLOSE)
"""Events that are left for another `Window`; the rest, such as motion, would fill the queue where
nobody looks at that one."""

OF_THE_DISPLAY = (pygame.ACTIVEEVENT, pygame.VIDEOEXPOSE, pygame.VIDEORESIZE)
"""Events without a window that every window causes, for programs that have `pygame.display`'s."""

INVISIBLE = ("dummy", "offscreen")
"""SDL falls back to these where there is no screen; they are right only where asked for."""


class Window:
    """A resizable window; pictures keep their proportions in it.

    Closing it with its X only closes it: `closed` becomes True, `show` and `draw` do nothing from
    then on and cost nothing, and whatever was being shown runs on at full speed. Ctrl-C and SIGTERM
    reach the program as if there were no window. Several windows may be open at once. Events that
    are not this window's stay in pygame's queue, in their order, for whoever else uses pygame.

    Where another library ends pygame (`pygame.quit()`, as Gymnasium's own envs do when they are
    closed), the window comes back, as large as it was, with the next picture. A copy, deep or
    pickled, has no window yet, and opens its own with its first picture.

    Args:
        title: of the window.
        size: (width, height) at the beginning; None fits the first picture to the screen.

    Raises:
        OSError: by the first picture, where there is no screen.
    """

    def __init__(self, title: str, size: tuple[int, int] | None = None) -> None:
        """Nothing is opened before the first picture."""
        self.title, self.closed = title, False
        self._wanted = size
        self._window: pygame.Window | None = None
        self._clock = pygame.time.Clock()
        self._has_vanished = False
        self._old_quits: list[dict[str, Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes over: all but what is on the screen."""
        return {"title": self.title, "closed": self.closed, "size": self._wanted}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become a copy that is not open."""
        Window.__init__(self, state["title"], state["size"])
        self.closed = state["closed"]

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels of the screen; None while there is no window."""
        self._come_back()
        return None if self._window is None else self._window.get_surface().get_size()

    def open(self, width: int, height: int) -> None:
        """Open the window for pictures of that size, once."""
        if self._window is not None or self.closed:
            return
        # SDL would turn SIGTERM into a mere event, and kill could not end a training run
        os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
        try:
            was_there = pygame.display.get_init()
            pygame.display.init()
            driver = pygame.display.get_driver()
            if driver in INVISIBLE and not os.environ.get("SDL_VIDEODRIVER"):
                if not was_there:
                    pygame.display.quit()
                raise pygame.error("none")
            _hear_of_the_end()
            quits = pygame.event.get(pygame.QUIT)  # older than the window: none of its business
            for event in quits:
                pygame.event.post(event)
            size = self._wanted or _first_size(width, height)
            self._window = pygame.Window(self.title, size, resizable=True, allow_high_dpi=True)
            self._window.minimum_size = (160, 120)
            self._has_vanished, self._old_quits = False, [event.dict for event in quits]
            _OPEN.add(self)
        except pygame.error as error:
            raise OSError(
                f"window: expected a screen, got {error}; draw with render_mode='rgb_array', or "
                "set SDL_VIDEODRIVER=dummy"
            ) from None

    def show(self, picture: NDArray[np.uint8], fps: float) -> None:
        """Draw a picture, answer the window system, and wait until 1 / fps seconds are over.

        Args:
            picture: (H, W, 3).
            fps: most pictures a second; the time since the last `show` counts.
        """
        self.draw(picture)
        self.events()
        if not self.closed:
            self._clock.tick(fps)

    def draw(self, picture: NDArray[np.uint8]) -> None:
        """Draw a picture, (H, W, 3), as large as it fits, without waiting."""
        if self.closed:
            return
        height, width = picture.shape[:2]
        self._come_back()
        self.open(width, height)
        assert self._window is not None
        screen = self._window.get_surface()
        self._wanted = screen.get_size()  # to come back with
        screen.blit(fitted(picture, *screen.get_size()), (0, 0))
        self._window.flip()

    def paint(self, draw: Callable[[pygame.Surface], None]) -> None:
        """Let `draw` fill the open window's surface, which it is given, and show it."""
        self._come_back()
        if self._window is not None:
            draw(self._window.get_surface())
            self._window.flip()

    def pixel(self, place: tuple[int, int]) -> tuple[int, int]:
        """Where on the surface a mouse event's `pos` lies: on some screens it counts in points.

        A click may be followed by the window's end: `place` itself then.
        """
        if self._window is None:
            return place
        (wide, high), (x, y) = self._window.size, place
        width, height = self._window.get_surface().get_size()
        return x * width // max(1, wide), y * height // max(1, high)

    def events(self) -> list[pygame.Event]:
        """Take what happened in this window since the last call, and keep it alive.

        A wish to quit the whole program (QUIT) closes the window, and is left in the queue too;
        not so the one that SDL adds when the last window is closed with its X.
        """
        self._come_back()
        if self._window is None:
            return []
        mine, others = [], []
        for event in pygame.event.get():
            if self._is_mine(event):
                mine.append(event)
            elif self._is_for_others(event):
                others.append(event)
        quits = [event for event in others if event.type == pygame.QUIT]
        new = [event for event in quits if all(event.dict is not old for old in self._old_quits)]
        if new and any(event.type == pygame.WINDOWCLOSE for event in mine):
            others = [event for event in others if event is not new[-1]]
            quits = [event for event in quits if event is not new[-1]]
        mine += new
        self._old_quits = [event.dict for event in quits]  # pygame hands the same dict out again
        for event in others:
            pygame.event.post(event)
        if any(event.type in (pygame.QUIT, pygame.WINDOWCLOSE) for event in mine):
            self.close()
        return mine

    def _is_mine(self, event: pygame.Event) -> bool:
        closes_all = event.type == pygame.WINDOWCLOSE and not hasattr(event, "window")
        return closes_all or getattr(event, "window", None) == self._window

    def _is_for_others(self, event: pygame.Event) -> bool:
        """Whether an event that is not this window's stays in the queue."""
        if event.type in OF_THE_DISPLAY:
            return pygame.display.get_surface() is not None
        owner: Any = getattr(event, "window", None)
        if owner is None:  # of no window, or one that is gone by now
            return not pygame.event.event_name(event.type).startswith("Window")
        return event.type in FORWARDED or all(owner != w._window for w in _OPEN)

    def _vanish(self) -> None:
        """Leave the screen before another library's quit takes it away."""
        if self._window is not None:
            with suppress(pygame.error):
                self._wanted = self._window.get_surface().get_size()
            self._window.destroy()
            self._window, self._has_vanished = None, True

    def _come_back(self) -> None:
        """Open again after that."""
        if self._window is not None and not pygame.display.get_init():  # an end that went unheard
            for window in _OPEN:
                window._window, window._has_vanished = None, True
            _OPEN.clear()
        if self._has_vanished:
            self.open(*(self._wanted or (1, 1)))

    def close(self) -> None:
        """Close the window for good; more than once does no harm."""
        self.closed, self._has_vanished = True, False
        _OPEN.discard(self)
        if self._window is not None:
            self._window.destroy()
            self._window = None


_OPEN: "weakref.WeakSet[Window]" = weakref.WeakSet()
"""Every window on the screen."""
_HEARD: set[str] = set()
"""Which ends of pygame are listened for."""


def _hear_of_the_end() -> None:
    """Make every window leave the screen before pygame's display ends.

    SDL frees windows when it does, pygame-ce goes on using them, and the process crashes.
    `pygame.quit` calls back; `pygame.display.quit`, which has no such way, is wrapped.
    """
    if "display.quit" not in _HEARD:
        _HEARD.add("display.quit")
        leave = pygame.display.quit

        @wraps(leave)
        def leave_after_windows() -> None:
            _vanish_all()
            leave()

        pygame.display.quit = leave_after_windows
    if "quit" not in _HEARD:
        _HEARD.add("quit")
        pygame.register_quit(_vanish_at_quit)


def _vanish_all() -> None:
    for window in list(_OPEN):
        window._vanish()
    _OPEN.clear()


def _vanish_at_quit() -> None:
    _HEARD.discard("quit")  # pygame forgets who is to be called
    _vanish_all()


def fitted(picture: NDArray[np.uint8], width: int, height: int) -> pygame.Surface:
    """A picture (H, W, 3) as large as it fits into the middle of a surface of that size."""
    image = pygame.image.frombuffer(picture.tobytes(), (picture.shape[1], picture.shape[0]), "RGB")
    if image.get_size() == (width, height):
        return image
    scale = min(width / image.get_width(), height / image.get_height())
    size = (max(1, round(image.get_width() * scale)), max(1, round(image.get_height() * scale)))
    surface = pygame.Surface((width, height), 0, 32)
    surface.fill(palette.NIGHT)
    place = ((width - size[0]) // 2, (height - size[1]) // 2)
    surface.blit(pygame.transform.smoothscale(image, size), place)
    return surface


def _first_size(width: int, height: int) -> tuple[int, int]:
    """The size for pictures of that size: enlarged on large screens, never over 85 % of one."""
    desktop_width, desktop_height = pygame.display.get_desktop_sizes()[0]
    most = min(0.85 * desktop_width / width, 0.85 * desktop_height / height)
    scale = min(most, max(1.0, 0.6 * desktop_height / height))
    return max(1, round(width * scale)), max(1, round(height * scale))
