"""`sidestep translate chat` through a pipe, and the small talk that comes with the package."""

import io
import re
import sys
from pathlib import Path

import pytest
import torch

from sidestep.scripts.sequences import translate_data
from sidestep.scripts.sequences.translate_data import (
    DataConfig,
    chat_file,
    corpus_of,
    groups_of,
    split_unit,
)
from sidestep.scripts.sequences.translate_search import SearchConfig, searcher
from sidestep.scripts.sequences.translate_task import decode, load_translator
from sidestep.sequence.tasks.pairs import Pair

from .test_translate import failing, translate

CORPUS = corpus_of(None, DataConfig(task="chat"), 64)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three updates: what it answers is nonsense, and always the same."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("chat") / "run"
    translate(f"train --task chat --hidden-size 8 --embedding-size 8 --updates 3 --out {folder}")
    return folder


def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the chat says to what comes through a pipe: the first word is the run."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(words[1:])))
    capsys.readouterr()
    translate(f"chat {words[0]}")
    return capsys.readouterr().out


def test_each_line_is_answered_until_exit(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = talk(monkeypatch, capsys, str(run), "안녕", "", "  잘 자!  ", "exit", "고마워")
    model, record = load_translator(run)
    search = searcher(model, SearchConfig(), record.data.max_target + 1)
    sources = [tuple("안녕"), tuple("잘자")]
    rows = decode(model, record.languages, sources, search)
    languages = record.languages
    wanted = [languages.join_target(languages.target.decode(row[0].tokens)) for row in rows]
    assert said.splitlines() == [words.strip() or "..." for words in wanted]
    assert talk(monkeypatch, capsys, str(run)) == ""


def test_what_cannot_be_read_is_said_on_the_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = talk(monkeypatch, capsys, str(run), "쀍 먹자 Q", "?!", "가" * 65).splitlines()
    assert said[0].endswith("(I have never seen '쀍', 'Q'.)")
    assert said[1:] == [
        "(I read 1 to 64 tokens at a time, and this has 0.)",
        "(I read 1 to 64 tokens at a time, and this has 65.)",
    ]


def test_blocks_of_the_file_are_matters_with_answers_of_their_own() -> None:
    blocks = [
        [line.split("\t") for line in block.split("\n")]
        for block in chat_file().read_text(encoding="utf-8").strip().split("\n\n")
    ]
    lines = [line for block in blocks for line in block]
    assert 200 <= sum(len(line) == 2 for line in lines) <= 400
    assert all(block[-1][2:] == ["held out"] and len(block) >= 6 for block in blocks)
    pairs = {
        number: {Pair(tuple(split_unit(s, "letter")), tuple(t)) for s, t, *_ in block}
        for number, block in enumerate(blocks)
    }
    groups = groups_of(pair for block in pairs.values() for pair in block)
    assert {frozenset(group) for group in groups} == {frozenset(b) for b in pairs.values()}
    assert sum(len({line[1] for line in block}) > 1 for block in blocks) >= 10
    polite = re.compile(r"(요|니다|세요|시오)[.!?]?$")
    assert not [line for line in lines if polite.search(line[0]) or polite.search(line[1])]


def test_nothing_that_is_held_out_is_learnt() -> None:
    training = set(CORPUS.train(0, 0, 371))
    assert len(training) == 371 and not CORPUS.validation
    assert not {pair.source for pair in training} & {pair.source for pair in CORPUS.test}
    assert {pair.target for pair in CORPUS.test} <= {pair.target for pair in training}
    hello = CORPUS.test[0]
    assert "".join(hello.source) == "안녕나야"
    right = {"".join(target) for target in CORPUS.accepted(0)}
    assert right == {"나도 안녕!", "안녕! 반가워."}
    assert corpus_of(None, DataConfig(task="chat"), 64).test == CORPUS.test


def test_spaces_and_marks_make_no_difference() -> None:
    assert CORPUS.languages.split_source(" 뭐, 해?!~ 2") == ["뭐", "해", "2"]
    assert CORPUS.languages.join_target(list("응, 나도.")) == "응, 나도."


def test_a_run_of_another_chat_answers_but_is_not_measured(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    translate(f"evaluate {run} --search greedy")
    assert "answered as the matter asks for" in capsys.readouterr().out
    other = tmp_path / "chat.tsv"
    other.write_text("안녕\t안녕!\n하이\t안녕!\theld out\n", encoding="utf-8")
    monkeypatch.setattr(translate_data, "chat_file", lambda: other)
    assert talk(monkeypatch, capsys, str(run), "안녕")
    assert "expected the chat that it was begun with" in failing(capsys, f"evaluate {run}")
    for words, message in (
        ("train --task chat --swap", "swap: expected a file of pairs, got none"),
        ("train --task chat --max-target 2", "max_target: expected at least 3 for chat, got 2"),
    ):
        assert message in failing(capsys, f"{words} --out {tmp_path}/no")


@pytest.mark.slow
def test_paraphrases_that_were_held_out_are_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    translate(f"train --task chat --updates 400 --validate-every 0 --out {tmp_path}/run")
    capsys.readouterr()
    from sidestep.scripts.sequences.translate_run import EvaluateOptions, evaluate

    how = SearchConfig(search="greedy")
    scores = evaluate(EvaluateOptions((tmp_path / "run",), how))
    assert not isinstance(scores, list) and scores.exact > 0.8  # 0.97 with seed 0
