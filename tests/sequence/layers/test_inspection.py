"""The toy chain's known values, gradient flow against autograd, gate statistics."""

import pytest
import torch

from sidestep.sequence import GRU, LSTM, RNN, gate_statistics, gradient_flow, toy_chain

from ..kinds import DTYPE, KINDS, gap, make


def test_the_chain_vanishes_where_tanh_saturates() -> None:
    """w_hh = 3, w_xh = 2, b = 1 and x = 0, h_1 = 0: dh_3/dh_1 = 0.02114, not 9."""
    chain = toy_chain([0.0, 0.0, 0.0], h_1=0.0)
    assert chain.gradient == pytest.approx(0.02114, abs=5e-6)
    assert chain.power == 9 and chain.gradient == chain.power * chain.slopes


def test_the_chain_explodes_where_it_does_not() -> None:
    chain = toy_chain([-0.5, -0.5, -0.5], h_1=0.0)
    assert chain.gradient == 9 and chain.slopes == 1 and not chain.h.any()


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_chain_equals_autograd(length: int) -> None:
    x = torch.linspace(-0.7, 0.2, length, dtype=DTYPE)
    first = h = torch.tanh(0.6 * x[0] - 0.2).requires_grad_()
    for x_t in x[1:]:
        h = torch.tanh(0.6 * x_t + 1.7 * h - 0.2)
    expected = torch.autograd.grad(h, first)[0].item() if length > 1 else 1.0
    chain = toy_chain(x, w_xh=0.6, w_hh=1.7, b=-0.2)
    assert chain.gradient == pytest.approx(expected, rel=1e-12)
    assert chain.h[-1].item() == pytest.approx(h.item(), rel=1e-12)


def test_the_chain_of_relu() -> None:
    """x = 0: a_2 = 1, a_3 = 4 and both slopes are 1; x = -1: a_2 = -1, and nothing passes."""
    chain = toy_chain([0.0] * 3, h_1=0.0, nonlinearity="relu")
    assert chain.h.tolist() == [0, 1, 4] and chain.sums[1:].tolist() == [1, 4]
    assert chain.sums[0].isnan() and chain.slope[1:].tolist() == [1, 1]
    assert (chain.power, chain.slopes, chain.gradient) == (9, 1, 9)
    shut = toy_chain([-1.0] * 3, h_1=0.0, nonlinearity="relu")
    assert shut.sums[1:].tolist() == [-1, -1] and (shut.slopes, shut.gradient) == (0, 0)
    x = torch.linspace(-0.1, 0.2, 5, dtype=DTYPE)
    first = h = torch.relu(0.6 * x[0] + 0.3).requires_grad_()
    for x_t in x[1:]:
        h = torch.relu(0.6 * x_t - 0.7 * h + 0.3)
    found = toy_chain(x, 0.6, -0.7, 0.3, nonlinearity="relu")
    assert found.gradient == pytest.approx(torch.autograd.grad(h, first)[0].item(), rel=1e-12)


def test_the_steps_of_the_chain() -> None:
    """tanh at x = 0: a_3 = 3 tanh(1) + 1 = 3.2848, slopes 0.4200 and 0.0056."""
    chain = toy_chain([0.0] * 3, h_1=0.0)
    assert [round(a, 4) for a in chain.sums[1:].tolist()] == [1, 3.2848]
    assert [round(slope, 4) for slope in chain.slope.tolist()] == [1, 0.42, 0.0056]
    assert toy_chain([1.0, 0.0], b=0.5).sums[0] == 2.5


def test_a_power_beyond_all_numbers() -> None:
    chain = toy_chain([0.0] * 41, w_hh=1e9, b=0.0, h_1=0.0)
    assert chain.power == float("inf") and chain.gradient == float("inf")
    shut = toy_chain([0.0] * 41, w_hh=1e9, b=1.0, h_1=0.0)
    assert shut.power == float("inf") and shut.gradient == 0


def test_the_chain_refuses_no_input() -> None:
    with pytest.raises(ValueError, match=r"expected x of shape \(T,\) with T >= 1, got \(0,\)"):
        toy_chain([])
    with pytest.raises(ValueError, match="nonlinearity: expected tanh or relu, got 'sigmoid'"):
        toy_chain([0.0], nonlinearity="sigmoid")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(KINDS))
