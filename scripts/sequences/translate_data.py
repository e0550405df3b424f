"""What `sidestep translate` learns from: generated tasks and files of pairs, in one form."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

import regex

from sidestep.sequence.limits import MANY, PART, SHARE, at_least, check_fields, one_of
from sidestep.sequence.tasks.dates import dates
from sidestep.sequence.tasks.pairs import (
    Pair,
    TokenVocabulary,
    join_words,
    read_pairs,
    split_characters,
    split_words,
)
from sidestep.sequence.tasks.task import Task, copy, examples, reversal, stream
from sidestep.sequence.tasks.word_order import english_korean, word_order

TASKS: dict[str, Callable[[], Task]] = {
    "word-order": word_order,
    "english-korean": english_korean,
    "dates": dates,
    "reversal": reversal,
    "copy": copy,
}
CHAT = "chat"
"""The task whose pairs come with the package: Korean small talk, 반말 to 반말."""
HELD_OUT = 500
"""Pairs of the validation and of the test split of a generated task."""
DENSE = regex.compile(
    r"(?=\p{L})[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Tibetan}]"
)
"""Letters of scripts whose words have no spaces between them, or (Hangul) many endings."""
OF_FILES = (
    *("swap", "source_unit", "target_unit", "minimum_count", "validation_share", "test_share"),
)
"""Fields of `DataConfig` that say nothing about a generated task."""
MANY_PAIRS = 1000
"""Training pairs from which on a token that came once is taken to be unknown."""

WORD_OF_BEFORE = "word of 1dfe272"
"""The unit of runs begun before tokens kept the spaces between them: they are still used."""
_WORD_OF_BEFORE = regex.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")

Unit = Literal["auto", "character", "word"]


@dataclass(frozen=True)
class DataConfig:
    """What is learnt from, and how it is cut."""

    task: Literal["word-order", "english-korean", "dates", "reversal", "copy", "chat"] | None = None
    """A generated task, where there is no file; word-order, Korean to English, if left out;
    or chat, Korean small talk that comes with the package."""
    swap: bool = False
    """Translate from a file's second column into its first."""
    source_unit: Unit = "auto"
    """Tokens of a file's sources; auto: characters where most letters are Hangul, Han, kana, or of
    a script that puts no spaces between words, else words."""
    target_unit: Unit = "auto"
    """Tokens of a file's targets, likewise."""
    minimum_count: int | None = None
    """Tokens that a file's training part holds less often are unknown; 2 if left out, or 1 where it
    has less than 1,000 pairs."""
    validation_share: float = 0.1
    """The part of a file's pairs that says which checkpoint is the best; 0: none, the last is."""
    test_share: float = 0.1
    """The part of a file's pairs that nothing is learnt or chosen by; 0: none."""
    max_target: int = 64
    """Longest target, in tokens; a file's longer pairs are left out."""
    batch_size: int = 64
    """Pairs of an update."""
    teacher_forcing: float = 1.0
    """Share of steps that read the true symbol before, at the start of training."""
    final_teacher_forcing: float = 1.0
    """The share at its end; it falls linearly. Below 1 training goes step by step."""

    def __post_init__(self) -> None:
        """Check every field."""
        unit = one_of("auto", "character", "word")
        limits = {
            "task": one_of(*TASKS, CHAT),
            "source_unit": unit,
            "target_unit": unit,
            "max_target": at_least(1, MANY),
            "batch_size": at_least(1, MANY),
            "minimum_count": at_least(1, MANY),
            "validation_share": PART,
            "test_share": PART,
            "teacher_forcing": SHARE,
            "final_teacher_forcing": SHARE,
        }
        check_fields(self, limits)
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                "expected validation_share + test_share below 1, got "
                f"{self.validation_share} + {self.test_share}"
            )


