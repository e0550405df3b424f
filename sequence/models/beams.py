"""Hypotheses of a decoder, and the book that beam search keeps of them.

Axis letters: B sentences still open, K hypotheses of each, T source positions, S symbols written.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sidestep.sequence.tasks.pairs import END


class Hypothesis(NamedTuple):
    """A sequence that was written.

    Attributes:
        tokens: numbers, without BEGIN and END.
        log_probability: of the tokens, and of END if it was written, in nats.
        score: log_probability over the length penalty; what beam search ranks by.
        attention: (S, T), a row for each symbol, END counted if it was written; None without.
        finished: whether END was written before `max_length`.
    """

    tokens: list[int]
    log_probability: float
    score: float
    attention: Tensor | None
    finished: bool


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^alpha, END counted; alpha 0 is no penalty on short sequences.

    Source: Wu et al. (2016), arXiv 1609.08144, eq. 14.
    """
    return float(((5 + length) / 6) ** alpha)


def hypothesis(
    symbols: list[int], log_probability: float, alpha: float, looks: Sequence[Tensor]
) -> Hypothesis:
    """The record of what was written: symbols with END, if any, and a (T,) row for each."""
    finished = symbols[-1:] == [END]
    score = log_probability / length_penalty(len(symbols), alpha)
    tokens = symbols[:-1] if finished else symbols
    attention = torch.stack(list(looks)) if looks else None
    return Hypothesis(tokens, log_probability, score, attention, finished)


class _Step(NamedTuple):
    """What one step decided: symbol and parent [K][B], weights (K * B, T), sentence to column."""

    symbol: list[list[int]]
    parent: list[list[int]]
    weights: Tensor | None
    column: dict[int, int]


class _Ended(NamedTuple):
    """A finished hypothesis: the step that wrote END, and the slot that it came from."""

    score: float
    log_probability: float
    step: int
    parent: int


class Beams:
    """Which hypotheses are open, which are finished, and how each came about.

    Args:
        sentences: how many are searched at once.
        width: K.
        alpha: of `length_penalty`.
    """

    def __init__(self, sentences: int, width: int, alpha: float) -> None:
        """Begin with every sentence open."""
        self.width, self.alpha = width, alpha
        self.places = list(range(sentences))  # the sentence of each column
        self.steps: list[_Step] = []
        self.finished: list[list[_Ended]] = [[] for _ in range(sentences)]
        self.left: dict[int, list[float]] = {}  # log-probabilities of what is open at the end

    def end(self, total: Tensor, parent: Tensor, ended: Tensor) -> None:
        """Note what ends in the step that `extend` tells next.

        Args:
            total: (K, B) log-probabilities, END's counted.
            parent: (K, B) slots that they come from.
            ended: (K, B) boolean, whether END was written.
        """
        number = len(self.steps)
        penalty = length_penalty(number + 1, self.alpha)
        for slot, column in (ended & (total > -math.inf)).nonzero().tolist():
            log_probability = float(total[slot, column])
            done = self.finished[self.places[column]]
            came = int(parent[slot, column])
            done.append(_Ended(log_probability / penalty, log_probability, number, came))
            done.sort(key=lambda item: -item.score)
            del done[self.width :]

    def extend(
        self, total: Tensor, parent: Tensor, symbol: Tensor, weights: Tensor | None
    ) -> list[int]:
        """Take in the hypotheses that go on; returns the columns of sentences that are not done.

        Args:
            total: (K, B) log-probabilities, the largest first.
            parent: (K, B) slots that they come from.
            symbol: (K, B) what each has just written.
            weights: (K * B, T) attention of this step by parent slot.
        """
        column = {place: number for number, place in enumerate(self.places)}
        self.steps.append(_Step(symbol.tolist(), parent.tolist(), weights, column))
        penalty = length_penalty(len(self.steps), self.alpha)
        open_now = total.t().tolist()  # [B][K]
        still = []
        for number, place in enumerate(self.places):
            best, done = open_now[number][0], self.finished[place]
            full = len(done) == self.width and done[-1].score >= best / penalty
            if best > -math.inf and not full:
                still.append(number)
        self.left = {self.places[number]: open_now[number] for number in still}
        self.places = [self.places[number] for number in still]
        return still

    def ranked(self) -> list[list[Hypothesis]]:
        """The hypotheses of every sentence, finished ones first, the best first among them."""
        result = []
        for place, done in enumerate(self.finished):
            found = [self._trace(place, e.step, e.parent, e.log_probability, True) for e in done]
            for slot, log_probability in enumerate(self.left.get(place, ())):
                if len(found) < self.width and log_probability > -math.inf:
                    last = len(self.steps) - 1
                    found.append(self._trace(place, last, slot, log_probability, False))
            result.append(found)
        return result

    def _trace(
        self, place: int, number: int, slot: int, log_probability: float, ended: bool
    ) -> Hypothesis:
        """Go back from a step to the first one.

        `slot` is the parent of the END that step `number` wrote, or that step's own slot.
        """
        symbols: list[int] = []
        looks: list[Tensor] = []
        for at in range(number, -1, -1):
            step = self.steps[at]
            column = step.column[place]
            if at == number and ended:
                symbols.append(END)
            else:
                symbols.append(step.symbol[slot][column])
                slot = step.parent[slot][column]
            if step.weights is not None:
                looks.append(step.weights[slot * len(step.column) + column])
        return hypothesis(symbols[::-1], log_probability, self.alpha, looks[::-1])
