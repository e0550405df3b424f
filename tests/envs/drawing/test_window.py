"""The window: opens, follows its size, closes without harm, and leaves signals alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest

import sidestep.envs  # noqa: F401
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing.board import Window
from sidestep.envs.drawing.screen_window import fitted

RED = np.full((30, 40, 3), (200, 0, 0), dtype=np.uint8)


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


class FakeClock:
    """Notes what was waited for, and waits for nothing."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def tick(self, fps: float = 0) -> int:
        self.asked.append(fps)
        return 0


def human(**config: Any) -> tuple[Any, Any, FakeClock]:
    """A human env after its first reset, its window, and the window's clock."""
    env = gym.make("sidestep/MovingObstacles-v0", render_mode="human", **config)
    env.reset(seed=0)
    inner: Any = env.unwrapped
    window, clock = inner._window, FakeClock()
    window._clock = clock
    return env, window, clock


def shown(window: Window) -> np.ndarray[Any, Any]:
    assert window._window is not None
    return rendering.pixels(window._window.get_surface())


def press_x(window: Window) -> None:
    pygame.event.post(pygame.Event(pygame.WINDOWCLOSE, window=window._window))


def test_human_shows_every_tick_at_the_windows_own_size() -> None:
    env, window, clock = human()
    assert window.size == (432, 464)
    assert np.array_equal(shown(window), rendering.frame(env.unwrapped.scene()))
    env.step(2)
    assert np.array_equal(shown(window), rendering.frame(env.unwrapped.scene()))
    assert clock.asked == [env.metadata["render_fps"]]
    window._window.size = (640, 480)
    env.step(4)
    assert np.array_equal(shown(window), rendering.frame(env.unwrapped.scene(), (640, 480)))
    env.close()
    assert window.closed
    env.close()


def test_the_goal_is_shown_in_its_own_tick() -> None:
    env, window, _ = human(level="S.\n.G")
    env.step(2)
    assert env.step(1)[2]
    scene = env.unwrapped.scene()
    assert scene.success
    assert np.array_equal(shown(window), rendering.frame(scene, window.size))
    env.close()


def test_closing_the_window_does_not_end_what_is_shown() -> None:
    env, window, clock = human()
    press_x(window)
    env.step(4)
    assert window.closed and window.size is None
    asked = len(clock.asked)
    for _ in range(30):
        env.step(4)
    env.reset()
    env.render()
    assert env.unwrapped._window is window and window.closed
    assert len(clock.asked) == asked  # nothing is waited for any more
    env.close()


def test_quit_closes_too() -> None:
    window = Window("title")
    window.show(RED, 10_000)
    pygame.event.post(pygame.Event(pygame.QUIT))
    assert [e.type for e in window.events() if e.type == pygame.QUIT] == [pygame.QUIT]
    assert window.closed and window.events() == []
    window.show(RED, 0.001)  # would wait for 1000 seconds
    window.close()


def test_two_windows_keep_their_own_events() -> None:
    first, second = Window("first"), Window("second")
    for window in (first, second):
        window.draw(RED)
        window.events()
    keys = [pygame.K_a, pygame.K_b]
    for window, key in zip((first, second), keys, strict=True):
        pygame.event.post(pygame.Event(pygame.KEYDOWN, key=key, window=window._window))
    press_x(second)
    assert [e.key for e in first.events() if e.type == pygame.KEYDOWN] == [pygame.K_a]
    assert [e.key for e in second.events() if e.type == pygame.KEYDOWN] == [pygame.K_b]
    assert (first.closed, second.closed) == (False, True)
    first.close()


def test_pictures_keep_their_proportions() -> None:
    surface = fitted(RED, 200, 60)  # 40 x 30 becomes 80 x 60
    colours = rendering.pixels(surface)
    assert colours.shape == (60, 200, 3)
    assert (colours[:, 62:138] == (200, 0, 0)).all()
    assert (colours[:, :58] == colours[0, 0]).all() and colours[0, 0].tolist() != [200, 0, 0]


@pytest.mark.parametrize("driver", ["nonsense", None])
def test_no_screen(monkeypatch: pytest.MonkeyPatch, driver: str | None) -> None:
    pygame.display.quit()
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if driver is not None:
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    with pytest.raises(OSError, match=r"window: expected a screen, got .*rgb_array"):
        Window("title").draw(RED)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_a_window_does_not_swallow_sigterm() -> None:
    code = (
        "import os, signal, numpy as np\n"
        "from sidestep.envs.drawing.board import Window\n"
        "Window('title').draw(np.zeros((9, 9, 3), np.uint8))\n"
        "print('open', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "SDL_NO_SIGNAL_HANDLERS"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environment, "SDL_VIDEODRIVER": "dummy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (-signal.SIGTERM, "open\n"), run.stderr
