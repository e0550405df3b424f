"""The viewer: every key's effect, pace, pauses, going back, lanes, and whole runs in a window."""

import re
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest
from gymnasium import spaces

import sidestep.envs  # noqa: F401
from sidestep.envs.drawing import board as rendering
from sidestep.scripts.viewer.env_pictures import drawing_of, first_size
from sidestep.scripts.viewer.keys import KEYS, Command, command_of, help_words
from sidestep.scripts.viewer.panels.registry import NAMES, PANELS
from sidestep.scripts.viewer.screen import HOLD_TICKS, Viewer
from sidestep.scripts.viewer.view import STATUS_HEIGHT, compose

from .corridor import Right, down, press, viewer, world


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


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


def test_every_key_is_a_command_and_explained() -> None:
    assert set(KEYS.values()) == set(Command)
    for key, command in KEYS.items():
        assert command_of(down(key)) is command
        assert command_of(pygame.Event(pygame.KEYUP, key=key)) is None
    words = " ".join(help_words())
    for key in "NASFRHQ":
        assert re.search(rf"\b{key}\b", words)
    assert all(f"{digit}\t{panel.title}" in help_words() for digit, panel in enumerate(PANELS, 1))


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
    seen = []
    for _ in range(4):
        show.advance(0.25)
        seen.append((show.tally.over, show.tally.ticks))
    assert seen == [(True, 3), (True, 3), (False, 0), (False, 1)]
    assert round(0.8 * 4) == 3 < HOLD_TICKS


def test_a_long_wait_does_not_play_a_burst() -> None:
    show = viewer(speed=5)
    show.advance(60)
    assert show.tally.ticks == 1


def test_pause_and_single_step() -> None:
    show = viewer()
    press(show, pygame.K_SPACE)
    show.advance(10)
    assert (show.paused, show.tally.ticks) == (True, 0)
    press(show, pygame.K_RIGHT, pygame.K_RIGHT)
    assert (show.paused, show.tally.ticks) == (True, 2)
    assert "paused" in show.status()
    press(show, pygame.K_SPACE)
    show.advance(10)
    assert (show.paused, show.tally.ticks) == (False, 3)
    press(show, pygame.K_RIGHT)  # pauses too; past the end it begins the next episode
    assert (show.paused, show.tally.ticks, show.tally.episodes) == (True, 0, 1)


def test_back_over_the_end_of_an_episode() -> None:
    show = viewer()
    press(show, *[pygame.K_RIGHT] * 5)
    assert (show.session.seed, show.tally.ticks, show.tally.episodes) == (1, 1, 1)
    press(show, pygame.K_LEFT, pygame.K_LEFT, pygame.K_LEFT)
    assert (show.session.seed, show.tally.ticks, show.tally.episodes) == (0, 2, 0)
    assert (show.tally.total, show.tally.returns) == (pytest.approx(-0.1), [])
    press(show, pygame.K_RIGHT)
    assert show.tally.returns == pytest.approx([0.85])
    press(show, *[pygame.K_LEFT] * 4)
    assert show.tally.ticks == 0
    assert show.status() == "no earlier tick is kept"


def test_speed_keys_stop_at_the_ends() -> None:
    show = viewer(speed=5)
    speeds = []
    for key in [pygame.K_UP] * 2 + [pygame.K_MINUS] * 9 + [pygame.K_KP_PLUS] * 12:
        press(show, key)
        speeds.append(show.speed)
    assert speeds[:4] == [8, 12, 8, 5]
    assert (min(speeds), speeds[10], speeds[-1]) == (1, 1, 120)


def test_next_and_again_are_not_counted_when_cut_short() -> None:
    show = viewer()
    show.tick()
    press(show, pygame.K_n)
    assert (show.session.seed, show.tally.ticks, show.tally.episodes) == (1, 0, 0)
    show.tick()
    press(show, pygame.K_a)
    assert (show.session.seed, show.tally.ticks, show.tally.total) == (1, 0, 0.0)


def test_a_seed_is_typed() -> None:
    show = viewer()
    press(show, pygame.K_s, pygame.K_3, pygame.K_KP_7, pygame.K_BACKSPACE, pygame.K_1)
    show.advance(10)
    assert show.status().startswith("seed: 31_") and show.tally.ticks == 0
    assert show.panels == set(viewer().panels)  # digits belong to the seed
    press(show, pygame.K_RETURN)
    assert (show.session.seed, show.typed) == (31, None)
    for leave in (pygame.K_ESCAPE, pygame.K_s, pygame.K_RETURN):
        press(show, pygame.K_s, leave)
        assert (show.session.seed, show.typed, show.finished) == (31, None, False)


