"""Random numbers by counters: what is drawn is a function of seed, lane and tick, and nothing else.

A stream gives its numbers in the order of the calls, so that a lane's depend on who was asked
before. Here they do not: lanes may act alone or together, in one process or in several.

Source: Salmon et al. (2011) for the idea; the function that mixes a counter's bits is SplitMix64
(Steele, Lea & Flood 2014, figure 16), whose output for consecutive counters passes BigCrush.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Lanes = NDArray[np.int64]
Numbers = NDArray[Any]
Make = Callable[[Lanes, int, int, tuple[int, int]], Numbers]

GOLDEN, FIRST, SECOND = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
UNIFORM, GUMBEL, ORDER = range(3)
"""What a number is for; each kind has counters of its own."""
PLACES = 2**16
"""Counters that a lane has of each kind, at each tick."""
SMALLEST, LARGEST = np.float32(2.0**-33), np.float32(1 - 2.0**-24)
AT_ONCE = 2**13
"""Numbers that are made in one go, for some ticks to come: a call of numpy's on a few lanes costs
as much as on a thousand."""


class Block(NamedTuple):
    """The numbers of some ticks."""

    begin: int
    lanes: Lanes | None
    shape: tuple[int, int]
    numbers: Numbers
    """(ticks, *shape)."""


class Draws:
    """An agent's random numbers.

    Args:
        seed: one number or several; two seeds have nothing in common.
        first_lane: number of the first row that is drawn for.

    Attributes:
        tick: the present one; whoever acts moves it on.
        lanes: (B,) numbers of the rows' lanes, from `first_lane` on; None: 0, 1, ...
        exploring: (B,) bool, lanes that play a random action on; empty where that is not known.
    """

    def __init__(self, seed: int | tuple[int, ...], first_lane: int = 0) -> None:
        """Begin at tick 0."""
        self.seed, self.first_lane = seed, first_lane
        self.tick = 0
        self.lanes: Lanes | None = None
        self.exploring = np.zeros(0, dtype=np.bool_)
        self._key = np.random.SeedSequence(seed).generate_state(1, np.uint64)
        self._blocks: dict[tuple[int, int], Block] = {}

    def __repr__(self) -> str:
        """Name all that the numbers depend on."""
        return f"Draws(seed={self.seed}, first_lane={self.first_lane}, tick={self.tick})"

    def uniform(self, count: int, rows: int) -> NDArray[np.float64]:
        """`count` numbers in [0, 1) for each of `rows` lanes, (count, rows); not to be written to.

        They are multiples of 2^-32. The same call at the same tick gives the same numbers.
        """
        block = self._block(UNIFORM, 0, (count, rows), self._uniforms)
        numbers: NDArray[np.float64] = block.numbers[self.tick - block.begin]
        return numbers

    def gumbel(self, rows: int, count: int) -> NDArray[np.float32]:
        """`count` standard Gumbel numbers for each of `rows` lanes, (rows, count); likewise.

        With them the largest of logits + numbers is drawn with probability softmax(logits).
        """
        block = self._block(GUMBEL, 0, (rows, count), self._gumbels)
        numbers: NDArray[np.float32] = block.numbers[self.tick - block.begin]
        return numbers

    def permutation(self, rows: int, number: int = 0) -> Lanes:
        """The lanes 0 .. rows - 1 in a random order, another for each `number` at a tick."""
        block = self._block(ORDER, number, (rows, 1), self._words)
        return np.argsort(block.numbers[self.tick - block.begin, :, 0], kind="stable")

    def _block(self, kind: int, place: int, shape: tuple[int, int], make: Make) -> Block:
        """The numbers of the present tick and some that follow, made anew where they are not."""
        block = self._blocks.get((kind, place))
        if (
            block is None
            or block.shape != shape
            or block.lanes is not self.lanes
            or not 0 <= self.tick - block.begin < len(block.numbers)
        ):
            ticks = np.arange(self.tick, self.tick + max(1, AT_ONCE // max(shape[0] * shape[1], 1)))
            block = Block(self.tick, self.lanes, shape, make(ticks, kind, place, shape))
            self._blocks[kind, place] = block
        return block

    def _uniforms(self, ticks: Lanes, kind: int, place: int, shape: tuple[int, int]) -> Numbers:
        count, rows = shape
        halves = self._halves(ticks, kind, place, (rows, count))
        return halves.transpose(0, 2, 1) * 2.0**-32  # (ticks, count, rows)

    def _gumbels(self, ticks: Lanes, kind: int, place: int, shape: tuple[int, int]) -> Numbers:
        halves = self._halves(ticks, kind, place, shape)
        unit = halves.astype(np.float32)
        unit *= np.float32(2.0**-32)  # exact near 0, where the largest numbers come from
        np.clip(unit, SMALLEST, LARGEST, out=unit)
        return -np.log(-np.log1p(-unit))

    def _halves(self, ticks: Lanes, kind: int, place: int, shape: tuple[int, int]) -> Numbers:
        """32 random bits each, (ticks, rows, count)."""
        rows, count = shape
        words = self._words(ticks, kind, place, (rows, (count + 1) // 2))
        return words.view(np.uint32)[..., :count]

    def _words(self, ticks: Lanes, kind: int, place: int, shape: tuple[int, int]) -> Numbers:
        """64 random bits each, (ticks, *shape)."""
        rows, count = shape
        lanes = np.arange(rows) if self.lanes is None else self.lanes
        counters = ((lanes + self.first_lane) * 4 + kind)[:, None] * PLACES
        counters = counters + np.arange(place, place + count)
        begins = _mix(self._key + ticks.astype(np.uint64) * GOLDEN)
        return _mix(begins[:, None, None] + counters.astype(np.uint64) * GOLDEN)


def _mix(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put in place of each a one-to-one function of it, of which each bit decides half of all."""
    for shift, factor in ((30, FIRST), (27, SECOND)):
        counters ^= counters >> np.uint64(shift)
        counters *= factor
    counters ^= counters >> np.uint64(31)
    return counters
