"""`sidestep lm` from the command line: train, resume, sample, paint, and what is refused."""

import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread

from sidestep.scripts import lm
from sidestep.scripts.sequences import lm_task, painted
from sidestep.scripts.sequences.lm_task import default_text, load_language_model
from sidestep.scripts.sequences.painted import as_figure, as_html, colour_of, in_terminal, scaled
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.log import read_log

TEXT = 'It said "one, two" and (three).\n  Then "four" again,\nand so ON: and on.\n' * 23
SMALL = ["--hidden-size", "11", "--embedding-size", "5", "--rows", "3", "--steps", "7",
         "--validate-every", "6", "--checkpoint-every", "4", "--log-every", "5"]  # fmt: skip


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def train(text: Path, folder: Path, *options: Any) -> Path:
    lm.main(["train", str(text), "--out", str(folder), *SMALL, *map(str, options)])
    return folder


def fails(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    """The one line that a wrong call ends with."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        lm.main([str(arg) for arg in args])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1, error
    return error


def tensors_of(folder: Path) -> dict[str, bytes]:
    tensors, _ = load_checkpoint(latest_checkpoint(folder))
    return {k: v.numpy().tobytes() for k, v in tensors.items()}


def test_a_run_leaves_its_folder(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(text, tmp_path / "run", "--updates", 13)
    printed = capsys.readouterr().out
    for words in ("Markov model", "window of 5", "LSTM 1 x 11, 13 updates", "bits per character"):
        assert words in printed
    names = {p.name for p in folder.iterdir() if p.suffix != ".safetensors"}
    assert {"config.json", "metrics.jsonl", "curve.png", "samples.txt", "best.json"} <= names
    lines = read_log(folder)
    assert [r["steps"] for r in lines if "validation" in r] == [6, 12, 13]
    samples = (folder / "samples.txt").read_text()
    assert samples.count("=== after ") == 3 and 'It said "one, two"' in samples
    last = next(r["validation"]["loss"] for r in reversed(lines) if "validation" in r)
    assert f"{last:.3f}" in printed and f"{last / math.log(2):.3f}" in printed
    assert last < math.log(len(set(TEXT)))  # it has learned something


@pytest.mark.parametrize("stop", [1, 5, 8])
def test_resuming_equals_never_having_stopped(
    stop: int, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--updates", 11, "--dropout", 0.2, "--num-layers", 2, "--seed", 3]
    whole = train(text, tmp_path / "whole", *options)
    run = lm.Fitter.run
    monkeypatch.setattr(lm.Fitter, "run", lambda f, r: run(f, lambda p: r(p) and p.steps < stop))
    parts = train(text, tmp_path / "parts", *options)
    monkeypatch.undo()
    assert load_checkpoint(latest_checkpoint(parts))[1]["updates"] == stop
    lm.main(["resume", str(parts)])
    assert tensors_of(whole) == tensors_of(parts)
    assert (whole / "samples.txt").read_bytes() == (parts / "samples.txt").read_bytes()


def test_resuming_finds_the_text_again(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(text, tmp_path / "run", "--updates", 5)
    assert "expected more than the 5 already made, got 5" in fails(capsys, "resume", folder)
    moved = text.rename(tmp_path / "moved.txt")
    line = fails(capsys, "resume", folder, "--updates", 7)
    assert "expected the text of" in line and "--file" in line
    lm.main(["resume", str(folder), "--updates", "7", "--file", str(moved)])
    moved.write_text(TEXT + "!")
    line = fails(capsys, "resume", folder, "--updates", 9, "--file", moved)
    assert "characters that" in line and f"got others ({len(TEXT) + 1:,})" in line


def test_samples_repeat_by_seed_and_continue_any_prompt(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(text, tmp_path / "run", "--updates", 9)

    def written(*options: Any) -> str:
        capsys.readouterr()
        lm.main(["sample", str(folder), "--length", "31", *map(str, options)])
        return capsys.readouterr().out

    assert written("--seed", 1) == written("--seed", 1) != written("--seed", 2)
    out = tmp_path / "written.txt"
    long = "Then one and two " * 300  # longer than anything it was trained on
    written("--prompt", long, "--out", out)
    assert out.read_text().startswith(long) and len(out.read_text()) == len(long) + 31 + 1
    written("--prompt", r"said\n", "--samples", 3, "--top-k", 2, "--out", out)
    assert out.read_text().count("said\n") >= 3 and out.read_text().count("\n---\n") == 2
    cold = [written("--temperature", 0, "--seed", seed) for seed in (0, 1)]
    assert cold[0] == cold[1]
    line = fails(capsys, "sample", folder, "--prompt", "Then\none Zwei")
    assert "prompt, line 2, column 5: expected one of the" in line and "got 'Z'" in line
    for options, words in {
        ("--prompt", ""): "prompt: expected at least one character, got none",
        ("--length", 0): "length: expected at least 1, got 0",
        ("--temperature", -1): "temperature: expected a number of at least 0, got -1.0",
        ("--top-k", -1): "top_k: expected at least 0, got -1",
        ("--seed", -1): "seed: expected at least 0, got -1",
        ("--out", tmp_path / "no" / "x"): "out: expected a folder that is there, got",
    }.items():
        assert words in fails(capsys, "sample", folder, *options)


def test_extreme_numbers(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(text, tmp_path / "run", "--updates", 2)
    for option in ("1e-50", "1e300", "5e-324"):
        lm.main(["sample", str(folder), "--temperature", option, "--length", "5"])
    for options, words in {
        ("--temperature", "nan"): "temperature: expected a number of at least 0, got nan",
        ("--temperature", "inf"): "temperature: expected a number of at least 0, got inf",
        ("--seed", 2**64): "seed: expected at most 9223372036854775807, got 18446744073709551616",
        ("--length", 10**12): "length: expected at most 10000000, got 1000000000000",
        ("--samples", 10**12): "samples: expected at most 1048576, got 1000000000000",
    }.items():
        assert words in fails(capsys, "sample", folder, *options)
    for rate in ("1e30", "1e300"):
        out = tmp_path / rate
        line = fails(capsys, "train", text, "--out", out, *SMALL, "--learning-rate", rate)
        assert "expected a finite loss" in line and "a smaller --learning-rate may help" in line
    for flag in ("hidden-size", "num-layers", "embedding-size", "rows", "steps", "seed", "threads"):
        out, words = tmp_path / "no", f"{flag.replace('-', '_')}: expected at most"
        assert words in fails(capsys, "train", text, "--out", out, f"--{flag}={10**20}")
        assert not out.exists()
    line = fails(capsys, "train", text, "--out", tmp_path / "no", "--hidden-size", 2**20)
    assert "expected sizes that fit the memory" in line


def test_a_word_is_learnt_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, folder = tmp_path / "hello.txt", tmp_path / "run"
    path.write_text("hello")
    lm.main(["train", str(path), "--out", str(folder), "--hidden-size", "16", "--updates", "90"])
    printed = capsys.readouterr().out
    assert "5 characters, nothing held out, of 4 kinds" in printed
    lm.main(["sample", str(folder), "--prompt", "h", "--length", "4", "--temperature", "0"])
    assert capsys.readouterr().out == "hello\n"  # h -> e -> l -> l -> o, in one row
    lm.main(["resume", str(folder), "--updates", "91"])
    lm.main(["paint", str(folder), "--unit", "1"])
    path.write_text("hello there, " * 9)
    whole = train(path, tmp_path / "all", "--updates", 2, "--validation-share", 0)
    assert not [r for r in read_log(whole) if "validation" in r]


def test_prompts_are_read_as_the_text_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\\newcommand{\\a}{caf\u00e9}\nb\n" * 20, encoding="utf-8")
    latex = train(path, tmp_path / "latex", "--updates", 2, "--prompt", "a}\r\ncafe\u0301")

    def written(folder: Path, prompt: str) -> str:
        out = tmp_path / "out.txt"
        lm.main(["sample", str(folder), "--length", "3", "--prompt", prompt, "--out", str(out)])
        return out.read_text(encoding="utf-8")

    assert written(latex, r"\newcommand").startswith(r"\newcommand")
    for prompt in ("b\ncaf\u00e9", "b\r\ncaf\u00e9", "b\rcaf\u00e9", "b\ncafe\u0301"):
        assert written(latex, prompt).startswith("b\ncaf\u00e9")
    assert "a}\ncaf\u00e9" in (latex / "samples.txt").read_text(encoding="utf-8")
    path.write_text("cafe\u0301\n" * 20, encoding="utf-8")
    letters = train(path, tmp_path / "letters", "--updates", 2)
    assert written(letters, "caf\u00e9\\n").startswith("cafe\u0301\n")
    line = fails(capsys, "sample", letters, "--prompt", "\u0441afe")
    assert "prompt, line 1, column 1" in line and "(CYRILLIC SMALL LETTER ES)" in line
    path.write_text("caf\u00e9\n" * 3, encoding="utf-8")  # paint reads either form too
    lm.main(["paint", str(letters), str(path), "--unit", "1"])


def test_what_a_terminal_would_obey_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\x1b[31mred\x9b\x07\x7f\n" * 30, encoding="utf-8")
    folder = train(path, tmp_path / "run", "--updates", 3)
    lm.main(["sample", str(folder), "--prompt", "\x1b[31m", "--out", str(tmp_path / "raw.txt")])
    lm.main(["paint", str(folder), "--unit", "1"])
    printed = capsys.readouterr().out
    assert "\u241b[31m" in printed and not set("\x1b\x9b\x07\x7f") & set(printed)
    assert (tmp_path / "raw.txt").read_text().startswith("\x1b[31m")  # the file has it as it is
    line = fails(capsys, "sample", folder, "--checkpoint", "a\x1b]0;b")
    assert "a\u241b]0;b" in line and "\x1b" not in line


def test_paint_leaves_a_picture_and_a_page(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(text, tmp_path / "run", "--updates", 9, "--cell", "gru", "--num-layers", 2)
    out = tmp_path / "unit.png"
    lm.main(["paint", str(folder), "--unit", "21", "--length", "50", "--out", str(out)])
    printed = capsys.readouterr().out
    held_out = TEXT[-int(0.1 * len(TEXT)) :]
    assert all(word in printed for word in held_out[:50].split())
    assert "GRU unit 21 (h)" in printed
    assert (
        out.read_bytes().startswith(b"\x89PNG") and "<pre>" in out.with_suffix(".html").read_text()
    )
    lm.main(["paint", str(folder), str(text), "--find", "inside-quotes", "--length", "40"])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Units that follow inside-quotes over {len(TEXT):,} characters" in printed
    assert list(folder.glob("painted-*.png")) and list(folder.glob("painted-*.html"))
    other = tmp_path / "other.txt"
    other.write_text("It said Zero")
    for options, words in {
        (): "expected --unit or --find, got neither",
        ("--unit", 22): "unit: expected one of 0..21, got 22",
        ("--unit", 1, "--state", "c"): "state: expected h, or c of an LSTM, got c of gru",
        (
            "--unit",
            1,
            "--begin",
            9999,
        ): f"begin: expected less than the text's {len(held_out)}, got 9999",
        ("--unit", 1, "--out", "x.gif"): "out: expected a .png, .svg or .pdf, got x.gif",
        ("--unit", 1, "--out", "no/x.png"): "out: expected a folder that is there, got no",
    }.items():
        assert words in fails(capsys, "paint", folder, *options)
    line = fails(capsys, "paint", folder, other, "--unit", 1)
    assert "other.txt, line 1, column 9: expected one of the" in line and "got 'Z'" in line
    other.write_text("It said one")
    line = fails(capsys, "paint", folder, other, "--find", "inside-quotes")
    assert "inside-quotes: expected a property that changes within the text" in line


def test_wrong_texts_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "text.txt", tmp_path / "run"

    def refused(data: bytes, *options: Any) -> str:
        path.write_bytes(data)
        line = fails(capsys, "train", path, "--out", out, *options)
        assert line.startswith("sidestep lm: ") and not out.exists()
        return line

    assert "expected text, got an empty file" in refused(b"")
    assert "expected UTF-8 text, got byte 2 of others" in refused(b"ab\xff\xfe")
    assert "expected text, got a binary file" in refused(b"ab\x00\x01" * 99)
    assert "expected a text of at least 2 characters to learn from, got 1 of 1" in refused(b"x")
    words = "validation_share: expected at least 2 of the 9 characters held out, or 0, got 0.1"
    assert words in refused(b"too short", "--validation-share", 0.1)
    words = "expected a text of at least 2 characters to learn from, got 1 of 9"
    assert words in refused(b"too short", "--validation-share", 0.9)
    words = "line 1, column 3: expected one of the 3 characters"
    assert words in refused(b"aba\n" * 99, "--prompt", "abc")
    assert "device: expected one that is there" in refused(b"ab\n" * 99, "--device", "quantum")
    assert "cell" in refused(b"ab\n" * 99, "--cell", "elman")
    assert "rows: expected at least 1, got 0" in refused(b"ab\n" * 99, "--rows", 0)
    words = "validation_share: expected a number in [0, 1), got 1.0"
    assert words in refused(b"ab\n" * 99, "--validation-share", 1.0)
    assert "No such file" in fails(capsys, "train", tmp_path / "none.txt", "--out", out)
    line, known = fails(capsys, "write"), ", ".join(lm.ACTIONS)
    assert f"expected an action ({known}), got 'write'" in line
    assert known.startswith("train, resume, sample, paint")
    assert "got none" in fails(capsys)
    for action in ("resume", "sample"):
        assert "expected a run's folder with a config.json" in fails(capsys, action, out)


def test_line_ends_and_marks_of_other_systems(tmp_path: Path) -> None:
    from sidestep.scripts.sequences.lm_task import read_text

    (tmp_path / "t").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_text(tmp_path / "t") == "one\ntwo\nthree\n"


def test_a_folder_in_use_is_not_touched(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(text, tmp_path / "run", "--updates", 2)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    line = fails(capsys, "train", text, "--out", folder, *SMALL)
    assert "expected a new folder for the run, got one in use" in line
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"cell": "lstm"', '"cell": "gru"'))
    assert "got a changed config.json" in fails(capsys, "sample", folder)
    assert "got a changed config.json" in fails(capsys, "resume", folder, "--updates", 9)
    config.write_text('{"kind": "lm", "fitting": {}}')
    assert "config.json: expected an entry 'text', got none" in fails(capsys, "sample", folder)
    config.write_bytes(before["config.json"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_ctrl_c_saves_and_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["lm", "train", "--out", str(folder), "--updates", "100000", *SMALL]
    command = [sys.executable, "-m", "sidestep.scripts.cli", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (folder / "metrics.jsonl").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "Stopped by SIGINT" in out and err == "" and (folder / "curve.png").exists()
    _, facts = load_checkpoint(latest_checkpoint(folder))
    assert facts["updates"] >= 5


def test_the_default_text_is_python_s_own() -> None:
    text = default_text()
    assert len(text) > 400_000 and "statement" in text and "\r" not in text


def test_a_trained_model_as_a_library(text: Path, tmp_path: Path) -> None:
    folder = train(text, tmp_path / "run", "--updates", 3)
    before = torch.get_rng_state()
    model, vocabulary = load_language_model(folder)
    assert torch.equal(before, torch.get_rng_state())
    assert not model.training and vocabulary.symbols == "".join(sorted(set(TEXT)))


def test_colours_by_hand() -> None:
    assert colour_of(0.0) == (255, 255, 255)
    red, blue = colour_of(1.0), colour_of(-1.0)
    assert red[0] > 200 and max(red[1:]) < 80 and blue[2] > 180 and blue[0] < 80
    assert colour_of(7.0) == red
    assert scaled([0.0, 0.0]) == [0.0, 0.0]
    assert scaled([0.2, -0.1]) == pytest.approx([1, -0.5], rel=0.02)


def test_painted_text_keeps_every_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painted, "family_with", lambda _: None)  # no other font is there
    text, values = 'a <b>\n& "나" $x$', [0.9, 0, -0.9, 0.5, 0.1, 0, 1, 0, 0, 0.3, 0.1, 0, 1, -1, 1]
    assert in_terminal(text, values).plain == text
    page = as_html(text, values, "unit <3>")
    assert "unit &lt;3&gt;" in page and page.count("<span") == len(text) - 1
    assert ">&lt;</span>" in page and 'title="-0.90"' in page
    figure = as_figure(text, values, "unit $3$")
    shown = [t.get_text() for t in figure.axes[0].texts]
    assert shown[0] == "unit $3$" and "".join(shown[1:]) == 'a<b>&"□"$x$'
    assert len(figure.axes[0].patches) == len(text) - 1
    figure.savefig(tmp_path / "x.png")
    pixels = imread(tmp_path / "x.png")
    assert (pixels[..., 0] - pixels[..., 2]).max() > 0.5  # red somewhere
    assert (pixels[..., 2] - pixels[..., 0]).max() > 0.5  # blue somewhere
    wrapped = as_figure("x" * 161, [0.0] * 161, "t")
    assert (
        wrapped.get_size_inches()[1] > as_figure("x" * 160, [0.0] * 160, "t").get_size_inches()[1]
    )


def test_a_run_goes_on_where_its_device_is_not(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun on a GPU, which the CPU stands in for, and resumed without one: the same bits."""
    with monkeypatch.context() as there:
        there.setattr(lm_task, "device_of", lambda name, work=None: "cpu")
        gone = train(text, tmp_path / "gone", "--updates", 6, "--device", "cuda:7")
    whole = train(text, tmp_path / "whole", "--updates", 6)
    assert "got 'cuda:7'" in fails(capsys, "resume", gone, "--updates", 9)
    lm.main(["resume", str(gone), "--updates", "9", "--device", "cpu"])
    lm.main(["resume", str(whole), "--updates", "9"])
    assert tensors_of(gone) == tensors_of(whole)
