"""`sidestep translate`: runs that are short, resumed, used and measured; and every wrong input."""

import json
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sidestep.scripts import cli
from sidestep.scripts.sequences import hangul, translate_data
from sidestep.scripts.sequences.translate_data import DataConfig, corpus_of
from sidestep.scripts.sequences.translate_search import (
    SearchConfig,
    searcher,
    worth_showing,
)
from sidestep.scripts.sequences.translate_task import TranslationTask, decode, load_translator
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.tasks.pairs import Pair

from .test_translate_data import write_pairs

SMALL = "--hidden-size 6 --embedding-size 5 --batch-size 3 --validate-every 2 --log-every 1"


def translate(words: str, *more: str) -> None:
    cli.main(["translate", *words.split(), *more])


def failing(capsys: pytest.CaptureFixture[str], words: str, *more: str) -> str:
    """What the command says about wrong input, on its one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        translate(words, *more)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1, error
    return error


@pytest.fixture(scope="module", autouse=True)
def few_held_out() -> Iterator[None]:
    """Short tests at the end of short runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate_data, "HELD_OUT", 23)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five updates on word order."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("translate") / "run"
    translate(f"train {SMALL} --updates 5 --checkpoint-every 3 --out {folder}")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 100 pairs."""
    return write_pairs(tmp_path_factory.mktemp("pairs"))


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of the log without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


def test_a_run_leaves_its_folder(run: Path) -> None:
    for name in ("config.json", "metrics.jsonl", "best.json", "curve.png", "attention.png"):
        assert (run / name).stat().st_size > 100, name
    record = json.loads((run / "config.json").read_text())
    assert record["kind"] == "translate" and record["name"] == "word-order"
    points = [line["validation"] for line in metrics(run) if "validation" in line]
    assert len(points) == 3 and all(0 <= point["exact"] <= 1 for point in points)


def test_resuming_is_exact(tmp_path: Path) -> None:
    """Thrown back to the checkpoint at three updates: the same log and weights as in one piece."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    forcing = "--teacher-forcing 0.9 --final-teacher-forcing 0.4 --dropout 0.2"
    translate(f"train {SMALL} {forcing} --updates 5 --checkpoint-every 3 --out {whole}")
    shutil.copytree(whole, parts)
    for file in parts.glob("checkpoint-000000000005*"):
        file.unlink()
    translate(f"resume {parts}")
    assert metrics(parts) == metrics(whole)
    first, second = (load_translator(folder, "last")[0].state_dict() for folder in (whole, parts))
    assert all(tensor.equal(second[name]) for name, tensor in first.items())


