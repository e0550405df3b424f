"""A character model over a text, its gates free and forced; a small one is fitted to the text."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from sidestep.scripts.gating.course import Course, course_of_record
from sidestep.scripts.shared.forcing import Forcing
from sidestep.sequence import GRU, trace_forced
from sidestep.sequence.fitting.fitter import seeded
from sidestep.sequence.models.language import LanguageConfig, LanguageModel, Vocabulary

UPDATES, ENOUGH, LEARNING_RATE = 400, 0.01, 0.02
"""A small cell is fitted for so many updates at most, until its loss is so low, at this rate."""
LONGEST = 1000
"""Characters of a text that a small cell is fitted to, within seconds."""
SIGNS = {" ": "\u2423", "\n": "\u21b5", "\t": "\u21e5"}
"""For characters that leave no ink."""


class Read(NamedTuple):
    """A text as a model read it, N characters."""

    text: str
    own: Course
    """N - 1 steps with the cell's own gates."""
    forced: Course | None
    """With forced ones; None: none is."""
    layer: int
    """Which of the model's layers the courses are of."""

    def nats(self, course: Course) -> float:
        """Nats a character."""
        nats: NDArray[np.float64] = -np.log(np.maximum(course.right, 1e-45))
        return float(nats.mean())


def fitted_cell(
    text: str, cell: str, reset_after: bool, hidden_size: int, seed: int
) -> tuple[LanguageModel, Vocabulary, int]:
    """Fit a small cell with one-hot inputs to foresee the next character of one text.

    Args:
        text: 2 to `LONGEST` characters, read from a cleared state.
        cell: of `LanguageConfig`.
        reset_after: where a GRU resets.
        hidden_size: H.
        seed: of the weights; the same ones come of it every time.

    Returns:
        The model, its vocabulary, and the updates that it took.

    Raises:
        ValueError: a text too short or too long.
    """
    if not 2 <= len(text) <= LONGEST:
        raise ValueError(f"text: expected 2 to {LONGEST} characters to fit, got {len(text)}")
    vocabulary = Vocabulary.of(text)
    symbols = vocabulary.encode(text).unsqueeze(-1)  # (N, 1)
    config = LanguageConfig(cell=cell, hidden_size=hidden_size, embedding_size=0)
    with seeded(seed):
        model = LanguageModel(len(vocabulary), config)
        if not reset_after:
            model.recurrent = GRU(len(vocabulary), hidden_size, reset_after=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    updates, loss = 0, float("inf")
    while updates < UPDATES and loss > ENOUGH:
        logits, _ = model(symbols[:-1])
        total = cross_entropy(logits.flatten(0, 1), symbols[1:, 0])
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        updates, loss = updates + 1, total.item()
    return model.eval(), vocabulary, updates


@torch.no_grad()
def read(
    model: LanguageModel, vocabulary: Vocabulary, text: str, forcing: Forcing, start: int
) -> Read:
    """Read a text twice from a cleared state: as the model is, and with forced gates.

    Args:
        model: set to evaluation.
        vocabulary: of the model.
        text: at least 2 characters.
        forcing: of no gate: it is read once.
        start: the first step that is forced.

    Raises:
        ValueError: a cell without gates or without these, or a text too short, or of other
            characters.
    """
    forcing.check(model.recurrent)
    if len(text) < 2:
        raise ValueError(f"text: expected at least 2 characters, got {len(text)}")
    if forcing and start >= len(text) - 1:
        raise ValueError(f"from: expected at most step {len(text) - 2} of this text, got {start}")
    symbols = vocabulary.encode(text)
    layer = model.config.num_layers - 1 if forcing.layer is None else forcing.layer
    labels = [(str(t), SIGNS.get(x, x), SIGNS.get(y, y)) for t, (x, y) in enumerate(pairwise(text))]
    courses = []
    for values in [{}, forcing.values] if forcing else [{}]:
        x, options = model.inputs(symbols[:-1].unsqueeze(-1)), forcing.options
        trace = trace_forced(model.recurrent, x, values, start=start if values else 0, **options)
        right = model.head(trace.y[:, 0]).softmax(-1).gather(-1, symbols[1:, None])[:, 0]
        words = model.recurrent.gate_words
        courses.append(course_of_record(trace.cells[layer], words, forcing, labels, right))
    return Read(text, courses[0], courses[1] if forcing else None, layer)
