"""A window that shows pictures and never hangs."""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import pygame
from numpy.typing import NDArray

from . import palette

FORWARDED = (pygame.KEYDOWN, pygame.KEYUP, pygame.MOUSEBUTTONDOWN, pygame.WINDOWCLOSE)
"""Events of other windows that are left for them; the rest, such as motion, is dropped."""

INVISIBLE = ("dummy", "offscreen")
"""SDL falls back to these where there is no screen; they are right only where asked for."""


class Window:
    """A resizable window; pictures keep their proportions in it.

    Closing it with its X only closes it: `closed` becomes True, `show` and `draw` do nothing from
    then on and cost nothing, and whatever was being shown runs on at full speed. Ctrl-C and SIGTERM
    reach the program as if there were no window. Several windows may be open at once.

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

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels of the screen; None while there is no window."""
        return None if self._window is None else self._window.get_surface().get_size()

    def open(self, width: int, height: int) -> None:
        """Open the window for pictures of that size, once."""
        if self._window is not None or self.closed:
            return
        # SDL would turn SIGTERM into a mere event, and kill could not end a training run
        os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
        try:
            pygame.display.init()
            driver = pygame.display.get_driver()
            if driver in INVISIBLE and not os.environ.get("SDL_VIDEODRIVER"):
                pygame.display.quit()
                raise pygame.error("none")
            size = self._wanted or _first_size(width, height)
            self._window = pygame.Window(self.title, size, resizable=True, allow_high_dpi=True)
            self._window.minimum_size = (160, 120)
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
        self.open(width, height)
        assert self._window is not None
        screen = self._window.get_surface()
        screen.blit(fitted(picture, *screen.get_size()), (0, 0))
        self._window.flip()

    def paint(self, draw: Callable[[pygame.Surface], None]) -> None:
        """Let `draw` fill the open window's surface, which it is given, and show it."""
        if self._window is not None:
            draw(self._window.get_surface())
            self._window.flip()

    def pixel(self, place: tuple[int, int]) -> tuple[int, int]:
        """Where on the surface a mouse event's `pos` lies: on some screens it counts in points."""
        assert self._window is not None
        (wide, high), (x, y) = self._window.size, place
        width, height = self._window.get_surface().get_size()
        return x * width // max(1, wide), y * height // max(1, high)

    def events(self) -> list[pygame.Event]:
        """What happened in this window since the last call, and keep it alive."""
        if self._window is None:
            return []
        mine = []
        for event in pygame.event.get():
            owner: Any = getattr(event, "window", None)
            if owner is not None and owner != self._window:
                if event.type in FORWARDED:
                    pygame.event.post(event)
                continue
            mine.append(event)
        if any(event.type in (pygame.QUIT, pygame.WINDOWCLOSE) for event in mine):
            self.close()
        return mine

    def close(self) -> None:
        """Close the window for good; more than once does no harm."""
        self.closed = True
        if self._window is not None:
            self._window.destroy()
            self._window = None


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
