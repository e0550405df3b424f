"""Layers against torch.nn, step against forward, and rows of any length."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sidestep.sequence import GRU, LSTM, RNN, State, gru_step
from sidestep.sequence.layers.recurrent import Recurrent

from ..kinds import DTYPE, KINDS, PATTERNS, TORCH, gap, leaves, make, random_state, reset_pattern

kinds = pytest.mark.parametrize("kind", list(KINDS))
torch_kinds = pytest.mark.parametrize("kind", list(TORCH))
T, B, D, H = 11, 5, 3, 7


def torch_twin(kind: str, layer: Recurrent) -> nn.RNNBase:
    """torch.nn's layer with the same weights, by its state_dict."""
    options: dict[str, Any] = {"nonlinearity": "relu"} if kind == "relu" else {}
    twin: nn.RNNBase = getattr(nn, TORCH[kind])(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bias=layer.bias,
        bidirectional=layer.bidirectional,
        dtype=DTYPE,
        **options,
    )
    twin.load_state_dict(layer.state_dict())
    return twin


@torch_kinds
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("with_reset", [False, True])
def test_equals_torch(kind: str, layers: int, bidirectional: bool, with_reset: bool) -> None:
    """With resets that never come too, which takes another path than none at all."""
    torch.manual_seed(0)
    layer = make(kind, D, H, layers, bidirectional=bidirectional)
    x = torch.randn(T, B, D, dtype=DTYPE)
    state = random_state(layer, B)
    reset = torch.zeros(T, B, dtype=torch.bool) if with_reset else None
    ours, theirs = layer(x, state, reset), torch_twin(kind, layer)(x, state)
    assert gap(ours, theirs) < 1e-12
    assert ours[0].shape == (T, B, layer.output_size)


