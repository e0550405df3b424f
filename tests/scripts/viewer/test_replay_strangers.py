"""Replays of strangers: nothing is imported, no other file is read, and all ends in seconds."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents import EnvConfig
from sidestep.agents.environments import TRAINING_LEVELS
from sidestep.scripts import play, watch
from sidestep.scripts.viewer import replay as replays
from sidestep.scripts.viewer.replay import Replay, ReplayEpisode, level_in, portable


def one_of(config: EnvConfig) -> Replay:
    """A person who waits until time is up."""
    env = Replay(config, "", ()).make_env()
    env.reset(seed=3)
    level, actions, total, over = level_in(env), list[int](), 0.0, False
    info: dict[str, Any] = {}
    while not over:
        actions.append(4)
        _, reward, terminated, truncated, info = env.step(4)
        total, over = total + float(reward), terminated or truncated
    env.close()
    episode = ReplayEpisode(3, level, tuple(actions), total, bool(info["is_success"]))
    return Replay(config, "a person", (episode,))


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    replay = one_of(EnvConfig(max_episode_steps=6))
    env = {"id": replay.env.id, "kwargs": [], "max_episode_steps": 6}
    episode = {**vars(replay.episodes[0]), "actions": list(replay.episodes[0].actions)}
    return {"format": "sidestep replay", "version": 1, "env": env, "player": "", "episodes": [
        episode]}  # fmt: skip


def refused(path: Path) -> str:
    with pytest.raises(ValueError, match="expected") as caught:
        Replay.load(path)
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["this:", "antigravity:", "replay_stranger:", "sidestep.envs:"])
def test_no_id_names_a_module(
    prefix: str, record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "replay_stranger.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    env = {**record["env"], "id": prefix + record["env"]["id"]}
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**record, "env": env}))
    before = set(sys.modules)
    assert "env: expected a world of this package, got" in refused(path)
    for command, words in ((watch.main, [path]), (play.main, ["--replay", path])):
        with pytest.raises(SystemExit) as caught:
            command([str(word) for word in words])
        assert caught.value.code == 2
        assert "expected a world of this package" in capsys.readouterr().err
    assert prefix.rstrip(":") not in set(sys.modules) - before


KEYWORDS: dict[str, tuple[list[str], str]] = {
    "path": (["level=/etc/hostname"], "expected maps as text, got a path, '/etc/hostname'"),
    "file": (["level='map.txt'"], "expected maps as text, got a path"),
    "above": (["level=../map"], "expected maps as text, got a path"),
    "backslash": ([r"level='..\\map'"], "expected maps as text, got a path"),
    "list": (["levels=['three-rows', 'x/y']"], "expected maps as text, got a path"),
    "dict": (["pool={'a/b': 3}"], "expected maps as text, got a path"),
    "pool": (
        ["pool={'count': 10001}"],
        "expected a pool of at most 10,000 levels of 12x12 cells or as much work, got 10,001 of",
    ),
    "wide pool": (["pool={'width': 100, 'height': 100, 'count': 18}"], "got 18 of 100x100"),
    "odd pool": (["pool={'count': '9'}"], "pool count: expected an integer from 1 to 100000"),
    "maps": ([f"levels={['S' + '.' * 998 + 'G'] * 101}"], "at most 100,000 cells of maps"),
    "minus": (["level=" + "-" * 100_000 + "1"], "expected"),
    "nested": (["level=" + "[" * 5000], "expected"),
}


@pytest.mark.parametrize(("kwargs", "words"), KEYWORDS.values(), ids=KEYWORDS)
def test_keywords_name_no_files_and_are_few(
    kwargs: list[str], words: str, record: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**record, "env": {**record["env"], "kwargs": kwargs}}))
    assert words in refused(path)


@pytest.mark.parametrize("kwargs", [(), (f"pool={{'count': {TRAINING_LEVELS}}}",)])
def test_pools_of_the_id_and_of_training_are_within_the_limits(
    kwargs: tuple[str, ...], tmp_path: Path
) -> None:
    replay = one_of(EnvConfig("sidestep/Crossing-v0", kwargs, max_episode_steps=5))
    replay.save(tmp_path / "x.json")
    assert Replay.load(tmp_path / "x.json") == replay


def test_pipes_devices_and_giants_are_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    with (tmp_path / "giant.json").open("wb") as file:
        file.truncate(300 * 2**20)
    assert "expected a regular file, got a named pipe" in refused(tmp_path / "pipe.json")
    assert "expected a regular file, got a device" in refused(tmp_path / "zero.json")
    assert "expected at most 4,194,304 bytes" in refused(tmp_path / "giant.json")


NUMBERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a total that is no number": lambda r: r["episodes"][0].update(total=float("nan")),
    "an infinite total": lambda r: r["episodes"][0].update(total=float("inf")),
    "a giant total": lambda r: r["episodes"][0].update(total=10**400),
    "a true total": lambda r: r["episodes"][0].update(total=True),
    "a giant limit": lambda r: r["env"].update(max_episode_steps=10**30),
    "a true limit": lambda r: r["env"].update(max_episode_steps=True),
    "a giant version": lambda r: r.update(version=10**30),
    "a surrogate": lambda r: r["env"].update(kwargs=["level='\ud800'"]),
    "a zero byte": lambda r: r["env"].update(kwargs=["level='S\0G'"]),
}


@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_are_none(
    change: Callable[[dict[str, Any]], Any], record: dict[str, Any], tmp_path: Path
) -> None:
    copy = json.loads(json.dumps(record))
    change(copy)
    (tmp_path / "x.json").write_text(json.dumps(copy))
    refused(tmp_path / "x.json")


def test_more_than_can_be_played_again_is_refused(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(record))
    assert len(Replay.load(path).episodes) == 1
    monkeypatch.setattr(replays, "MOST_TICKS", 5)
    assert "actions: expected at most 5 in all, got 6" in refused(path)
    monkeypatch.setattr(replays, "MOST_EPISODES", 0)
    assert "episodes: expected at most 0, got 1" in refused(path)


def test_what_is_written_holds_maps_and_plain_ids(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("S.>\n..G\n")
    words = (f"level='{file}'", "step_reward=-0.5")
    config = EnvConfig("sidestep.envs:sidestep/MovingObstacles-v0", words)
    told = portable(config)
    assert told.id == "sidestep/MovingObstacles-v0"
    assert told.keywords() == {"level": "S.>\n..G", "step_reward": -0.5}
    many = portable(EnvConfig(kwargs=(f"levels=['{file}', 'three-rows']",)))
    assert many.keywords()["levels"][0] == "S.>\n..G" and "/" not in many.kwargs[0]
    with pytest.raises(ValueError, match="expected a plain sidestep/ id for a replay"):
        portable(EnvConfig("my:sidestep/MovingObstacles-v0"))
