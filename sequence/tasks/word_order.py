"""The word-order task: a small Korean grammar and its translation into English, with alignments.

Korean puts the verb last and marks what a noun does by a particle behind it; English puts the verb
second and tells subject from object by place. A sentence is built from `Morpheme`s and `Word`s at
once, each word knowing the morphemes that it renders, so that the alignment is exact.

The grammar: subject (with 은/는 or 이/가), time, place with 에서, recipient with 에게, object
with 을/를, verb. The object may also stand first (its particle then tells it from the subject).
Nouns take an adjective, an owner with 의, or a second noun with 와/과. Verbs are past, present
or future, plain, denied (지 않다), or asked; a statement can be reported (고 말했다). English has
"the" before every common noun and keeps the tense of a reported statement.

From English to Korean one sentence has one rendering: 은/는 behind the subject, but 이/가 in a
reported statement; the object before the verb; and "read" of I, we and they, which English leaves
open, is past.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from .lexicon import (
    ADJECTIVES,
    BEINGS,
    DENIED,
    ENGLISH_SYMBOLS,
    FUTURE,
    FUTURE_ASKED,
    FUTURE_REPORTED,
    KOREAN_SYMBOLS,
    NAMES,
    PLACES,
    PRONOUNS,
    REPORTS,
    THINGS,
    TIMES,
    VERBS,
    Verb,
    english_text,
    has_final_consonant,
    korean_text,
    split_english,
    split_korean,
)
from .pairs import Pair
from .task import Task

MAX_SOURCE, MAX_TARGET = 24, 30
"""Longest sentences of the grammar, in tokens."""


class Morpheme:
    """A Korean token; two of the same text are two."""

    def __init__(self, text: str) -> None:
        """Keep the text."""
        self.text = text


class Word(NamedTuple):
    """An English token and what it renders."""

    text: str
    of: tuple[Morpheme, ...]


class Phrase(NamedTuple):
    """A constituent in both languages."""

    korean: list[Morpheme]
    english: list[Word]


class Subject(NamedTuple):
    """A subject, and whether English says "I read" or "she reads"."""

    phrase: Phrase
    third: bool


def particle(word: str, after_consonant: str, after_vowel: str) -> Morpheme:
    """The form of a particle that follows this word."""
    return Morpheme(after_consonant if has_final_consonant(word[-1]) else after_vowel)


def word_order(reports: float = 0.15) -> Task:
    """Korean sentences to English ones, with the alignment of their tokens; see the module.

    Args:
        reports: share of reported statements, in [0, 1].

    Raises:
        ValueError: a share out of range.
    """
    _check(reports)

    def draw(rng: random.Random) -> Pair:
        return _pair(_report(rng) if rng.random() < reports else _clause(rng, mark=True))

    return Task(
        "word-order",
        draw,
        KOREAN_SYMBOLS,
        ENGLISH_SYMBOLS,
        MAX_SOURCE,
        MAX_TARGET,
        split_korean,
        korean_text,
        english_text,
    )


def english_korean(reports: float = 0.15) -> Task:
    """English sentences to Korean ones, the verb now to be kept for the end; see the module.

    Args:
        reports: share of reported statements, in [0, 1].

    Raises:
        ValueError: a share out of range.
    """
    _check(reports)

    def draw(rng: random.Random) -> Pair:
        while True:
            reported = rng.random() < reports
            phrase = _report(rng, True) if reported else _clause(rng, mark=True, plain=True)
            pair = _pair(phrase)
            if "읽는다" not in pair.source or "read" not in pair.target:
                links = tuple(sorted((t, s) for s, t in pair.alignment))
                return Pair(pair.target, pair.source, links)

    return Task(
        "english-korean",
        draw,
        ENGLISH_SYMBOLS,
        KOREAN_SYMBOLS,
        MAX_TARGET,
        MAX_SOURCE,
        split_english,
        english_text,
        korean_text,
    )


def _check(reports: float) -> None:
    if not 0 <= reports <= 1:
        raise ValueError(f"expected reports in [0, 1], got {reports}")


def _pair(phrase: Phrase) -> Pair:
    """Both sides as tokens, the alignment by the morphemes' places."""
    place = {id(morpheme): number for number, morpheme in enumerate(phrase.korean)}
    links = sorted(
        (place[id(m)], number) for number, word in enumerate(phrase.english) for m in word.of
    )
    source = tuple(morpheme.text for morpheme in phrase.korean)
    return Pair(source, tuple(word.text for word in phrase.english), tuple(links))


