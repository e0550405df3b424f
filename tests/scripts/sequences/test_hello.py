"""`sidestep lm hello`: its numbers against the model's own steps, its film, its errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest
import torch
from PIL import Image

from sidestep.scripts import lm
from sidestep.scripts.sequences import hello_picture, lm_hello
from sidestep.scripts.sequences.hello import ambiguous, learn
from sidestep.scripts.sequences.lm_hello import HelloOptions
from sidestep.scripts.shared.fonts import family_with
from sidestep.scripts.viewer import letters

HANGUL = pytest.mark.skipif(family_with("안녕") is None, reason="no font with Hangul here")


def written(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[str]:
    """Every line that a module writes onto its pictures from now on."""
    lines: list[str] = []

    def write(surface: pygame.Surface, words: str, *rest: Any, **options: Any) -> int:
        lines.append(words)
        return letters.write(surface, words, *rest, **options)

    monkeypatch.setattr(module, "write", write)
    return lines


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_numbers_are_those_of_the_models_own_steps(cell: str) -> None:
    lesson = learn("hello", cell, size=5, updates=7, at=[0, 7])
    assert lesson.vocabulary.symbols == "helo" and len(lesson.losses) == 8
    assert [s.update for s in lesson.snapshots] == [0, 7]
    last, state = lesson.snapshots[-1], lesson.model.initial_state(1)
    total = 0.0
    for t, (read, after) in enumerate(zip([0, 1, 2, 2], [1, 2, 2, 3], strict=True)):
        with torch.no_grad():
            logits, state = lesson.model.step(torch.tensor([read]), state)
        parts = (state,) if isinstance(state, torch.Tensor) else state
        for part, name in zip(parts, lesson.model.recurrent.part_names, strict=True):
            assert torch.allclose(last.states[name][t], part[0, 0], atol=1e-6)
        assert torch.allclose(last.logits[t], logits[0], atol=1e-6)
        shares = logits[0].exp() / logits[0].exp().sum()
        assert torch.allclose(last.softmax[t], shares, atol=1e-6)
        assert last.foreseen[t] == logits.argmax() and last.right[t] == (logits.argmax() == after)
        total -= float(shares[after].log())
    assert last.loss == pytest.approx(total, abs=1e-5) == pytest.approx(lesson.losses[-1], abs=1e-5)


def test_one_update_is_adams_first_step() -> None:
    before, after = (learn("hello", updates=n, learning_rate=0.02).model for n in (0, 1))
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        moved = (new - old).abs()
        assert torch.allclose(moved[moved > 1e-4], torch.tensor(0.02), atol=1e-4)


def test_hello_is_learnt_and_the_second_l_by_its_state() -> None:
    lesson = learn("hello", at=[100])
    (last,) = lesson.snapshots
    assert last.right.all() and last.loss < 0.1 and lesson.solved == 10
    assert lesson.vocabulary.decode(last.foreseen) == "ello"
    assert not torch.allclose(last.states["h"][2], last.states["h"][3], atol=0.1)
    assert ambiguous("hello") == {"l": "lo"} and ambiguous("banana") == {}
    assert learn("hello", updates=2).solved is None


def test_tables_hold_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    lm.main(["hello", "--at", "0", "20"])
    printed = capsys.readouterr().out
    assert "l is followed by l and by o: only a state can tell which." in printed
    lesson = learn("hello", at=[0, 20])
    for snapshot in lesson.snapshots:
        row = [f"{v:.3f}" for v in snapshot.softmax[:, 1].tolist()]  # of e, at every step
        assert any(all(f" {v} " in line for v in row) for line in printed.splitlines())
        assert f"After {snapshot.update} updates: loss {snapshot.loss:.3f} nats" in printed
    assert printed.count("wrong") == 2 and "After 20 updates: " in printed
    assert printed.endswith(
        "all right after 10 updates; loss 4.828 nats at first, 0.048 at the end\n"
    )
    lm.main(["hello", "--word", "mississippi", "--size", "11", "--updates", "3", "--at", "3"])
    printed = capsys.readouterr().out
    assert printed.count("reads") == 2 and printed.count("(of 11)") == 2  # ten steps, two tables


def test_a_film_has_a_picture_for_each_chosen_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(monkeypatch, hello_picture)
    out = tmp_path / "hello.gif"
    flags = ["--updates", "50", "--frames", "6", "--fps", "5", "--at"]
    lm.main(["hello", "--out", str(out), *flags])
    with Image.open(out) as film:
        assert film.n_frames == 6 and film.info["duration"] == 1200  # the first one stays
        film.seek(5)
        end = np.asarray(film.convert("RGB")).astype(int)
    with Image.open(tmp_path / "hello.png") as still:
        picture = np.asarray(still.convert("RGB")).astype(int)
    assert end.shape == picture.shape and np.abs(end - picture).mean() < 2
    assert [line for line in lines if line.startswith("update ")] == [
        f"update {n} of 50" for n in (0, 2, 8, 18, 32, 50, 50)
    ]
    assert f"{out}: 6 pictures" in capsys.readouterr().out


def test_a_page_plays_the_same_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "hello.html"
    lm.main(["hello", "--updates", "9", "--frames", "4", "--at", "--out", str(out)])
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "hello, a letter at a time" in page
    assert "sidestep lm hello --word hello --out hello.html" in page
    assert "hello.html: 4 pictures, " in " ".join(capsys.readouterr().out.split())
    assert out.stat().st_size < 200_000 and (tmp_path / "hello.png").exists()


def test_a_picture_shows_the_numbers_and_what_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written(monkeypatch, hello_picture)
    lesson = learn("hello", "lstm", updates=3, at=[3])
    (snapshot,) = lesson.snapshots
    pixels = hello_picture.picture(lesson, snapshot)
    width, height = hello_picture.plan(lesson).size
    assert pixels.shape == (height, width, 3)
    for values, form in (
        (snapshot.states["h"], "+.2f"),
        (snapshot.states["c"], "+.2f"),
        (snapshot.logits, "+.1f"),
        (snapshot.softmax, ".2f"),
    ):
        expected = [f"{v:{form}}" for v in values.flatten().tolist()]
        assert all(lines.count(words) >= expected.count(words) for words in expected)
    assert lines.count("✓") == int(snapshot.right.sum())
    said = lesson.vocabulary.decode(snapshot.foreseen)
    missed = [f"✗ got {s}" for s, hit in zip(said, snapshot.right, strict=True) if not hit]
    assert [line for line in lines if line.startswith("✗")] == missed and missed
    for name in (
        "W",
        "xh",
        "hh",
        "hy",
        "output layer",
        "hidden layer",
        "input layer",
        "state h and c",
    ):
        assert name in lines
    assert lines.count("1") == 4 and lines.count("0") == 12  # one-hot


def test_the_right_letter_is_green_and_the_wrong_one_red() -> None:
    lesson = learn("hello", at=[0])
    (snapshot,) = lesson.snapshots  # e is wrong, the first l right
    assert snapshot.right[:2].tolist() == [False, True]
    laid = hello_picture.plan(lesson)
    pixels = hello_picture.picture(lesson, snapshot)
    for middle, colour in zip(
        laid.columns[:2], (hello_picture.WRONG, hello_picture.RIGHT), strict=True
    ):
        assert tuple(pixels[laid.output.top + 1, middle]) == colour


@HANGUL
def test_a_word_in_hangul_is_shown_in_its_letters(tmp_path: Path) -> None:
    out = tmp_path / "annyeong.png"
    lm.main(["hello", "--word", "안녕하세요", "--updates", "5", "--at", "--out", str(out)])
    surface = pygame.Surface((60, 40))
    assert letters.write(surface, "녕", (30, 20), 30, align=0.5) > 15
    ink = pygame.surfarray.array3d(surface).max(-1) > 128
    square = pygame.Surface((60, 40))
    letters.write(square, letters.BOX, (30, 20), 30, align=0.5)
    assert ink.sum() > 60 and (ink != (pygame.surfarray.array3d(square).max(-1) > 128)).sum() > 60
    assert letters.lacking("안녕 hello") == []
    # decomposed letters are the same word
    assert lm_hello.hello(HelloOptions(word="\u1112\u1161\uac00", updates=1, at=())).word == "하가"


def test_letters_that_no_font_has_are_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = "\U00010f00"  # of the Old Sogdian script
    monkeypatch.setattr(letters, "family_with", lambda letter: None)
    letters._file.cache_clear()
    letters.rendered.cache_clear()
    assert letters.lacking(f"a{lost}b") == [lost]
    assert letters.rendered(lost, 20).get_size() == letters.rendered(letters.BOX, 20).get_size()
    letters._file.cache_clear()
    letters.rendered.cache_clear()
    assert [letters.sign_of(s) for s in " \n\ta\x1b"] == ["␣", "↵", "⇥", "a", "␛"]
    assert [letters.sign_of(s) for s in "\u200d\u0301"] == [letters.BOX, "\u25cc\u0301"]


@pytest.mark.parametrize(
    "word", ["a\u0301\u200db", "\u202eab", "a\tb", "ab\x1b[31m", "\U0001f469\u200d\U0001f467"]
)
def test_words_of_strange_letters_are_drawn(word: str, tmp_path: Path) -> None:
    out = tmp_path / "word.png"
    lm.main(["hello", "--word", word, "--updates", "1", "--out", str(out)])
    assert out.exists()
    surface = pygame.Surface((90, 30))
    assert letters.write(surface, "\u200d", (0, 15), 20) <= 1  # nothing to see, and no error


def test_a_line_is_set_smaller_and_then_cut() -> None:
    surface = pygame.Surface((200, 30))
    whole = letters.write(surface, "a long line of words", (0, 15), 20)
    assert (
        letters.write(surface, "a long line of words", (0, 15), 20, room=whole - 10) <= whole - 10
    )
    assert 0 < letters.write(surface, "a long line of words", (0, 15), 20, room=40) <= 40


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--word a", "word: expected 2 to 12 letters, got 1 ('a')"),
        ("--word aaa", "word: expected two different letters or more, got 'aaa'"),
        ("--word abcdefghijklm", "word: expected 2 to 12 letters, got 13"),
        ("--size 0", "size: expected at least 1, got 0"),
        ("--size 65", "size: expected at most 64, got 65"),
        ("--updates 0", "updates: expected at least 1, got 0"),
        ("--at 101", "at: expected updates from 0 to 100, got 101"),
        ("--frames 1", "frames: expected at least 2, got 1"),
        ("--fps 0", "fps: expected 0.1 to 50, got 0.0"),
        ("--learning-rate 0", "learning_rate: expected more than 0, at most 10, got 0.0"),
        ("--cell gur", "--cell: expected one of rnn, lstm, gru, got 'gur' (did you mean gru?)"),
        (
            "--out hello.txt",
            "out: expected a name ending in .gif, .mp4, .png, .html, got hello.txt",
        ),
        ("--out missing/hello.gif", "out: expected a folder that is there, got missing"),
    ],
)
def test_what_is_refused(
    flags: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        lm.main(["hello", *flags.split()])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1 and words in error
    assert not list(tmp_path.iterdir())
