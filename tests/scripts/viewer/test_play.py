"""`sidestep play`: every key, both paces, the score, and wrong input."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pygame
import pytest

from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.drawing.board import Window
from sidestep.scripts import play, watch
from sidestep.scripts.play import Options, make_env
from sidestep.scripts.viewer import env_pictures
from sidestep.scripts.viewer.game import Game
from sidestep.scripts.viewer.race import Rival

ARROWS = {pygame.K_UP: 0, pygame.K_DOWN: 1, pygame.K_RIGHT: 2, pygame.K_LEFT: 3}
LETTERS = {pygame.K_w: 0, pygame.K_s: 1, pygame.K_d: 2, pygame.K_a: 3}


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "map.txt"
    path.write_text("...\n.S.\n..G\n")
    return path


def game(path: Path, rival: Rival | None = None, **options: Any) -> Game:
    return Game(make_env(Options(level=str(path)).world()), seed=1, rival=rival, **options)


def place(played: Game) -> tuple[int, int]:
    world: Any = played.env.unwrapped
    return tuple(world.scene().agent)


def down(key: int) -> pygame.Event:
    return pygame.Event(pygame.KEYDOWN, key=key)


def up(key: int) -> pygame.Event:
    return pygame.Event(pygame.KEYUP, key=key)


MOVES = {0: (1, 0), 1: (1, 2), 2: (2, 1), 3: (0, 1), 4: (1, 1)}


@pytest.mark.parametrize(("key", "action"), [*ARROWS.items(), *LETTERS.items(), (32, 4)])
def test_moves(map_file: Path, key: int, action: int) -> None:
    played = game(map_file, turns=True)
    played.handle([down(key), up(key)])
    assert (place(played), played.tally.ticks) == (MOVES[action], 1)


def test_turn_by_turn_waits_for_keys(map_file: Path) -> None:
    played = game(map_file, turns=True)
    played.handle([down(pygame.K_LEFT)])
    played.advance(100)
    assert played.tally.ticks == 1


def test_real_time(map_file: Path) -> None:
    played = game(map_file, fps=4)
    played.advance(100)
    assert played.tally.ticks == 0  # nothing moves before the first key
    played.handle([down(pygame.K_LEFT), up(pygame.K_LEFT)])
    played.advance(0.01)
    assert (place(played), played.tally.ticks) == ((0, 1), 1)
    played.advance(0.24)
    assert played.tally.ticks == 1
    played.advance(0.02)
    assert (place(played), played.tally.ticks) == ((0, 1), 2)  # no key: stays


def test_real_time_plays_the_last_key_pressed_then_the_one_held(map_file: Path) -> None:
    played = game(map_file, fps=4)
    played.handle([down(pygame.K_UP)])
    played.advance(0.01)
    assert place(played) == (1, 0)
    played.handle([down(pygame.K_RIGHT), up(pygame.K_RIGHT), down(pygame.K_LEFT)])
    played.handle([up(pygame.K_LEFT)])
    played.advance(0.25)
    assert place(played) == (0, 0)  # the last one pressed
    played.handle([up(pygame.K_UP), down(pygame.K_DOWN)])
    played.advance(0.25)
    played.advance(0.25)
    assert place(played) == (0, 2)  # still held
    played.handle([up(pygame.K_DOWN), down(pygame.K_UP), up(pygame.K_UP)])
    played.advance(0.25)
    played.advance(0.25)
    assert place(played) == (0, 1)


def test_goal_score_and_next_episode(map_file: Path) -> None:
    played = game(map_file, turns=True)
    played.handle([down(pygame.K_RIGHT)])
    assert played.status() == "episode 1   tick 1   return -0.05   successes 0/0   H: keys"
    played.handle([down(pygame.K_DOWN)])
    assert played.status() == "Goal!   return 0.90   successes 1/1   space: next episode"
    played.handle([down(pygame.K_DOWN)])  # arrows do not rush past the last picture
    assert played.tally.over
    played.handle([down(pygame.K_SPACE)])
    assert (place(played), played.tally.ticks, played.tally.over) == ((1, 1), 0, False)
    assert played.status().startswith("episode 2   tick 0")
    assert [(e.seed, e.actions, e.success) for e in played.played] == [(1, (2, 1), True)]
    assert (played.seed, played.played[0].level) == (2, "...\n.S.\n..G")


def test_hit(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text("S>#\n..G\n")
    played = game(path, turns=True)
    while not played.tally.over:
        played.handle([down(pygame.K_RIGHT)])
    assert played.status().startswith("Hit!   return")
    assert (played.tally.successes, played.tally.episodes) == (0, 1)


def test_time_limit(map_file: Path) -> None:
    played = game(map_file, turns=True)
    played.handle([down(pygame.K_SPACE)] * 100)
    assert played.tally.ticks == 100
    assert played.status() == "Time is up.   return -5.00   successes 0/1   space: next episode"


def test_restart_is_not_counted(map_file: Path) -> None:
    played = game(map_file, turns=True)
    played.handle([down(pygame.K_UP), down(pygame.K_r)])
    assert (place(played), played.tally.ticks, played.tally.episodes) == ((1, 1), 0, 0)
    assert (played.played, played.seed) == ([], 2)


@pytest.mark.parametrize("key", [pygame.K_q, pygame.K_ESCAPE])
def test_quit(map_file: Path, key: int) -> None:
    played = game(map_file)
    played.handle([down(key)])
    assert played.finished
    assert played.run().episodes == 0
    assert played.window.closed


def test_help_holds_the_time(map_file: Path) -> None:
    played = game(map_file)
    played.handle([down(pygame.K_UP), down(pygame.K_h), down(pygame.K_UP)])
    played.advance(100)
    assert (played.helping, played.tally.ticks) == (True, 0)
    played.handle([down(pygame.K_h)])
    played.advance(0.01)
    assert (played.helping, played.tally.ticks) == (False, 1)


def test_the_command(
    map_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = iter([pygame.K_RIGHT, pygame.K_DOWN, pygame.K_SPACE, pygame.K_RIGHT, pygame.K_q])
    monkeypatch.setattr(Window, "events", lambda self: [down(next(keys))])
    play.main(["--level", str(map_file), "--turns", "--seed", "3"])
    assert capsys.readouterr().out == "1 of 1 episodes reached the goal, mean return 0.90\n"


@pytest.mark.parametrize("words", [["--turns"], ["--against", "optimum"], []])
def test_kernels_are_compiled_before_the_window_opens(
    words: list[str], map_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cold cache the window froze for seconds at the first key."""
    order: list[str] = []
    step, opened = MovingObstaclesEnv.step, Window.open

    def noted_step(env: MovingObstaclesEnv, action: Any) -> Any:
        order.append("step")
        return step(env, action)

    def noted_open(window: Window, width: int, height: int) -> None:
        order.append("open")
        opened(window, width, height)

    monkeypatch.setattr(MovingObstaclesEnv, "step", noted_step)
    monkeypatch.setattr(Window, "open", noted_open)
    monkeypatch.setattr(Window, "events", lambda self: [down(pygame.K_q)])
    play.main(["--level", str(map_file), *words])
    assert order[:2] == ["step", "open"]
    order.clear()
    watch.main(["--optimum", "--env-kwargs", "level=S..G"])
    assert order[:2] == ["step", "open"]


