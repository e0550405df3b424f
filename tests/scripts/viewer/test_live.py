"""`sidestep train --watch`: the window sees the latest policy, and training never notices it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygame
import pytest
import torch

from sidestep.agents import DeepSarsaConfig, EnvConfig, RunConfig, TrainingConfig
from sidestep.agents.runs import build_agent, create_run, read_config
from sidestep.scripts import train
from sidestep.scripts.viewer import live, live_window
from sidestep.scripts.viewer.live import LiveFeed, LiveReader, policy_of
from sidestep.scripts.viewer.live_window import LiveScreen
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

SMALL = ["--total-steps", "20000", "--episodes", "7", "--gif-episodes", "0", "--seed", "3"]


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    learner = DeepSarsaConfig(normalize_observations=True)
    create_run(folder, RunConfig("deep-sarsa", EnvConfig(), learner, TrainingConfig()))
    return folder


def waiting(*words: str) -> list[str]:
    """A process in the window's place: Python with these lines."""
    return [sys.executable, "-c", "; ".join(words)]


def trained(folder: Path, *more: str) -> dict[str, torch.Tensor]:
    train.main(["deep-sarsa", "--memory", "gru", "--out", str(folder), *SMALL, *more])
    return load_checkpoint(latest_checkpoint(folder))[0]


