"""Replay files: they come back as they were, and what is not true is refused."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v2 as imageio
import pygame
import pytest

from sidestep.agents import EnvConfig
from sidestep.envs import solve_levels
from sidestep.scripts import record, watch
from sidestep.scripts.viewer.replay import Replay, ReplayEpisode, ReplayPolicy, level_in

CROSSING = EnvConfig("sidestep/Crossing-v0", ("split='test'",))


def played(config: EnvConfig, seeds: tuple[int, ...]) -> Replay:
    """What the optimum does."""
    env = Replay(config, "", ()).make_env()
    player = solve_levels(env, seeds=[0]).player(env)
    episodes = []
    for seed in seeds:
        obs, _ = env.reset(seed=seed)
        level, actions, total, over = level_in(env), list[int](), 0.0, False
        info: dict[str, Any] = {}
        while not over:
            actions.append(player.act(obs, not actions))
            obs, reward, terminated, truncated, info = env.step(actions[-1])
            total, over = total + float(reward), terminated or truncated
        success = info["is_success"]
        episodes.append(ReplayEpisode(seed, level, tuple(actions), total, success))
    env.close()
    return Replay(config, "the optimum", tuple(episodes))


@pytest.fixture(scope="module")
def replay() -> Replay:
    return played(EnvConfig(), (7, 3, 11))


def test_files_come_back_as_they_were(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    replay.save(path)
    assert Replay.load(path) == replay
    assert path.stat().st_size < 1000
    assert list(tmp_path.iterdir()) == [path]


def test_worlds_of_several_levels_and_limits(tmp_path: Path) -> None:
    for config in (CROSSING, EnvConfig(kwargs=("level='S.>?\\n..#G'",), max_episode_steps=5)):
        one = played(config, (0, 5))
        one.save(tmp_path / "x.json")
        assert Replay.load(tmp_path / "x.json") == one
    assert one.episodes[0].level == "S.>?\n..#G"


def test_policy_plays_what_was_played(replay: Replay) -> None:
    env = replay.make_env()
    policy = ReplayPolicy(replay, env)
    for episode in (replay.episodes[2], replay.episodes[0]):
        obs, info = env.reset(seed=episode.seed)
        total, over, reward, first = 0.0, False, 0.0, True
        while not over:
            state = policy.get_state()
            action = policy.act(obs, first, reward, info)
            if not first:
                policy.set_state(state)
                assert policy.act(obs, False, reward, info) == action
            obs, gained, terminated, truncated, info = env.step(action)
            reward, over, first = float(gained), terminated or truncated, False
            total += reward
        assert total == episode.total
    with pytest.raises(KeyError):
        env.reset(seed=4)
        policy.act(None, True, 0.0, {})


def changed(record: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    """A copy of a file's record with one value replaced."""
    copy = json.loads(json.dumps(record))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return dict(copy)


WRONG: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "format": (
        ("format",),
        "another",
        "expected a file with format 'sidestep replay', got another",
    ),
    "version": (("version",), 2, "version: expected 1, got 2"),
    "unknown field": (("author",), "me", "file: expected env, episodes, format, player, version"),
    "player": (("player",), 3, "file player: expected str, got int"),
    "id": (
        ("env", "id"),
        "CartPole-v1",
        "env: expected a world of this package, got 'CartPole-v1'",
    ),
    "no id": (("env", "id"), "sidestep/Nowhere-v0", "Nowhere"),
    "kwargs": (("env", "kwargs"), [3], "env kwargs: expected words of name=value"),
    "keyword": (("env", "kwargs"), ["colour=3"], "keyword: expected one of"),
    "limit": (("env", "max_episode_steps"), "9", "max_episode_steps: expected int or NoneType"),
    "no episodes": (("episodes",), [], "episodes: expected at least one, got none"),
    "episode": (
        ("episodes", 1),
        5,
        "episode 1: expected actions, level, seed, success, total, got 5",
    ),
    "seed": (("episodes", 0, "seed"), -1, "episode 0 seed: expected 0 to 2^64 - 1, got -1"),
    "same seed": (("episodes", 0, "seed"), 3, "seeds: expected each once, got [3, 3, 11]"),
    "no actions": (("episodes", 0, "actions"), [], "episode 0 actions: expected at least one"),
    "action": (("episodes", 2, "actions", 4), 5, "episode 2, action 4: expected 0 to 4, got 5"),
    "no action": (("episodes", 2, "actions", 4), True, "action 4: expected 0 to 4, got True"),
    "half": (("episodes", 0, "actions"), [1], "actions to its end, got 1 and it goes on"),
    "level": (("episodes", 1, "level"), "S.G", "episode 1 (seed 3): expected the map that is writ"),
    "total": (("episodes", 1, "total"), 0.7, "episode 1 (seed 3): expected return 0.7 at the goal"),
    "success": (
        ("episodes", 1, "success"),
        False,
        "expected return 0.6, got return 0.6 at the goal",
    ),
    "other world": (("env", "kwargs"), ["step_reward=-0.1"], "when it was played again"),
}


@pytest.mark.parametrize(("place", "value", "words"), WRONG.values(), ids=WRONG)
def test_what_is_not_true_is_refused(
    replay: Replay, tmp_path: Path, place: tuple[Any, ...], value: Any, words: str
) -> None:
    path = tmp_path / "x.json"
    replay.save(path)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(changed(record, *place, to=value)))
    with pytest.raises(ValueError) as caught:
        Replay.load(path)
    assert str(caught.value).startswith(f"replay {path}: ") and words in str(caught.value)


def test_actions_after_the_end(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    replay.save(path)
    record = json.loads(path.read_text())
    record["episodes"][0]["actions"] += [4, 4]
    path.write_text(json.dumps(record))
    number = len(replay.episodes[0].actions)
    words = rf"expected {number} actions, after which it is over, got {number + 2}"
    with pytest.raises(ValueError, match=words):
        Replay.load(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b"[" * 100_000, b'{"a": NaN}'])
def test_files_that_are_no_replay(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.json: expected"):
        Replay.load(path)
    with pytest.raises(FileNotFoundError):
        Replay.load(tmp_path / "none.json")


def test_foreign_worlds_have_no_replays() -> None:
    with pytest.raises(ValueError, match="expected a world of this package, got 'CartPole-v1'"):
        Replay(EnvConfig("CartPole-v1"), "", ()).make_env()
    assert isinstance(Replay(EnvConfig(), "", ()).make_env(), gym.Env)


def test_replays_are_recorded_and_watched(
    replay: Replay,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    path, film = tmp_path / "x.json", tmp_path / "x.gif"
    replay.save(path)
    record.main([str(path), "--out", str(film), "--size", "160x120", "--episodes", "2"])
    said = capsys.readouterr().out
    assert "seeds 7 and 3" in said or "seeds 7, 3" in said, said
    frames = imageio.mimread(film)
    ticks = sum(len(episode.actions) for episode in replay.episodes[:2])
    assert len(frames) >= ticks + 2  # one before each first tick
    watch.main([str(path), "--fps", "1000", "--episodes", "3"])
    assert "3 successes in 3 episodes" in capsys.readouterr().out
    pygame.display.quit()
