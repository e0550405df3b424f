"""The Korean-English grammar: sentences by hand, particles, alignments."""

import random

import pytest

from sidestep.sequence.tasks.lexicon import (
    KOREAN_SYMBOLS,
    NAMES,
    PARTICLES,
    english_text,
    has_final_consonant,
    korean_text,
    split_english,
    split_korean,
)
from sidestep.sequence.tasks.task import examples
from sidestep.sequence.tasks.word_order import english_korean, word_order

PAIRS = examples(word_order(), "train", 3001, seed=1)
OBJECT, TOPIC, SUBJECT, WITH = ("을", "를"), ("은", "는"), ("이", "가"), ("과", "와")


def test_final_consonants() -> None:
    assert [has_final_consonant(c) for c in "가각책나물의밥"] == [
        *(False, True, True, False, True, False, True),
    ]


def test_particles_follow_the_last_sound() -> None:
    seen = set()
    for pair in PAIRS:
        for word, mark in zip(pair.source, pair.source[1:], strict=False):
            for closed, bare in (OBJECT, TOPIC, SUBJECT, WITH):
                if mark in (closed, bare):
                    assert mark == (closed if has_final_consonant(word[-1]) else bare), (word, mark)
                    seen.add(mark)
    assert seen == {*OBJECT, *TOPIC, *SUBJECT, *WITH}


def test_verb_last_in_korean_and_object_behind_the_verb_in_english() -> None:
    for pair in PAIRS:
        assert pair.source[-1] in (".", "?") and pair.source[-1] == pair.target[-1]
        assert pair.source[-2][-1] in "다니"
        for s, t in pair.alignment:
            if pair.source[s] in OBJECT:
                raise AssertionError("an object's particle has no English word")
            if pair.source[s] in NAMES:
                assert pair.target[t] == NAMES[pair.source[s]]


def test_every_english_word_renders_something_and_every_noun_is_rendered() -> None:
    silent = {*OBJECT, *TOPIC, *SUBJECT}
    for pair in PAIRS:
        assert {t for _, t in pair.alignment} == set(range(len(pair.target)))
        for s in set(range(len(pair.source))) - {s for s, _ in pair.alignment}:
            assert pair.source[s] in silent, pair


def test_a_plain_sentence_crosses() -> None:
    """민수 는 책 을 읽었다 . is Minsu read the book . with the verb before the object."""
    plain = [
        pair
        for pair in PAIRS
        if len(pair.source) == 6
        and pair.source[0] in NAMES
        and pair.source[3] in OBJECT
        and len(pair.target) == 5
        and pair.target[2] == "the"
    ]
    assert plain
    for pair in plain:
        assert pair.alignment == ((0, 0), (2, 2), (2, 3), (4, 1), (5, 4))


@pytest.mark.parametrize(
    ("korean", "tokens"),
    [
        ("민수는 책을 읽었다.", "민수 는 책 을 읽었다 ."),
        ("고양이가 사과와 빵을 먹지 않을 거니?", "고양이 가 사과 와 빵 을 먹지 않을 거니 ?"),
        ("나는 내가 아이의 시계를 찾을 것이라고 말했다.",
         "나 는 내 가 아이 의 시계 를 찾을 것이라 고 말했다 ."),
        ("로봇은 책을 읽었다", "로봇은 책 을 읽었다"),
    ],
)  # fmt: skip
def test_splitting(korean: str, tokens: str) -> None:
    assert split_korean(korean) == tokens.split()
    assert korean_text(tokens.split()) == korean


def test_every_sentence_splits_back() -> None:
    assert all(split_korean(korean_text(p.source)) == list(p.source) for p in PAIRS)


def test_grammar_uses_every_word() -> None:
    pairs = examples(word_order(), "train", 9_001, seed=4)
    assert {token for p in pairs for token in p.source} == set(KOREAN_SYMBOLS)
    assert {token for p in pairs for token in p.target} == set(word_order().target_symbols)
    assert set(PARTICLES) <= set(KOREAN_SYMBOLS)


def test_translation_is_a_function() -> None:
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    rng, task = random.Random(3), word_order()
    for _ in range(9_001):
        pair = task.draw(rng)
        assert known.setdefault(pair.source, pair.target) == pair.target


def test_objects_may_stand_first_with_the_same_meaning() -> None:
    first = sum(p.source[1] in OBJECT for p in PAIRS)
    assert 0.05 * len(PAIRS) < first < 0.4 * len(PAIRS)


def test_reports() -> None:
    none = examples(word_order(0.0), "train", 499, seed=5)
    all_of_them = examples(word_order(1.0), "train", 499, seed=5)
    assert not any("고" in p.source for p in none)
    assert all(p.source[-3] == "고" and "that" in p.target for p in all_of_them)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"reports in \[0, 1\], got"):
            word_order(wrong)


def test_english_text() -> None:
    tokens = "the friend 's book .".split()
    assert english_text(tokens) == "The friend's book."


BACK = examples(english_korean(), "train", 3001, seed=1)


def test_the_other_direction_says_one_thing_in_one_way() -> None:
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    rng, task = random.Random(3), english_korean()
    for _ in range(9_001):
        pair = task.draw(rng)
        assert known.setdefault(pair.source, pair.target) == pair.target, pair
        assert pair.target[1] not in OBJECT  # the object stays before its verb
        assert set(pair.source) <= set(task.source_symbols)
        assert set(pair.target) <= set(task.target_symbols)
        assert len(pair.source) <= task.max_source and len(pair.target) <= task.max_target
    assert examples(task, "test", 97, seed=5) == examples(task, "test", 97, seed=5)


def test_the_other_direction_mirrors_the_alignment() -> None:
    for english, korean, links in BACK:
        assert [s for s, _ in links] == sorted(s for s, _ in links)
        assert {s for s, _ in links} == set(range(len(english)))
        for s, t in links:
            if korean[t] in NAMES:
                assert english[s] == NAMES[korean[t]]
    plain = [p for p in BACK if len(p.target) == 6 and p.target[0] in NAMES and len(p.source) == 5]
    plain = [p for p in plain if p.source[2] == "the" and p.target[3] in OBJECT]
    assert plain
    for pair in plain:  # Minsu read the book . is 민수 는 책 을 읽었다 .
        assert pair.alignment == ((0, 0), (1, 4), (2, 2), (3, 2), (4, 5))


def test_english_splits_back() -> None:
    assert all(split_english(english_text(p.source)) == list(p.source) for p in BACK)
    assert split_english("I didn\u2019t see Tom's hat.") == "I didn ' t see Tom 's hat .".split()
    assert split_english("Robots sleep!") == ["Robots", "sleep", "!"]
