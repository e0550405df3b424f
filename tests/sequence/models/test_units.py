"""Properties of a text by hand, activations against the model, and ranks against a planted unit."""

import numpy as np
import pytest
import torch

from sidestep.sequence.models.language import LanguageConfig, LanguageModel
from sidestep.sequence.models.units import PROPERTIES, rank_units, unit_activations


def model_of(cell: str, layers: int = 2) -> LanguageModel:
    torch.manual_seed(0)
    config = LanguageConfig(cell=cell, hidden_size=5, num_layers=layers)  # type: ignore[arg-type]
    return LanguageModel(7, config).eval()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inside-quotes", 'a "bc" d', "00111000"),
        ("inside-quotes", 'a "b\n\nc"', "00111001"),
        ("inside-quotes", "“a” b", "11000"),
        ("inside-parentheses", "a (b [c] d) e", "0011111111000"),
        ("inside-parentheses", ") (\n\na", "001100"),
        ("line-position", "ab\ncd", "12012"),
        ("word-position", "ab c\tde", "1201012"),
        ("indentation", "  a b\n c", "12222011"),
        ("capitals", "ROMEO: I Am", "01111000000"),
    ],
)
def test_properties_by_hand(name: str, text: str, expected: str) -> None:
    assert PROPERTIES[name](text).tolist() == [float(digit) for digit in expected]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_activations_are_the_states_after_each_character(cell: str) -> None:
    model = model_of(cell)
    x = torch.randint(7, (23,), generator=torch.Generator().manual_seed(1))
    units = unit_activations(model, x, steps=4)
    assert units.shape == (23, 10)
    state = model.initial_state(1)
    with torch.no_grad():
        for t in range(23):
            _, state = model.step(x[t : t + 1], state)
            h = state[0] if isinstance(state, tuple) else state
            assert isinstance(h, torch.Tensor)
            assert torch.allclose(units[t], h[:, 0].flatten(), atol=1e-6)
    if cell == "lstm":
        assert isinstance(state, tuple) and isinstance(state[1], torch.Tensor)
        cells = unit_activations(model, x, "c")
        assert torch.allclose(cells[-1], state[1][:, 0].flatten().tanh(), atol=1e-6)
    else:
        with pytest.raises(ValueError, match=f"expected h, or c of an LSTM, got c of {cell}"):
            unit_activations(model, x, "c")


def test_the_unit_that_follows_is_found() -> None:
    text = 'say "this" and "that"\nor not "anything at all"\n' * 5
    values = PROPERTIES["inside-quotes"](text)
    noise = torch.randn(len(text), 6, generator=torch.Generator().manual_seed(0))
    noise[:, 2] = 0.5  # never changes
    noise[:, 4] = torch.from_numpy(0.7 - 0.4 * values)
    ranked = rank_units(noise, values)
    assert ranked[0].unit == 4 and ranked[0].correlation == pytest.approx(-1)
    assert ranked[0].low == pytest.approx(0.7) and ranked[0].high == pytest.approx(0.3)
    assert ranked[-1].unit == 2 and ranked[-1].correlation == 0
    by_numpy = np.corrcoef(noise[:, 1].numpy(), values)[0, 1]
    assert {f.unit: f.correlation for f in ranked}[1] == pytest.approx(by_numpy)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="a property that changes within the text"):
        rank_units(torch.rand(5, 3), np.ones(5))
    with pytest.raises(ValueError, match="expected 5 values, one a character, got 4"):
        rank_units(torch.rand(5, 3), np.ones(4))
