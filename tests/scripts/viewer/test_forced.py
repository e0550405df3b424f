"""`sidestep watch --set` and `record --set`: what is forced is marked, stated, and acted with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidestep.scripts import record, train, watch
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.players import Flags, Players
from sidestep.scripts.viewer.screen import Screen


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    flags = "--total-steps 64 --num-envs 4 --episodes 1 --gif-episodes 0 --evaluate-every 0"
    for memory, more in (("lstm", ()), ("gru", ("--memory-layers", "2")), ("none", ())):
        words = ["deep-sarsa", "--memory", memory, "--memory-size", "5", *more, *flags.split()]
        train.main([*words, "--out", str(folder / memory)])
    return folder


def screen_of(run: Path, *words: str, **flags: Any) -> Screen:
    options = Flags(run, seed=5, forced=words, **flags)
    return Screen(Players.of(options).sessions(1, 5, regret=False), panels=options.shown())


def words_on(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All words that a picture has, the board's left out."""
    said: list[str] = []
    text = Pen.text

    def noting(self: Pen, surface: Any, words: str, *args: Any, **options: Any) -> int:
        said.append(words)
        return text(self, surface, words, *args, **options)

    monkeypatch.setattr(Pen, "text", noting)
    screen.picture()
    return said


def test_the_gates_are_forced_marked_and_stated(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(runs / "lstm", "f=0", "o=0.25")
    screen.tick()
    moment = screen.session.moment(screen.panels)
    gates = dict(moment.insights[-1].gates)
    assert not gates["f"].any() and np.allclose(gates["o"], 0.25) and gates["i"].std() > 0
    assert moment.forced == {"f": 0, "o": 0.25}
    said = words_on(screen, monkeypatch)
    assert "f=0 forced" in said and "o=0.25 forced" in said
    assert any(words.startswith("i: lets in 0.") for words in said)
    stated = "forced f=0 o=0.25: all that the cell held is forgotten at every step"
    assert stated in said
    own = words_on(screen_of(runs / "lstm"), monkeypatch)
    assert not any("forced" in words for words in own) and "gates" not in own  # off by itself


def test_one_layer_and_the_other_convention(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer is shown: z = 1 that updates is 0 that keeps. One below is stated alone."""
    screen = screen_of(runs / "gru", "z=1", convention="updates", layer=1)
    memory = screen.session.controller.policy.agent.network.memory  # type: ignore[attr-defined]
    assert memory.bias_ih_l1[5:10].tolist() == [-1e4] * 5  # r, z, n: 5 rows each
    assert memory.bias_ih_l0[5:10].abs().max() < 100
    said = words_on(screen, monkeypatch)
    assert "z=1 forced" in said
    assert "forced z=1 (z updates) in layer 1: h is the candidate alone: nothing of it stays as " \
        "it was" in said  # fmt: skip
    below = screen_of(runs / "gru", "z=1", layer=0)
    assert below.session.moment(("gates",)).forced == {}
    assert "forced z=1 in layer 0: h stays as it is for ever: nothing new enters" in words_on(
        below, monkeypatch
    )


def test_the_convention_alone_counts_z_the_other_way(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    for convention in ("keeps", "updates"):
        screen = screen_of(runs / "gru", convention=convention, panels=("gates",))
        shown.append(dict(screen.session.moment(("gates",)).insights[-1].gates))
        said = words_on(screen, monkeypatch)
        assert any(words.startswith(f"z: {convention} 0.") for words in said)
        assert not any("forced" in words for words in said)
    assert np.allclose(shown[0]["z"], 1 - shown[1]["z"]) and shown[0]["z"].std() > 0
    assert np.array_equal(shown[0]["r"], shown[1]["r"])


def test_the_commands_take_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch.main([str(runs / "lstm"), "--set", "f=0", "--fps", "1000", "--episodes", "1",
                "--seed", "1"])  # fmt: skip
    assert "in 1 episodes" in capsys.readouterr().out
    record.main([str(runs / "lstm"), "--set", "f=0", "--tick", "1", "--out",
                 str(tmp_path / "a.png")])  # fmt: skip
    assert "1 frame of seed 0, forced f=0, " in capsys.readouterr().out
    many = Screen(
        Players.of(Flags(runs / "lstm", seed=5, lanes=2, forced=("i=0",))).sessions(2, 5, False)
    )
    assert many.words().endswith("forced i=0")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["lstm", "--set", "z=1"], "expected some of i, f, g, o of the LSTM, got 'z'"),
        (["lstm", "--set", "f=1.5"], "f: expected a value from 0 to 1, got 1.5"),
        (["lstm", "--set", "f"], "set: expected GATE=VALUE such as f=0, got 'f'"),
        (["lstm", "--convention", "updates"], "expected a layer with a gate z, a GRU"),
        (["lstm", "--layer", "0"], "layer: expected gates to force (--set) beside it, got 0"),
        (["gru", "--set", "z=1"], "layer: expected one of the layers 0 to 1, got none chosen"),
        (["gru", "--set", "z=1", "--layer", "2"], "layer: expected 0 to 1, got 2"),
        (
            ["none", "--set", "f=0"],
            "expected a run with one that has gates (lstm, gru), got memory='none'",
        ),
        (["lstm", "--optimum", "--set", "f=0"], "expected an agent's run beside it, got the opt"),
    ],
)
def test_wrong_input(
    runs: Path, args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        watch.main([str(runs / args[0]), *args[1:]])
    line = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and words in line and "\n" not in line
