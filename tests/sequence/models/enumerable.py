"""A decoder small enough to list everything that it can write."""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from sidestep.sequence.tasks.pairs import BEGIN, END


class Sentences(NamedTuple):
    """Which tables (B,) each row reads."""

    table: Tensor

    @property
    def rows(self) -> int:
        return len(self.table)

    @property
    def device(self) -> torch.device:
        return self.table.device

    def select(self, index: Tensor) -> "Sentences":
        return Sentences(self.table[index])


class At(NamedTuple):
    """How many symbols were written, and the one before the last, which is to be remembered."""

    length: int
    before: Tensor

    def select(self, index: Tensor) -> "At":
        return At(self.length, self.before[index])


class Reached(NamedTuple):
    logits: Tensor
    state: At
    weights: Tensor | None


class Tables:
    """Logits of the next symbol by sentence, length, the last symbol and the one before it.

    Weights are made up so that each tells which sentence, symbol and length it came from.
    """

    def __init__(self, sentences: int, length: int, symbols: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        size = (sentences, length, symbols, symbols, symbols)
        self.logits = 2 * torch.randn(size, generator=generator)
        self.length, self.symbols = length, symbols
        self.steps = 0
        self.rows_seen: list[int] = []

    def start(self, encoded: Sentences) -> At:
        return At(0, torch.full((encoded.rows,), BEGIN))

    def step(self, symbol: Tensor, state: At, encoded: Sentences) -> Reached:
        self.steps += 1
        self.rows_seen.append(len(symbol))
        table = encoded.table.repeat(len(symbol) // encoded.rows)
        logits = self.logits[table, state.length, state.before, symbol]
        marks = torch.stack([table, symbol, torch.full_like(symbol, state.length)], dim=1)
        return Reached(logits, At(state.length + 1, symbol), marks.float())

    def log_probability(self, table: int, symbols: list[int]) -> float:
        """Of these symbols, END written out if it is meant."""
        before, last, total = BEGIN, BEGIN, 0.0
        for length, symbol in enumerate(symbols):
            total += float(self.logits[table, length, before, last].log_softmax(-1)[symbol])
            before, last = last, symbol
        return total

    def everything(self, table: int) -> list[tuple[float, list[int]]]:
        """All finished sequences of at most `length` symbols, the most probable first."""
        words = [s for s in range(self.symbols) if s > END]
        found = []
        for length in range(self.length):
            for symbols in itertools.product(words, repeat=length):
                found.append((self.log_probability(table, [*symbols, END]), list(symbols)))
        return sorted(found, reverse=True)
