"""A command's window on the screen: opened quietly, and kept up until it is closed."""

import contextlib
import os
import sys
from typing import Any

import pygame

from sidestep.envs.drawing.screen_window import Window
from sidestep.scripts.viewer.env_pictures import first_size
from sidestep.scripts.viewer.tally import Tally

REFRESH_RATE = 60
"""Times a second that keys are read."""


def open_window(window: Window, width: int, height: int) -> None:
    """Open a command's window; what SDL and the window system write to the terminal is kept back.

    Raises:
        OSError: there is no screen.
    """
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):  # a standard error without a file
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        try:
            window.open(width, height)
        except OSError as error:
            what = str(error).partition(";")[0]
            raise OSError(
                f"{what}; `sidestep record` draws what `watch` shows without one"
            ) from None


def run_window(player: Any) -> Tally:
    """Show a `play.Game` or a `Viewer` until its window is closed or it is finished.

    Returns:
        The score.
    """
    open_window(player.window, *first_size(player.env))
    clock = pygame.time.Clock()
    shown: Any = None
    while not player.finished and not player.window.closed:
        events = player.window.events()
        player.handle(events)
        player.advance(clock.tick(REFRESH_RATE) / 1000)
        facts = (player.window.size, player.tally.episodes, player.status(), player.helping)
        if events or facts != shown:
            player.show()
            shown = facts
    player.window.close()
    tally: Tally = player.tally
    return tally