@dataclass(frozen=True)
class Languages:
    """How text becomes numbers on one side, and numbers text on the other.

    Attributes:
        name: of the task, or "file".
        source: vocabulary.
        target: vocabulary.
        units: of source and target: "task", "character", "word", "letter" or `WORD_OF_BEFORE`.
    """

    name: str
    source: TokenVocabulary
    target: TokenVocabulary
    units: tuple[str, str]

    def split_source(self, text: str) -> list[str]:
        """Tokens of a source."""
        if self.units[0] == "task":
            return TASKS[self.name]().split_source(text)
        return split_unit(text, self.units[0])

    def join_source(self, tokens: Sequence[str]) -> str:
        """Text of source tokens."""
        if self.units[0] == "task":
            return TASKS[self.name]().join_source(tokens)
        return join_words(tokens) if self.units[0].startswith("word") else "".join(tokens)

    def join_target(self, tokens: Sequence[str]) -> str:
        """Text of target tokens."""
        if self.units[1] == "task":
            return TASKS[self.name]().join_target(tokens)
        return join_words(tokens) if self.units[1].startswith("word") else "".join(tokens)


@dataclass(frozen=True)
class Corpus:
    """Pairs to learn from and pairs held out.

    Attributes:
        languages: tokens and numbers.
        validation: pairs.
        test: pairs.
        references: the test's targets as text.
        train: makes the pairs of an update from seed, number of the update, and how many.
        words: what there is, for the reader.
        record: of the file, for config.json; None of a generated task.
        answers: for each pair of the test all targets that are right; None: its own only.
    """

    languages: Languages
    validation: list[Pair]
    test: list[Pair]
    references: list[str]
    train: Callable[[int, int, int], list[Pair]]
    words: str
    record: dict[str, Any] | None = None
    answers: Sequence[frozenset[tuple[str, ...]]] | None = None

    def accepted(self, number: int) -> frozenset[tuple[str, ...]]:
        """The right targets, as tokens, of a pair of the test."""
        if self.answers is None:
            return frozenset([self.test[number].target])
        return self.answers[number]

    @property
    def is_translation(self) -> bool:
        """Whether its pairs are a file's, with one reference each, which BLEU asks for."""
        return self.record is not None and self.answers is None


def split_unit(text: str, unit: str) -> list[str]:
    """Characters or words of a text, or its letters and digits, without spaces and marks."""
    if unit == WORD_OF_BEFORE:
        return list(map(str, _WORD_OF_BEFORE.findall(text)))
    if unit == "letter":
        return [c for c in split_characters(text) if regex.match(r"\w", c)]
    return split_words(text) if unit == "word" else split_characters(text)


def generated(config: DataConfig, max_source: int) -> Corpus:
    """A generated task; its training pairs never end.

    Raises:
        ValueError: a limit below the task's longest source or target.
    """
    name = config.task or "word-order"
    task = TASKS[name]()
    for flag, limit, longest in (
        ("max_source", max_source, task.max_source),
        ("max_target", config.max_target, task.max_target),
    ):
        if limit < longest:
            raise ValueError(f"{flag}: expected at least {longest} for {name}, got {limit}")
    languages = Languages(
        name,
        TokenVocabulary(task.source_symbols),
        TokenVocabulary(task.target_symbols),
        ("task", "task"),
    )

    def train(seed: int, update: int, count: int) -> list[Pair]:
        pairs = stream(task, "train", random.Random(f"{seed} {update}"))
        return [next(pairs) for _ in range(count)]

    validation, test = (examples(task, split, HELD_OUT, seed=0) for split in ("validation", "test"))
    references = [task.join_target(pair.target) for pair in test]
    return Corpus(languages, validation, test, references, train, f"{name}, new pairs always")


