"""`sidestep lm watch --set`: a character model reads and writes with forced gates."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame
import pytest
import torch

from sidestep.envs.drawing import palette
from sidestep.scripts import lm
from sidestep.scripts.sequences import lm_watch
from sidestep.scripts.sequences.reading.reading import NONE, read
from sidestep.scripts.sequences.reading.screen import ReadingScreen
from sidestep.scripts.shared.forcing import Forcing
from sidestep.sequence import force_gates

from .readers import LETTERS, TEXT, model_of, run_in


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("forced"))


@pytest.mark.parametrize(("cell", "gate", "value"), [("lstm", "f", 0.0), ("gru", "z", 1.0)])
def test_forced_gates_are_held_while_it_reads(cell: str, gate: str, value: float) -> None:
    model = model_of(cell)
    forcing = Forcing.of((f"{gate}={value}",), layer=1)
    found = read(model, LETTERS, TEXT[4:], before=TEXT[:4], forcing=forcing)
    own = read(model, LETTERS, TEXT[4:], before=TEXT[:4])
    assert (found.layers[1].gates[gate] == value).all()
    assert found.forced(1) == {gate: value} and found.forced(0) == own.forced(1) == {}
    for name, values in own.layers[0].gates.items():  # the layer below is what it was
        assert np.array_equal(found.layers[0].gates[name], values)
    assert not np.allclose(found.log_probs, own.log_probs, atol=1e-3)
    if cell == "lstm":  # nothing is kept: c is i * g of this step alone
        alone = read(model, LETTERS, TEXT[-1:], before=TEXT[:-1], forcing=forcing)
        inputs = model.inputs(LETTERS.encode(TEXT).unsqueeze(-1))
        with torch.no_grad():
            below = model.recurrent.trace(inputs).cells[0]
            last = force_gates(model.recurrent, {"f": 0.0}, level=1).trace(inputs).cells[1]
        assert np.allclose(alone.layers[1].states["c"][-1], (last.i * last.g)[-1, 0], atol=1e-6)
        assert np.allclose(alone.layers[0].states["c"][-1], below.c[-1, 0], atol=1e-6)
    else:  # z keeps all of a state that was cleared
        assert not found.layers[1].states["h"].any()


def test_z_is_counted_by_the_convention() -> None:
    model = model_of("gru")
    keeps = read(model, LETTERS, TEXT, forcing=Forcing.of(("z=0.25",), layer=0))
    updates = read(model, LETTERS, TEXT, forcing=Forcing.of(("z=0.75",), "updates", 0))
    assert np.allclose(keeps.log_probs, updates.log_probs, atol=1e-6)
    assert np.allclose(updates.layers[0].gates["z"], 0.75, atol=1e-6)
    assert (keeps.gate_words["z"], updates.gate_words["z"]) == ("keeps", "updates")


def test_a_model_reads_and_writes_with_forced_gates(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.png"
    for words in ((), ("--writes",)):
        lm.main(["watch", str(run), *words, "--set", "o=0", "--length", "9", "--out", str(out)])
        told = " ".join(capsys.readouterr().out.split())
        assert "forced o=0 in layer 0: nothing of the cell is shown: h is 0" in told
        assert " nats per character, " in told and " with its own gates" in told
    options = lm_watch.WatchOptions(run, length=9, out=out, forced=("o=0",))
    forced = lm_watch.watch(options)
    assert (forced.log_probs == forced.log_probs[0]).all()  # it sees nothing of what it reads
    own = lm_watch.watch(replace(options, forced=()))
    assert own.forcing.values == {} and not (own.log_probs == own.log_probs[0]).all()
    assert "with its own gates" in capsys.readouterr().out.replace("\n", " ")
    show = ReadingScreen(forced)
    assert show.words().endswith("forced o=0")
    marked = show.picture((640, 400))
    plain = ReadingScreen(forced._replace(forcing=NONE)).picture((640, 400))
    orange = [(picture == palette.ORANGE[:3]).all(-1).sum() for picture in (marked, plain)]
    assert orange[0] > 100 and not orange[1]


def test_the_text_may_stand_after_the_gates(run: Path, tmp_path: Path) -> None:
    text, out = tmp_path / "own.txt", tmp_path / "a.png"
    text.write_text("four (three)", encoding="utf-8")
    lm.main(["watch", str(run), "--out", str(out), "--set", "o=0", str(text)])
    options = lm_watch.WatchOptions(run, out=out, forced=("f=1", "o=0", str(text)))
    found = lm_watch.watch(options)
    assert found.text == "four (three)" and found.forced(0) == {"f": 1.0, "o": 0.0}
    with pytest.raises(ValueError, match="expected a text or --writes, got both"):
        lm_watch.WatchOptions(run, writes=True, forced=("o=0", str(text)))


def test_what_cannot_be_forced_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, words in {
        "--set q=1": "expected some of i, f, g, o of the LSTM, got 'q'",
        "--set f": "set: expected GATE=VALUE such as f=0, got 'f'",
        "--set f=2": "got 2",
        "--set f=0 --layer 1": "layer: expected 0 to 0, got 1",
        "--convention updates": "convention: expected a layer with a gate z, a GRU, got",
    }.items():
        with pytest.raises(SystemExit) as caught:
            lm.main(["watch", str(run), *flags.split(), "--out", "a.png"])
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.count("\n") == 1 and words in error, error