def test_digits_switch_panels() -> None:
    show = viewer(panels=["trail"])
    for digit, name in enumerate(NAMES, start=1):
        before = set(show.panels)
        press(show, getattr(pygame, f"K_{digit}"))
        assert show.panels == before ^ {name}
        assert PANELS[digit - 1].title in show.status()
    for all_or_none in (set(NAMES), set(), set(NAMES)):  # all but one were on
        press(show, pygame.K_0)
        assert show.panels == all_or_none
    press(show, pygame.K_1, pygame.K_KP_0)
    assert show.panels == set(NAMES)


def test_help_holds_the_time_and_quit_ends() -> None:
    show = viewer()
    press(show, pygame.K_h)
    show.advance(10)
    assert (show.helping, show.tally.ticks) == (True, 0)
    press(show, pygame.K_ESCAPE)
    assert (show.helping, show.finished) == (False, False)
    press(show, pygame.K_F1, pygame.K_h, pygame.K_q)
    assert (show.helping, show.finished) == (False, True)
    other = viewer()
    press(other, pygame.K_ESCAPE)
    assert other.finished


def test_the_policy_is_told_where_episodes_start() -> None:
    show = viewer()
    for _ in range(7):
        show.tick(resting=False)
    policy: Any = show.session.controller.policy
    assert [start for start, _, _ in policy.told] == [True, False, False, True, False, False]
    assert [r for _, r, _ in policy.told] == pytest.approx([0, -0.05, -0.05, 0, -0.05, -0.05])
    assert policy.told[1][2] == {"is_success": False, "is_collision": False}


def test_status() -> None:
    show = viewer(speed=8)
    for _ in range(3):
        show.tick()
    assert show.status() == (
        "seed 0   episode 1   tick 3   return 0.85   successes 1/1   8 ticks/s   H: keys"
    )
    show.tick(resting=False)
    assert show.status().startswith("seed 1   episode 2   tick 0   return 0.00   successes 1/1")


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


def test_compose_draws_our_worlds_with_their_limit() -> None:
    env = world()
    env.reset(seed=0)
    env.step(2)
    inner: Any = env.unwrapped
    scene = inner.scene()._replace(max_ticks=100)
    room = 300 - STATUS_HEIGHT
    picture = compose(drawing_of(env), (400, 300), "status")
    assert np.array_equal(picture[:room], rendering.frame(scene, (400, room)))
    assert not np.array_equal(picture, compose(drawing_of(env), (400, 300), "status", ("a",)))


def test_foreign_envs_are_shown_by_their_own_pictures() -> None:
    env = Blink()
    show = Viewer(env, Right(), episodes=1, speed=120)
    assert first_size(env) == (432, 240 + STATUS_HEIGHT)
    show.tick()
    assert show.picture((300, 230))[100, 150].tolist() == [100, 100, 100]
    assert show.run().returns == [1.0]


class Ends(Blink):
    """Ends pygame in every step, as CartPole does when it is closed."""

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        pygame.display.quit()
        pygame.quit()
        return super().step(action)


def test_a_run_goes_on_when_another_library_ends_pygame() -> None:
    show = Viewer(Ends(), Right(), episodes=3, speed=120)
    assert show.run().returns == [1.0, 1.0, 1.0]
    assert show.window.closed


def test_a_click_before_the_window_is_closed() -> None:
    show = viewer(speed=1)
    show.window.open(300, 300)
    window = show.window._window
    pygame.event.post(pygame.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=(9, 9), window=window))
    pygame.event.post(pygame.Event(pygame.WINDOWCLOSE, window=window))
    assert show.run().episodes == 0
    assert show.window.closed and show.window.pixel((5, 6)) == (5, 6)


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match=r"speed: expected a positive number .* got 0"):
        viewer(speed=0)
    with pytest.raises(ValueError, match=r"panels: expected some of values, .* got 'colour'"):
        viewer(panels=["colour"])
    silent = gym.make("sidestep/MovingObstacles-v0")
    with pytest.raises(ValueError, match="expected render_mode 'rgb_array', got None"):
        Viewer(silent, Right())
