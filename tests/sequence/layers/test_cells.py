"""The specification against independent implementations."""

import numpy as np
import onnx
import onnx.helper
import onnx.reference
import pytest
import torch
from torch import Tensor, nn

from sidestep.sequence import flip_update_gate, gru_step, lstm_step, rnn_step

B, D, H = 5, 3, 7
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def weights_of(cell: nn.RNNCellBase) -> list[Tensor]:
    found = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    return [w for w in found if isinstance(w, Tensor)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_one_step_equals_torch(kind: str, bias: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x, h, c = (torch.randn(B, n, dtype=dtype, generator=generator) for n in (D, H, H))
    cell: nn.RNNCellBase
    if kind == "lstm":
        cell = nn.LSTMCell(D, H, bias, dtype=dtype)
        got = lstm_step(x, h, c, *weights_of(cell))
        pairs = list(zip((got.h, got.c), cell(x, (h, c)), strict=True))
    elif kind == "gru":
        cell = nn.GRUCell(D, H, bias, dtype=dtype)
        pairs = [(gru_step(x, h, *weights_of(cell)).h, cell(x, h))]
    else:
        cell = nn.RNNCell(D, H, bias, kind, dtype=dtype)
        b = (None, None) if not bias else ()
        pairs = [(rnn_step(x, h, *weights_of(cell), *b, nonlinearity=kind).h, cell(x, h))]  # type: ignore[arg-type]
    for ours, theirs in pairs:
        assert (ours - theirs).abs().max() < TOLERANCE[dtype]


def onnx_gru(x: Tensor, h: Tensor, weights: list[Tensor], linear_before_reset: int) -> Tensor:
    """One step by ONNX's reference evaluator, which orders the gates z, r, h."""

    def reorder(w: Tensor) -> np.ndarray:
        r, z, n = w.detach().chunk(3)
        return torch.cat([z, r, n]).unsqueeze(0).numpy()

    w_ih, w_hh, b_ih, b_hh = map(reorder, weights)
    names = ["X", "W", "R", "B", "", "H"]
    node = onnx.helper.make_node(
        "GRU", names, ["", "Y"], hidden_size=H, linear_before_reset=linear_before_reset
    )
    feeds = dict(
        X=x.unsqueeze(0).numpy(),
        W=w_ih,
        R=w_hh,
        B=np.concatenate([b_ih, b_hh], axis=1),
        H=h.unsqueeze(0).numpy(),
    )
    kind = onnx.TensorProto.DOUBLE if x.dtype == torch.float64 else onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info(n, kind, v.shape) for n, v in feeds.items()]
    output = onnx.helper.make_tensor_value_info("Y", kind, [1, B, H])
    graph = onnx.helper.make_graph([node], "gru", inputs, [output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    (y,) = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    return torch.from_numpy(y[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset_after", [False, True])
def test_gru_step_equals_onnx(reset_after: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    x, h = (torch.randn(B, n, dtype=dtype, generator=generator) for n in (D, H))
    weights = weights_of(nn.GRUCell(D, H, dtype=dtype))
    ours = gru_step(x, h, *weights, reset_after=reset_after).h
    theirs = onnx_gru(x, h, weights, linear_before_reset=int(reset_after))
    assert (ours - theirs).abs().max() < TOLERANCE[dtype]


def test_the_two_places_of_the_reset_gate_differ() -> None:
    x, h = torch.ones(B, D), torch.ones(B, H)
    weights = weights_of(nn.GRUCell(D, H))
    after, before = (gru_step(x, h, *weights, reset_after=after).h for after in (True, False))
    assert (after - before).abs().max() > 1e-3


@pytest.mark.parametrize("reset_after", [False, True])
def test_flipped_rows_turn_the_update_gate_round(reset_after: bool) -> None:
    x, h = torch.randn(B, D, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    weights = weights_of(nn.GRUCell(D, H, dtype=torch.float64))
    flipped = [flip_update_gate(w) for w in weights]
    past = gru_step(x, h, *weights, reset_after=reset_after)
    candidate = gru_step(x, h, *flipped, reset_after=reset_after, z_weighs="candidate")
    assert (past.h - candidate.h).abs().max() < 1e-12
    assert (past.z - (1 - candidate.z)).abs().max() < 1e-12
    assert all(torch.equal(flip_update_gate(f), w) for f, w in zip(flipped, weights, strict=True))


def test_flip_refuses_what_is_no_gru_weight() -> None:
    with pytest.raises(ValueError, match=r"expected .* 3H rows .* got shape \(7, 2\)"):
        flip_update_gate(torch.zeros(7, 2))


def test_lstm_step_by_hand() -> None:
    """One unit: f = 1, i = 0 keeps the cell; the output gate alone hides it."""
    big = 50.0
    bias = torch.tensor([-big, big, 0.3, -big])  # i, f, g, o
    zero = torch.zeros(4, 1)
    step = lstm_step(torch.ones(1, 1), torch.zeros(1, 1), torch.tensor([[2.5]]), zero, zero, bias)
    assert step.c.item() == 2.5 and step.h.item() == pytest.approx(0, abs=1e-12)
    assert step.g.item() == pytest.approx(np.tanh(0.3))


def test_the_lstm_cell_path_has_gradient_one() -> None:
    """With f = 1 and i = 0, dc_T/dc_0 is exactly 1 for any T."""
    w_ih, w_hh = torch.zeros(4, 1), torch.zeros(4, 1)
    bias = torch.tensor([-1000.0, 1000.0, 0.0, 0.0])
    c = first = torch.tensor([[0.7]], requires_grad=True)
    h = torch.zeros(1, 1)
    for _ in range(500):
        h, c, *_ = lstm_step(torch.ones(1, 1), h, c, w_ih, w_hh, bias)
    assert torch.autograd.grad(c, first)[0].item() == 1.0
