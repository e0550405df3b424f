"""Generated tasks with known answers: hello, copy, adding, reversal; and how any task is split.

Tasks over pairs of token sequences are `Task`s: copy and reversal here, dates in `dates`, Korean
and English in `word_order`. The split of a pair is decided by a checksum of its target, so streams
of different splits share no target, whatever their seeds, and nothing need be stored.
"""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .pairs import Pair

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

DIGITS = tuple("0123456789")
_PATIENCE = 20_000
"""Draws in vain after which a split, or what is left of it, is taken to be empty."""


@dataclass(frozen=True)
class Task:
    """A task over pairs of token sequences.

    Attributes:
        name: for messages.
        draw: makes a pair from a random stream.
        source_symbols: every token that a source can hold.
        target_symbols: every token that a target can hold.
        max_source: longest source, in tokens.
        max_target: longest target, in tokens.
        split_source: text to source tokens.
        join_source: source tokens to text.
        join_target: target tokens to text.
    """

    name: str
    draw: Callable[[random.Random], Pair]
    source_symbols: tuple[str, ...]
    target_symbols: tuple[str, ...]
    max_source: int
    max_target: int
    split_source: Callable[[str], list[str]]
    join_source: Callable[[Sequence[str]], str]
    join_target: Callable[[Sequence[str]], str]


def split_of(target: Sequence[str]) -> Split:
    """The split of every pair with this target: test and validation one in ten each, else train."""
    bucket = zlib.crc32("\0".join(target).encode()) % 10
    return {0: SPLITS[2], 1: SPLITS[1]}.get(bucket, SPLITS[0])


def stream(task: Task, split: Split, rng: random.Random) -> Iterator[Pair]:
    """Pairs of one split without end; the same may come again.

    Raises:
        ValueError: the split is unknown, or holds no pair.
    """
    if split not in SPLITS:
        raise ValueError(f"expected split to be one of {SPLITS}, got {split!r}")
    vain = 0
    while True:
        pair = task.draw(rng)
        if split_of(pair.target) == split:
            vain = 0
            yield pair
            continue
        vain += 1
        if vain == _PATIENCE:
            raise ValueError(f"expected {task.name} to have pairs in {split}, got none")


def examples(task: Task, split: Split, count: int, seed: int) -> list[Pair]:
    """`count` pairs of one split with different sources.

    Raises:
        ValueError: there are not so many.
    """
    found: dict[tuple[str, ...], Pair] = {}
    vain = 0
    pairs = stream(task, split, random.Random(f"{seed} {split}"))
    while len(found) < count:
        pair = next(pairs)
        vain = vain + 1 if pair.source in found else 0
        found.setdefault(pair.source, pair)
        if vain == _PATIENCE:
            raise ValueError(f"expected {count} different pairs of {task.name}, got {len(found)}")
    return list(found.values())


def hello() -> Pair:
    """The smallest language model: after h comes e, then l, l, o; "l" has two successors."""
    return Pair(tuple("hell"), tuple("ello"), tuple((i, i) for i in range(4)))


def copy(shortest: int = 1, longest: int = 20) -> Task:
    """Digits to the same digits."""
    return _digits("copy", shortest, longest, lambda length: range(length))


def reversal(shortest: int = 1, longest: int = 20) -> Task:
    """Digits to the same digits from the last to the first.

    The first digit to write is the one read last: near at the start, far at the end, which a state
    of fixed size has to hold for all of them at once.
    """
    return _digits("reversal", shortest, longest, lambda length: range(length - 1, -1, -1))


def _digits(name: str, shortest: int, longest: int, order: Callable[[int], Sequence[int]]) -> Task:
    if not 1 <= shortest <= longest:
        raise ValueError(f"expected 1 <= shortest <= longest, got {shortest} and {longest}")

    def draw(rng: random.Random) -> Pair:
        source = tuple(rng.choices(DIGITS, k=rng.randint(shortest, longest)))
        places = order(len(source))
        links = tuple((place, number) for number, place in enumerate(places))
        return Pair(source, tuple(source[place] for place in places), links)

    return Task(name, draw, DIGITS, DIGITS, longest, longest, _characters, "".join, "".join)


def _characters(text: str) -> list[str]:
    return [character for character in text if not character.isspace()]


def adding(generator: torch.Generator, batch: int, steps: int = 100) -> tuple[Tensor, Tensor]:
    """The adding problem: the sum of the two marked among T numbers; it takes a memory of T steps.

    Args:
        generator: source of the numbers.
        batch: B, rows.
        steps: T >= 2; one mark falls into each half (of an odd T the last step has none).

    Returns:
        x (T, B, 2), numbers uniform in [0, 1) and marks 0 or 1; the sums (B,). Always answering 1
        has a mean squared error of 1/6.

    Raises:
        ValueError: fewer than two steps.

    Source: Hochreiter & Schmidhuber (1997), experiment 4, in the form of Le, Jaitly & Hinton
    (2015), arXiv 1504.00941, section 4.1.
    """
    if steps < 2:
        raise ValueError(f"expected steps >= 2, got {steps}")
    numbers = torch.rand(steps, batch, generator=generator)
    marks = torch.zeros(steps, batch)
    for half in (0, steps // 2):
        at = torch.randint(half, half + steps // 2, (1, batch), generator=generator)
        marks.scatter_(0, at, 1.0)
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(0)
