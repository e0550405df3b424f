"""`sidestep lm watch`: numbers against the model's own steps, pages, keys, clicks, files."""

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pygame
import pytest
import torch
from PIL import Image

from sidestep.scripts import lm
from sidestep.scripts.sequences import lm_watch
from sidestep.scripts.sequences.reading import page, panels
from sidestep.scripts.sequences.reading.names import NAMES, check_panels
from sidestep.scripts.sequences.reading.panels import PANELS, means_of
from sidestep.scripts.sequences.reading.reading import Reading, read
from sidestep.scripts.sequences.reading.screen import ReadingScreen
from sidestep.scripts.viewer import view
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.sequence.models.language import LanguageConfig, LanguageModel, Vocabulary

from .readers import LETTERS, TEXT, model_of, run_in


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def reading(cell: str = "lstm", layers: int = 2) -> Reading:
    return read(model_of(cell, layers), LETTERS, TEXT)


def screen(cell: str = "lstm", **options: Any) -> ReadingScreen:
    return ReadingScreen(reading(cell), **options)


def press(show: ReadingScreen, *keys: int) -> None:
    show.handle([pygame.Event(pygame.KEYDOWN, key=key) for key in keys])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("known", [0, 4])
def test_numbers_are_those_of_the_models_own_steps(cell: str, known: int) -> None:
    model = model_of(cell)
    found = read(model, LETTERS, TEXT[known:], before=TEXT[:known])
    state, foreseen = model.initial_state(1), None
    total, count = 0.0, 0
    for t, symbol in enumerate(LETTERS.encode(TEXT).tolist()):
        at = t - known
        if at >= 0 and foreseen is not None:
            assert found.nats[at] == pytest.approx(-float(foreseen[symbol]), abs=1e-5)
            total, count = total - float(foreseen[symbol]), count + 1
            assert found.mean_nats(at) == pytest.approx(total / count, abs=1e-5)
        elif at >= 0:
            assert math.isnan(found.nats[at]) and math.isnan(found.mean_nats(at))
        with torch.no_grad():
            logits, state = model.step(torch.tensor([symbol]), state)
        foreseen = logits[0].log_softmax(-1)
        if at < 0:
            continue
        parts = (state,) if isinstance(state, torch.Tensor) else state
        for layer, computed in enumerate(found.layers):
            for name, part in zip(model.recurrent.part_names, parts, strict=True):
                assert np.allclose(computed.states[name][at], part[layer, 0], atol=1e-6)
            assert list(computed.gates) == list(model.recurrent.gate_words)
            assert all(((g > 0) & (g < 1)).all() for g in computed.gates.values())
        assert np.allclose(found.log_probs[at], foreseen, atol=1e-5)
        best = found.ahead(at, 3)
        top = foreseen.topk(3)
        assert [s for s, _ in best] == [LETTERS.symbols[k] for k in top.indices.tolist()]
        assert [p for _, p in best] == pytest.approx(top.values.exp().tolist(), abs=1e-5)
    assert found.after(len(found.text) - 1) is None and found.rank(len(found.text) - 1) is None
    if cell == "lstm":
        c = found.layers[1].states["c"]
        assert np.allclose(found.values(1, "c", 4), np.tanh(c[:, 4]))


def test_the_place_of_the_true_character() -> None:
    log_probs = np.log(np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]], dtype=np.float32))
    nats = np.array([np.nan, 1.6], dtype=np.float32)
    found = Reading("ba", "abc", "", (), {}, log_probs, nats)
    rank, share = found.rank(0) or (0, 0.0)
    assert rank == 3 and share == pytest.approx(0.2)  # after b comes a, behind b and c
    assert found.ahead(0, 2) == [("b", pytest.approx(0.5)), ("c", pytest.approx(0.3))]
    assert means_of(np.array([np.nan, 2, 4], dtype=np.float32))[1:].tolist() == [2, 3]


def test_lines_of_a_page() -> None:
    lines = page.lines_of("abcde\n가나 x", 4)
    assert [line.indices for line in lines] == [[0, 1, 2, 3], [4, 5], [6, 7], [8, 9]]
    assert lines[2].columns == [0, 2] and lines[2].wides == [2, 2]  # Hangul takes two columns
    assert page.lines_of("ab\n", 4)[-1].indices == [0, 1, 2]
    assert [line.indices for line in page.lines_of("\n\n", 4)] == [[0], [1]]
    assert page.scaled(np.array([0.1, -0.2], dtype=np.float32))[1] == -1


