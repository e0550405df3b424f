"""What `sidestep translate` learns from a file of pairs: split, limits, batches, and its scores."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sidestep.scripts.sequences import translate_search
from sidestep.scripts.sequences.translate_data import (
    Corpus,
    DataConfig,
    Shuffled,
    corpus_of,
    groups_of,
    parts_of,
    unit_of,
)
from sidestep.scripts.sequences.translate_search import Scores, SearchConfig, scores_of
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.tasks.pairs import Pair, TokenVocabulary

KOR_ENG = Path(__file__).resolve().parents[4] / "shared" / "data" / "kor-eng.txt"


def write_pairs(folder: Path) -> Path:
    """A file of 100 pairs: two digits in words, and one in Hangul with the number."""
    path = folder / "pairs.tsv"
    ones = "zero one two three four five six seven eight nine".split()
    digits = "영일이삼사오육칠팔구"
    lines = [f"{ones[n // 10]} {ones[n % 10]}!\t{digits[n % 10]} {n}\tby" for n in range(100)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_pairs(tmp_path)


def test_split_of_a_file(pairs: Path, tmp_path: Path) -> None:
    """Fixed whatever the order of the lines; no source and no target in two parts."""
    other = tmp_path / "other.tsv"
    other.write_text("\n".join(reversed(pairs.read_text().splitlines())))
    first, second = (corpus_of(p, DataConfig(minimum_count=1), 64) for p in (pairs, other))
    assert sorted(first.test) == sorted(second.test) and first.train.pairs == second.train.pairs  # type: ignore[attr-defined]
    training = first.train.pairs  # type: ignore[attr-defined]
    held_out = [*first.test, *first.validation]
    assert len(training) + len(held_out) <= 100 and len(first.test) > 3
    for side in (0, 1):
        assert not {pair[side] for pair in training} & {pair[side] for pair in held_out}
    tokens = {token for pair in training for token in pair.source}
    assert set(first.languages.source.symbols[4:]) == tokens


def test_shares_are_exact_and_parts_share_nothing(pairs: Path) -> None:
    for test, validation in ((0.1, 0.1), (0.37, 0.05), (0.0, 0.2), (0.2, 0.0)):
        corpus = corpus_of(pairs, DataConfig(test_share=test, validation_share=validation), 64)
        sizes = [len(corpus.test), len(corpus.validation), len(corpus.train.pairs)]  # type: ignore[attr-defined]
        assert sizes == [round(100 * s) for s in (test, validation, 1 - test - validation)]


def test_lines_that_repeat_count_once(pairs: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tsv"
    again.write_text(pairs.read_text() * 3)
    once, thrice = (corpus_of(p, DataConfig(minimum_count=1), 64) for p in (pairs, again))
    assert thrice.test == once.test and len(set(once.test)) == len(once.test)
    assert thrice.validation == once.validation and thrice.references == once.references
    assert thrice.train.pairs == once.train.pairs  # type: ignore[attr-defined]
    assert "200 lines repeat others" in thrice.words and "repeat" not in once.words


NUMBERS = st.integers(0, 30)


@given(st.sets(st.tuples(NUMBERS, NUMBERS), min_size=3), st.data())
def test_no_source_and_no_target_in_two_parts(
    found: set[tuple[int, int]], data: st.DataObject
) -> None:
    pairs = [Pair((str(a),), (str(b),)) for a, b in found]
    groups = groups_of(pairs)
    assert groups_of(pairs[::-1]) == groups and sum(map(len, groups)) == len(pairs)
    assume(len(groups) >= 3)
    parts = parts_of(groups, *(data.draw(st.floats(0.01, 0.49)) for _ in range(2)))
    assert all(parts) and sorted(pair for part in parts for pair in part) == sorted(pairs)
    for side in (0, 1):
        sides = [{pair[side] for pair in part} for part in parts]
        assert len(set().union(*sides)) == sum(map(len, sides))


def test_longer_pairs_are_left_out(pairs: Path) -> None:
    short = corpus_of(pairs, DataConfig(source_unit="character", minimum_count=1), 9)
    lengths = [len(p.source) for p in (*short.test, *short.validation, *short.train.pairs)]  # type: ignore[attr-defined]
    assert max(lengths) <= 9 and "longer than the limits" in short.words
    left_out = int(short.words.split("; ")[1].split()[0])
    texts = [line.split("\t")[0] for line in pairs.read_text().splitlines()]
    assert left_out == sum(len(text) > 9 for text in texts) > 0


def test_shuffled_pairs_come_once_an_epoch() -> None:
    pairs = [Pair((str(n),), ()) for n in range(7)]
    shuffled = Shuffled(pairs)
    drawn = [pair for update in range(7) for pair in shuffled(3, update, 5)]  # five epochs
    for epoch in range(5):
        assert sorted(drawn[7 * epoch : 7 * epoch + 7]) == pairs
    assert drawn[:7] != drawn[7:14]
    assert Shuffled(pairs)(3, 4, 5) == drawn[20:25]
    assert shuffled(4, 0, 7) != drawn[:7]


def test_units() -> None:
    assert unit_of("auto", ["나는 간다. OK"]) == "character"
    assert unit_of("auto", ["I go to 서울."]) == "word"
    assert unit_of("word", ["나는 간다."]) == "word"
    assert unit_of("auto", ["สวัสดีครับ"]) == unit_of("auto", ["東京へ"]) == "character"
    assert unit_of("auto", ["नमस्ते दुनिया"]) == unit_of("auto", ["مُحَمَّد"]) == "word"


def write_right(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, wrong: int = 0) -> Scores:
    """The scores of a model that writes all but so many of the test's targets exactly."""
    target = corpus.languages.target
    right = [[Hypothesis(target.encode(p.target), 0.0, 0.0, None, True)] for p in corpus.test]
    for number in range(wrong):
        right[number] = right[number + 1]
    monkeypatch.setattr(translate_search, "decode", lambda *_: right)
    monkeypatch.setattr(translate_search, "searcher", lambda *_: None)
    return scores_of(None, corpus, SearchConfig(), 64)[0]  # type: ignore[arg-type]