def from_file(path: Path, config: DataConfig, max_source: int) -> Corpus:
    """Pairs of a file, cut into parts that share no source and no target.

    A pair that comes again counts once. Pairs that share a source or a target, be it over others,
    stay together; such groups come, in the order of a checksum, into the test until that has its
    share, then into validation, then into training; but one that is too large for the share goes
    on to the next part, and no part stays empty. Neither the order of the lines nor a seed changes
    the parts. Pairs longer than the limits are left out.

    Raises:
        ValueError: a wrong file (see `read_pairs`), or fewer groups than parts.
    """
    texts = read_pairs(path)
    if config.swap:
        texts = [(target, source) for source, target in texts]
    units = (
        unit_of(config.source_unit, (source for source, _ in texts)),
        unit_of(config.target_unit, (target for _, target in texts)),
    )
    pairs: dict[Pair, str] = {}
    distinct = dict.fromkeys(texts)
    for source, target in distinct:
        pair = Pair(tuple(split_unit(source, units[0])), tuple(split_unit(target, units[1])))
        if len(pair.source) <= max_source and len(pair.target) <= config.max_target:
            pairs[pair] = target
    longer, repeated = len(distinct) - len(pairs), len(texts) - len(distinct)
    groups = groups_of(pairs)
    parts = 1 + (config.test_share > 0) + (config.validation_share > 0)
    if len(groups) < parts:
        raise ValueError(
            f"{path}: expected at least {parts} groups of pairs with no source and no target in "
            f"common, for training, validation and test, got {len(groups)} of {len(pairs)} pairs "
            f"({repeated} repeated, {longer} longer than the limits); --test-share 0 and "
            "--validation-share 0 hold nothing out"
        )
    test, validation, training = parts_of(groups, config.test_share, config.validation_share)
    minimum = config.minimum_count or (2 if len(training) >= MANY_PAIRS else 1)
    languages = Languages(
        "file",
        TokenVocabulary.from_tokens((p.source for p in training), minimum),
        TokenVocabulary.from_tokens((p.target for p in training), minimum),
        units,
    )
    again = f"; {repeated:,} lines repeat others" if repeated else ""
    words = (
        f"{len(training):,} pairs to learn from, {len(validation):,} for validation, "
        f"{len(test):,} for the test; {longer:,} longer than the limits{again}"
    )
    return Corpus(
        languages,
        validation,
        test,
        [pairs[pair] for pair in test],
        Shuffled(training),
        words,
        {"path": str(path.resolve()), "pairs": len(texts), "sha256": digest(texts)},
    )


def chat_file() -> Any:
    """The chat that comes with the package: SOURCE tab TARGET, and a third column on some lines.

    Blocks of lines are one matter said in several ways; where the third column says "held out", the
    test has that way.
    """
    return files("sidestep.scripts") / "data" / "chat.tsv"


def chat(config: DataConfig, max_source: int) -> Corpus:
    """Small talk: the held-out ways of saying things are the test, all others are learnt from.

    Spaces and marks of a source make no difference. An answer is right if any pair whose source or
    target leads to it, be it over others, has it.

    Raises:
        ValueError: a limit below its longest source or target.
    """
    with as_file(chat_file()) as path:
        texts = read_pairs(path)
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    pairs = [
        Pair(tuple(split_unit(source, "letter")), tuple(split_unit(target, "character")))
        for source, target in texts
    ]
    for flag, limit, longest in (
        ("max_source", max_source, max(len(pair.source) for pair in pairs)),
        ("max_target", config.max_target, max(len(pair.target) for pair in pairs)),
    ):
        if limit < longest:
            raise ValueError(f"{flag}: expected at least {longest} for {CHAT}, got {limit}")
    held_out = [line.endswith("\theld out") for line in lines]
    training = sorted(p for p, held in zip(pairs, held_out, strict=True) if not held)
    test = [p for p, held in zip(pairs, held_out, strict=True) if held]
    right = {
        pair.source: frozenset(other.target for other in group)
        for group in groups_of(pairs)
        for pair in group
    }
    languages = Languages(
        CHAT,
        TokenVocabulary.from_tokens(p.source for p in training),
        TokenVocabulary.from_tokens(p.target for p in training),
        ("letter", "character"),
    )
    return Corpus(
        languages,
        [],
        test,
        ["".join(pair.target) for pair in test],
        Shuffled(training),
        f"chat, {len(training):,} pairs to learn from, {len(test):,} paraphrases for the test",
        {"path": CHAT, "pairs": len(texts), "sha256": digest(texts)},
        [right[pair.source] for pair in test],
    )


