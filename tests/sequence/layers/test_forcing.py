"""Forced gates: by hand, by the equations with the gate replaced, and on every way of a layer."""

import math

import pytest
import torch
from torch import Tensor

from sidestep.sequence import GRU, LSTM, RNN, force_gates, trace_forced
from sidestep.sequence.layers.recurrent import Recurrent

from ..kinds import DTYPE, gap, make, random_state


def one_unit(kind: type[LSTM] | type[GRU], **options: bool) -> LSTM | GRU:
    """A cell of one unit and one input, all weights 1 and all biases 0."""
    layer = kind(1, 1, dtype=DTYPE, **options)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.fill_(0.0 if "bias" in name else 1.0)
    return layer


def numbers(x: Tensor) -> list[float]:
    return [round(value, 4) for value in x.flatten().tolist()]


ONES = torch.tensor([1.0, 0.0, 0.0], dtype=DTYPE).view(3, 1, 1)
"""Three steps: a one, then nothing."""


def test_lstm_by_hand() -> None:
    """sigmoid(1) = 0.7311, tanh(1) = 0.7616: c_1 = 0.7311 * 0.7616 = 0.5568, h_1 = 0.3696."""
    layer = one_unit(LSTM)
    free = layer.trace(ONES).cells[0]
    assert numbers(free.c)[0] == 0.5568 and numbers(free.h)[0] == 0.3696
    keeps = force_gates(layer, {"f": 1, "i": 0}).trace(ONES, (ONES[:1], 2 * ONES[:1])).cells[0]
    assert numbers(keeps.c) == [2, 2, 2] and keeps.f.eq(1).all() and keeps.i.eq(0).all()
    forgets = force_gates(layer, {"f": 0}).trace(ONES).cells[0]
    c = math.tanh(forgets.h[0].item()) / (1 + math.exp(-forgets.h[0].item()))  # i * g of h_1 alone
    assert forgets.c[1].item() == pytest.approx(c, rel=1e-12) and c < free.c[1].item()
    shut = force_gates(layer, {"o": 0, "f": 1, "i": 1}).trace(ONES).cells[0]
    assert not shut.h.any() and numbers(shut.c) == [0.7616] * 3  # tanh(1), then tanh(0)
    half = force_gates(layer, {"f": 0.5, "g": 0}).trace(ONES, (ONES[:1], 8 * ONES[:1])).cells[0]
    assert numbers(half.c) == [4, 2, 1]


def test_gru_by_hand_in_both_conventions() -> None:
    """z = 1 keeps h where z weighs the past, and is the candidate alone where it weighs that."""
    layer, h = one_unit(GRU), torch.full((1, 1, 1), 0.5, dtype=DTYPE)
    keeps = force_gates(layer, {"z": 1}).trace(ONES, h).cells[0]
    assert numbers(keeps.h) == [0.5, 0.5, 0.5]
    replaced = force_gates(layer, {"z": 1}, z_weighs="candidate").trace(ONES, h).cells[0]
    assert torch.equal(replaced.h, replaced.n) and replaced.z.eq(0).all()
    fifth = force_gates(layer, {"z": 0.2}, z_weighs="candidate").trace(ONES, h).cells[0]
    assert fifth.z[0].item() == pytest.approx(0.8, abs=1e-15)
    assert fifth.h[0].item() == pytest.approx(0.8 * 0.5 + 0.2 * fifth.n[0].item(), abs=1e-15)


def test_the_reset_gate_of_both_grus() -> None:
    """r = 0: n_1 = tanh(x) = tanh(1); r = 1: tanh(1 + 0.5), in either place of the reset."""
    h = torch.full((1, 1, 1), 0.5, dtype=DTYPE)
    for after in (True, False):
        layer = one_unit(GRU, reset_after=after)
        shut = force_gates(layer, {"r": 0, "z": 0}).trace(ONES, h).cells[0]
        assert numbers(shut.h) == [0.7616, 0, 0] and shut.r.eq(0).all()
        opened = force_gates(layer, {"r": 1, "z": 0}).trace(ONES[:1], h).cells[0]
        assert numbers(opened.h) == [round(math.tanh(1.5), 4)]


EVERY = [("lstm", gate) for gate in "ifgo"]
EVERY += [(kind, gate) for kind in ("gru", "gru_before") for gate in "rzn"]


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"layer_norm": True}], ids=str)
@pytest.mark.parametrize(("kind", "gate"), EVERY)
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_every_way_through_a_layer_has_the_gate_forced(
    kind: str, gate: str, value: float, options: dict[str, bool]
) -> None:
    """The trace shows the value; forward, with resets and without, and step compute with it."""
    torch.manual_seed(1)
    layer = make(kind, 3, 5, **options)
    forced = force_gates(layer, {gate: value})
    x, state = torch.randn(7, 2, 3, dtype=DTYPE), random_state(layer, 2)
    trace = forced.trace(x, state)
    found = getattr(trace.cells[0], gate)
    assert (
        found.eq(value).all() if value != 0.3 else gap(found, torch.full_like(found, 0.3)) < 1e-15
    )
    assert gap(forced(x, state)[0], trace.y) < 1e-12
    reset = torch.zeros(7, 2, dtype=torch.bool)
    assert gap(forced(x, state, reset)[0], trace.y) < 1e-12
    for t in range(7):
        y, state = forced.step(x[t], state)
        assert gap(y, trace.y[t]) < 1e-12
    free = layer.trace(x).cells[0]
    assert gap(getattr(free, gate), found) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_before"])
