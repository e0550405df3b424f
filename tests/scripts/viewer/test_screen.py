"""The screen: lanes side by side, clicks, saved pictures and films, memory that does not grow."""

from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import imageio.v3 as imageio
import pygame
import pytest
from gymnasium import spaces
from PIL import Image

import sidestep.envs  # noqa: F401
from sidestep.agents import DeepSarsa, DeepSarsaConfig, NetworkConfig
from sidestep.agents.player import Player
from sidestep.scripts.viewer.panels.registry import NAMES
from sidestep.scripts.viewer.screen import Screen, Viewer

from .corridor import lanes, press, viewer


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def test_frames_and_recordings_are_saved(tmp_path: Path) -> None:
    show = viewer(folder=tmp_path, panels=["trail"])
    press(show, pygame.K_f, pygame.K_f)
    names = {"sidestep-0-0.png", "sidestep-0-0-2.png"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert imageio.imread(tmp_path / "sidestep-0-0.png").shape == (560, 800, 3)
    press(show, pygame.K_r)
    press(show, pygame.K_RIGHT, pygame.K_RIGHT, pygame.K_RIGHT)
    assert show.status().endswith("   REC")
    press(show, pygame.K_r)
    (film,) = tmp_path.glob("*.gif")
    assert imageio.imread(film, index=None, mode="RGB").shape == (4, 560, 800, 3)
    assert str(film) in show.status() and not show.camera.is_filming


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    show = viewer(folder=tmp_path / "missing")
    press(show, pygame.K_f)
    assert show.status() == "not saved: No such file or directory"
    show.advance(5)
    assert show.status().startswith("seed 0")


def test_lanes_side_by_side() -> None:
    show = lanes(5)
    assert show.chosen is None
    show.window.open(600, 430)
    show.window.paint(lambda surface: show.draw(surface, show.status()))
    for _ in range(3):
        show.tick()
    assert [s.tally.ticks for s in show.sessions] == [3] * 5
    assert show.status().startswith("5 lanes   successes 5/5")
    for _ in range(4):
        show.tick()
    assert [s.seed for s in show.sessions] == [5, 6, 7, 8, 9]


def test_a_click_enlarges_a_lane_and_another_leaves_it() -> None:
    show = lanes(5)
    show.window.open(600, 430)
    size = show.window.size
    assert size is not None
    for lane, box in enumerate(show.boxes(*size)):
        event = pygame.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=box.center)
        show.handle([event])
        assert show.chosen == lane
        assert show.status().startswith(f"seed {lane} ")
        show.handle([event])
        assert show.chosen is None
    press(show, pygame.K_TAB)
    assert show.chosen == 0
    press(show, pygame.K_ESCAPE)
    assert (show.chosen, show.finished) == (None, False)
    press(show, pygame.K_ESCAPE)
    assert show.finished


def test_lanes_that_end_in_one_tick_are_not_counted_past() -> None:
    show = lanes(5)
    show.episodes = 3
    for _ in range(9):
        show.tick()
    assert show.finished and show.tally.episodes == 5


def test_a_seed_typed_in_one_lane_is_played_there() -> None:
    show = lanes(5)
    show.chosen = 3
    press(show, pygame.K_s, pygame.K_7, pygame.K_RETURN)
    assert [s.seed for s in show.sessions] == [0, 1, 2, 7, 4]
    show.chosen = None
    press(show, pygame.K_s, pygame.K_7, pygame.K_RETURN)
    assert [s.seed for s in show.sessions] == [7, 8, 9, 10, 11]


def test_panels_of_one_lane_say_so_among_all() -> None:
    show = lanes(2)
    press(show, pygame.K_7)
    assert show.status() == "trail: off, in one lane alone: click one"


def test_a_recorded_episode_rests_once(tmp_path: Path) -> None:
    show = viewer(folder=tmp_path, panels=["trail"], speed=5)
    press(show, pygame.K_r)
    for _ in range(8):  # three to the goal, three of rest, the next episode's first two
        show.tick()
    assert show.session.seed == 1
    press(show, pygame.K_r)
    (film,) = tmp_path.glob("*.gif")
    with Image.open(film) as image:
        times = [(image.seek(k), image.info["duration"])[1] for k in range(image.n_frames)]
    assert times == [200, 200, 200, 1200, 200, 200]


@pytest.mark.parametrize("number", [0, 65])
def test_too_many_lanes(number: int) -> None:
    with pytest.raises(ValueError, match=f"lanes: expected 1 to 64, got {number}"):
        Screen([viewer().session] * number)


@pytest.mark.slow
def test_ten_thousand_frames_without_growth() -> None:
    """What is kept has a bound: sessions remember so many ticks, drawing caches so many sprites."""
    import tracemalloc

    env = gym.make("sidestep/Glimpse-v0", render_mode="rgb_array")
    config = DeepSarsaConfig(network=NetworkConfig((7,), "gru", 5))
    agent = DeepSarsa(env.observation_space, spaces.Discrete(5), config)
    show = Viewer(env, Player(agent, greedy=False), seed=0, panels=NAMES)
    surface = pygame.Surface((160, 120))
    sizes = []
    tracemalloc.start()
    for frame in range(10_000):
        if frame % 8 == 0:
            show.tick(resting=False)
        show.draw(surface, show.status()) if frame % 4 == 0 else show.advance(0)
        if frame in (5_999, 9_999):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] < 1.1 * sizes[0] + 200_000, sizes