def groups_of(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Pairs that share a source or a target, be it over others, together; in a fixed order."""
    leader: dict[tuple[int, tuple[str, ...]], tuple[int, tuple[str, ...]]] = {}

    def find(side: tuple[int, tuple[str, ...]]) -> tuple[int, tuple[str, ...]]:
        while leader.setdefault(side, side) != side:
            leader[side] = side = leader[leader[side]]
        return side

    ordered = sorted(pairs)
    for pair in ordered:
        leader[find((0, pair.source))] = find((1, pair.target))
    groups: dict[tuple[int, tuple[str, ...]], list[Pair]] = {}
    for pair in ordered:
        groups.setdefault(find((0, pair.source)), []).append(pair)
    return sorted(groups.values(), key=lambda group: _checksum(group[0]))


def _checksum(pair: Pair) -> bytes:
    return hashlib.sha256("\0".join((*pair.source, "\t", *pair.target)).encode()).digest()


def parts_of(groups: Sequence[list[Pair]], *shares: float) -> tuple[list[Pair], ...]:
    """Cut groups into a part for each share of the pairs, and one of the rest.

    Args:
        groups: at least as many as there are parts: none is empty unless its share is 0.
        shares: of the first parts, together below 1.
    """
    left, total = list(groups), sum(map(len, groups))
    parts: list[list[Pair]] = []
    for place, share in enumerate(shares):
        if not share:
            parts.append([])
            continue
        wanted = max(1, round(share * total))
        part: list[Pair] = []
        kept: list[list[Pair]] = []
        needed = 1 + sum(other > 0 for other in shares[place + 1 :])  # groups for later parts
        for number, group in enumerate(left):
            spare = len(left) - number + len(kept) > needed
            if spare and len(part) + len(group) <= wanted:
                part += group
            else:
                kept.append(group)
        if not part:  # all are larger than the share: the smallest is nearest to it
            smallest = min(kept, key=len)
            part = smallest
            kept = [group for group in kept if group is not smallest]
        parts.append(part)
        left = kept
    return (*parts, sorted(pair for group in left for pair in group))


class Shuffled:
    """Batches of fixed pairs, each once an epoch in an order of its own; a batch may span two."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """Keep the pairs."""
        self.pairs = pairs
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def _draw_order(self, seed: int, epoch: int) -> list[int]:
        order = list(range(len(self.pairs)))
        random.Random(f"{seed} {epoch}").shuffle(order)
        return order

    def __call__(self, seed: int, update: int, count: int) -> list[Pair]:
        """The pairs of an update; depends on nothing else."""
        found = []
        for place in range(update * count, (update + 1) * count):
            epoch, number = divmod(place, len(self.pairs))
            found.append(self.pairs[self._order(seed, epoch)[number]])
        return found


def unit_of(unit: str, texts: Any) -> str:
    """The unit that "auto" stands for."""
    if unit != "auto":
        return unit
    letters, dense = 0, 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        dense += len(DENSE.findall(text))
    return "character" if 2 * dense > letters else "word"


def digest(texts: Sequence[tuple[str, str]]) -> str:
    """What tells one file of pairs from another."""
    return hashlib.sha256("\n".join(map("\t".join, texts)).encode()).hexdigest()


def corpus_of(path: Path | None, config: DataConfig, max_source: int) -> Corpus:
    """A file's pairs, or where there is none the generated task or the chat.

    Raises:
        ValueError: both a file and a task, an option of files without one, or as for `from_file`.
    """
    if path is None:
        for name in OF_FILES:
            if getattr(config, name) != getattr(DataConfig(), name):
                raise ValueError(f"{name}: expected a file of pairs, got none")
        if config.task == CHAT:
            return chat(config, max_source)
        return generated(config, max_source)
    if config.task is not None:
        raise ValueError(f"expected a file or a task, got {path} and {config.task}")
    return from_file(path, config, max_source)
