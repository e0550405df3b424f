"""A translation step by step: scores, their softmax, the context, and what is written next."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor

from sidestep.scripts.sequences.translate_data import Languages
from sidestep.scripts.sequences.translate_figures import END_LABEL, visible
from sidestep.sequence.models.attention import Attended, ProjectedMemory
from sidestep.sequence.models.seq2seq import Encoded, Seq2Seq
from sidestep.sequence.tasks.pairs import BEGIN, END, PAD, source_batch

MOST_NEXT = 6
"""Next symbols that are shown."""
FIRST_NUMBERS = 4
"""Numbers of a context that the table shows."""
BAR = 16
"""Cells of a terminal for a weight of 1."""
FIXED = "no attention: one fixed context, the encoder's last state, in every step"


class Look(NamedTuple):
    """What one step computed.

    Attributes:
        scores: (T,) of the source's symbols and END, before the softmax; None without attention.
        weights: (T,) after it.
        context: (H,) the weighted sum of the encoder's states; without attention its last state.
        best: the most probable next symbols, the first of which is written, and probabilities.
    """

    scores: Tensor | None
    weights: Tensor | None
    context: Tensor
    best: tuple[tuple[str, float], ...]


class Translation(NamedTuple):
    """All steps of a greedy translation.

    Attributes:
        source: labels of T symbols, END as the last.
        written: labels of what each step wrote.
        text: the whole translation.
        states: (T, H) of the encoder; None without attention.
        looks: one for each step.
    """

    source: tuple[str, ...]
    written: tuple[str, ...]
    text: str
    states: Tensor | None
    looks: tuple[Look, ...]


@torch.no_grad()
def translation_of(
    model: Seq2Seq, languages: Languages, source: Sequence[str], max_length: int
) -> Translation:
    """Translate greedily, and keep what every step computed.

    Args:
        model: in evaluation mode.
        languages: of the model.
        source: tokens.
        max_length: at which writing stops, END counted.
    """
    symbols, lengths = source_batch([tuple(source)], languages.source)
    encoded = model.encode(symbols, lengths)
    numbers, looks = follow(model, encoded, languages.target.symbols, max_length)
    labels = [_label(languages.target.symbols[number]) for number in numbers]
    return Translation(
        tuple(visible(source, len(source) + 1)),
        tuple(labels),
        languages.join_target(languages.target.decode(numbers)),
        None if encoded.memory is None else encoded.memory.values[0],
        looks,
    )


def follow(
    model: Seq2Seq, encoded: Encoded, names: Sequence[str], max_length: int
) -> tuple[list[int], tuple[Look, ...]]:
    """Write greedily from one encoded source.

    Args:
        model: in evaluation mode.
        encoded: of one source.
        names: of the target's symbols.
        max_length: at which writing stops, END counted.

    Returns:
        The symbols, END last if it was reached, and what each step computed.
    """
    state, symbol = model.start(encoded), torch.tensor([BEGIN])
    numbers: list[int] = []
    looks: list[Look] = []
    with torch.no_grad():
        while len(numbers) < max_length and numbers[-1:] != [END]:
            seen: list[tuple[Tensor, Tensor, Tensor]] = []
            handle = None
            if model.attention is not None:
                handle = model.attention.register_forward_hook(
                    lambda module, args, out, kept=seen: kept.append(_seen(module, args, out))
                )
            step = model.step(symbol, state, encoded)
            if handle is not None:
                handle.remove()
            state = step.state
            logits = step.logits[0].float()
            logits[[PAD, BEGIN]] = -torch.inf
            shares, best = logits.softmax(-1).topk(min(MOST_NEXT, len(names)))
            found = zip(best.tolist(), shares.tolist(), strict=True)
            known = tuple((_label(names[number]), share) for number, share in found)
            scores, weights, context = seen[0] if seen else (None, None, _last(encoded))
            looks.append(Look(scores, weights, context, known))
            symbol = best[:1]
            numbers.append(int(symbol))
    return numbers, tuple(looks)


def _seen(module: Any, args: tuple[Any, ...], out: Attended) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, weights and context of a call of attention with one query of one source."""
    query: Tensor = args[0]
    memory: ProjectedMemory = args[1]
    assert out.weights is not None
    scores: Tensor = module.scores(query, memory)
    return scores.flatten(), out.weights.flatten(), out.context.flatten()


def _last(encoded: Encoded) -> Tensor:
    """The top layer's last state, (H,); of an LSTM what it shows, not its cell."""
    state = encoded.state if isinstance(encoded.state, Tensor) else encoded.state[0]
    assert isinstance(state, Tensor)
    return state[-1, 0]


def _label(symbol: str) -> str:
    """A symbol to be seen."""
    return END_LABEL if symbol == "<end>" else visible([symbol], 1)[0]


def step_table(translation: Translation, number: int) -> Table:
    """What a step computed, as a table: words with score and weight, and the next words.

    Args:
        translation: with all steps.
        number: of the step, from 0.
    """
    look = translation.looks[number]
    before = " ".join(translation.written[:number]) or "(nothing yet)"
    title = f"step {number + 1}: {before} \u2192 {translation.written[number]}"
    shown = Table(title=title, title_justify="left")
    shown.add_column("source")
    for name in ("score", "weight") if look.weights is not None else ():
        shown.add_column(name, justify="right")
    if look.weights is not None:
        shown.add_column("", width=BAR)
    shown.add_column("next")
    shown.add_column("probability", justify="right")
    for row in range(max(len(translation.source), len(look.best))):
        cells = [translation.source[row] if row < len(translation.source) else ""]
        if look.weights is not None and look.scores is not None:
            cells += ["", "", ""]
            if row < len(look.weights):
                weight = float(look.weights[row])
                cells[1:] = [
                    f"{look.scores[row]:.3f}",
                    f"{weight:.3f}",
                    "\u2588" * round(BAR * weight),
                ]
        word, share = look.best[row] if row < len(look.best) else ("", 0.0)
        shown.add_row(*cells, word, f"{share:.3f}" if word else "")
    return shown


def context_words(context: Tensor) -> str:
    """The context in a line: its norm and first numbers."""
    first = " ".join(f"{value:+.3f}" for value in context[:FIRST_NUMBERS].tolist())
    return f"context: {len(context)} numbers, norm {float(context.norm()):.3f}: {first} ..."
