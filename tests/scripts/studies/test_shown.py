"""A run as an object, and in a notebook; an agent's thoughts in a tick; a replay."""

import base64
import html
import io
import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from sidestep.agents import EnvConfig
from sidestep.agents.insight import Insight
from sidestep.agents.player import Player
from sidestep.scripts.shared.examples import example
from sidestep.scripts.studies.shown import Run
from sidestep.scripts.viewer.page import replay_page, run_page
from sidestep.scripts.viewer.replay import Replay, ReplayEpisode, level_in
from sidestep.sequence.pictures import coloured

FOLDER = example("glimpse-gru")


def test_a_run_shows_its_settings_figures_and_curve() -> None:
    run = Run(FOLDER)
    assert run.config.learner == "reinforce" and run.records[-1]["steps"] > 1_000_000
    assert run.final is not None
    shown = run._repr_html_()
    assert shown is not None
    rows = dict(re.findall(r"<tr><th[^>]*>([^<]*)</th><td[^>]*>([^<]*)</td></tr>", shown))
    mean, low, high = run.final["success"]
    assert rows["success"] == f"{mean:.4g} ({low:.4g} to {high:.4g})"
    assert (rows["memory"], rows["env"]) == ("gru", "sidestep/Glimpse-v0")
    assert rows["env steps"] == f"{run.config.training.total_steps:,}"
    data = re.search(r"data:image/png;base64,([^\"]*)", shown)
    assert data is not None
    curve = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1]))).convert("RGB"))
    assert ((curve == (0, 114, 178)).all(axis=2)).sum() > 100  # a blue line


def test_a_folder_without_a_run_is_text(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run._repr_html_() is None and str(tmp_path) in repr(run)
    with pytest.raises(FileNotFoundError):
        assert run.config


def test_what_an_agent_thought() -> None:
    agent = Run(FOLDER).agent()
    env, player = gym.make("sidestep/Glimpse-v0"), Player(agent)
    obs, info = env.reset(seed=3)
    action = player.act(obs, True, 0.0, info)
    assert player.impression is not None
    insight = player.impression.insight
    shown = insight._repr_html_()
    assert shown is not None and insight.units is not None
    assert f"{action}: <b>{insight.scores[action]:.3f}</b>" in shown and shown.count("<b>") == 1
    found = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)"', shown)
    rows = {words: np.asarray(Image.open(io.BytesIO(base64.b64decode(d)))) for words, d in found}
    np.testing.assert_array_equal(rows["units: 64"], coloured(insight.units[None], "signed"))
    for (letter, gate), name in zip(insight.gates, list(rows)[1:], strict=True):
        assert name.startswith(f"gate {letter} ")
        np.testing.assert_array_equal(rows[name], coloured(gate[None], "share"))
    broken = Insight(np.zeros(0, dtype=np.float32), False)
    assert broken._repr_html_() is None


def test_a_replay_as_a_page() -> None:
    config = EnvConfig("sidestep/MovingObstacles-v0", ("level='S.G'",), 2)
    env = Replay(config, "tester", ()).make_env()
    env.reset(seed=3)
    total = sum(float(env.step(4)[1]) for _ in range(2))
    replay = Replay(config, "tester", (ReplayEpisode(3, level_in(env), (4, 4), total, False),))
    page = replay_page(replay)
    assert (page.frames, page.title) == (3, "tester, seed 3")
    assert html.escape(page.text) in page._repr_html_()


def test_a_run_as_a_page() -> None:
    page = run_page(FOLDER, seed=5, panels=["units"], size=(320, 240))
    assert page.title == "glimpse-gru (reinforce), seed 5" and page.size == (320, 240)
    assert 'sandbox="allow-scripts"' in page._repr_html_()
    assert html.unescape(page.title) in page.text
