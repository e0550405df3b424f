"""Compiled steps and products: the same numbers as torch's operations, NaN and all."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from sidestep.sequence.layers import compiling, kernels, products
from sidestep.sequence.layers.products import Repeated, product

from ..kinds import KINDS, gap, leaves, make, random_state, reset_pattern

kinds = pytest.mark.parametrize("kind", list(KINDS))
VALUES = torch.cat([torch.linspace(-100, 100, 40_001), torch.logspace(-30, 1, 4_000)]).double()


def tanh(x: Tensor) -> Tensor:
    """As compiled code has it."""
    states = x.clone().view(1, 1, -1)
    read = torch.empty(1, x.numel(), dtype=x.dtype)
    kernels.rnn_forward(0, *compiling.arrays(states, None, read), False)
    assert torch.equal(read[0].nan_to_num(7), states[0, 0].nan_to_num(7))
    return states[0, 0]


def sigmoid(x: Tensor) -> Tensor:
    """As compiled code has it."""
    slots = torch.cat([x, x, x]).view(1, 1, -1)
    read = torch.ones(1, x.numel(), dtype=x.dtype)
    kernels.before_gates(0, *compiling.arrays(slots, read, torch.empty_like(read)))
    return slots[0, 0, : x.numel()]


@pytest.mark.parametrize("compiled", [tanh, sigmoid])
def test_functions_are_right_to_the_last_digits(compiled: Any) -> None:
    exact = getattr(torch, compiled.__name__)
    for dtype, digits in ((torch.float32, 4e-7), (torch.float64, 1e-15)):
        x = VALUES.to(dtype).repeat(2) * torch.tensor([1, -1]).repeat_interleave(len(VALUES))
        x = x[x.abs() < 80]  # sigmoid's smallest numbers are no normal ones beyond
        want = exact(x.double())
        assert ((compiled(x).double() - want).abs() <= digits * want.abs()).all()
    ends = torch.tensor([float("inf"), float("-inf"), float("nan"), 0.0])
    got, want = compiled(ends), exact(ends)
    assert gap(got[[0, 1, 3]], want[[0, 1, 3]]) < 1e-37 and got[2].isnan()


@kinds
@pytest.mark.parametrize("pattern", ["none", "random", "all"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernels_and_torchs_operations_agree(
    kind: str, pattern: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = make(kind, 5, 19, num_layers=2, dtype=dtype)
    x = torch.randn(9, 6, 5, dtype=dtype, requires_grad=True)
    state = random_state(layer, 6)
    inputs = [x, *layer.parameters(), *(leaf.requires_grad_() for leaf in leaves(state))]
    reset = torch.ones(9, 6).bool() if pattern == "all" else reset_pattern(pattern, 9, 6)
    reset = torch.zeros(9, 6).bool() if reset is None else reset
    found = []
    for serves in (compiling.serves, lambda x: False):
        monkeypatch.setattr(compiling, "serves", serves)
        y, end = layer(x, state, reset)
        loss = (y * torch.linspace(-1, 2, y.numel(), dtype=dtype).view_as(y)).sum()
        loss = loss + sum(leaf.square().sum() for leaf in leaves(end))
        found.append((y, *leaves(end), *torch.autograd.grad(loss, inputs)))
    for a, b in zip(*found, strict=True):
        assert gap(a, b) < {torch.float32: 1e-5, torch.float64: 1e-13}[dtype] * max(
            1, b.abs().max()
        )


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_that_nobody_derives_is_the_step(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    for options in ({}, {"bias": False}):
        layer = make(kind, 5, 19, dtype=dtype, **options)
        x, state, reset = (
            torch.randn(6, 5, dtype=dtype),
            random_state(layer, 6),
            torch.rand(6) < 0.5,
        )
        given = [leaf.clone() for leaf in leaves(state)]
        want = layer.step(x, state, reset)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                y, new = layer.step(x.t().contiguous().t(), state, reset)
            assert gap((y, new), want) < {torch.float32: 1e-6, torch.float64: 1e-14}[dtype]
            before = [leaf.clone() for leaf in leaves(new)]
            with mode():
                y.zero_()
            assert gap(tuple(leaves(new)), tuple(before)) == 0  # they share no memory
        assert gap(tuple(leaves(state)), tuple(given)) == 0


@pytest.mark.parametrize("kind", ["gru", "gru_before"])
def test_a_gate_that_is_shut_or_open_is_exact(kind: str) -> None:
    layer = make(kind, 2, 37, dtype=torch.float32)
    x, h = torch.randn(9, 3, 2), torch.randn(1, 3, 37)
    with torch.no_grad():
        layer.get_parameter("bias_ih_l0")[37:74] = 1e4  # z keeps
        assert torch.equal(layer(x, h)[0], h.expand(9, 3, 37))
        assert torch.equal(layer.step(x[0], h)[0], h[0])


@kinds
def test_nan_spoils_its_own_row_until_an_episode_begins(kind: str) -> None:
    layer = make(kind, 2, 3, dtype=torch.float32)
    x, reset = torch.randn(5, 2, 2), torch.zeros(5, 2).bool()
    x[1, 0], reset[3, 0] = float("nan"), True
    y, _ = layer(x, None, reset)
    spoiled = y.isnan().any(-1)
    assert spoiled.tolist() == [[False, False], [True, False], [True, False], *2 * [[False, False]]]


@pytest.mark.parametrize("rows", [3, 1 << 10])
@pytest.mark.parametrize("onednn", [True, False])
def test_products_are_torchs_whoever_makes_them(
    rows: int, onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not onednn:
        monkeypatch.setattr(products, "_linear", None)
    x, weight, bias = torch.randn(rows, 64), torch.randn(64, 64), torch.randn(64)
    wide = torch.randn(rows, 100)[:, 7:71]  # rows apart
    assert products.by_onednn(x, rows * 64 * 64) == (onednn and rows > 3)
    for left in (x, wide):
        want = left @ weight.t()
        assert gap(product(left, weight, bias), want + bias) < 1e-3
        assert gap(product(left, weight.t().contiguous().t()), want) < 1e-3
        by, out = Repeated(weight.t(), rows), torch.empty(rows, 80)[:, :64]
        by.put(left, out)
        assert gap(out, want) < 1e-3
        by.add(left, out)
        assert gap(out, 2 * want) < 1e-3


def test_onednn_is_given_what_it_is_quick_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of slices of rows, as gradients of gates are, it makes slow work: by a factor of 1,000."""
    seen: list[Tensor] = []
    by_onednn = products._linear

    def linear(x: Tensor, weight: Tensor, *others: Any) -> Tensor:
        seen.extend(matrix for matrix in (x, weight) if not matrix.is_mkldnn)
        return by_onednn(x, weight, *others)

    monkeypatch.setattr(products, "_linear", linear)
    layer = KINDS["gru"](16, 128)
    x = torch.randn(8, 64, 16, requires_grad=True)
    layer(x.transpose(0, 1)[:64].transpose(0, 1))[0].sum().backward()
    assert len(seen) > 16
    assert all(matrix.is_contiguous() or matrix.t().is_contiguous() for matrix in seen)


