"""Dialogues of two speakers by a grammar of our own, in English or Korean, and their measures."""

import re
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import NamedTuple

from sidestep.scripts.sequences.corpora.counting import Count, tally

LINE = re.compile(r"([^\s:][^:\n]{0,23}): +(\S.*)")
"""A turn: who speaks, and what is said."""


class Words(NamedTuple):
    """What scenes of one language are made of; $other is who is spoken to, *thing a thing."""

    speakers: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    days: tuple[str, ...]
    greetings: tuple[str, ...]
    exchanges: tuple[tuple[str, ...], ...]
    """Turns that follow each other, speaker by speaker."""


ENGLISH = Words(
    ("Anna", "Ben", "Clara", "David", "Emma", "Finn", "Grace", "Henry"),
    ("umbrella", "key", "letter", "bicycle", "lamp", "ticket", "violin", "map", "kettle", "coat"),
    ("kitchen", "garden", "office", "library", "station", "hall", "cellar", "school"),
    ("today", "tomorrow", "on Monday", "on Friday", "next week", "in the evening"),
    ("Good morning, {other}.", "Hello, {other}!", "Good evening, {other}."),
    (
        ("Where is the {thing}, {other}?", "The {thing} is in the {place}."),
        ("Have you seen the {thing}?", "Yes, the {thing} was in the {place}.", "Thank you!"),
        ("Who took the {thing}?", "{third} took the {thing} yesterday."),
        ("Do you need the {thing}, {other}?", "No, I do not need the {thing} {day}."),
        ("May I have the {thing} {day}?", "Of course, take the {thing}.", "Thank you, {other}.",
         "You are welcome."),
        ("Are you in the {place} {day}?", "No, {third} is in the {place}, not me.", "I see."),
        ("Let us meet {day}.", "Good, I will wait in the {place}."),
    ),
)  # fmt: skip
KOREAN = Words(
    ("수지", "민호", "지우", "하준", "서연", "도윤", "유진", "현석"),
    ("우산", "열쇠", "편지", "자전거", "사진", "시계", "지도", "모자", "가방", "공책"),
    ("부엌", "마당", "사무실", "도서관", "역", "교실", "시장", "공원"),
    ("오늘", "내일", "월요일에", "금요일에", "다음 주에", "저녁에"),
    ("안녕, {other}!", "{other}[아/야], 안녕!", "{other}[아/야], 잘 지냈어?"),
    (
        ("{other}[아/야], {thing}[이/가] 어디 있어?", "{thing}[은/는] {place}에 있어."),
        ("{thing}[을/를] 봤어?", "응, {thing}[은/는] {place}에 있었어.", "고마워!"),
        ("누가 {thing}[을/를] 가져갔어?", "{third}[이가/가] 어제 {thing}[을/를] 가져갔어."),
        ("{other}[아/야], {thing}[이/가] 필요해?", "아니, {day} {thing}[은/는] 없어도 돼."),
        ("{day} {thing}[을/를] 써도 돼?", "그럼, {thing}[을/를] 가져가.", "고마워, {other}[아/야].",
         "천만에."),
        ("{day} {place}에 있어?", "아니, {place}에는 {third}[이가/가] 있어.", "그렇구나."),
        ("{day} 만나자.", "좋아, {place}에서 기다릴게."),
    ),
)  # fmt: skip
LANGUAGES = {"en": ENGLISH, "ko": KOREAN}
THINGS = tuple(thing for words in LANGUAGES.values() for thing in words.things)
MOST_EXCHANGES = 4
"""Of a scene."""


def scenes(random: Random, language: str) -> Iterator[str]:
    """Scenes without end: turns of two speakers that alternate, and an empty line."""
    words = LANGUAGES[language]
    while True:
        first, second, third = random.sample(words.speakers, 3)
        said = [random.choice(words.greetings) for _ in range(2)]
        turns: list[str] = []
        for _ in range(random.randint(1, MOST_EXCHANGES)):
            said += random.choice(words.exchanges)
            filled = {
                "thing": random.choice(words.things),
                "place": random.choice(words.places),
                "day": random.choice(words.days),
                "third": third,
            }
            for line in said:
                speaker, other = (first, second) if len(turns) % 2 == 0 else (second, first)
                spoken = with_particles(line.format(other=other, **filled))
                turns.append(f"{speaker}: {spoken}\n")
            said = []
        yield "".join(turns) + "\n"


def with_particles(line: str) -> str:
    """Korean with its particles chosen: of [은/는] the first after a final consonant."""

    def choose(found: re.Match[str]) -> str:
        word, closed, opened = found.groups()
        has_final = "가" <= word <= "힣" and (ord(word) - ord("가")) % 28 > 0
        return str(word + (closed if has_final else opened))

    return re.sub(r"(.)\[([^/\]]*)/([^\]]*)\]", choose, line)


def turns_of(text: str) -> Iterator[list[tuple[str | None, str]]]:
    """The scenes of a text: of each line who speaks, None where nobody does, and what is said."""
    for scene in re.split(r"\n\s*\n", text):
        lines = [line for line in scene.split("\n") if line.strip()]
        found = [LINE.fullmatch(line) for line in lines]
        turns = [
            (match[1], match[2]) if match else (None, line)
            for match, line in zip(found, lines, strict=True)
        ]
        if turns:
            yield turns


def speakers(text: str) -> frozenset[str]:
    """Everybody who speaks in a text."""
    return frozenset(who for turns in turns_of(text) for who, _ in turns if who is not None)


def recognises(text: str) -> bool:
    """Whether most of a text's lines are turns of few speakers."""
    turns = [who for scene in turns_of(text) for who, _ in scene]
    known = [who for who in turns if who is not None]
    return len(known) > 0.8 * len(turns) and len(set(known)) < 0.2 * len(known) + 3


def names_known(text: str, known: frozenset[str]) -> Count:
    """Lines that a speaker of the training text says, of all lines."""
    return tally(who in known for turns in turns_of(text) for who, _ in turns)


def turns_alternate(text: str, known: frozenset[str]) -> Count:
    """Turns of another speaker than the one before, of all but the scenes' first."""
    del known
    return tally(
        None not in (before, who) and before != who
        for turns in turns_of(text)
        for (before, _), (who, _) in pairwise(turns)
    )


def two_speakers(text: str, known: frozenset[str]) -> Count:
    """Turns whose speaker is the one of two turns before, of all from the scenes' third on."""
    del known
    return tally(
        who is not None and turns[k][0] == who
        for turns in turns_of(text)
        for k, (who, _) in enumerate(turns[2:])
    )


def answers_name_the_thing(text: str, known: frozenset[str]) -> Count:
    """Answers that name the thing of the question before them, of all to such questions."""
    del known
    found = []
    for turns in turns_of(text):
        for (_, asked), (_, said) in pairwise(turns):
            things = [thing for thing in THINGS if thing in asked]
            if asked.endswith("?") and things:
                found.append(any(thing in said for thing in things))
    return tally(found)
