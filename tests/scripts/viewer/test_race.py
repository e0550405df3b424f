"""`sidestep play --against`: the same episode for both, the verdict, the pictures; replays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from sidestep.agents import EnvConfig
from sidestep.envs.drawing.board import Window
from sidestep.scripts import play, train, watch
from sidestep.scripts.play import make_env
from sidestep.scripts.viewer.game import Game
from sidestep.scripts.viewer.race import is_across, race_size, rival_of, verdict
from sidestep.scripts.viewer.replay import Replay
from sidestep.scripts.viewer.replay_session import ReplaySession
from sidestep.scripts.viewer.screen import Screen

OPEN = EnvConfig(kwargs=("level='...\\n.S.\\n..G'",))
DOWN, RIGHT, SPACE = pygame.K_DOWN, pygame.K_RIGHT, pygame.K_SPACE


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def press(game: Game, *keys: int) -> None:
    for key in keys:
        game.handle([pygame.Event(pygame.KEYDOWN, key=key), pygame.Event(pygame.KEYUP, key=key)])


def race(config: EnvConfig, **options: Any) -> Game:
    return Game(make_env(config), seed=5, rival=rival_of("optimum", config), **options)


def test_a_race_is_won_drawn_and_lost() -> None:
    game = race(OPEN, turns=True)
    rival = game.rival
    assert rival is not None
    press(game, DOWN)
    assert rival.tally.ticks == 1 and not game.is_decided
    press(game, RIGHT)
    assert game.is_decided
    assert game.status() == (
        "Goal! A draw with the optimum, 0.90 each.   0 won, 1 drawn, 0 lost   space: next"
    )
    press(game, SPACE, SPACE, SPACE)
    assert rival.tally.over and not game.tally.over and rival.tally.ticks == 2
    press(game, DOWN, RIGHT)
    words = "the optimum beats you by 0.10 (0.80 to 0.90)."
    assert words in game.status() and "0 won, 1 drawn, 1 lost" in game.status()
    assert rival.tally.episodes == 2


def test_who_is_there_first_waits_or_skips() -> None:
    config = EnvConfig(kwargs=("level='S.v.G'", "random_starts=False"), max_episode_steps=7)
    game = race(config, turns=True, fps=4)
    rival = game.rival
    assert rival is not None
    press(game, RIGHT, RIGHT)  # into the patrol, which turns on its one cell
    assert game.tally.over and not game.is_decided
    assert game.status() == "Hit!   the optimum plays on, tick 2   space: to its end"
    press(game, DOWN)  # no key but space does anything now
    game.advance(0.01)
    assert rival.tally.ticks == 3
    game.advance(0.2)
    assert rival.tally.ticks == 3
    game.advance(0.06)
    assert rival.tally.ticks == 4 and game.score.lost == 0
    press(game, SPACE)
    assert game.is_decided and rival.tally.ticks == 7 and game.score.words().endswith("1 lost")
    game.advance(9)
    assert game.score.lost == 1
    press(game, SPACE)
    assert game.seed == 6 and not game.tally.over and not rival.tally.over


def test_both_play_the_same_episode() -> None:
    config = EnvConfig("sidestep/Crossing-v0", ("split='test'",))
    game = race(config, turns=True)
    rival = game.rival
    assert rival is not None
    for _ in range(3):
        mine: Any = game.env.unwrapped
        theirs: Any = rival.env.unwrapped
        assert mine.level == theirs.level
        press(game, SPACE)
        if not game.tally.over:
            assert mine.scene().obstacles == theirs.scene().obstacles
        press(game, pygame.K_r)
    assert game.score.words() == "0 won, 0 drawn, 0 lost"


def test_verdicts() -> None:
    assert verdict(0.6, 0.5, "gru") == "You beat gru by 0.10 (0.60 to 0.50)."
    assert verdict(-1.05, 0.6, "gru") == "gru beats you by 1.65 (-1.05 to 0.60)."
    assert verdict(0.1 + 0.2, 0.3, "gru") == "A draw with gru, 0.30 each."


def test_the_picture_shows_both() -> None:
    game = race(OPEN, turns=True)
    rival = game.rival
    assert rival is not None
    before = game.draw(640, 320)
    assert before.shape == (320, 640, 3)
    assert np.array_equal(before[40:, :320], before[40:, 320:])  # the same world, below captions
    press(game, DOWN)  # the optimum goes down first too
    rival.tick()  # one tick ahead
    after = game.draw(640, 320)
    assert not np.array_equal(after[40:, :320], after[40:, 320:])
    game.window.open(*race_size(game.env))
    game.show()


def test_wide_worlds_are_shown_one_below_the_other() -> None:
    wide = make_env(EnvConfig(kwargs=("level='S....>.....G'",)))
    square = make_env(EnvConfig())
    for env, across in ((wide, False), (square, True)):
        env.reset(seed=0)
        world: Any = env.unwrapped
        assert is_across(world.level, *race_size(env)) is across


def test_against_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    run = tmp_path / "run"
    train.main(
        "deep-sarsa --total-steps 2000 --episodes 5 --gif-episodes 0".split()
        + f"--out {run} --env-kwargs hide=['phase']".split()
        + ["level=...\n.S.\n..G"]
    )
    capsys.readouterr()
    keys = iter([RIGHT, DOWN, SPACE, SPACE, pygame.K_q])
    monkeypatch.setattr(
        Window, "events", lambda self: [pygame.Event(pygame.KEYDOWN, key=next(keys))]
    )
    out = tmp_path / "game.json"
    args = ["--against", str(run), "--turns", "--seed", "3", "--out", str(out)]
    play.main(args)
    printed = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 episodes reached the goal" in printed and "Against run: " in printed
    replay = Replay.load(out)
    world = {"hide": ["phase"], "level": "...\n.S.\n..G"}  # the run's own
    assert replay.env.keywords() == world
    assert [(e.seed, e.actions) for e in replay.episodes] == [(3, (2, 1))]
    with pytest.raises(SystemExit):
        play.main([*args, "--level", "rooms"])
    error = capsys.readouterr().err  # not the bounds of every element, twice
    assert "expected a run trained on what this world shows, float32 (" in error
    assert "Box" not in error and len(error) < 300


def test_showing_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game = Game(make_env(OPEN), seed=5, turns=True)
    press(game, DOWN, RIGHT, SPACE, SPACE, DOWN, RIGHT)
    path = tmp_path / "x.json"
    Replay(OPEN, "a person", tuple(game.played)).save(path)
    replay = Replay.load(path)
    env = replay.make_env("rgb_array")
    session = ReplaySession(env, replay)
    seen = []
    for _ in range(3):
        while not session.tally.over:
            session.tick()
        seen.append((session.seed, session.tally.ticks, round(session.tally.total, 2)))
        session.begin()
    assert seen == [(5, 2, 0.9), (6, 3, 0.85), (5, 2, 0.9)]
    assert session.tally.episodes == 1  # the score begins anew with the replay
    session.begin(99)
    assert session.seed == 5
    session.tick()
    assert session.back() and session.now.tick == 0
    shown: list[str] = []

    def closing(self: Window) -> list[Any]:
        shown.append(self.title)
        return [pygame.Event(pygame.KEYDOWN, key=pygame.K_q)]

    monkeypatch.setattr(Window, "events", closing)
    play.main(["--replay", str(path)])
    assert shown == [f"sidestep play: {path} (a person)"]


def test_a_replay_ends_and_counts_each_episode_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One episode was played round and round, and the score was 4 of 4, or 0/4 for a failure."""
    game = Game(make_env(OPEN), seed=5, turns=True)
    press(game, DOWN, RIGHT)
    path = tmp_path / "x.json"
    Replay(OPEN, "a person", tuple(game.played)).save(path)
    replay = Replay.load(path)
    show = Screen([ReplaySession(replay.make_env("rgb_array"), replay)], speed=10)
    for _ in range(20):
        show.advance(0.1)
    assert (show.session.tally.episodes, show.session.tally.successes) == (1, 1)
    assert show.session.tally.over and show.paused and "the end of the replay" in show.status()
    for key, ticks in ((pygame.K_a, 0), (pygame.K_RIGHT, 1), (pygame.K_RIGHT, 2)):
        show.handle([pygame.Event(pygame.KEYDOWN, key=key)])
        assert show.session.tally.ticks == ticks
    assert (show.session.tally.episodes, show.session.tally.successes) == (1, 1)
    show.handle([pygame.Event(pygame.KEYDOWN, key=pygame.K_n)])
    assert (show.session.tally.episodes, show.session.seed) == (0, 5)
    watch.main([str(path), "--episodes", "7", "--fps", "1000"])  # there are no seven
    assert capsys.readouterr().out == "1 successes in 1 episodes, mean return 0.90\n"