def _words(text: str, *of: Morpheme) -> list[Word]:
    return [Word(word, of) for word in text.split()]


def _noun(rng: random.Random, kinds: Sequence[str], plain: bool = False) -> Phrase:
    """A common noun with "the", perhaps with an adjective, an owner, or a second noun."""
    kind = rng.choice(kinds)
    nouns = BEINGS if kind == "being" else THINGS[kind]
    chosen = rng.sample(sorted(nouns), 2)
    first = Morpheme(chosen[0])
    the = _words("the", first)
    if plain or (choice := rng.random()) < 0.45:
        return Phrase([first], [*the, *_words(nouns[first.text], first)])
    if choice < 0.75:
        adjective = Morpheme(rng.choice(sorted(ADJECTIVES)))
        said = _words(ADJECTIVES[adjective.text], adjective)
        return Phrase([adjective, first], [*the, *said, *_words(nouns[first.text], first)])
    if choice < 0.9:
        owner, of = _being(rng), Morpheme("의")
        english = [*owner.english, Word("'s", (of,)), *_words(nouns[first.text], first)]
        return Phrase([*owner.korean, of, first], english)
    second, joined = Morpheme(chosen[1]), particle(first.text, "과", "와")
    english = [*the, *_words(nouns[first.text], first), Word("and", (joined,))]
    english += [*_words("the", second), *_words(nouns[second.text], second)]
    return Phrase([first, joined, second], english)


def _being(rng: random.Random) -> Phrase:
    """A name, or a person or animal with "the"."""
    if rng.random() < 0.5:
        name = Morpheme(rng.choice(sorted(NAMES)))
        return Phrase([name], _words(NAMES[name.text], name))
    return _noun(rng, ["being"], plain=True)


def _subject(rng: random.Random, marked: bool) -> Subject:
    """Who acts; `marked`: with 이/가, which shows that it is the subject wherever it stands."""
    if rng.random() < 0.4:
        pronoun = Morpheme(rng.choice(sorted(PRONOUNS)))
        said = Phrase([pronoun], _words(PRONOUNS[pronoun.text][0], pronoun))
        third = pronoun.text in ("그", "그녀")
    else:
        said, third = _being(rng), True
    word = said.korean[-1]
    if word.text == "나" and marked:  # 나 + 가 is 내가
        word.text = "내"
    mark = particle(word.text, "이", "가") if marked else particle(word.text, "은", "는")
    return Subject(Phrase([*said.korean, mark], said.english), third)


def _object(rng: random.Random, verb: Verb) -> Phrase:
    """What the verb acts on, with 을/를: a noun, a name, or a pronoun where the verb allows."""
    kinds = verb.objects
    if "being" in kinds and rng.random() < 0.5:
        if rng.random() < 0.4:
            pronoun = Morpheme(rng.choice(sorted(PRONOUNS)))
            said = Phrase([pronoun], _words(PRONOUNS[pronoun.text][1], pronoun))
        else:
            said = _being(rng)
    else:
        said = _noun(rng, kinds)
    mark = particle(said.korean[-1].text, "을", "를")
    return Phrase([*said.korean, mark], said.english)


