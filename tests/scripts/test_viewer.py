"""The viewer: every key's effect, pace, pauses, and a whole run in a window."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest
from gymnasium import spaces

import sidestep.envs  # noqa: F401
from sidestep.envs import rendering
from sidestep.scripts.stage import STATUS_HEIGHT, compose, drawing_of, first_size
from sidestep.scripts.viewer import HELP, KEYS, Command, Viewer, command_of

CORRIDOR = "S..G"


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


class Right:
    """Goes right, and notes what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, float, dict[str, Any]]] = []

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        self.told.append((episode_start, reward, info))
        return 2


class Blink(gym.Env[Any, int]):
    """A foreign env of two ticks; its pictures count them."""

    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(3)
    render_mode = "rgb_array"

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        self.ticks = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.ticks += 1
        return 0, 0.5, False, self.ticks == 2, {}

    def render(self) -> Any:
        return np.full((20, 30, 3), 100 * self.ticks, dtype=np.uint8)


def world(**config: Any) -> gym.Env[Any, Any]:
    config = {"level": CORRIDOR, **config}
    return gym.make("sidestep/MovingObstacles-v0", render_mode="rgb_array", **config)


def viewer(**options: Any) -> Viewer:
    return Viewer(world(), Right(), seed=0, **options)


def down(key: int) -> pygame.Event:
    return pygame.Event(pygame.KEYDOWN, key=key)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (pygame.K_SPACE, Command.PAUSE),
        (pygame.K_RIGHT, Command.STEP),
        (pygame.K_UP, Command.FASTER),
        (pygame.K_PLUS, Command.FASTER),
        (pygame.K_EQUALS, Command.FASTER),
        (pygame.K_KP_PLUS, Command.FASTER),
        (pygame.K_DOWN, Command.SLOWER),
        (pygame.K_MINUS, Command.SLOWER),
        (pygame.K_KP_MINUS, Command.SLOWER),
        (pygame.K_r, Command.NEXT),
        (pygame.K_h, Command.HELP),
        (pygame.K_q, Command.QUIT),
        (pygame.K_ESCAPE, Command.QUIT),
    ],
)
def test_keys(key: int, command: Command) -> None:
    assert command_of(down(key)) is command
    assert command_of(pygame.Event(pygame.KEYUP, key=key)) is None
    assert key in KEYS


def test_other_events() -> None:
    assert command_of(down(pygame.K_z)) is None
    assert command_of(pygame.Event(pygame.MOUSEMOTION)) is None
    assert command_of(pygame.Event(pygame.QUIT)) is Command.QUIT
    assert command_of(pygame.Event(pygame.WINDOWCLOSE)) is Command.QUIT


def test_pace() -> None:
    show = viewer(speed=2)
    played = []
    for _ in range(8):
        show.advance(0.25)
        played.append(show.tally.ticks)
    assert played == [0, 1, 1, 2, 2, 3, 3, 3]  # three ticks to the goal, which then stays


def test_the_last_picture_stays_longer() -> None:
    show = viewer(speed=4)
    for _ in range(3):
        show.advance(0.25)
    assert show.tally.over
    show.advance(0.79)
    assert show.tally.over
    show.advance(0.02)
    assert (show.tally.over, show.tally.ticks) == (False, 0)


def test_a_long_wait_does_not_play_a_burst() -> None:
    show = viewer(speed=5)
    show.advance(60)
    assert show.tally.ticks == 1


def test_pause_and_single_step() -> None:
    show = viewer()
    show.handle([down(pygame.K_SPACE)])
    show.advance(10)
    assert (show.paused, show.tally.ticks) == (True, 0)
    show.handle([down(pygame.K_RIGHT), down(pygame.K_RIGHT)])
    assert (show.paused, show.tally.ticks) == (True, 2)
    assert "paused" in show.status()
    show.handle([down(pygame.K_SPACE)])
    show.advance(10)
    assert (show.paused, show.tally.ticks) == (False, 3)
    show.handle([down(pygame.K_RIGHT)])  # pauses too; past the end it begins the next episode
    assert (show.paused, show.tally.ticks, show.tally.episodes) == (True, 0, 1)