@torch_kinds
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_equal_packing_and_nan_padding_does_not_matter(
    kind: str, bidirectional: bool
) -> None:
    torch.manual_seed(1)
    layer = make(kind, D, H, 2, bidirectional=bidirectional)
    lengths = torch.tensor([3, T, 1, 7, 2])
    x = torch.randn(T, B, D, dtype=DTYPE)
    for b, length in enumerate(lengths.tolist()):
        x[length:, b] = float("nan")
    state = random_state(layer, B)
    y, end = layer(x, state, lengths=lengths)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    theirs, their_end = torch_twin(kind, layer)(packed, state)
    padded, _ = nn.utils.rnn.pad_packed_sequence(theirs, total_length=T)
    assert gap((y, end), (padded, their_end)) < 1e-12
    y.pow(2).sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(list(KINDS)),
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=5),
    pattern=st.sampled_from(PATTERNS),
    bidirectional=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_row_with_padding_equals_the_row_alone(
    kind: str, lengths: list[int], pattern: str, bidirectional: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = make(kind, 2, 3, 2, bidirectional=bidirectional)
    batch = len(lengths)
    x = torch.randn(7, batch, 2, dtype=DTYPE)
    reset = reset_pattern(pattern, 7, batch)
    state = random_state(layer, batch)
    y, end = layer(x, state, reset, torch.tensor(lengths))
    for b, length in enumerate(lengths):
        row = slice(b, b + 1)
        start = _rows(state, row)
        alone, alone_end = layer(x[:length, row], start, _cut(reset, length, row))
        assert gap(y[:length, row], alone) < 1e-12 and gap(_rows(end, row), alone_end) < 1e-12
        assert (y[length:, row] == 0).all()


def _rows(state: State, row: slice) -> State:
    parts = tuple(leaf[:, row] for leaf in leaves(state))
    return parts[0] if isinstance(state, Tensor) else parts


def _cut(reset: Tensor | None, length: int, row: slice) -> Tensor | None:
    return None if reset is None else reset[:length, row]


@kinds
def test_reading_backwards_equals_flipped_episodes(kind: str) -> None:
    """The reverse half of a bidirectional layer sees each episode from its end, alone."""
    torch.manual_seed(2)
    layer = make(kind, D, H, bidirectional=True)
    one = make(kind, D, H)
    one.load_state_dict(
        {k.removesuffix("_reverse"): v for k, v in layer.state_dict().items() if "reverse" in k}
    )
    x = torch.randn(T, 1, D, dtype=DTYPE)
    reset = torch.zeros(T, 1, dtype=torch.bool)
    reset[4] = True
    y, _ = layer(x, None, reset)
    parts = [one(x[piece].flip(0))[0].flip(0) for piece in (slice(0, 4), slice(4, T))]
    assert gap(y[..., H:], torch.cat(parts)) < 1e-12


@kinds
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_step_after_step_equals_forward(
    kind: str, layers: int, layer_norm: bool, bias: bool
) -> None:
    torch.manual_seed(3)
    layer = make(kind, D, H, layers, layer_norm=layer_norm, bias=bias)
    x = torch.randn(T, B, D, dtype=DTYPE)
    for pattern in ("none", "random"):
        reset = reset_pattern(pattern, T, B)
        assert reset is not None
        state = start = random_state(layer, B)
        outputs = []
        for t in range(T):
            y, state = layer.step(x[t], state, reset[t])
            outputs.append(y)
        assert gap((torch.stack(outputs), state), layer(x, start, reset)) < 1e-12


@kinds
def test_step_leaves_its_state_alone(kind: str) -> None:
    layer = make(kind, D, H)
    state = random_state(layer, B)
    before = [leaf.clone() for leaf in leaves(state)]
    layer.step(torch.randn(B, D, dtype=DTYPE), state, torch.ones(B, dtype=torch.bool))
    assert gap(tuple(before), tuple(leaves(state))) == 0


@torch_kinds
def test_from_and_to_torch(kind: str) -> None:
    torch.manual_seed(4)
    layer = make(kind, D, H, 2, dropout=0.25, bidirectional=True).eval()
    as_any: Any = layer
    twin = as_any.to_torch()
    back = as_any.from_torch(twin)
    x = torch.randn(T, B, D, dtype=DTYPE)
    assert gap(layer(x), twin(x)) < 1e-12 and gap(layer(x), back(x)) == 0
    assert twin.dropout == back.dropout == 0.25 and not back.training
    assert list(layer.state_dict()) == list(twin.state_dict())


def test_what_does_not_convert_is_refused() -> None:
    with pytest.raises(ValueError, match="expected reset_after=True"):
        GRU(D, H, reset_after=False).to_torch()
    with pytest.raises(ValueError, match="no layer normalisation"):
        LSTM(D, H, layer_norm=True).to_torch()
    with pytest.raises(ValueError, match="batch_first=False"):
        RNN.from_torch(nn.RNN(D, H, batch_first=True))
    with pytest.raises(ValueError, match="proj_size=2"):
        LSTM.from_torch(nn.LSTM(D, H, proj_size=2))


@kinds
def test_trace_names_every_state_and_gate(kind: str) -> None:
    torch.manual_seed(5)
    layer = make(kind, D, H, 2)
    x = torch.randn(T, B, D, dtype=DTYPE)
    trace = layer.trace(x)
    top = trace.cells[1]
    assert torch.equal(trace.y, top.h) and gap(trace.y, layer(x)[0]) < 1e-12
    if "gru" in kind:
        past = torch.cat([torch.zeros(1, B, H, dtype=DTYPE), top.h[:-1]])
        assert gap(top.h, (1 - top.z) * top.n + top.z * past) < 1e-12
        assert ((top.r > 0) & (top.r < 1)).all()
    if kind == "lstm":
        past = torch.cat([torch.zeros(1, B, H, dtype=DTYPE), top.c[:-1]])
        assert gap(top.c, top.f * past + top.i * top.g) < 1e-12
        assert gap(top.h, top.o * torch.tanh(top.c)) < 1e-12


def test_trace_of_a_reverse_direction_stands_at_the_input_time() -> None:
    layer = make("gru", D, H, bidirectional=True)
    x = torch.randn(T, B, D, dtype=DTYPE)
    lengths = torch.tensor([3, T, 1, 7, 2])
    trace = layer.trace(x, lengths=lengths)
    weights = layer.weights("l0_reverse", None)
    step = gru_step(x[2, 0], torch.zeros(H, dtype=DTYPE), *weights[:4])  # the last of row 0
    assert gap(trace.cells[1].r[2, 0], step.r) < 1e-12


@kinds
def test_orthogonal_start(kind: str) -> None:
    layer = KINDS[kind](13, 5, 2, generator=torch.Generator().manual_seed(0))
    for block in layer.get_parameter("weight_hh_l1").chunk(layer.gates):
        assert gap(block @ block.t(), torch.eye(5)) < 1e-5
    bias = (layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")).view(-1, 5)
    expected = torch.zeros_like(bias)
    if kind == "lstm":
        expected[1] = 1  # the forget gate
    assert torch.equal(bias, expected)
    again = KINDS[kind](13, 5, 2, generator=torch.Generator().manual_seed(0))
    assert all(
        torch.equal(a, b) for a, b in zip(layer.parameters(), again.parameters(), strict=True)
    )


def test_layer_norm_makes_gates_blind_to_the_scale_of_weights() -> None:
    torch.manual_seed(6)
    for kind in KINDS:
        layer = make(kind, D, H, layer_norm=True)
        x = torch.randn(T, B, D, dtype=DTYPE)
        with torch.no_grad():  # large beside the epsilon of the variance
            layer.get_parameter("weight_ih_l0").mul_(100.0)
            before, _ = layer(x)
            layer.get_parameter("weight_ih_l0").mul_(1000.0)
        assert gap(layer(x)[0], before) < 1e-3
        assert (before != 0).any()


@kinds
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("batch", [0, B])
def test_no_step_at_all_is_part_of_the_graph(kind: str, layer_norm: bool, batch: int) -> None:
    """A chunk of no steps neither stops a training loop nor changes its gradients."""
    layer = make(kind, D, H, 2, layer_norm=layer_norm, bidirectional=True)
    x = torch.randn(0, batch, D, dtype=DTYPE, requires_grad=True)
    for call in (layer, layer.trace):
        layer.zero_grad()
        y, state, *_ = call(x, None, torch.zeros(0, batch, dtype=torch.bool))
        assert y.shape == (0, batch, 2 * H) and not any(leaf.any() for leaf in leaves(state))
        y.sum().backward()
        assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def test_dropout_between_layers_only() -> None:
    torch.manual_seed(7)
    x = torch.randn(T, B, D)
    reset = torch.zeros(T, B, dtype=torch.bool)
    one, two = GRU(D, H, dropout=0.5), GRU(D, H, 2, dropout=0.5)
    assert gap(one(x), one(x, None, reset)) < 1e-6
    assert gap(two(x)[0], two(x)[0]) > 1e-3 and gap(two(x, None, reset)[0], two(x)[0]) > 1e-3
    assert gap(two.eval()(x)[0], two(x, None, reset)[0]) < 1e-6


def test_every_second_unit_is_dropped_and_the_rest_doubled() -> None:
    """The identity as upper layer shows what dropout lets through."""
    torch.manual_seed(8)
    layer = RNN(1, 1, 2, nonlinearity="relu", dropout=0.5, bias=False)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.fill_(0.0 if "hh" in name else 1.0)
    y, _ = layer(torch.ones(1000, 1, 1))
    assert set(y.flatten().tolist()) == {0.0, 2.0}
    assert 0.4 < (y == 0).float().mean() < 0.6
