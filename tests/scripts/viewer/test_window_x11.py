"""The viewer on a real X screen: keys and clicks sent by xdotool, the screen compared.

Skipped where Xvfb or xdotool is not installed.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from sidestep.scripts.viewer.keys import Command, help_words
from sidestep.scripts.viewer.players import Players
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.view import DEFAULT_SIZE
from sidestep.scripts.watch import Options

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
        reason="expected Xvfb and xdotool",
    ),
]
PATIENCE = 180.0
"""Seconds until the screen must show what is expected."""


class Xvfb:
    """A screen of 1000x800 in memory, its pixels in a file."""

    def __init__(self, folder: Path) -> None:
        reader, writer = os.pipe()
        words = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1000x800x24"]
        self.process = subprocess.Popen(
            [*words, "-fbdir", str(folder), "-nolisten", "tcp"],
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with os.fdopen(reader) as pipe:
            self.display = f":{pipe.readline().strip()}"
        self.file = folder / "Xvfb_screen0"
        self.env = {k: v for k, v in os.environ.items() if k != "SDL_VIDEODRIVER"}
        self.env |= {"DISPLAY": self.display, "SDL_VIDEODRIVER": "x11", "OMP_NUM_THREADS": "1"}

    def pixels(self) -> Any:
        """The whole screen, (800, 1000, 3)."""
        data = self.file.read_bytes()  # an XWD file: header, colour map, pixels as B G R x
        header = np.frombuffer(data[:100], dtype=">u4")
        begin = int(header[0] + 12 * header[19])
        rows = np.frombuffer(data[begin : begin + 800 * 1000 * 4], dtype=np.uint8)
        return rows.reshape(800, 1000, 4)[..., 2::-1]

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def window(self) -> str:
        """The number of the viewer's window; some xdotool cannot search by names."""
        for number in self.xdotool("search", "--class", ".").split():
            if self.xdotool("getwindowname", number).startswith("sidestep watch"):
                return number
        return ""

    def geometry(self) -> dict[str, int]:
        """X, Y, WIDTH and HEIGHT of the viewer's window; empty while there is none.

        The window is searched each time: SDL may make its first one anew.
        """
        lines = self.xdotool("getwindowgeometry", "--shell", self.window()).splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            return {name: int(told[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")}
        except (KeyError, ValueError):
            return {}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Xvfb]:
    xvfb = Xvfb(tmp_path)
    yield xvfb
    xvfb.close()


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives once it is not false."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.2)
    raise AssertionError(f"expected {what} within {PATIENCE} seconds")


def test_keys_and_clicks_on_a_real_screen(screen: Xvfb, tmp_path: Path) -> None:
    flags = ["--optimum", "--seed", "3", "--lanes", "4", "--fps", "0.001"]
    with subprocess.Popen(
        [sys.executable, "-m", "sidestep.scripts.watch", *flags],
        env=screen.env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as watching:
        try:
            _drive(screen, tmp_path)
            output, _ = watching.communicate(timeout=PATIENCE)
        except AssertionError as error:
            watching.kill()
            raise AssertionError(f"{error}; it said {watching.communicate()[0]!r}") from error
        finally:
            watching.kill()
    assert watching.returncode == 0, output
    assert "0 successes in 0 episodes" in output


def _drive(screen: Xvfb, folder: Path) -> None:
    """Press and click, and see the window do what a screen in this process does."""
    until(screen.geometry, "a window")
    players = Players.of(Options(optimum=True, seed=3, lanes=4))
    mirror = Screen(players.sessions(4, 3), speed=0.001)
    status_height = 30

    def shows(message: tuple[str, ...] = ()) -> None:
        width, height = DEFAULT_SIZE
        surface = pygame.Surface((width, height), 0, 32)
        mirror.draw(surface, "status", message)
        want = pygame.surfarray.array3d(surface).swapaxes(0, 1)[: height - status_height - 8]

        def close() -> bool:
            place = screen.geometry()
            if (place.get("WIDTH"), place.get("HEIGHT")) != DEFAULT_SIZE:
                return False
            left, top = place["X"], place["Y"]
            seen = screen.pixels()[top : top + len(want), left : left + width]
            far = np.abs(seen.astype(int) - want.astype(int)).max(axis=-1) > 24
            return bool(far.mean() < 0.002)

        until(close, "the window to show what it should")

    def press(key: str) -> None:
        screen.xdotool("windowfocus", "--sync", screen.window())
        screen.xdotool("key", key)

    shows()
    _, lane, *_ = mirror.boxes(*DEFAULT_SIZE)
    screen.xdotool("mousemove", "--window", screen.window(), str(lane.centerx), str(lane.centery))
    screen.xdotool("click", "1")
    mirror.chosen = 1
    shows()
    for key, command in (("Right", Command.STEP), ("Right", Command.STEP), ("Left", Command.BACK)):
        press(key)
        mirror.obey(command)
        shows()
    press("2")
    mirror.switch("heatmap")
    shows()
    press("h")
    shows(help_words())
    press("Escape")
    shows()
    for key in ("s", "7", "Return"):
        press(key)
    mirror.session.begin(7)  # in the lane that is looked into
    shows()
    press("f")
    until(lambda: list(folder.glob("sidestep-7-0.png")), "a saved frame")
    press("Tab")
    mirror.obey(Command.LANES)
    shows()
    press("q")
    players.close()