def test_sizes_that_come_once_wait_for_no_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def linear(x: Tensor, weight: Tensor, *others: Any) -> Tensor:
        asked.append((*x.shape, len(weight)))
        return x @ weight.t()

    monkeypatch.setattr(products, "_linear", linear)
    for rows, inner, columns in ((1024, 64, 192), (1025, 64, 192), (1024, 63, 192), (16, 64, 64)):
        product(torch.randn(rows, inner), torch.randn(columns, inner))
    product(torch.zeros(1_001, 500), torch.zeros(201, 500))  # so large that it pays at once
    assert asked == [(1024, 64, 192), (1_001, 500, 201)]
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # by the user
    product(torch.zeros(1024, 64), torch.zeros(192, 64))
    assert len(asked) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@kinds
def test_a_step_without_gradients_keeps_tangents_and_can_be_traced(kind: str) -> None:
    layer = make(kind, 2, 3).requires_grad_(False)
    x, v, state = torch.randn(4, 2).double(), torch.randn(4, 2).double(), random_state(layer, 4)
    with torch.no_grad(), forward_ad.dual_level():
        y, _ = layer.step(forward_ad.make_dual(x, v), state)
        tangent = forward_ad.unpack_dual(y).tangent
    near = (layer.step(x + 1e-6 * v, state)[0] - layer.step(x - 1e-6 * v, state)[0]) / 2e-6
    assert tangent is not None and gap(tangent, near) < 1e-8
    with torch.no_grad():
        traced = torch.jit.trace(lambda x: layer.step(x, state)[0], (x,), check_trace=False)  # type: ignore[no-untyped-call]
        assert gap(traced(v), layer.step(v, state)[0]) < 1e-12


def test_kernels_leave_others_alone() -> None:
    assert compiling.serves(torch.zeros(1)) and compiling.serves(torch.zeros(1).double())
    assert not compiling.serves(torch.zeros(1, dtype=torch.bfloat16))
    assert not compiling.serves(torch.zeros(1, device="meta"))
    assert np.shares_memory(*compiling.arrays(*2 * [torch.zeros(3)]))
