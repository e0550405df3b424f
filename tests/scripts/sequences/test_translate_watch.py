"""`sidestep translate watch`: numbers against the model's own, pictures, keys and errors."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
import torch
from PIL import Image

from sidestep.scripts.sequences import translate_picture
from sidestep.scripts.sequences.translate_picture import SIZE, Style, picture
from sidestep.scripts.sequences.translate_steps import Translation, step_table, translation_of
from sidestep.scripts.sequences.translate_task import load_translator
from sidestep.scripts.sequences.translate_watch import StepShow
from sidestep.scripts.shared.console import Output
from sidestep.scripts.viewer.keys import Command
from sidestep.sequence.models.decoding import greedy
from sidestep.sequence.tasks.pairs import BEGIN, END, source_batch

from .test_translate import failing, translate
from .test_translate import few_held_out as few_held_out

KINDS = {
    "additive": "--attention additive",
    "fed": "--attention general --input-feeding",
    "near": "--attention scaled_dot --window monotonic --half-width 2",
    "none": "--attention none --cell lstm",
}
SENTENCE = "민수는 책을 읽었다."


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short run of each kind."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("watch")
    for name, kind in KINDS.items():
        words = f"train --hidden-size 6 --embedding-size 5 --updates 2 --validate-every 0 {kind}"
        translate(f"{words} --max-target 30 --batch-size 3 --out {folder / name}")
    return folder


def steps(folder: Path) -> tuple[Any, Any, list[str], Translation]:
    model, record = load_translator(folder)
    source = record.languages.split_source(SENTENCE)
    return model, record, source, translation_of(model, record.languages, source, 7)


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_is_the_models_own(runs: Path, kind: str) -> None:
    """Weights, contexts and probabilities against the whole sentence computed at once."""
    model, record, source, found = steps(runs / kind)
    symbols, lengths = source_batch([tuple(source)], record.languages.source)
    with torch.no_grad():
        encoded = model.encode(symbols, lengths)
        (alone,) = greedy(model, encoded, 7)
        numbers = [*alone.tokens, *([END] if alone.finished else [])]
        target = torch.tensor([BEGIN, *numbers]).unsqueeze(1)
        logits, weights = model(symbols, lengths, target)
    assert len(found.looks) == len(numbers) == len(found.written)
    for number, look in enumerate(found.looks):
        row = logits[number, 0].clone()
        row[:2] = -torch.inf
        best = row.softmax(-1).max()
        assert look.best[0][1] == pytest.approx(float(best), abs=1e-6)
        assert found.written[number] == look.best[0][0]
        if kind == "none":
            assert look.weights is None and found.states is None
            torch.testing.assert_close(look.context, encoded.state[0][-1, 0])
            continue
        assert look.weights is not None and look.scores is not None and found.states is not None
        torch.testing.assert_close(look.weights, weights[number, 0], rtol=0, atol=1e-6)
        torch.testing.assert_close(look.context, look.weights @ found.states, rtol=0, atol=1e-6)
        if kind != "near":
            torch.testing.assert_close(look.scores.softmax(0), look.weights, rtol=0, atol=1e-6)
        else:  # two places on each side of the step
            inside = [s for s in range(len(source) + 1) if abs(s - number) <= 2]
            assert (look.weights > 0).nonzero().flatten().tolist() == inside


def test_the_table_shows_these_numbers(runs: Path) -> None:
    _, _, source, found = steps(runs / "additive")
    console = Output()
    with console.capture() as capture:
        console.print(step_table(found, 1))
    rows = [re.sub("[\u2502|]", " ", line).split() for line in capture.get().splitlines()]
    look = found.looks[1]
    assert look.scores is not None and look.weights is not None
    for place, word in enumerate([*source, "end"]):
        (row,) = (row for row in rows if row[:1] == [word])
        assert row[1:3] == [f"{look.scores[place]:.3f}", f"{look.weights[place]:.3f}"]
        if place < len(look.best):
            assert row[-2:] == [look.best[place][0], f"{look.best[place][1]:.3f}"]


def test_tables_and_a_film(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    out = tmp_path / "steps.gif"
    translate(f"watch {runs / 'additive'} --out {out}", SENTENCE)
    shown = capsys.readouterr().out
    count = len(steps(runs / "additive")[3].looks)
    with Image.open(out) as film:
        frames = getattr(film, "n_frames", 1)
    assert frames == shown.count("context: 6 numbers, norm") >= count
    translate(f"watch {runs / 'none'} --no-window", SENTENCE)
    shown = capsys.readouterr().out
    assert "This model has no attention: one fixed context" in shown and "weight" not in shown
    translate(f"watch {runs / 'none'} --out {tmp_path}/x.png --step 2")
    assert (tmp_path / "x.png").stat().st_size > 3000


def test_pictures_follow_the_numbers(runs: Path) -> None:
    """Where a weight grows the bar grows: more pixels of its colour, in proportion."""
    _, _, _, found = steps(runs / "additive")
    sky = np.array([86, 180, 233])
    count = []
    for share in (0.25, 0.5, 1.0):
        weights = torch.zeros(len(found.source))
        weights[3] = share
        looks = (found.looks[0]._replace(weights=weights),)
        drawn = picture(found._replace(looks=looks), 0)
        assert drawn.shape == (SIZE[1], SIZE[0], 3)
        count.append(int((drawn == sky).all(-1).sum()))
    assert count[1] == pytest.approx(2 * count[0], rel=0.05)
    assert count[2] == pytest.approx(4 * count[0], rel=0.05)
    again = picture(found, 0)
    assert (again == picture(found, 0)).all() and (again != picture(found, 1)).any()


def test_without_a_font_hangul_is_romanised(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from sidestep.scripts.sequences import hangul

    for module in (hangul, translate_picture):
        monkeypatch.setattr(module, "hangul_font", lambda: None)
    assert Style.here().shown("읽었다") == "ilg-eossda"
    written: list[str] = []
    monkeypatch.setattr(
        translate_picture, "write", lambda _, words, *a, **k: written.append(words) or 0
    )
    translate(f"watch {runs / 'additive'} --out {tmp_path}/x.png", SENTENCE)
    assert "ilg-eossda" in written and not re.search("[가-힣]", "".join(written))
    assert "No font was found with 민수" in capsys.readouterr().out


def test_keys_go_forward_and_back(runs: Path, tmp_path: Path) -> None:
    found = steps(runs / "additive")[3]
    show = StepShow(found, "steps", 2.0, tmp_path)
    last = len(found.looks) - 1
    assert last >= 2
    show.obey(Command.STEP)
    assert show.number == 1 and show.paused
    show.obey(Command.BACK)
    show.obey(Command.BACK)
    assert show.number == 0 and "first step" in show.status()
    show.obey(Command.PAUSE)
    show.advance(0.6)
    assert show.number == 1
    for _ in range(last + 3):
        show.advance(0.6)
    assert show.number == last and show.paused and "A: from the first" in show.status()
    show.obey(Command.PAUSE)
    assert show.number == 0 and not show.paused
    show.obey(Command.STEP)
    show.obey(Command.AGAIN)
    assert show.words() == f"step 1 of {last + 1}"
    show.obey(Command.FRAME)
    assert list(tmp_path.glob("translate-step-1.png"))
    surface = pygame.Surface((700, 420))
    show.draw(surface, show.status(), show.help_words())
    assert show.picture().shape == (560, 800, 3)


def test_the_command_opens_a_window_and_says_where_there_is_none(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[int] = []

    def advance(show: StepShow, seconds: float) -> None:
        del seconds
        shown.append(show.number)
        show.obey(Command.STEP if len(shown) < 3 else Command.QUIT)

    monkeypatch.setattr(StepShow, "advance", advance)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    translate(f"watch {runs / 'additive'}", SENTENCE)
    assert shown == [0, 1, 2]
    capsys.readouterr()
    pygame.display.quit()
    monkeypatch.setattr(StepShow, "run", _without_a_screen)
    translate(f"watch {runs / 'additive'}", SENTENCE)
    said = capsys.readouterr()
    assert said.err == "window: expected a screen, got none; --out steps.gif draws the steps\n"
    assert "Translation:" in said.out


def _without_a_screen(show: StepShow) -> None:
    raise OSError("window: expected a screen, got none; draw with render_mode='rgb_array'")


def test_wrong_flags(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs / "additive"
    for words, message in (
        (
            f"watch {run} --out x.pdf",
            "out: expected a name ending in .gif, .mp4, .png, .html, got x.pdf",
        ),
        (f"watch {run} --out {tmp_path}/no/x.gif", "out: expected a folder that is there, got"),
        (f"watch {run} --fps 0", "fps: expected more than 0, at most 1000, got 0.0"),
        (f"watch {run} --step 0", "step: expected at least 1, got 0"),
        (f"watch {run} --out {tmp_path}/x.png --step 99", "the steps made, got 99"),
        (f"watch {tmp_path}", "expected a run's folder with a config.json in it"),
    ):
        assert message in failing(capsys, words)
    assert "text 1: expected something to translate" in failing(capsys, f"watch {run}", " ")
