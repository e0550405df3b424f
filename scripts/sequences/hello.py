"""The smallest language model: it learns to spell one word, and every number of it is kept.

Axis letters: T steps, one less than the word has letters; V different letters; H units.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sidestep.sequence.fitting.fitter import seeded
from sidestep.sequence.models.language import LanguageConfig, LanguageModel, Vocabulary

LONGEST = 12
"""Letters of a word: more would fit no picture."""


class Snapshot(NamedTuple):
    """What the model computes over the whole word after some updates.

    Attributes:
        update: how many updates were made before.
        loss: the sum of -log softmax over the T steps, in nats.
        states: (T, H) of each of the cell's states by its name, h first.
        logits: (T, V).
        softmax: (T, V).
        foreseen: (T,) the letter with the largest logit.
        right: (T,) whether that is the next letter.
    """

    update: int
    loss: float
    states: dict[str, Tensor]
    logits: Tensor
    softmax: Tensor
    foreseen: Tensor
    right: Tensor


class Lesson(NamedTuple):
    """A word that was learnt.

    Attributes:
        word: with V different letters.
        vocabulary: these letters in the order of the word.
        model: as it is after the last update.
        snapshots: those that were asked for, in order.
        losses: before each update, and after the last one.
        solved: after how many updates all steps were right at first; None: never.
    """

    word: str
    vocabulary: Vocabulary
    model: LanguageModel
    snapshots: tuple[Snapshot, ...]
    losses: tuple[float, ...]
    solved: int | None


def check_word(word: str) -> Vocabulary:
    """The word's different letters, in their order.

    Raises:
        ValueError: it has too few letters or too many, or one that repeats alone.
    """
    if not 2 <= len(word) <= LONGEST:
        raise ValueError(f"word: expected 2 to {LONGEST} letters, got {len(word)} ({word!r})")
    if len(set(word)) < 2:
        raise ValueError(f"word: expected two different letters or more, got {word!r}")
    return Vocabulary("".join(dict.fromkeys(word)))


def look(model: LanguageModel, symbols: Tensor, update: int) -> Snapshot:
    """What the model computes over a word, (T + 1,) symbols."""
    with torch.no_grad():
        inputs = model.inputs(symbols[:-1].unsqueeze(-1))  # (T, 1, V)
        trace = model.recurrent.trace(inputs)
        logits = model.head(trace.y)[:, 0]
    (cell,) = trace.cells
    states = {name: getattr(cell, name)[:, 0] for name in model.recurrent.part_names}
    foreseen = logits.argmax(-1)
    return Snapshot(
        update=update,
        loss=float(cross_entropy(logits, symbols[1:], reduction="sum")),
        states=states,
        logits=logits,
        softmax=logits.softmax(-1),
        foreseen=foreseen,
        right=foreseen == symbols[1:],
    )


def learn(
    word: str,
    cell: str = "rnn",
    size: int = 3,
    updates: int = 100,
    learning_rate: float = 0.03,
    seed: int = 0,
    at: Collection[int] = (),
) -> Lesson:
    """Teach a model of one layer to foresee each next letter of a word from one-hot letters.

    Every update descends the loss of the whole word by Adam.

    Args:
        word: of 2 to 12 letters, two of them different.
        cell: rnn, lstm, gru, or one that was registered.
        size: H.
        updates: of the weights.
        learning_rate: Adam's.
        seed: of the first weights.
        at: after how many updates a snapshot is taken, each in 0..updates.

    Raises:
        ValueError: another word, or a loss that is not finite.
    """
    vocabulary = check_word(word)
    symbols = vocabulary.encode(word)
    with seeded(seed):
        model = LanguageModel(len(vocabulary), LanguageConfig(cell, size, embedding_size=0))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    snapshots, losses, solved = [], [], None
    for update in range(updates + 1):
        if update in at:
            snapshots.append(look(model, symbols, update))
        logits, _ = model(symbols[:-1].unsqueeze(-1))  # (T, 1, V)
        loss = cross_entropy(logits[:, 0], symbols[1:], reduction="sum")
        if not torch.isfinite(loss):
            raise ValueError(
                f"learning_rate: expected one that keeps the loss finite, got {learning_rate:g}, "
                f"{loss.item()} after {update} updates"
            )
        losses.append(loss.item())
        if solved is None and bool((logits[:, 0].argmax(-1) == symbols[1:]).all()):
            solved = update
        if update < updates:
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Lesson(word, vocabulary, model, tuple(snapshots), tuple(losses), solved)


def ambiguous(word: str) -> dict[str, str]:
    """The letters that are followed by different ones, with these: what needs a state."""
    after: dict[str, dict[str, None]] = {}
    for letter, follower in pairwise(word):
        after.setdefault(letter, {})[follower] = None
    return {letter: "".join(found) for letter, found in after.items() if len(found) > 1}