def test_run_shows_hypotheses_and_attention(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    translate(f"run {run}", "민수는 책을 읽었다.", "로봇이 물을 마셨니?", "--beam-width", "3")
    text = capsys.readouterr().out
    assert text.count("translation") >= 2 and "log-probability" in text
    assert "Text 2 holds what the model has never seen" in text and "'로봇이'" in text
    assert (run / "translation.png").stat().st_size > 5000


@pytest.mark.parametrize("how", ["greedy", "beam", "sample"])
def test_run_without_a_text_takes_one_of_the_test(
    run: Path, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "here.png"
    translate(f"run {run} --search {how} --samples 2 --figure {path}")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert "never seen" not in capsys.readouterr().out


def test_evaluate_measures_the_test_again(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    translate(f"evaluate {run} --search greedy --out {path}")
    record = json.loads(path.read_text())
    assert 0 <= record["exact"] <= 1 and record["search"]["search"] == "greedy"
    assert "bleu" not in record


def test_batches_of_a_translation_equal_one_by_one(run: Path) -> None:
    model, record = load_translator(run, "last")
    corpus = corpus_of(None, record.data, record.model.max_source)
    sources = [pair.source for pair in corpus.test[:7]]
    search = searcher(model, SearchConfig(search="beam", beam_width=3), 11)
    together = decode(model, record.languages, sources, search)
    for source, row in zip(sources, together, strict=True):
        (alone,) = decode(model, record.languages, [source], search)
        assert [h.tokens for h in alone] == [h.tokens for h in row]
        for one, other in zip(alone, row, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert other.attention.shape[1] == len(source) + 1
            torch.testing.assert_close(one.attention, other.attention, rtol=0, atol=1e-5)


def test_a_file_of_pairs(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sacrebleu")
    out = tmp_path / "run"
    model = "--attention none --hidden-size 6 --embedding-size 5 --validate-every 0"
    translate(f"train {pairs} --swap {model} --updates 2 --minimum-count 1 --out {out}")
    text = capsys.readouterr().out
    assert "BLEU" in text and "chrF" in text and not (out / "attention.png").exists()
    record = json.loads((out / "config.json").read_text())
    assert record["units"] == ["character", "word"] and record["file"]["pairs"] == 100
    translate(f"run {out}", "영 10")
    assert "no attention to show" in capsys.readouterr().out
    moved = tmp_path / "moved.tsv"
    shutil.copy(pairs, moved)
    translate(f"evaluate {out} --search beam --file {moved} --out {tmp_path}/scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["bleu"] >= 0 and scores["chrf"] >= 0
    moved.write_text("a\tb\n")
    assert "expected the 100 pairs" in failing(capsys, f"evaluate {out} --file {moved}")
    assert "say where they are now with --file" in failing(
        capsys, f"resume {out} --updates 3 --file {tmp_path}/nowhere"
    )
    assert "expected at least one text to translate" in failing(capsys, f"run {out}")


def test_text_in_single_letters_of_hangul_is_read(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = unicodedata.normalize("NFD", "민수는 책을 읽었다.")
    assert len(text) > 20
    translate(f"run {run} --search greedy", text)
    assert "never seen" not in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--temperature 1e-50", "--temperature 1e300", "--top-k 99999"])
def test_extreme_numbers_draw(run: Path, option: str, tmp_path: Path) -> None:
    translate(f"run {run} --search sample {option} --figure {tmp_path}/x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_chat_of_few_pairs_that_repeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, few = tmp_path / "chat.tsv", "--hidden-size 6 --embedding-size 5 --updates 3"
    chat = ["hi\thello", "how are you?\tfine", "bye\tsee you", "ok\tgood", "thanks\tyou too"]
    path.write_text("\n".join(chat * 8))
    translate(f"train {path} {few} --out {tmp_path}/run")
    printed = " ".join(capsys.readouterr().out.split())
    assert "3 pairs to learn from, 1 for validation, 1 for the test" in printed
    assert "35 lines repeat others" in printed and "<unknown> <unknown>" not in printed
    translate(f"train {path} {few} --test-share 0 --validation-share 0 --out {tmp_path}/all")
    printed = " ".join(capsys.readouterr().out.split())
    assert "5 pairs to learn from, 0 for validation" in printed and "nothing held out" in printed
    symbols = json.loads((tmp_path / "all" / "config.json").read_text())["target_symbols"]
    assert set(symbols) == set("hello fine see you good too".split())  # each in one pair: all known
    translate(f"resume {tmp_path}/all --updates 5")
    assert "expected a test split" in failing(capsys, f"evaluate {tmp_path}/all")


def test_a_rate_that_is_far_too_large_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rate in ("1e30", "1e300"):
        words = f"train {SMALL} --updates 5 --learning-rate {rate} --out {tmp_path}/{rate}"
        line = failing(capsys, words)
        assert "expected a finite loss" in line and "smaller --learning-rate" in line


def test_what_is_drawn_crosses_most() -> None:
    straight = Pair(tuple("abcdefgh"), tuple("12"), ((0, 0), (1, 1)))
    crossed = straight._replace(alignment=((0, 1), (1, 0)))
    assert worth_showing([straight, straight, crossed], 1) == [2]
    plain = Pair(tuple("4 March 2021"), tuple("2021-03-04"))
    korean = Pair(tuple("2021년 3월 4일"), tuple("2021-03-04"))
    assert worth_showing([plain, plain, korean]) == [0, 2]
    assert worth_showing([plain]) == [0]


def test_teacher_forcing_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    from sidestep.sequence.fitting.fitter import FittingConfig

    data = DataConfig(task="copy", teacher_forcing=1.0, final_teacher_forcing=0.5, batch_size=3)
    model = Seq2SeqConfig(hidden_size=6, embedding_size=5)
    task = TranslationTask(corpus_of(None, data, 64), data, model, FittingConfig(updates=5))
    seen = []
    forward = task.model.forward

    def spy(source: Any, lengths: Any, target: Any, forcing: float = 1.0) -> Any:
        seen.append(forcing)
        return forward(source, lengths, target, forcing)

    monkeypatch.setattr(task.model, "forward", spy)
    for update in range(5):
        task.loss(update)
    assert seen == [1.0, 0.875, 0.75, 0.625, 0.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nno tab\n", "line 2: expected SOURCE tab TARGET, got no tab"),
        ("", "expected at least one pair, got an empty file"),
        (
            "a\tb\n" * 9,
            "expected at least 3 groups of pairs with no source and no target in common",
        ),
        ("a\tb\na\tc\nd\tc\n" * 9, "got 1 of 3 pairs (24 repeated, 0 longer than the limits)"),
        ("a\0\tb\n", "expected text, got a binary file"),
    ],
)
def test_wrong_files(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content)
    assert message in failing(capsys, f"train {path} --out {tmp_path}/run")
    assert not (tmp_path / "run").exists()


def test_wrong_flags_and_texts(
    run: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        ("", "expected an action (train, resume, run, evaluate, watch, chat), got none"),
        ("learn", "got 'learn'"),
        ("train --task letters", "task"),
        ("train --swap", "swap: expected a file of pairs, got none"),
        ("train --test-share 0.2", "test_share: expected a file of pairs, got none"),
        (f"train {pairs} --test-share 1", "test_share: expected a number in [0, 1), got 1.0"),
        (f"train {pairs} --test-share nan", "test_share: expected a number in [0, 1), got nan"),
        (f"train {pairs} --test-share 0.6 --validation-share 0.4", "test_share below 1, got 0.4 +"),
        ("train --hidden-size 100000000000000000000", "hidden_size: expected at most 1048576, got"),
        ("train --batch-size 10000000000", "batch_size: expected at most 1048576, got"),
        ("train --seed 18446744073709551616", "seed: expected at most 9223372036854775807, got"),
        ("train --threads 4611686018427387904", "threads: expected at most 1024, got"),
        (f"run {run} --length-penalty nan", "length_penalty: expected a number in [0, 50], got"),
        (f"run {run} --length-penalty 1e308", "length_penalty: expected a number in [0, 50], got"),
        (f"run {run} --temperature nan", "temperature: expected a number of at least 0, got nan"),
        ("train --target-unit word", "target_unit: expected a file of pairs, got none"),
        ("train --task dates --minimum-count 3", "minimum_count: expected a file of pairs, got"),
        (f"run {run} --figure x.jpg", "figure: expected a .png, .svg or .pdf, got x.jpg"),
        (f"run {run} --figure {tmp_path}/no/x.png", "figure: expected a folder that is there, got"),
        (f"evaluate {run} --out {tmp_path}/no/x.json", "out: expected a folder that is there, got"),
        (f"train {pairs} --task dates", "expected a file or a task, got"),
        ("train --task dates --max-source 20", "max_source: expected at least 64 for dates, got"),
        ("train --task dates --max-target 9", "max_target: expected at least 10 for dates, got 9"),
        ("train --hidden-size 7", "hidden_size: expected an even number for two directions, got 7"),
        ("train --teacher-forcing 1.5", "teacher_forcing: expected a number in [0, 1], got 1.5"),
        ("train --attention none --input-feeding", "attention: expected a score for input feeding"),
        (f"train {tmp_path}/nowhere.tsv", "No such file"),
        (f"run {tmp_path}", "expected a run's folder with a config.json in it"),
        (f"run {run} --beam-width 0", "beam_width: expected at least 1, got 0"),
        (f"run {run} --temperature -1", "temperature: expected a number of at least 0, got -1.0"),
        (f"run {run} --checkpoint nope", "nope.json: expected a checkpoint"),
        (f"resume {run}", "updates: expected more than the 5 already made, got 5"),
    ):  # fmt: skip
        assert message in failing(
            capsys, f"{words} --out {tmp_path}/no" if words[:5] == "train" else words
        )
    assert not (tmp_path / "no").exists()
    assert "text 2: expected something to translate, got ' '" in failing(
        capsys, f"run {run}", "민수는", " "
    )
    assert "text 1: expected at most 64 tokens, which is what the model was made for, got 65" in (
        failing(capsys, f"run {run}", "나 " * 65)
    )
    assert "expected a new folder for the run, got one in use" in failing(
        capsys, f"train --updates 1 --out {run}"
    )


def test_a_wrong_font_is_told_before_the_work(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hangul.hangul_font.cache_clear()
    monkeypatch.setenv(hangul.FONT_VARIABLE, str(tmp_path / "no.ttf"))
    message = "SIDESTEP_FONT: expected a font file with Hangul, got"
    before = sorted(p.name for p in run.iterdir())
    for words in (f"train --out {tmp_path}/run", f"resume {run} --updates 9", f"run {run}"):
        assert message in failing(capsys, words)
    assert not (tmp_path / "run").exists() and sorted(p.name for p in run.iterdir()) == before


def test_a_damaged_record_is_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    record = json.loads((folder / "config.json").read_text())
    del record["units"]
    (folder / "config.json").write_text(json.dumps(record))
    message = "config.json: expected an entry 'units', got none"
    assert message in failing(capsys, f"run {folder}")