def test_gradient_flow_of_the_start(kind: str) -> None:
    """|dL/dh_t| equals what autograd gives for the start of the rest of the sequence."""
    torch.manual_seed(0)
    layer = make(kind, 3, 5)
    x = torch.randn(9, 2, 3, dtype=DTYPE)
    flow = gradient_flow(layer, x, lambda y: y[-1].pow(2).sum())
    _, state = layer(x[:4])
    start = state if isinstance(state, torch.Tensor) else state[0]
    assert isinstance(start, torch.Tensor)
    start = start.detach().requires_grad_()
    rest = start if isinstance(state, torch.Tensor) else (start, state[1])
    y, _ = layer(x[4:], rest)
    (grad,) = torch.autograd.grad(y[-1].pow(2).sum(), start)
    assert gap(flow["h"][3], grad[0].norm(dim=-1)) < 1e-12
    assert gap(flow["h"][-1], 2 * y[-1].norm(dim=-1)) < 1e-12


def test_gradient_flow_of_what_has_nearly_vanished() -> None:
    """Norms of gradients whose squares are 0 in float32, and of gradients that are 0."""
    torch.manual_seed(0)
    layer, x = GRU(3, 5), torch.randn(7, 2, 3)
    plain, small, none = (
        gradient_flow(layer, x, lambda y, size=size: size * y[-1].sum())["h"]
        for size in (1.0, 1e-30, 0.0)
    )
    assert torch.allclose(small, plain * 1e-30, rtol=1e-4, atol=0)
    assert (plain > 0).all() and (none == 0).all()


def test_gradient_flow_stops_at_a_reset() -> None:
    layer = LSTM(3, 5)
    reset = torch.zeros(7, 2, dtype=torch.bool)
    reset[4, 1] = True
    flow = gradient_flow(layer, torch.randn(7, 2, 3), lambda y: y[-1].sum(), reset)
    assert set(flow) == {"h", "c"}
    for norms in flow.values():
        assert (norms[:4, 1] == 0).all() and (norms[:6, 0] > 0).all() and (norms[4:6] > 0).all()


def test_gradient_flow_of_two_layers_and_frozen_weights() -> None:
    layer = GRU(3, 5, 2).requires_grad_(False)
    x = torch.randn(4, 2, 3, requires_grad=True)
    assert (gradient_flow(layer, x, lambda y: y[-1].sum())["h"] > 0).all()
    with pytest.raises(ValueError, match=r"expected x of shape \(T, B, D\)"):
        gradient_flow(layer, x[:0], lambda y: y.sum())


def test_gate_statistics() -> None:
    layer = LSTM(3, 2, bias=True)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.zero_()
            if name == "bias_ih_l0":
                weight.copy_(torch.tensor([-9.0, 0.0, 9.0, 9.0, 0.0, 0.0, 0.0, 9.0]))
    found = gate_statistics(layer, torch.randn(5, 3, 3))
    assert set(found) == {"i", "f", "o"}
    assert found["i"].low.tolist() == [1, 0] and found["i"].high.tolist() == [0, 0]
    assert found["f"].high.tolist() == [1, 1] and found["o"].high.tolist() == [0, 1]
    assert found["i"].mean[1].item() == 0.5
    assert set(gate_statistics(GRU(3, 2), torch.randn(5, 3, 3))) == {"r", "z"}
    assert gate_statistics(RNN(3, 2), torch.randn(5, 3, 3)) == {}


@pytest.mark.parametrize("kind", list(KINDS))
def test_gradient_flow_of_a_frozen_layer(kind: str) -> None:
    """The same as of one that is trained; neither x nor a weight asks for a gradient."""
    torch.manual_seed(1)
    layer, x = make(kind, 3, 5, 2), torch.randn(6, 2, 3, dtype=DTYPE)
    trained = gradient_flow(layer, x, lambda y: y[-1].pow(2).sum())
    frozen = gradient_flow(layer.requires_grad_(False), x, lambda y: y[-1].pow(2).sum())
    assert all(gap(trained[name], frozen[name]) == 0 for name in trained)
    assert not x.requires_grad and trained["h"][0].min() > 0
