"""What a language model computes while it reads a text, every number by name.

Axis letters: T characters, H units of a layer, V symbols.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sidestep.scripts.shared.forcing import Forcing
from sidestep.sequence.models.language import LanguageModel, Vocabulary

Values = NDArray[np.float32]
NONE = Forcing({})


class Layer(NamedTuple):
    """What one recurrent layer computed after each character.

    Attributes:
        states: (T, H) by name: h, and an LSTM's c.
        gates: (T, H) by name, in [0, 1]; none of an RNN.
    """

    states: dict[str, Values]
    gates: dict[str, Values]


class Reading(NamedTuple):
    """A text that was read from its beginning to its end.

    Attributes:
        text: T characters.
        symbols: V of them, the model's vocabulary.
        name: of the model, for titles.
        layers: the lowest first.
        gate_words: what each gate does when it is open, by its name.
        log_probs: (T, V) of the character after each.
        nats: (T,) -log p of each character, given those before; NaN for one that nothing preceded.
        forcing: gates that were held at a value, and how z is counted.
    """

    text: str
    symbols: str
    name: str
    layers: tuple[Layer, ...]
    gate_words: Mapping[str, str]
    log_probs: Values
    nats: Values
    forcing: Forcing = NONE

    def forced(self, layer: int) -> Mapping[str, float]:
        """The values of a layer's gates that were forced."""
        return self.forcing.values if self.forcing.layer in (None, layer) else {}

    def values(self, layer: int, part: str, unit: int) -> Values:
        """(T,) what one unit is after each character: h, or tanh of the cell."""
        found = self.layers[layer].states[part][:, unit]
        return np.tanh(found) if part == "c" else found

    def mean_nats(self, at: int) -> float:
        """What the characters up to the one at `at` cost on average; NaN for the first alone."""
        seen = self.nats[: at + 1]
        known = seen[~np.isnan(seen)]
        return float(known.mean(dtype=np.float64)) if len(known) else float("nan")

    def after(self, at: int) -> str | None:
        """The character after the one at `at`; None at the end."""
        return self.text[at + 1] if at + 1 < len(self.text) else None

    def ahead(self, at: int, most: int) -> list[tuple[str, float]]:
        """The most probable next characters after the one at `at`, with their probabilities."""
        log_probs = self.log_probs[at]
        order = np.argsort(-log_probs, kind="stable")[:most]
        return [(self.symbols[k], float(np.exp(log_probs[k]))) for k in order]

    def rank(self, at: int) -> tuple[int, float] | None:
        """The place of the true next character among all, from 1, and its probability."""
        after = self.after(at)
        if after is None:
            return None
        number = self.symbols.index(after)
        log_probs = self.log_probs[at]
        return int((log_probs > log_probs[number]).sum()) + 1, float(np.exp(log_probs[number]))

    def strongest(self, at: int, layer: int, part: str) -> int:
        """The unit whose value after the character at `at` is largest in size."""
        return int(np.abs(self.layers[layer].states[part][at]).argmax())


@torch.no_grad()
def read(
    model: LanguageModel,
    vocabulary: Vocabulary,
    text: str,
    before: str = "",
    forcing: Forcing = NONE,
) -> Reading:
    """Let a model read a text, and keep all that it computes.

    Args:
        model: set to evaluation.
        vocabulary: of the model.
        text: T >= 1 characters.
        before: what it has read until then, of which only the state is kept.
        forcing: gates that are held at a value all the while.

    Raises:
        ValueError: no text, a character that the model does not know, or gates that it lacks.
    """
    if not text:
        raise ValueError("text: expected at least one character, got none")
    if forcing:
        model = forcing.in_model(model)
    symbols = vocabulary.encode(before + text)
    earlier, own = symbols[: len(before)], symbols[len(before) :]
    state, first = None, np.nan
    if len(earlier):
        logits, state = model(earlier.unsqueeze(-1))
        first = -float(logits[-1, 0].log_softmax(-1)[own[0]])
    trace = model.recurrent.trace(model.inputs(own.unsqueeze(-1)), state)
    log_probs = model.head(trace.y)[:, 0].log_softmax(-1)  # (T, V)
    nats = -log_probs[:-1].gather(-1, own[1:].unsqueeze(-1))[:, 0]
    recurrent = model.recurrent
    words = {name: forcing.word(name, word) for name, word in recurrent.gate_words.items()}
    layers = tuple(
        Layer(
            {name: getattr(cell, name)[:, 0].numpy() for name in recurrent.part_names},
            {name: forcing.gate(name, getattr(cell, name)[:, 0].numpy()) for name in words},
        )
        for cell in trace.cells
    )
    config = model.config
    return Reading(
        text,
        vocabulary.symbols,
        f"{config.cell.upper()} {config.num_layers} x {config.hidden_size}",
        layers,
        words,
        log_probs.numpy(),
        np.concatenate([[first], nats.numpy()]).astype(np.float32),
        forcing,
    )
