"""Hidden units over a text: their activations, properties of the text, and which unit follows one.

Axis letters: T characters, U units of all layers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .language import LanguageModel

Values = NDArray[np.float64]


@torch.no_grad()
def unit_activations(
    model: LanguageModel, symbols: Tensor, part: str = "h", steps: int = 256
) -> Tensor:
    """What every hidden unit is after each character, in [-1, 1].

    Args:
        model: set to evaluation.
        symbols: (T,) the text, read from a cleared state.
        part: "h", the hidden state; "c", tanh of the LSTM's cell.
        steps: characters at a time; changes nothing but memory.

    Returns:
        (T, L * H), the units of the first layer first.

    Raises:
        ValueError: another part, or c of a model without cells.
    """
    if part not in model.recurrent.part_names:
        raise ValueError(f"state: expected h, or c of an LSTM, got {part} of {model.config.cell}")
    rows, state = [], None
    for begin in range(0, len(symbols), steps):
        piece = model.inputs(symbols[begin : begin + steps].unsqueeze(-1))
        trace = model.recurrent.trace(piece, state)
        state = trace.state
        states = torch.cat([getattr(cell, part)[:, 0] for cell in trace.cells], dim=-1)
        rows.append(states.tanh() if part == "c" else states)
    return torch.cat(rows) if rows else torch.empty(0, model.config.hidden_size)


def line_position(text: str) -> Values:
    """Characters since the line began."""
    return _since(text, "\n")


def word_position(text: str) -> Values:
    """Characters since the last space or line's end."""
    return _since(text, " \n\t")


def indentation(text: str) -> Values:
    """Spaces that the present line begins with, as far as they have been read."""
    values, spaces, leading = np.zeros(len(text)), 0, True
    for t, symbol in enumerate(text):
        if symbol == "\n":
            spaces, leading = 0, True
        elif leading and symbol == " ":
            spaces += 1
        else:
            leading = False
        values[t] = spaces
    return values


def inside_quotes(text: str) -> Values:
    """1 from a double quote, or its curled kind, to the closing one; an empty line ends it."""
    values, inside = np.zeros(len(text)), False
    for t, symbol in enumerate(text):
        if symbol == '"':
            inside = not inside
        elif symbol in "“”":
            inside = symbol == "“"
        elif symbol == "\n" and text[t - 1 : t] == "\n":
            inside = False
        values[t] = inside
    return values


def inside_parentheses(text: str) -> Values:
    """1 while a bracket of any kind is open; an empty line closes all."""
    values, depth = np.zeros(len(text)), 0
    for t, symbol in enumerate(text):
        if symbol in "([{":
            depth += 1
        elif symbol in ")]}":
            depth = max(depth - 1, 0)
        elif symbol == "\n" and text[t - 1 : t] == "\n":
            depth = 0
        values[t] = depth > 0
    return values


def capitals(text: str) -> Values:
    """1 in a row of at least two capital letters, from the second on."""
    pairs = zip(" " + text, text, strict=False)
    return np.array([float(before.isupper() and here.isupper()) for before, here in pairs])


def _since(text: str, borders: str) -> Values:
    values, count = np.zeros(len(text)), 0
    for t, symbol in enumerate(text):
        count = 0 if symbol in borders else count + 1
        values[t] = count
    return values


PROPERTIES: dict[str, Callable[[str], Values]] = {
    "inside-quotes": inside_quotes,
    "inside-parentheses": inside_parentheses,
    "line-position": line_position,
    "word-position": word_position,
    "indentation": indentation,
    "capitals": capitals,
}
"""What a unit may follow: a number for every character, known once that character was read."""


class Follower(NamedTuple):
    """How one unit follows a property."""

    unit: int
    """In 0..U-1."""
    correlation: float
    """Pearson's, between the unit and the property over the text."""
    low: float
    """Mean activation where the property is below its mean."""
    high: float
    """Mean activation where it is above."""


def rank_units(activations: Tensor, values: Values) -> list[Follower]:
    """All units, the one that follows the property best first.

    Args:
        activations: (T, U) from `unit_activations`.
        values: (T,) the property.

    Returns:
        U rows in the order of the correlation's size; units that never change come last, with 0.

    Raises:
        ValueError: other lengths, or a property that is the same throughout.
    """
    units = activations.double().cpu().numpy()
    if len(units) != len(values):
        raise ValueError(f"expected {len(units)} values, one a character, got {len(values)}")
    if not len(values) or values.min() == values.max():
        raise ValueError("expected a property that changes within the text, got the same value")
    centred, wanted = units - units.mean(0), values - values.mean()
    spread = np.sqrt((centred**2).sum(0) * (wanted**2).sum())
    product: Any = wanted @ centred
    correlation = np.where(spread > 1e-9, product / np.maximum(spread, 1e-9), 0.0)
    high = values > values.mean()
    low_means, high_means = units[~high].mean(0), units[high].mean(0)
    order = np.argsort(-np.abs(correlation), kind="stable")
    return [
        Follower(int(u), float(correlation[u]), float(low_means[u]), float(high_means[u]))
        for u in order
    ]