def test_shut_and_open_are_exact_in_every_dtype(kind: str, dtype: torch.dtype) -> None:
    layer, x = make(kind, 3, 5, dtype=dtype), torch.randn(4, 2, 3, dtype=dtype)
    for gate in layer.gate_words:
        for value in (0, 1):
            cell = force_gates(layer, {gate: value}).trace(x).cells[0]
            assert getattr(cell, gate).eq(value).all()


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_before"])
def test_with_nothing_forced_the_copy_is_the_layer(kind: str) -> None:
    layer, x = make(kind, 3, 5, 2), torch.randn(7, 2, 3, dtype=DTYPE)
    assert torch.equal(force_gates(layer, {})(x)[0], layer(x)[0])
    assert torch.equal(trace_forced(layer, x, {}).y, layer.trace(x).y)
    before = {name: parameter.clone() for name, parameter in layer.named_parameters()}
    force_gates(layer, dict.fromkeys(layer.gate_rows, 0))
    assert all(torch.equal(before[name], now) for name, now in layer.named_parameters())


def test_no_gradient_passes_a_shut_forget_gate() -> None:
    layer = force_gates(make("lstm", 3, 5), {"f": 0, "o": 0})
    c = torch.randn(1, 2, 5, dtype=DTYPE, requires_grad=True)
    _, (_, last) = layer(torch.randn(4, 2, 3, dtype=DTYPE), (torch.zeros_like(c), c))  # type: ignore[misc]
    assert isinstance(last, Tensor) and not torch.autograd.grad(last.sum(), c)[0].any()
    kept = force_gates(layer, {"f": 1})
    _, (_, last) = kept(torch.randn(4, 2, 3, dtype=DTYPE), (torch.zeros_like(c), c))  # type: ignore[misc]
    assert isinstance(last, Tensor) and torch.autograd.grad(last.sum(), c)[0].eq(1).all()


def test_from_a_step_on() -> None:
    """Steps before are the layer's own; those after go on from its state."""
    layer, x = make("lstm", 3, 5), torch.randn(7, 2, 3, dtype=DTYPE)
    trace, free = trace_forced(layer, x, {"f": 0}, start=4), layer.trace(x)
    assert torch.equal(trace.cells[0].c[:4], free.cells[0].c[:4])
    assert trace.cells[0].f[4:].eq(0).all() and not trace.cells[0].f[:4].eq(0).any()
    _, state = layer(x[:4])
    assert gap(trace.y[4:], force_gates(layer, {"f": 0})(x[4:], state)[0]) < 1e-14
    assert gap(trace.state, force_gates(layer, {"f": 0})(x[4:], state)[1]) < 1e-14
    assert torch.equal(trace_forced(layer, x, {"f": 0}, start=7).y, free.y)
    with pytest.raises(ValueError, match="start of at least 0, got start=-1"):
        trace_forced(layer, x, {"f": 0}, start=-1)


def test_one_of_several_layers_and_both_directions() -> None:
    layer, x = make("gru", 3, 5, 2), torch.randn(7, 2, 3, dtype=DTYPE)
    cells = force_gates(layer, {"r": 0}, level=1).trace(x).cells
    assert not cells[0].r.eq(0).any() and cells[1].r.eq(0).all()
    assert all(cell.r.eq(0).all() for cell in force_gates(layer, {"r": 0}).trace(x).cells)
    both = force_gates(make("lstm", 3, 5, bidirectional=True), {"f": 0}).trace(x)
    assert len(both.cells) == 2 and all(cell.f.eq(0).all() for cell in both.cells)
    with pytest.raises(ValueError, match="level: expected 0 to 1, got 2"):
        force_gates(layer, {"r": 0}, level=2)


class Leaky(Recurrent):
    """A cell of somebody else's, whose rows nobody told."""

    gates, part_names = 1, ("h",)


@pytest.mark.parametrize(
    ("layer", "values", "words"),
    [
        (LSTM(1, 2), {"z": 1}, "expected some of i, f, g, o of the LSTM, got 'z'"),
        (GRU(1, 2), {"f": 0}, "expected some of r, z, n of the GRU, got 'f'"),
        (GRU(1, 2), {"z": 1.5}, "z: expected a value from 0 to 1, got 1.5"),
        (LSTM(1, 2), {"f": -0.1}, "f: expected a value from 0 to 1, got -0.1"),
        (LSTM(1, 2), {"g": -2}, "g: expected a value from -1 to 1, got -2"),
        (LSTM(1, 2), {"f": math.nan}, "f: expected a value from 0 to 1, got nan"),
        (RNN(1, 2), {"f": 0}, "expected a layer with gates, such as LSTM or GRU, got RNN"),
        (Leaky(1, 2), {"f": 0}, "expected a layer with gates, such as LSTM or GRU, got Leaky"),
    ],
)
def test_refusals(layer: Recurrent, values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        force_gates(layer, values)


def test_a_weight_that_is_made_by_a_parametrisation_is_refused() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(LSTM(1, 2), "weight_hh_l0")
    with pytest.raises(ValueError, match="weight_hh_l0 to be a plain parameter"):
        force_gates(layer, {"f": 0})
