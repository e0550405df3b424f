"""`sidestep translate evaluate RUN... --by-length`: shares against answers counted one by one."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from sidestep.scripts.sequences import translate_lengths
from sidestep.scripts.sequences.translate_data import DataConfig, corpus_of
from sidestep.scripts.sequences.translate_lengths import MOST_ROWS, scores_by_length
from sidestep.scripts.sequences.translate_search import SearchConfig, searcher, translated
from sidestep.scripts.sequences.translate_task import decode, load_translator
from sidestep.sequence.tasks.pairs import Pair
from sidestep.sequence.tasks.task import copy, examples

from .test_translate import failing, translate
from .test_translate import few_held_out as few_held_out
from .test_translate_data import write_pairs

FEW = "--hidden-size 8 --embedding-size 8 --validate-every 0 --updates 2"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs on copying, without attention and with it."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("lengths")
    for name, attention in (("narrow", "none"), ("wide", "dot")):
        translate(f"train --task copy {FEW} --attention {attention} --out {folder / name}")
    return folder / "narrow", folder / "wide"


def test_shares_are_what_one_counts(
    runs: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 97 strings the first run has those right whose sum is even, the second all."""
    pairs = examples(copy(), "test", 97, seed=0)
    even = [sum(map(int, pair.source)) % 2 == 0 for pair in pairs]
    right = iter((even, [True] * 97))
    monkeypatch.setattr(translate_lengths, "translated", lambda *_: (next(right), []))
    out, figure = tmp_path / "x.json", tmp_path / "x.png"
    words = f"evaluate {runs[0]} {runs[1]} --by-length --search greedy --pairs 97"
    translate(f"{words} --out {out} --figure {figure}")
    shown = capsys.readouterr().out
    assert "narrow (no attention)" in shown and "wide (dot attention)" in shown
    assert figure.read_bytes()[:4] == b"\x89PNG"
    record = json.loads(out.read_text())
    assert record["task"] == "copy" and [one["run"] for one in record["runs"]] == ["narrow", "wide"]
    lengths = Counter(len(pair.source) for pair in pairs)
    hits = Counter(len(pair.source) for pair, hit in zip(pairs, even, strict=True) if hit)
    for one, wanted in zip(record["runs"], (hits, lengths), strict=True):
        rows = one["by_length"]
        assert all(row["low"] == row["high"] for row in rows)
        assert {row["low"]: row["pairs"] for row in rows} == lengths
        assert Counter({row["low"]: row["right"] for row in rows}) == wanted
    longest = max(lengths)
    share = f"{hits[longest] / lengths[longest]:.1%}"
    rows = [line.replace("\u2502", " ").split() for line in shown.splitlines()]
    assert [str(longest), str(lengths[longest]), share, "100.0%"] in rows


def test_answers_are_judged_one_by_one(runs: tuple[Path, Path]) -> None:
    model, record = load_translator(runs[1])
    corpus = corpus_of(None, record.data, record.model.max_source)
    search = searcher(model, SearchConfig(), 21)
    alone = [decode(model, record.languages, [pair.source], search) for pair in corpus.test[:19]]
    written = [record.languages.target.decode(row[0][0].tokens) for row in alone]
    number = next(n for n, tokens in enumerate(written) if tokens)
    test = [p._replace(target=tuple(w)) for p, w in zip(corpus.test[:19], written, strict=True)]
    test[number] = Pair(test[number].source, (*test[number].target, "0"))
    judged = type(corpus)(**{**vars(corpus), "test": test})
    right, texts = translated(model, judged, SearchConfig(), 20)
    assert right == [n != number for n in range(19)]
    assert texts == ["".join(tokens) for tokens in written]
    others = [frozenset([pair.target]) for pair in test]
    others[number] = frozenset([("1",), tuple(written[number])])
    judged = type(corpus)(**{**vars(judged), "answers": others})
    assert all(translated(model, judged, SearchConfig(), 20)[0])


def test_many_lengths_are_put_together(pairs: Path) -> None:
    corpus = corpus_of(pairs, DataConfig(minimum_count=1), 64)
    test = [Pair(("a",) * n, ("b",)) for n in range(3, 63) for _ in range(n % 3)]
    corpus = type(corpus)(**{**vars(corpus), "test": test, "record": None})
    scores = scores_by_length(corpus, [len(p.source) < 12 for p in test], ["b"] * len(test))
    assert len(scores) <= MOST_ROWS and {s.high - s.low for s in scores} == {2}
    assert (scores[0].low, scores[0].words) == (4, "4 to 6")  # none has three
    assert sum(s.pairs for s in scores) == len(test)
    for score in scores:
        inside = [len(p.source) for p in test if score.low <= len(p.source) <= score.high]
        assert score.pairs == len(inside) and score.right == sum(n < 12 for n in inside)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path)


def test_a_file_has_bleu_and_only_runs_of_one_test_compare(
    runs: tuple[Path, Path], pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sacrebleu")
    translate(f"train {pairs} {FEW} --out {tmp_path}/file")
    translate(f"evaluate {tmp_path}/file --by-length --search greedy")
    assert "BLEU file" in capsys.readouterr().out
    assert (tmp_path / "file" / "by-length.png").stat().st_size > 5000
    both = f"{runs[0]} {tmp_path}/file"
    wanted = "runs: expected runs with one test split, got copy of"
    assert wanted in failing(capsys, f"evaluate {both} --by-length --pairs 7 --search greedy")


def test_wrong_flags(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    wrong: tuple[tuple[str, Any], ...] = (
        (f"evaluate {runs[0]} {runs[1]}", "expected one run without --by-length, got 2"),
        (f"evaluate {runs[0]} --figure x.png", "figure: expected --by-length with it, got x.png"),
        (
            f"evaluate {runs[0]} --by-length --figure x.gif",
            "figure: expected a .png, .svg or .pdf, got x.gif",
        ),
        (f"evaluate {runs[0]} --by-length --pairs 0", "pairs: expected at least 1, got 0"),
    )
    for words, message in wrong:
        assert message in failing(capsys, words)
    assert "runs" in failing(capsys, "evaluate")
