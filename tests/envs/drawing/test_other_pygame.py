"""Beside others who use pygame: whoever ends it, pictures and windows go on; events stay theirs."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest

from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing import sprites
from sidestep.envs.drawing.board import Window
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.panels.pen import Pen

DEFAULT = "sidestep.envs:sidestep/MovingObstacles-v0"
RED = np.full((30, 40, 3), (200, 0, 0), dtype=np.uint8)
OWN = pygame.event.custom_type()


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def cart_pole(render_mode: str) -> Callable[[], None]:
    """Gymnasium's CartPole is made, drawn and closed, which ends pygame."""

    def play() -> None:
        env = gym.make("CartPole-v1", render_mode=render_mode)
        env.reset(seed=0)
        env.render()
        env.close()

    return play


def quit_unheard() -> None:
    """As whoever imported the function before this package wrapped it."""
    getattr(pygame.display.quit, "__wrapped__", pygame.display.quit)()


ENDS: dict[str, Callable[[], None]] = {
    "CartPole, rgb_array": cart_pole("rgb_array"),
    "CartPole, human": cart_pole("human"),
    "quit": pygame.quit,
    "quit and init": lambda: (pygame.quit(), pygame.init()) and None,
    "twice": lambda: (pygame.quit(), pygame.init(), pygame.quit()) and None,
    "display only": lambda: pygame.display.quit(),
    "display and init": lambda: (pygame.display.quit(), pygame.display.init()) and None,
    "display, unheard": quit_unheard,
    "font only": pygame.font.quit,
    "font and init": lambda: (pygame.font.quit(), pygame.font.init()) and None,
}
ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def human(**config: Any) -> tuple[Any, Any]:
    """A human env after its first reset, and its window, which waits for nothing."""
    env = gym.make(DEFAULT, render_mode="human", **config)
    env.unwrapped.metadata = {**env.metadata, "render_fps": 1000}
    env.reset(seed=0)
    inner: Any = env.unwrapped
    return env, inner._window


def shown(window: Window) -> Any:
    assert window._window is not None
    return rendering.pixels(window._window.get_surface())


@ends
def test_pictures(end: Callable[[], None]) -> None:
    env = gym.make(DEFAULT, render_mode="rgb_array")
    lanes = gym.make_vec(DEFAULT, num_envs=3, render_mode="rgb_array")
    for one in (env, lanes):
        one.reset(seed=0)
    pictures: Any = env.render(), lanes.render()[2]
    end()
    assert np.array_equal(env.render(), pictures[0])
    assert np.array_equal(lanes.render()[2], pictures[1])
    end()
    env.step(1)  # another tick: a label that was not drawn before
    assert not np.array_equal(env.render(), pictures[0])


@ends
def test_writing(end: Callable[[], None]) -> None:
    """Of the pictures, of the viewer's panels and of its messages, none of it kept as a picture."""

    def write(words: str) -> tuple[bytes, ...]:
        surface = pygame.Surface((200, 40))
        Pen(1.0).text(surface, words, (5, 20), room=90)
        lines = sprites.font(19).render(words, True, (9, 9, 9)), sprites.label(words, 23, (1, 2, 3))
        line = view.line_within(words, 30, (255, 255, 255), 100)
        return tuple(pygame.image.tobytes(one, "RGBA") for one in (surface, *lines, line))

    before = write("some words")
    end()
    sprites.label.cache_clear()
    assert write("some words") == before


@ends
def test_windows(end: Callable[[], None]) -> None:
    env, window = human()
    window._window.size = (640, 480)
    env.step(4)
    other = Window("other")
    other.draw(RED)
    end()
    for action in (2, 4):
        env.step(action)
        assert np.array_equal(shown(window), rendering.frame(env.unwrapped.scene(), (640, 480)))
    assert other.size is not None and not other.closed
    other.draw(RED)
    assert (shown(other) == (200, 0, 0)).all(axis=2).any()
    end()
    assert window.events() is not None and window.size == (640, 480)
    end()
    painted: list[Any] = []
    window.paint(lambda surface: painted.append(surface.get_size()))
    assert painted == [(640, 480)]
    end()
    env.close()
    other.close()
    assert window.closed and other.closed


def test_a_closed_window_stays_closed() -> None:
    env, window = human()
    pygame.event.post(pygame.Event(pygame.WINDOWCLOSE, window=window._window))
    env.step(4)
    pygame.quit()
    env.step(4)
    assert window.closed and window.size is None and window._window is None


def test_nothing_is_left_of_a_process_that_ends_pygame() -> None:
    """SDL frees the windows, and whoever draws on one then crashes."""
    code = (
        "import numpy as np, pygame\n"
        "from sidestep.envs.drawing.board import Window\n"
        "windows = [Window(str(n), (300 + n, 200)) for n in range(3)]\n"
        "for turn in range(6):\n"
        "    for window in windows: window.show(np.zeros((900, 900, 3), np.uint8), 1e6)\n"
        "    pygame.display.quit() if turn % 2 else pygame.quit()\n"
        "    if turn > 2: pygame.init(); pygame.display.set_mode((50, 50))\n"
        "print([window.size for window in windows])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[(300, 200), (301, 200), (302, 200)]\n")