def test_speed_keys_stop_at_the_ends() -> None:
    show = viewer(speed=5)
    speeds = []
    for key in [pygame.K_UP] * 2 + [pygame.K_MINUS] * 9 + [pygame.K_KP_PLUS] * 12:
        show.handle([down(key)])
        speeds.append(show.speed)
    assert speeds[:4] == [8, 12, 8, 5]
    assert (min(speeds), speeds[10], speeds[-1]) == (1, 1, 120)


def test_next_episode_is_not_counted_when_cut_short() -> None:
    show = viewer()
    show.tick()
    show.handle([down(pygame.K_r)])
    assert (show.tally.ticks, show.tally.episodes, show.tally.total) == (0, 0, 0.0)


def test_help_holds_the_time_and_quit_ends() -> None:
    show = viewer()
    show.handle([down(pygame.K_h)])
    show.advance(10)
    assert (show.helping, show.tally.ticks) == (True, 0)
    show.handle([down(pygame.K_h), down(pygame.K_q)])
    assert (show.helping, show.finished) == (False, True)


def test_the_policy_is_told_where_episodes_start() -> None:
    show = viewer()
    for _ in range(6):
        show.tick()
    policy: Any = show.policy
    assert [start for start, _, _ in policy.told] == [True, False, False, True, False]
    assert [r for _, r, _ in policy.told] == pytest.approx([0, -0.05, -0.05, 0, -0.05])
    assert policy.told[1][2] == {"is_success": False, "is_collision": False}


def test_status() -> None:
    show = viewer(speed=8)
    for _ in range(3):
        show.tick()
    assert show.status() == (
        "episode 1   tick 3   return 0.85   successes 1/1   8 ticks/s   H: keys"
    )
    show.tick()
    assert show.status().startswith("episode 2   tick 0   return 0.00   successes 1/1")


def test_run_plays_so_many_episodes_and_closes() -> None:
    show = viewer(speed=120, episodes=2)
    tally = show.run()
    assert (tally.episodes, tally.successes) == (2, 2)
    assert tally.returns == pytest.approx([0.85, 0.85])
    assert show.finished and show.window.closed


@pytest.mark.parametrize("closing", [pygame.QUIT, pygame.WINDOWCLOSE])
def test_closing_the_window_ends_the_run(closing: int) -> None:
    show = viewer(speed=1)
    show.window.open(300, 300)
    pygame.event.post(pygame.Event(closing))
    assert show.run().episodes == 0
    assert show.window.closed


def test_pictures_of_our_worlds_fill_the_window() -> None:
    show = viewer()
    show.tick()
    picture = compose(show.draw, (400, 300), "status")
    world: Any = show.env.unwrapped
    scene = world.scene()._replace(max_ticks=100)
    room = 300 - STATUS_HEIGHT
    assert np.array_equal(picture[:room], rendering.frame(scene, (400, room)))
    assert not np.array_equal(picture, compose(show.draw, (400, 300), "status", HELP))
    assert not np.array_equal(picture, compose(show.draw, (400, 300), "status", bright=True))


@pytest.mark.parametrize("size", [(640, 480), (160, 120), (40, 20)])
def test_compose_takes_any_size(size: tuple[int, int]) -> None:
    show = viewer()
    assert compose(show.draw, size, "words " * 40, HELP).shape == (size[1], size[0], 3)


def test_foreign_envs_are_shown_by_their_own_pictures() -> None:
    env = Blink()
    show = Viewer(env, Right(), episodes=1, speed=120)
    assert first_size(env) == (432, 240 + STATUS_HEIGHT)
    show.tick()
    picture = compose(drawing_of(env), (300, 200 + STATUS_HEIGHT), "")
    assert picture[100, 150].tolist() == [100, 100, 100]
    assert show.run().returns == [1.0]


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match=r"speed: expected a positive number .* got 0"):
        viewer(speed=0)
    silent = gym.make("sidestep/MovingObstacles-v0")
    with pytest.raises(ValueError, match="expected render_mode 'rgb_array', got None"):
        Viewer(silent, Right())