def test_the_page_follows_what_is_read() -> None:
    text = "".join(f"line {k}\n" for k in range(100))
    box = pygame.Rect(10, 20, 300, 200)
    for at in (0, 40, 400, len(text) - 1):
        spots = dict(page.spots(text, at, box, Pen(1.0)))
        assert at in spots and all(box.contains(spot) for spot in spots.values())
    assert 0 in dict(page.spots(text, 5, box, Pen(1.0)))
    assert len(text) - 1 in dict(page.spots(text, len(text) - 8, box, Pen(1.0)))


def test_the_text_is_red_where_the_unit_is_positive_and_blue_where_negative() -> None:
    surface = pygame.Surface((200, 60))
    box = pygame.Rect(0, 0, 200, 60)
    values = np.array([1, -1, 0, 1], dtype=np.float32)
    page.draw(surface, box, "ab  ", values, 2, Pen(1.0))
    spots = dict(page.spots("ab  ", 2, box, Pen(1.0)))
    red, blue, _, ahead = (surface.get_at(spots[k].move(1, 1).topleft) for k in range(4))
    assert red.r > 200 > red.b and blue.b > 200 > blue.r
    assert tuple(ahead)[:3] == (0, 0, 0)  # not read yet
    surface.fill((0, 0, 0))
    page.draw(surface, box, "ab  ", values, 1, Pen(1.0))
    present = surface.get_at((spots[1].left + 3, spots[1].centery))
    assert present.b > 200 > present.r  # the one that is read has its colour within its frame


def test_keys_read_on_and_back() -> None:
    show = screen(speed=4)
    show.advance(1.01)
    assert show.at == 1  # one picture of the screen plays one character at most
    for _ in range(3):
        show.advance(0.26)
    assert show.at == 4
    press(show, pygame.K_SPACE)
    show.advance(9)
    assert (show.at, show.paused) == (4, True) and "paused" in show.status()
    press(show, pygame.K_RIGHT, pygame.K_RIGHT)
    assert show.at == 6
    press(show, pygame.K_LEFT)
    assert show.at == 5
    press(show, pygame.K_n)
    assert show.at == TEXT.index("\n") + 1
    press(show, pygame.K_a)
    assert show.at == 0
    press(show, pygame.K_LEFT)
    assert show.at == 0 and show.status() == "the beginning of the text"
    press(show, pygame.K_UP, pygame.K_UP)
    assert show.speed == 8
    press(show, pygame.K_s, pygame.K_1, pygame.K_2)
    assert show.status() == "character: 12_   Enter: go there   Esc: leave"
    press(show, pygame.K_RETURN)
    assert show.at == 12 and show.typed is None
    press(show, pygame.K_s, pygame.K_9, pygame.K_9, pygame.K_9, pygame.K_BACKSPACE, pygame.K_RETURN)
    assert show.at == len(TEXT) - 1 and show.status().startswith("no character 99 here: the last")
    press(show, pygame.K_SPACE, pygame.K_RIGHT)
    assert show.paused and show.status().startswith("the end of the text")
    press(show, pygame.K_s, pygame.K_5, pygame.K_ESCAPE)
    assert show.at == len(TEXT) - 1 and not show.finished
    press(show, pygame.K_q)
    assert show.finished


def test_keys_choose_layer_unit_and_state() -> None:
    show = screen(at=6, unit=6)
    press(show, pygame.K_PAGEDOWN)
    assert show.unit == 0
    press(show, pygame.K_PAGEUP, pygame.K_PAGEUP)
    assert show.unit == 5
    press(show, pygame.K_TAB)
    assert show.layer == 1 and show.status() == "layer 2 of 2"
    assert show.part == "c"
    press(show, pygame.K_c)
    assert show.part == "h" and show.status() == "the text shows h"
    press(show, pygame.K_m)
    assert show.unit == int(np.abs(show.reading.layers[1].states["h"][6]).argmax())
    press(show, pygame.K_u, pygame.K_4, pygame.K_RETURN)
    assert show.unit == 4
    press(show, pygame.K_u, pygame.K_7, pygame.K_RETURN)
    assert show.unit == 4 and show.status() == "no unit 7 here: units are 0 to 6"
    press(show, pygame.K_TAB)
    assert show.layer == 0


