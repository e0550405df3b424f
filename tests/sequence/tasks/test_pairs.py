"""Vocabularies, batches, and files of pairs."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidestep.sequence.tasks.pairs import (
    BEGIN,
    END,
    PAD,
    SPECIAL,
    UNKNOWN,
    Pair,
    TokenVocabulary,
    bare,
    join_words,
    make_batch,
    pad,
    read_pairs,
    split_characters,
    split_words,
)


def test_special_symbols_come_first() -> None:
    vocabulary = TokenVocabulary("ab")
    assert vocabulary.symbols == (*SPECIAL, "a", "b") and len(vocabulary) == 6
    assert vocabulary.encode(["b", "x", "a"]) == [5, UNKNOWN, 4]
    assert vocabulary.decode([BEGIN, 5, PAD, UNKNOWN, 4, END, 5]) == ["b", "<unknown>", "a"]
    assert vocabulary.unknown("xaybx") == ["x", "y"]
    assert "a" in vocabulary and "x" not in vocabulary


@pytest.mark.parametrize("symbols", [["a", "b", "a"], ["<end>"]])
def test_a_symbol_twice_is_refused(symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=f"distinct symbols, got '{symbols[0]}' twice"):
        TokenVocabulary(symbols)


def test_vocabulary_of_a_text_keeps_the_frequent() -> None:
    sequences = ["abba", "acb", "<"]  # a 3, b 3, c 1, < 1
    assert TokenVocabulary.from_tokens(sequences).symbols[4:] == ("a", "b", "<", "c")
    assert TokenVocabulary.from_tokens(sequences, minimum=2).symbols[4:] == ("a", "b")
    assert TokenVocabulary.from_tokens(sequences, limit=3).symbols[4:] == ("a", "b", "<")
    assert TokenVocabulary.from_tokens([["<pad>", "z"]]).symbols[4:] == ("z",)


def test_batch_by_hand() -> None:
    source, target = TokenVocabulary("xyz"), TokenVocabulary("ab")
    pairs = [Pair(("x", "y", "z"), ("b",)), Pair(("z",), ("a", "q"))]
    batch = make_batch(pairs, source, target)
    assert batch.source.t().tolist() == [[4, 5, 6, END], [6, END, PAD, PAD]]
    assert batch.source_lengths.tolist() == [4, 2]
    assert batch.target.t().tolist() == [[BEGIN, 5, END, PAD], [BEGIN, 4, UNKNOWN, END]]
    assert batch.target_lengths.tolist() == [3, 4]
    assert all(a.equal(b) for a, b in zip(batch.to("cpu"), batch, strict=True))


def test_padding_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sequence, got none"):
        pad([])


def test_words_and_back() -> None:
    text = "Tom's dog can't bark, can it? Yes!"
    words = split_words(text)
    assert words == ["Tom's", "dog", "can't", "bark", ",", "can", "it", "?", "Yes", "!"]
    assert join_words(words) == text
    assert join_words(["the", "dog", "'s", "name", "."]) == "the dog's name."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("¿Qué hora es?", "¿ Qué hora es ?"),
        ("a well-known 3.14", "a well - known 3.14"),
        ("1,000", "1,000"),
        ("Sie sagt: „Ich\"", 'Sie sagt : „ Ich "'),
        ("« Non ! »", "« Non ! »"),
        ("\u201cHi,\u201d\u2014\u2018no\u2019 l\u2019été", 
 "\u201c Hi , \u201d \u2014 \u2018 no \u2019 l\u2019été"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया ।"),
        ("สวัสดีครับ", "สวัสดีครับ"),
        ("مُحَمَّدٌ هنا؟", "مُحَمَّدٌ هنا ؟"),
        ("מִשְׁנָה", "מִשְׁנָה"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("e\u0301t\u0308 x\u0301", "e\u0301t\u0308 x\u0301"),
        ("(x)[y] C++ #tag 3km/h", "( x ) [ y ] C + + # tag 3km / h"),
        ("\U0001f469\u200d\U0001f467 ok", "\U0001f469\u200d\U0001f467 ok"),
    ],
)  # fmt: skip
def test_words_and_back_in_many_scripts(text: str, words: str) -> None:
    tokens = split_words(text)
    assert join_words(tokens) == text
    assert " ".join(map(bare, tokens)) == words  # marks stay with their letters


STRANGE = "\uffed\u2581 .,'aé!\"(\u0301-1\n\t¿«\u00a0\u2028"


@given(st.text() | st.text(alphabet=STRANGE))
@example(" a  b\t")
@example("\uffed\u2581 \u2581a\uffed")
def test_any_text_comes_back(text: str) -> None:
    assert join_words(split_words(text)) == text
    assert "".join(split_characters(text)) == text


@given(st.lists(st.text(alphabet=STRANGE)))
def test_any_tokens_can_be_joined(tokens: list[str]) -> None:
    assert isinstance(join_words(tokens), str)  # a model may write them in any order


def test_words_beside_marks_stay_bare() -> None:
    assert split_words('"no", well-known (x): 3 - 1 non !') == [
        *('"\uffed', "no", '\uffed"', ",", "well", "\uffed-\uffed", "known", "(", "x", ")", ":"),
        *("3", "-", "1", "non", "\u2581!"),
    ]


def test_characters_keep_their_marks() -> None:
    assert split_characters("मस्ते") == ["म", "स्ते"]
    assert split_characters("วัสดี") == ["วั", "ส", "ดี"]
    assert split_characters("나는") == ["나", "는"]


def test_pairs_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    letters = unicodedata.normalize("NFD", "가")  # two letters, not a syllable
    path.write_bytes(f"\ufeffGo.\t{letters}.\tsource, by whom\n\n Hi \t안녕\r\n".encode())
    assert read_pairs(path) == [("Go.", "가."), ("Hi", "안녕")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\tb\nno tab\n", "line 2: expected SOURCE tab TARGET, got no tab"),
        (b"a\tb\n\n\tb\n", "line 3: expected SOURCE tab TARGET, got an empty one"),
        (b"a\t \n", "line 1: expected SOURCE tab TARGET, got an empty one"),
        (b"", "at least one pair, got an empty file"),
        (b"\n \n", "at least one pair, got an empty file"),
        (b"\xff\xfe\x00", "expected UTF-8 text, got"),
        (b"a\tb\0c\n", "expected text, got a binary file"),
    ],
)
def test_wrong_files(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)