def _adverbials(rng: random.Random, verb: Verb, tense: str) -> tuple[Phrase, Phrase, Phrase]:
    """Time, place and recipient, each perhaps empty."""
    time, place, recipient = Phrase([], []), Phrase([], []), Phrase([], [])
    if rng.random() < 0.5:
        when = Morpheme(rng.choice(sorted(TIMES[tense])))
        time = Phrase([when], _words(TIMES[tense][when.text], when))
    if rng.random() < 0.4:
        where, at = Morpheme(rng.choice(sorted(PLACES))), Morpheme("에서")
        english = [Word("at", (at,)), *_words(f"the {PLACES[where.text]}", where)]
        place = Phrase([where, at], english)
    if verb.gives and rng.random() < 0.7:
        who, to = _being(rng), Morpheme("에게")
        recipient = Phrase([*who.korean, to], [Word("to", (to,)), *who.english])
    return time, place, recipient


def _verb_phrase(
    verb: Verb, tense: str, third: bool, denied: bool, asked: bool
) -> tuple[list[Morpheme], list[Word], list[Word]]:
    """Korean verb; the English auxiliary, which a question puts before the subject; the rest."""
    plain = {"past": verb.past, "present": verb.present, "future": verb.adnominal}[tense]
    end = Morpheme(DENIED[tense] if denied else plain)
    korean = [Morpheme(f"{verb.stem}지"), end] if denied else [end]
    if tense == "future":
        korean.append(Morpheme(FUTURE_ASKED if asked else FUTURE))
    elif asked:
        stem = "않" if denied else verb.stem
        end.text = f"{end.text[:-1]}니" if tense == "past" else f"{stem}니"
    helper = {"past": "did", "present": "does" if third else "do", "future": "will"}[tense]
    auxiliary = [Word(helper, (korean[-1],))]
    refusal = [Word("not", (end,))] if denied else []
    if denied or asked or tense == "future":
        return korean, auxiliary, [*refusal, *_words(verb.base, korean[0])]
    form = verb.english_past if tense == "past" else verb.third if third else verb.base
    return korean, [], _words(form, korean[0])


def _clause(rng: random.Random, mark: bool, plain: bool = False) -> Phrase:
    """A sentence; with its full stop or question mark, or bare and never a question.

    Args:
        rng: source of randomness.
        mark: whether it stands alone.
        plain: of the ways to say it in Korean, the one that `english_korean` writes.
    """
    verb, tense = rng.choice(VERBS), rng.choice(sorted(TIMES))
    scrambled, denied = not plain and rng.random() < 0.25, rng.random() < 0.2
    asked = mark and rng.random() < 0.25
    marked = scrambled or not mark or (not plain and rng.random() < 0.5)
    subject = _subject(rng, marked)
    thing = _object(rng, verb)
    time, place, recipient = _adverbials(rng, verb, tense)
    korean, auxiliary, rest = _verb_phrase(verb, tense, subject.third, denied, asked)
    middle = [*time.korean, *place.korean, *recipient.korean]
    if scrambled:
        order = [*thing.korean, *subject.phrase.korean, *middle, *korean]
    else:
        order = [*subject.phrase.korean, *middle, *thing.korean, *korean]
    who = subject.phrase.english
    english = [*auxiliary, *who, *rest] if asked else [*who, *auxiliary, *rest]
    english += [*thing.english, *recipient.english, *place.english, *time.english]
    return (
        _marked(Phrase(order, english), "?" if asked else ".") if mark else Phrase(order, english)
    )


def _report(rng: random.Random, plain: bool = False) -> Phrase:
    """Somebody says or believes that ...: in Korean the statement stands inside, then 고."""
    subject, inner = _subject(rng, marked=False), _clause(rng, mark=False, plain=plain)
    quote = Morpheme("고")
    verb = Morpheme(rng.choice(sorted(REPORTS)))
    said = REPORTS[verb.text][subject.third]
    english = [*subject.phrase.english, *_words(said, verb), Word("that", (quote,))]
    if inner.korean[-1].text == FUTURE:  # 것이다 + 고 is 것이라고
        inner.korean[-1].text = FUTURE_REPORTED
    korean = [*subject.phrase.korean, *inner.korean, quote, verb]
    return _marked(Phrase(korean, [*english, *inner.english]), ".")


def _marked(phrase: Phrase, text: str) -> Phrase:
    mark = Morpheme(text)
    return Phrase([*phrase.korean, mark], [*phrase.english, Word(text, (mark,))])
