"""`sidestep gates`: what forced gates lose over a text, and an agent's episodes with them."""

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.agents import load_agent, make_single
from sidestep.agents.player import Player
from sidestep.scripts import gates, lm, train
from sidestep.scripts.gating.episodes import ForcedPlayer, Played, Score, play
from sidestep.scripts.gating.texts import fitted_cell, read
from sidestep.scripts.shared.examples import example
from sidestep.scripts.shared.forcing import Forcing
from sidestep.sequence import LSTM, Recurrent, gru_step


class Own(Recurrent):
    """A cell whose f does something else."""

    gates, part_names = 2, ("h",)
    gate_words, gate_rows = MappingProxyType({"f": "renews"}), MappingProxyType({"f": 0})


@pytest.fixture(scope="module")
def agent_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "lstm"
    flags = "--total-steps 256 --num-envs 8 --episodes 2 --gif-episodes 0 --evaluate-every 0"
    train.main(["deep-sarsa", "--memory", "lstm", "--memory-size", "5", *flags.split(),
                "--out", str(folder)])  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def language_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "text.txt").write_text("so long, and so on. " * 20)
    flags = "--cell gru --hidden-size 7 --num-layers 2 --embedding-size 0 --updates 3 --rows 2"
    out = folder / "run"
    lm.main(["train", str(folder / "text.txt"), *flags.split(), "--out", str(out)])
    return out