def test_what_takes_long_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(env_pictures, "NOTICE_SECONDS", 0.0)
    env, plain = (
        gym.make("sidestep/MovingObstacles-v0", disable_env_checker=True) for _ in range(2)
    )
    slow = env.unwrapped.reset

    def reset(**options: Any) -> Any:
        time.sleep(0.3)
        return slow(**options)

    monkeypatch.setattr(env.unwrapped, "reset", reset)
    env_pictures.warm_up(env)
    assert capsys.readouterr().err == "Compiling the world, once for this version ...\n"
    for one in (env, plain):  # what comes then is as if nothing had been
        one.reset(seed=5)
    assert np.array_equal(env.step(2)[0], plain.step(2)[0])


def test_episodes_end_the_command(
    map_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = iter([pygame.K_RIGHT, pygame.K_DOWN, pygame.K_SPACE])
    monkeypatch.setattr(Window, "events", lambda self: [down(next(keys))])
    play.main(["--level", str(map_file), "--turns", "--episodes", "1"])
    assert "1 of 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--env", "CartPole-v1"], "env: expected one of this package's worlds, got CartPole-v1"),
        (["--env", "sidestep/Nowhere-v0"], "Nowhere"),
        (
            ["--level", "no-such-file"],
            "level: expected a map, the path of a file or one of three-rows",
        ),
        (["--level", "no/such.txt"], "level: expected a file, got 'no/such.txt'"),
        (["--env-kwargs", "split=west"], "split: expected train or test, got 'west'"),
        (["--out", "x.txt"], "out: expected a name ending in .json, got x.txt"),
        (["--out", "nowhere/x.json"], "out: expected a folder that is there, got nowhere"),
        (
            ["--replay", "x.json", "--level", "rooms"],
            "replay: expected no flag but --fps beside it",
        ),
        (["--replay", "x.json", "--turns"], "replay: expected no flag but --fps beside it"),
        (["--seed", str(2**63)], "seed: expected 0 to less than 2^63"),
        (["--replay", "no-such.json"], "no-such.json"),
        (["--against", "no-such-run"], "no-such-run"),
    ],
)
def test_wrong_input(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stop:
        play.main(args)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith("sidestep play: ") and error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize("content", [b"S..\n...\n", b"\xff\xfe\x00"])
def test_malformed_maps(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        play.main(["--level", str(path)])
    assert stop.value.code == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["--fps", "0"], ["--episodes", "0"], ["--seed", "-1"]])
def test_wrong_flags(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        play.main(args)
    assert stop.value.code == 2
    assert "expected" in capsys.readouterr().err