def test_keys_switch_panels() -> None:
    assert tuple(panel.name for panel in PANELS) == NAMES
    show = screen()
    before = show.picture()
    press(show, pygame.K_4)
    assert show.panels == {"hidden", "cell", "gates", "loss"}
    assert show.status() == "next character: off"
    assert not np.array_equal(show.picture(), before)
    press(show, pygame.K_0)
    assert show.panels == {panel.name for panel in PANELS}
    assert np.array_equal(show.picture(), before)
    press(show, pygame.K_0)
    assert not show.panels
    plain = screen("rnn")
    press(plain, pygame.K_3, pygame.K_2)
    assert plain.status() == "cell c: this model has none" and len(plain.panels) == 5
    press(show, pygame.K_h)
    assert show.helping and any(line.startswith("page up") for line in show.help_words())
    press(show, pygame.K_ESCAPE)
    assert not show.helping and not show.finished


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_place_can_be_drawn(cell: str) -> None:
    show = screen(cell)
    pictures = []
    for at in (0, 1, len(TEXT) - 1):
        show.jump(at)
        pictures += [show.picture(size) for size in ((960, 600), (200, 130), (300, 900))]
    assert pictures[0].shape == (600, 960, 3)
    assert not np.array_equal(pictures[0], pictures[3])


def test_strange_texts_are_drawn() -> None:
    text = "e\u0301 \x1b[3m\t\u200b\ufeff\U0001f469\u200d\U0001f467 \u0639\u064e"
    text += " \U00010f00 \u1100\u1161\r\x07\n\n" + "x" * 90
    vocabulary = Vocabulary.of(text)
    model = LanguageModel(len(vocabulary), LanguageConfig("lstm", 5)).eval()
    show = ReadingScreen(read(model, vocabulary, text))
    for at in range(0, len(text), 3):
        show.jump(at)
        show.picture((480, 300))
    alone = ReadingScreen(read(model, vocabulary, "x"))
    alone.picture()
    alone.tick()
    assert alone.at == 0 and alone.status().startswith("the end of the text")


def test_clicks_choose_a_unit_and_a_character() -> None:
    show = screen(at=9, panels=["hidden", "next"])
    show.window.open(960, 600)
    width, height = show.window.size or (0, 0)
    pen = Pen.for_size(width, height)
    frame = show._frame(width, height, True)
    (_, box), _ = frame.panels
    body = view.body_of(box, pen)
    assert body is not None
    units = body.height - pen.px(panels.FOOT)
    for unit in (0, 3, 6):
        place = (body.centerx, body.top + round((unit + 0.5) * units / 7))
        show.click(place)
        assert (show.unit, show.part) == (unit, "h")
    show.click((body.centerx, body.bottom - 1))  # on the letters
    assert show.unit == 6
    paper = frame.board.inflate(-pen.px(28), 0)
    paper.top += pen.px(34)
    spot = next(spot for index, spot in page.spots(TEXT, 9, paper, pen) if index == 3)
    show.click(spot.center)
    assert show.at == 3 and show.paused


def test_pictures_and_films_are_saved(tmp_path: Path) -> None:
    show = screen(folder=tmp_path, at=2)
    press(show, pygame.K_f, pygame.K_r, pygame.K_RIGHT, pygame.K_RIGHT)
    assert show.status().endswith("REC")
    press(show, pygame.K_r)
    assert imageio.imread(tmp_path / "reading-2.png").shape == (600, 960, 3)
    with Image.open(tmp_path / "reading-4.gif") as film:
        assert film.n_frames == 3


def test_the_true_next_character_is_among_those_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    write = panels.write
    monkeypatch.setattr(
        panels, "write", lambda s, w, *a, **k: lines.append(w) or write(s, w, *a, **k)
    )
    show = screen(at=4)  # after ( comes t
    rank, share = show.reading.rank(4) or (0, 0.0)
    panels.draw_next(pygame.Surface((200, 45)), show.look, Pen(1.0))  # two rows
    first = show.reading.ahead(4, 1)[0]
    assert rank > 2
    assert lines == ["1", first[0], f"{first[1]:.3f}", "✓", str(rank), "t", f"{share:.3f}"]
    assert panels.next_words(show.look) == f"p = {share:.3f}, place {rank}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("watch"))