def said(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    capsys.readouterr()
    gates.main([str(word) for word in args])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        gates.main([str(word) for word in args])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().removeprefix("sidestep gates: ")


def nats(output: str) -> tuple[float, float]:
    """Of the cell's own gates, and forced."""
    found = re.search(r"over \d+: (\S+) with its own gates, (\S+) forced", output)
    assert found is not None, output
    return float(found[1]), float(found[2])


def test_a_gru_that_keeps_foresees_by_its_bias_alone() -> None:
    """z = 1 keeps the state at 0: what is left is softmax of the head's bias, by hand."""
    model, vocabulary, _ = fitted_cell("hello", "gru", True, 16, 0)
    found = read(model, vocabulary, "hello", Forcing({"z": 1}), 0)
    assert found.forced is not None and not found.forced.states["h"].any()
    chances = model.head.bias.detach().softmax(0)[vocabulary.encode("ello")]
    assert np.allclose(found.forced.right, chances.numpy(), atol=1e-6)
    assert found.own.right.min() > 0.95  # it had learnt its word
    assert found.nats(found.forced) == pytest.approx(-chances.log().mean().item(), abs=1e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_forced_steps_are_the_equations_with_the_gate_replaced(reset_after: bool) -> None:
    """Reset r = 0 from step 2 on, by a loop of the equations with the candidate's past removed."""
    text = "hello, hello"
    model, vocabulary, _ = fitted_cell(text, "gru", reset_after, 6, 1)
    found = read(model, vocabulary, text, Forcing({"r": 0}), 2)
    weights = [p.detach() for p in model.recurrent.parameters()]
    h, right = torch.zeros(1, 6), []
    for t, symbol in enumerate(vocabulary.encode(text)[:-1]):
        x = model.inputs(symbol.unsqueeze(0))
        step = gru_step(x, h, *weights, reset_after=reset_after)
        if t >= 2:
            past = weights[3][12:] * 0 if reset_after else weights[3][12:]
            n = torch.tanh(x @ weights[0][12:].T + weights[2][12:] + past)
            h = (1 - step.z) * n + step.z * h
        else:
            h = step.h
        following = vocabulary.encode(text[t + 1])
        right.append(model.head(h).softmax(-1)[0, following].item())
    assert found.forced is not None
    assert np.allclose(found.forced.right, right, atol=1e-6)
    assert np.allclose(found.forced.right[:2], found.own.right[:2], atol=1e-7)
    assert not np.allclose(found.forced.right[2:], found.own.right[2:], atol=1e-3)


def test_the_two_conventions_of_z(capsys: pytest.CaptureFixture[str]) -> None:
    """z = 1 that keeps is z = 0 that updates; the table counts the cell's own z the same way."""
    keeps = said(capsys, "--cell", "gru", "--set", "z=1")
    updates = said(capsys, "--cell", "gru", "--set", "z=0", "--convention", "updates")
    assert nats(keeps) == nats(updates) and nats(keeps)[1] > nats(keeps)[0] + 1
    assert "z keeps: h' = (1 - z) * n + z * h" in keeps
    assert "z updates: h' = (1 - z) * h + z * n" in updates
    stays = "h stays as it is for ever: nothing new enters"
    assert f"z=1: {stays}" in keeps and f"z=0: {stays}" in updates
    own, other = (float(re.findall(r"own .*?(\d\.\d\d) │\n", o)[0]) for o in (keeps, updates))
    assert own == pytest.approx(1 - other, abs=0.011) and own != other
    again = said(capsys, "--cell", "gru", "--set", "z=1")
    assert again == keeps


def test_without_a_gate_set_the_cell_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "--text", "abc")
    assert "LSTM of 16 units, fitted to 'abc'" in told and "forced" not in told
    assert re.search(r"\d\.\d\d\d nats a character over 2\.", told)


def test_a_language_models_run(
    language_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nats of its own gates are those of its forward pass; a file may stand after --set."""
    from sidestep.scripts.sequences.lm_task import load_language_model

    model, vocabulary = load_language_model(language_run)
    symbols = vocabulary.encode("so on, so long")
    with torch.no_grad():
        logits, _ = model(symbols[:-1, None])
    expected = torch.nn.functional.cross_entropy(logits[:, 0], symbols[1:]).item()
    (tmp_path / "verse.txt").write_text("so on, so long, and")
    picture = tmp_path / "gates.png"
    told = said(capsys, language_run, "--layer", 1, "--length", 14, "--out", picture,
                "--set", "z=0.5", tmp_path / "verse.txt")  # fmt: skip
    own, forced = nats(told)
    assert own == pytest.approx(expected, abs=6e-4) and forced != own
    assert "run: GRU of 7 units, layer 1" in told and picture.read_bytes()[1:4] == b"PNG"
    assert "over 39" in said(capsys, language_run, "--layer", 0, "--set", "r=0")  # held out: 40


def test_forced_ticks_of_an_agent(agent_run: Path) -> None:
    """o = 0 from tick 3 on shows nothing of the cell; the ticks before are its own."""
    agent, run = load_agent(agent_run)
    env = make_single(run.env)
    own = play(env, Player(agent), 5, look=True)
    forced = play(env, ForcedPlayer(agent, Forcing({"o": 0}), 3), 5, look=True)
    late = play(env, ForcedPlayer(agent, Forcing({"o": 0}), 10_000), 5, look=True)
    env.close()
    assert [tick.action for tick in late.ticks] == [tick.action for tick in own.ticks]
    assert late.total == own.total and late.success == own.success
    for t, tick in enumerate(forced.ticks):
        assert tick.insight.units is not None
        assert tick.insight.units.any() == (t < 3)
        assert dict(tick.insight.gates)["o"].any() == (t < 3)
    before = [tick.insight.scores.tolist() for tick in forced.ticks[:3]]
    assert before == [tick.insight.scores.tolist() for tick in own.ticks[:3]]
    head = agent.network.head
    assert np.allclose(forced.ticks[3].insight.scores, head.bias.detach().numpy(), atol=1e-6)
    assert agent.network.memory.bias_ih_l0.abs().max() < 100  # the agent itself is as it was


def test_an_agents_run(agent_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "gates.png"
    told = said(capsys, agent_run, "--set", "f=0", "--episodes", 3, "--seed", 4, "--out", picture)
    assert "lstm: LSTM of 5 units, seed 4" in told
    assert "3 episodes, seeds 4 to 6, greedy" in told
    assert re.search(r"With f=0 it goes from success \S+% to \S+%, mean return", told)
    assert picture.read_bytes()[1:4] == b"PNG"
    assert "forced" not in said(capsys, agent_run, "--episodes", 1)


def test_an_agent_of_two_layers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last layer is shown; its gates are marked where they are the forced ones."""
    flags = "--total-steps 64 --num-envs 4 --episodes 1 --gif-episodes 0 --evaluate-every 0"
    words = "--memory gru --memory-layers 2 --memory-size 3".split()
    run = tmp_path / "deep"
    train.main(["deep-sarsa", *words, *flags.split(), "--out", str(run)])
    marks = []
    draw = gates.gates_figure
    monkeypatch.setattr(
        gates, "gates_figure", lambda *args: (marks.append(args[3]), draw(*args))[1]
    )
    for layer in (0, 1):
        told = said(capsys, run, "--set", "z=1", "--layer", layer, "--episodes", 1,
                    "--out", tmp_path / "gates.png")  # fmt: skip
        assert "GRU of 3 units, layer 1, seed 0" in told
        assert f"z=1 in layer {layer}: h stays as it is for ever" in told
        forced = [row.split()[-2] for row in told.splitlines() if "z=1 \u2502" in row]
        assert ("1.00" in forced) == (layer == 1)
    assert marks == [{}, {"z": "z=1"}]


def test_what_a_gate_of_somebody_elses_cell_does_is_not_told() -> None:
    assert Forcing({"f": 0}).on(LSTM(1, 2)).meaning().startswith("all that the cell held")
    assert Forcing({"f": 0}).on(Own(1, 2)).meaning() == ""
    assert Forcing({"f": 0}, layer=0).on(Own(1, 2, 2)).in_last is False


def test_scores_by_hand() -> None:
    score = Score.of([Played(1.0, 10, True), Played(-1.0, 20, False), Played(0.6, 30, None)])
    assert (score.successes, score.episodes, score.length) == (1, 3, 20)
    assert score.total == pytest.approx(0.2)
    assert score.cells()[0].startswith("33.3% [6.1%, 79.2%]")  # Wilson
    assert Score.of([Played(1.0, 10, None)]).cells() == ["-", "1.000", "10.0"]


def test_wrong_input(
    agent_run: Path, language_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for args, words in (
        (["--cell", "gru", "--set", "f=0"], "expected some of r, z, n of the GRU, got 'f'"),
        (["--set", "z=1"], "expected some of i, f, g, o of the LSTM, got 'z'"),
        (["--set", "f=2"], "f: expected a value from 0 to 1, got 2"),
        (["--set", "f"], "set: expected GATE=VALUE such as f=0, got 'f'"),
        (["--set", "f=0", "f=1"], "set: expected each gate once, got f again"),
        (["--cell", "rnn", "--set", "f=0"], "a layer with gates, such as LSTM or GRU, got RNN"),
        (["--convention", "updates"], "expected a layer with a gate z, a GRU, got a layer without"),
        (["--reset", "before"], "reset: expected --cell gru beside it, got lstm"),
        (["--from", "2"], "from: expected gates to force (--set) beside it, got none"),
        (["--set", "f=0", "--from", "4"], "from: expected at most step 3 of this text, got 4"),
        (["--text", "a"], "text: expected 2 to 1000 characters to fit, got 1"),
        (["--length", "9"], "length: expected none without a run, got 9"),
        ([language_run, "--set", "z=1"], "layer: expected one of the layers 0 to 1, got none"),
        ([language_run, "--layer", 2], "layer: expected 0 to 1, got 2"),
        ([language_run, "--layer", 0, "--text", "xyz"], "expected one of the 10 characters that"),
        ([language_run, "--cell", "gru"], "cell: expected none beside a run, got gru"),
        ([language_run, "--episodes", 2], "episodes: expected none of a language model, got 2"),
        ([agent_run, "--set", "z=1"], "expected some of i, f, g, o of the LSTM, got 'z'"),
        ([agent_run, "--text", "so"], "text: expected none of an agent, got so"),
        ([agent_run, "--out", tmp_path / "gates.gif"], "out: expected a .png, .svg or .pdf"),
        ([tmp_path / "none"], "none"),
    ):
        line = refused(capsys, *args)
        assert words in line and "\n" not in line, (args, line)


def test_runs_without_gates_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--total-steps 64 --num-envs 4 --episodes 1 --gif-episodes 0 --evaluate-every 0"
    train.main(["reinforce", "--memory", "rnn", *flags.split(), "--out", str(tmp_path / "rnn")])
    for run, got in ((example("obstacles"), "memory='none'"), (tmp_path / "rnn", "got 'rnn'")):
        line = refused(capsys, run, "--set", "f=0")
        assert line.startswith("memory: expected ") and line.endswith(got)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"kind": "translate"}')
    assert "got one of 'translate'" in refused(capsys, tmp_path / "other")