def posted(*events: pygame.Event) -> list[pygame.Event]:
    """Put events into an empty queue."""
    pygame.event.clear()
    for event in events:
        pygame.event.post(event)
    return list(events)


def left() -> list[tuple[int, dict[str, Any]]]:
    """What is in the queue, without what SDL tells of a window that has just been closed."""
    of_windows = ("Window", "ActiveEvent")
    return [
        (event.type, event.dict)
        for event in pygame.event.get()
        if event.dict.get("window") is not None
        or not pygame.event.event_name(event.type).startswith(of_windows)
    ]


def test_a_user_s_own_events_stay_in_the_queue() -> None:
    env, window = human()
    user = pygame.Window("the user's own", (90, 90))
    events = posted(
        pygame.Event(OWN, number=1),
        pygame.Event(pygame.KEYDOWN, key=pygame.K_a, window=user),
        pygame.Event(pygame.MOUSEMOTION, pos=(1, 2), rel=(0, 0), buttons=(0, 0, 0), window=user),
        pygame.Event(pygame.USEREVENT, code=7),
        pygame.Event(pygame.KEYUP, key=pygame.K_b),
        pygame.Event(pygame.JOYBUTTONDOWN, button=3),
        pygame.Event(pygame.TEXTINPUT, text="x", window=user),
        pygame.Event(pygame.WINDOWCLOSE, window=user),
        pygame.Event(OWN, number=2),
    )
    pygame.event.post(pygame.Event(pygame.MOUSEMOTION, pos=(3, 4), window=window._window))
    pygame.event.post(pygame.Event(pygame.KEYDOWN, key=pygame.K_z, window=window._window))
    for action in (4, 2, 4):
        env.step(action)
    env.reset()
    env.render()
    assert left() == [(event.type, event.dict) for event in events]
    assert not window.closed
    env.close()


def test_a_timer_s_events_stay() -> None:
    env, _ = human()
    pygame.event.clear()
    pygame.time.set_timer(pygame.Event(OWN, tick=1), 5, loops=3)
    for _ in range(40):
        env.step(4) if not env.unwrapped.world.ended[0] else env.reset()
        pygame.time.wait(2)
    assert left() == [(OWN, {"tick": 1})] * 3
    env.close()


def test_a_user_s_wish_to_quit_is_heard_by_both() -> None:
    pygame.display.init()
    posted(pygame.Event(pygame.QUIT, code="old"))
    env, window = human()
    posted(pygame.Event(OWN), pygame.Event(pygame.QUIT, code="new"))
    env.step(4)
    assert window.closed
    assert left() == [(OWN, {}), (pygame.QUIT, {"code": "new"})]
    env.close()


def test_an_old_wish_to_quit_closes_no_new_window() -> None:
    pygame.display.init()
    events = posted(pygame.Event(pygame.QUIT, code="old"))
    env, window = human()
    env.step(4)
    env.step(4)
    assert not window.closed
    assert left() == [(event.type, event.dict) for event in events]  # now the user has read it
    env.step(4)
    posted(pygame.Event(pygame.QUIT, code="new"))
    env.step(4)
    assert window.closed
    env.close()


def test_the_quit_that_comes_with_the_last_window_s_x_is_taken() -> None:
    """SDL posts it; left behind, it would end the user's next program at once."""
    env, window = human()
    posted(
        pygame.Event(OWN),
        pygame.Event(pygame.WINDOWCLOSE, window=window._window),
        pygame.Event(pygame.QUIT),
    )
    env.step(4)
    assert window.closed
    assert left() == [(OWN, {})]
    env.close()


def test_events_of_the_display_stay_where_there_is_one() -> None:
    env, _ = human()
    for expected in (0, 1):
        posted(pygame.Event(pygame.VIDEORESIZE, size=(9, 9), w=9, h=9))
        env.step(4)
        assert len([kind for kind, _ in left() if kind == pygame.VIDEORESIZE]) == expected
        pygame.display.set_mode((40, 40))
    env.close()


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["deep", "pickled"]
)
def test_an_env_whose_window_is_open_can_be_copied(copied: Callable[[Any], Any]) -> None:
    env, window = human()
    env.step(2)
    twin = copied(env)
    theirs = twin.unwrapped._window
    assert theirs is not window and theirs.size is None and not theirs.closed
    assert window.size == (432, 464)  # nothing has happened to it
    for action in (1, 4, 1):
        ours, other = env.step(action), twin.step(action)
        assert np.array_equal(ours[0], other[0]) and ours[1:] == other[1:]
    assert np.array_equal(shown(window), shown(theirs))
    assert theirs._window is not window._window
    twin.close()
    assert theirs.closed and not window.closed
    pygame.event.post(pygame.Event(pygame.WINDOWCLOSE, window=window._window))
    env.step(4) if not env.unwrapped.world.ended[0] else env.reset()
    assert window.closed and copied(env).unwrapped._window.closed
    env.close()


def test_a_shallow_copy_shows_in_the_same_window() -> None:
    env, window = human()
    assert copy.copy(env.unwrapped)._window is window
    alone = copy.copy(window)
    assert (alone.title, alone.size, alone.closed) == (window.title, None, False)
    env.close()