def steps_and_figures(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    timed = ("seconds", "steps_per_second")
    return [{k: v for k, v in json.loads(x).items() if k not in timed} for x in lines]


@pytest.mark.slow
def test_the_same_weights_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.01)
    feeds: list[LiveFeed] = []

    def feed_of(folder: Path, watch: bool) -> LiveFeed:
        assert watch
        feeds.append(LiveFeed(folder, every=0.01))
        return feeds[0]

    alone = trained(tmp_path / "alone")
    monkeypatch.setattr(train, "feed_of", feed_of)
    watched = trained(tmp_path / "watched", "--watch")
    assert alone.keys() == watched.keys()
    for name, tensor in alone.items():
        assert torch.equal(tensor, watched[name]), name
    assert steps_and_figures(tmp_path / "alone") == steps_and_figures(tmp_path / "watched")
    assert feeds[0].written > 3 and feeds[0].window.returncode is not None
    assert not feeds[0].path.parent.exists()
    files = [{p.name for p in (tmp_path / n).iterdir()} for n in ("alone", "watched")]
    assert files[0] == files[1]
    assert "window" not in capsys.readouterr().out.lower().replace("windowattention", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pass"], "The window is closed; training goes on."),
        (["import os", "os._exit(7)"], "The window ended (exit code 7); training goes on."),
        (["raise OSError('no screen')"], "The window ended (OSError: no screen); training goes on"),
    ],
)
def test_a_window_that_ends_does_not_stop_training(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    def ended(run: Path, policy: Path) -> list[str]:
        subprocess.run(waiting("pass"), check=True)
        return waiting(*words)

    monkeypatch.setattr(live, "window_command", ended)
    monkeypatch.setattr(live.LiveFeed, "offer", patient(live.LiveFeed.offer))
    trained(tmp_path / "run", "--watch")
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("training goes on") == 1 and said in printed
    assert "7 episodes" in printed


def patient(offer: Any) -> Any:
    """`offer`, but the first one comes when the window has ended."""

    def later(self: LiveFeed, *args: Any, **kwargs: Any) -> Any:
        self.window.wait(20)
        return offer(self, *args, **kwargs)

    return later


def test_a_window_that_hangs_is_ended(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(
        live, "window_command", lambda run, path: waiting("import time", "time.sleep(60)")
    )
    with LiveFeed(run) as feed:
        pass
    assert feed.window.returncode not in (0, None)


def test_policies_are_written_a_few_times_a_second(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        live, "window_command", lambda run, path: waiting("import sys", "sys.stdin.read()")
    )
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    agent = build_agent(read_config(run), seed=1)
    with LiveFeed(run, every=0.5) as feed:
        reader = LiveReader(feed.path)
        assert reader.news() is None
        for _ in range(3):
            assert feed.offer(agent) is None
        assert feed.written == 1 and reader.news() is not None and reader.news() is None
        now += 0.49
        feed.offer(agent)
        assert feed.written == 1
        now += 0.02
        feed.offer(agent)
        feed.offer(agent, last=True)
        assert feed.written == 3

        def slow(agent: Any) -> None:
            nonlocal now
            now += 0.1
            feed.written += 1

        monkeypatch.setattr(feed, "_write", slow)
        feed.offer(agent, last=True)
        now += 2.95
        feed.offer(agent)
        assert feed.written == 4
        now += 0.1
        feed.offer(agent)
        assert feed.written == 5
        assert [p.name for p in feed.path.parent.iterdir() if p.suffix] == ["policy.safetensors"]
    assert reader.news() is None


def test_what_cannot_be_written_does_not_stop_training(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        live, "window_command", lambda run, path: waiting("import sys", "sys.stdin.read()")
    )
    agent = build_agent(read_config(run), seed=1)
    with LiveFeed(run) as feed:
        feed.path = feed.path.parent / "gone" / "policy.safetensors"
        words = feed.offer(agent)
        assert words is not None and "No such file or directory" in words
        assert feed.offer(agent, last=True) is None


def test_a_policy_is_all_that_acting_needs_and_shares_no_memory(run: Path) -> None:
    config = read_config(run)
    agent, other = build_agent(config, seed=1), build_agent(config, seed=2)
    agent.encoder.moments.add(torch.arange(30.0).reshape(2, 15))
    agent.steps = 11
    policy = policy_of(agent)
    before = {name: tensor.clone() for name, tensor in policy.items()}
    with torch.no_grad():
        agent.flat.add_(1.0)
    assert all(torch.equal(policy[name], before[name]) for name in policy)
    other.load_state_dict(policy, learning=False)
    with torch.no_grad():
        agent.flat.sub_(1.0)
    for name, tensor in policy_of(other).items():
        assert torch.equal(tensor, before[name]), name
    assert other.steps == 11


def screen(run: Path, path: Path, over: threading.Event) -> LiveScreen:
    config = read_config(run)
    return LiveScreen(run, config, build_agent(config, 0), LiveReader(path), over, seed=4)


def test_the_screen_takes_in_policies_and_the_log(run: Path, tmp_path: Path) -> None:
    path, over = tmp_path / "policy.safetensors", threading.Event()
    shown = screen(run, path, over)
    shown.advance(0.01)
    assert shown.agent.steps == 0 and shown.session.curve.returns == ()  # type: ignore[union-attr]
    learned = build_agent(read_config(run), seed=5)
    learned.steps = 4321
    path.write_bytes(live.save(policy_of(learned)))
    (run / "metrics.jsonl").write_text(json.dumps({"steps": 4000, "return": 0.25}) + "\n{")
    shown._read_log = 0.0
    shown.advance(0.01)
    assert torch.equal(shown.agent.flat, learned.flat)
    assert shown.words().startswith("4,321 steps trained   seed 4   episode 1")
    assert shown.session.curve.returns == ((4000, 0.25),)  # type: ignore[union-attr]
    assert "curve" in shown.panels
    assert shown.picture((640, 480)).shape == (480, 640, 3)
    over.set()
    shown.advance(0.01)
    assert shown.finished
    shown.players.close()


@pytest.mark.slow
def test_the_window_ends_with_the_pipe(run: Path, tmp_path: Path) -> None:
    window = subprocess.Popen(
        live.window_command(run, tmp_path / "policy.safetensors"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = window.communicate(timeout=300)  # closes its standard input
    assert (window.returncode, out) == (0, None), errors


def test_a_window_that_fails_says_so_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: Path, policy: Path) -> None:
        raise OSError("window: expected a screen,\ngot none")

    monkeypatch.setattr(live_window, "main", fail)
    assert live_window.exit_code([str(tmp_path), "x"]) == 1
    assert capsys.readouterr().err == "OSError: window: expected a screen, got none\n"


def test_without_a_screen_the_window_fails(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = screen(run, tmp_path / "none", threading.Event())
    pygame.display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(OSError, match="window: expected a screen"):
        shown.run()
    shown.players.close()