def test_a_reading_is_recorded_without_a_window(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDL_VIDEODRIVER")
    out = tmp_path / "reading.gif"
    flags = ["--frames", "4", "--fps", "5", "--size", "640x400"]
    lm.main(["watch", str(run), "--out", str(out), *flags])
    frames = imageio.imread(out, index=None, mode="RGB")
    assert frames.shape == (4, 400, 640, 3)
    with Image.open(out) as film:
        assert film.info["duration"] == 200
    printed = " ".join(capsys.readouterr().out.split())
    held_out = len(TEXT) * 12 // 10
    assert "reading.gif: 4 pictures, " in printed and f"{held_out} characters, " in printed
    lm.main(["watch", str(run), "--begin", "2", "--at", "1", "--out", str(tmp_path / "a.png")])
    lm.main(["watch", str(run), "--begin", "1", "--at", "2", "--out", str(tmp_path / "b.png")])
    first, second = (imageio.imread(tmp_path / name) for name in ("a.png", "b.png"))
    assert first.shape == (600, 960, 3) and not np.array_equal(first, second)
    lm.main(["watch", str(run), "--begin", "2", "--frames", "2", "--out", str(tmp_path / "b.png")])
    assert np.array_equal(imageio.imread(tmp_path / "b.png"), first)  # the film's last picture
    lm.main(["watch", str(run), "--frames", "3", "--out", str(tmp_path / "a.html")])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "run reads, a character at a time" in page
    lm.main(["watch", str(run), "--length", "6", "--frames", "99", "--out", str(out)])
    with Image.open(out) as film:
        assert film.n_frames == 6  # the text is over


def test_it_reads_files_and_what_it_writes(run: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "own.txt", tmp_path / "a.png"
    path.write_text("four (three)", encoding="utf-8")
    found = lm_watch.watch(lm_watch.WatchOptions(run, path, out=out, find="inside-parentheses"))
    assert found.text == "four (three)"
    options = lm_watch.WatchOptions(run, writes=True, prompt="가나", length=9, seed=4, out=out)
    written = lm_watch.watch(options)
    assert written.text.startswith("가나") and len(written.text) == 9
    assert lm_watch.watch(options).text == written.text


def test_without_its_text_it_reads_what_it_writes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = run.parent / "text.txt"
    moved.rename(tmp_path / "text.txt")
    try:
        found = lm_watch.watch(lm_watch.WatchOptions(run, length=8, out=tmp_path / "a.png"))
    finally:
        (tmp_path / "text.txt").rename(moved)
    assert found.text[0] == "\n" and len(found.text) == 8
    printed = " ".join(capsys.readouterr().out.split())
    assert "expected the text of" in printed and "what the model writes is read" in printed


def test_what_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text("one\ntwo Z")
    for flags, words in {
        "other.txt": "other.txt, line 2, column 5: expected one of the",
        "other.txt --writes": "expected a text or --writes, got both (other.txt)",
        "--prompt one": "prompt: expected --writes beside it, got none",
        "--writes --prompt Q": "prompt, line 1, column 1: expected one of",
        "--begin 999": "begin: expected less than the text's ",
        "--at 999": "at: expected one of 0..",
        "--layer 1": "layer: expected one of 0..0, got 1",
        "--unit 6": "unit: expected one of 0..5, got 6",
        "--unit 1 --find capitals": "expected --unit or --find, got both",
        "--find inside-quotes": "inside-quotes: expected a property that changes",
        "--panels hiden": "panels: expected some of hidden, cell, gates, next, loss, got 'hiden'",
        "--fps 0": "fps: expected more than 0, at most 1000, got 0.0",
        "--size 1x1": "size: expected 160x120 to 4096x4096, got 1x1",
        "--length 0": "length: expected at least 1, got 0",
    }.items():
        with pytest.raises(SystemExit) as caught:
            lm.main(["watch", str(run), *flags.split(), "--out", "a.png"])
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.count("\n") == 1 and words in error, error
    with pytest.raises(ValueError, match="state: expected h, got 'c'"):
        screen("gru", part="c")
    assert check_panels(["next"]) == {"next"} and not (tmp_path / "a.png").exists()


def test_writing_and_painting_load_no_world() -> None:
    code = "import sys, sidestep.scripts.lm; print({'pygame', 'numba'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_without_a_screen_one_line_says_so(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_screen(*_: Any) -> None:
        raise OSError("window: expected a screen, got none; `sidestep record` draws it")

    monkeypatch.setattr("sidestep.scripts.viewer.show.open_window", no_screen)
    with pytest.raises(SystemExit) as caught:
        lm.main(["watch", str(run)])
    assert caught.value.code == 2
    words = "window: expected a screen, got none; --out reading.gif draws it without one"
    assert capsys.readouterr().err == f"sidestep lm: {words}\n"