def test_exact_is_the_share_of_exact_ones(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(pairs, DataConfig(swap=True, minimum_count=1), 64)
    scores = write_right(corpus, monkeypatch, wrong=1)
    assert scores.exact == pytest.approx(1 - 1 / len(corpus.test))


FRAMES = {
    "marks": '¿Qué {} hora, "{}" es-{}? ¡3.{} o 1,{}00!',
    "spaces": "« {}  non ! » \u2014{} l\u2019{}\u202f: {}\u00a0{}",
    "hindi": "नमस्ते {} दुनिया{}। {} क्या-{} {}?",
    "hebrew": "מִשְׁנָה {} שָׁלוֹם{} {} {} {}",
    "thai": "สวัสดี{}ครับ{} {} {}{}",
    "one word": "{}\u0301{}",  # no sentence has four words
}


@pytest.mark.parametrize("name", FRAMES)
def test_exact_translations_score_100(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sacrebleu")
    words = "uno dos tres éso día tía río sol mar luz".split()
    lines = [
        f"{n}\t{FRAMES[name].format(*[words[n // 10], words[n % 10]] * 3)}" for n in range(100)
    ]
    lines = sorted({line.split("\t")[1]: line for line in lines}.values())
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines * 2), encoding="utf-8")
    corpus = corpus_of(path, DataConfig(minimum_count=1), 64)
    texts = {unicodedata.normalize("NFC", line.split("\t")[1]) for line in lines}
    assert texts.issuperset(corpus.references) and corpus.references
    right = [corpus.languages.join_target(pair.target) for pair in corpus.test]
    assert right == corpus.references
    known = TokenVocabulary.from_tokens(pair.target for pair in corpus.test)
    languages = replace(corpus.languages, target=known)  # as if it had been trained on all of them
    scores = write_right(replace(corpus, languages=languages), monkeypatch)
    assert (scores.exact, scores.bleu, scores.chrf) == (1, pytest.approx(100), pytest.approx(100))


@pytest.mark.skipif(not KOR_ENG.is_file(), reason="the Korean-English file is not there")
def test_korean_english_pairs() -> None:
    corpus = corpus_of(KOR_ENG, DataConfig(swap=True), 64)
    assert corpus.languages.units == ("character", "word")
    assert corpus.record is not None and corpus.record["pairs"] == 3723
    assert len(corpus.test) > 200 and len(corpus.validation) > 200
    assert any("\uac00" <= token <= "\ud7a3" for token in corpus.languages.source.symbols)
