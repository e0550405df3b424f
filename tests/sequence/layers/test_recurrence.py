"""The masked recurrence with its hand-written backward, against the loop over cells."""

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from sidestep.sequence import State
from sidestep.sequence.layers.gru import gru
from sidestep.sequence.layers.gru_before import gru_before
from sidestep.sequence.layers.lstm import lstm
from sidestep.sequence.layers.rnn import rnn

from ..kinds import DTYPE, KINDS, PATTERNS, gap, leaves, make, random_state, reset_pattern

kinds = pytest.mark.parametrize("kind", list(KINDS))


def scalar(y: Tensor, state: State) -> Tensor:
    """A loss in which every output and every state has its own weight."""
    total = (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum()
    for leaf in leaves(state):
        total = (
            total + (leaf * torch.linspace(1, 3, leaf.numel(), dtype=y.dtype).view_as(leaf)).sum()
        )
    return total


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(list(KINDS)),
    steps=st.sampled_from([0, 1, 2, 3, 7, 13]),
    batch=st.sampled_from([1, 2, 5]),
    sizes=st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 2, 7])),
    pattern=st.sampled_from(PATTERNS),
    bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_forward_and_gradients_equal_the_cell_loop(
    kind: str, steps: int, batch: int, sizes: tuple[int, int], pattern: str, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = make(kind, *sizes, bias=bias)
    x = torch.randn(steps, batch, sizes[0], dtype=DTYPE, requires_grad=True)
    state = random_state(layer, batch)
    inputs = [x, *(leaf.requires_grad_() for leaf in leaves(state)), *layer.parameters()]
    reset = reset_pattern(pattern, steps, batch)
    y, end = layer(x, state, reset)
    trace = layer.trace(x, state, reset)
    assert gap((y, end), (trace.y, trace.state)) < 1e-12
    fast, slow = (
        torch.autograd.grad(scalar(*out), inputs, materialize_grads=True, allow_unused=True)
        for out in ((y, end), (trace.y, trace.state))
    )
    for a, b in zip(fast, slow, strict=True):
        assert gap(a, b) < 1e-11 * (1 + b.abs().max().item() if b.numel() else 1)


@kinds
@pytest.mark.parametrize("pattern", ["none", "random"])
def test_gradcheck(kind: str, pattern: str) -> None:
    torch.manual_seed(0)
    layer = make(kind, 2, 3)
    x = torch.randn(4, 3, 2, dtype=DTYPE, requires_grad=True)
    start = [leaf.requires_grad_() for leaf in leaves(random_state(layer, 3))]
    reset = reset_pattern(pattern, 4, 3)
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state = rest[0] if len(start) == 1 else rest[: len(start)]
        weights = dict(zip(names, rest[len(start) :], strict=True))
        y, end = torch.func.functional_call(layer, weights, (x, state, reset))
        return (y, *leaves(end))

    assert torch.autograd.gradcheck(run, (x, *start, *layer.parameters()))


@kinds
def test_no_gradient_crosses_a_reset(kind: str) -> None:
    torch.manual_seed(1)
    layer = make(kind, 3, 5)
    x = torch.randn(11, 2, 3, dtype=DTYPE, requires_grad=True)
    start = random_state(layer, 2)
    first = leaves(start)[0].requires_grad_()
    reset = torch.zeros(11, 2, dtype=torch.bool)
    reset[6, 0] = True  # row 0 starts anew at 6, row 1 runs through
    y, _ = layer(x, start, reset)
    grad_x, grad_h = torch.autograd.grad(y[6:].pow(2).sum(), [x, first])
    assert (grad_x[:6, 0] == 0).all() and (grad_h[:, 0] == 0).all()
    assert (grad_x[:6, 1] != 0).any() and (grad_x[6, 0] != 0).any()


@kinds
def test_nothing_crosses_a_reset_forward(kind: str) -> None:
    torch.manual_seed(2)
    layer = make(kind, 3, 5)
    x = torch.randn(7, 2, 3, dtype=DTYPE)
    reset = torch.zeros(7, 2, dtype=torch.bool)
    reset[4] = True
    spoiled = x.clone()
    spoiled[:4] = float("nan")
    assert gap(layer(x, None, reset)[0][4:], layer(spoiled, None, reset)[0][4:]) == 0


@kinds
def test_episodes_in_one_row_equal_episodes_apart(kind: str) -> None:
    torch.manual_seed(3)
    layer = make(kind, 3, 5, num_layers=2)
    x = torch.randn(12, 1, 3, dtype=DTYPE)
    reset = torch.zeros(12, 1, dtype=torch.bool)
    reset[[5, 7]] = True
    start = random_state(layer, 1)
    y, end = layer(x, start, reset)
    first, _ = layer(x[:5], start)
    second, _ = layer(x[5:7])
    third, third_end = layer(x[7:])
    assert gap(y, torch.cat([first, second, third])) < 1e-12
    assert gap(end, third_end) < 1e-12


def operator_cases() -> list[tuple[str, object, tuple[object, ...]]]:
    """Each custom operator with arguments, with and without biases and resets."""
    torch.manual_seed(4)

    def t(*size: int) -> Tensor:
        return torch.randn(size, dtype=DTYPE, requires_grad=True)

    reset = torch.rand(5, 3) < 0.3
    cases: list[tuple[str, object, tuple[object, ...]]] = []
    for r in (None, reset):
        for biased in (True, False):

            def b(n: int, biased: bool = biased) -> Tensor | None:
                return t(n) if biased else None

            cases += [
                ("rnn", rnn, (t(5, 3, 2), t(3, 7), t(7, 2), t(7, 7), b(7), r, False)),
                ("lstm", lstm, (t(5, 3, 2), t(3, 7), t(3, 7), t(28, 2), t(28, 7), b(28), r)),
                ("gru", gru, (t(5, 3, 2), t(3, 7), t(21, 2), t(21, 7), b(21), b(21), r)),
                ("gru_before", gru_before, (t(5, 3, 2), t(3, 7), t(21, 2), t(21, 7), b(21), r)),
            ]
    return cases


@pytest.mark.parametrize(("name", "operator", "arguments"), operator_cases())
def test_opcheck(name: str, operator: object, arguments: tuple[object, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own checks
        torch.library.opcheck(operator, arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize(("name", "operator", "arguments"), operator_cases()[:4])
def test_fakes_know_the_strides(
    name: str, operator: Any, arguments: tuple[Any, ...], steps: int
) -> None:
    """Of arguments and gradients laid out in any way, as those of a batch-first program."""

    def turned(leaf: Tensor) -> Tensor:
        return leaf.detach().transpose(-1, -2).contiguous().transpose(-1, -2)

    x = arguments[0][:steps].detach().transpose(0, 1).contiguous().transpose(0, 1)
    states = [turned(leaf) for leaf in arguments[1:] if isinstance(leaf, Tensor) and leaf.ndim == 2]
    rest = arguments[1 + len(states) :]
    backward = getattr(torch.ops.sidestep, f"{name}_backward").default
    rest = [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in rest]
    outputs = operator(x, *states, *rest)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    grads = [turned(torch.randn_like(outputs[k])) for k in range(2 if name == "lstm" else 1)]
    tail = (False, True) if name == "rnn" else (True,)
    given = (*grads, x, *states, None, *outputs, *tail)
    with FakeTensorMode(allow_non_fake_inputs=True):
        fakes = (operator(x, *states, *rest), backward(*given))
    for fake, real in zip(leaves(fakes), leaves((outputs, backward(*given))), strict=True):
        assert fake.shape == real.shape and fake.stride() == real.stride()


@kinds
def test_second_derivatives_are_refused(kind: str) -> None:
    layer = make(kind, 2, 3)
    x = torch.randn(4, 3, 2, dtype=DTYPE, requires_grad=True)
    reset = torch.zeros(4, 3, dtype=torch.bool)
    (grad,) = torch.autograd.grad(layer(x, None, reset)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.pow(2).sum().backward()  # type: ignore[no-untyped-call]


@kinds
def test_trace_has_second_derivatives(kind: str) -> None:
    torch.manual_seed(5)
    layer = make(kind, 2, 3)
    x = torch.randn(3, 2, 2, dtype=DTYPE, requires_grad=True)
    reset = reset_pattern("random", 3, 2)
    assert torch.autograd.gradgradcheck(lambda v: layer.trace(v, None, reset).y, (x,))


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_follows_float64(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    layer = make(kind, 3, 7)
    x = torch.randn(11, 5, 3, dtype=DTYPE)
    reset = reset_pattern("random", 11, 5)
    exact, _ = layer(x, None, reset)
    y, _ = layer.to(dtype)(x.to(dtype), None, reset)
    y.sum().backward()
    assert y.dtype == dtype and layer.get_parameter("weight_hh_l0").grad is not None
    assert gap(y.to(DTYPE), exact) < {torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]


@kinds
def test_autocast(kind: str) -> None:
    torch.manual_seed(7)
    layer = make(kind, 3, 7, dtype=torch.float32)
    x = torch.randn(5, 2, 3)
    exact, _ = layer(x)
    for reset in (None, reset_pattern("none", 5, 2)):
        with torch.autocast("cpu", torch.bfloat16):
            y, state = layer(x, None, reset)
            one, _ = layer.step(x[0], layer.initial_state(2))
        y.float().sum().backward()
        assert y.dtype == one.dtype == leaves(state)[0].dtype == torch.bfloat16
        assert gap(y.float(), exact) < 0.03 and gap(one.float(), exact[0]) < 0.03
        assert layer.get_parameter("weight_hh_l0").grad.dtype == torch.float32  # type: ignore[union-attr]


@kinds
def test_frozen_parameters_leave_the_input_its_gradient(kind: str) -> None:
    layer = make(kind, 2, 3).requires_grad_(False)
    x = torch.randn(4, 3, 2, dtype=DTYPE, requires_grad=True)
    reset = torch.zeros(4, 3, dtype=torch.bool)
    fast, slow = (
        torch.autograd.grad(y.pow(2).sum(), x)[0]
        for y in (layer(x, None, reset)[0], layer.trace(x, None, reset).y)
    )
    assert gap(fast, slow) < 1e-12


class Reader(nn.Module):
    """A layer whose signature has tensors only, as export wants."""

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__()
        self.layer = make(kind, 3, 5, num_layers=2, dtype=torch.float32, **options)

    def forward(
        self, x: Tensor, reset: Tensor | None, lengths: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        y, state = self.layer(x, None, reset, lengths)
        return (y, *leaves(state))


@kinds
@pytest.mark.parametrize(
    ("bidirectional", "given"),
    [(False, "reset"), (True, "reset"), (True, "lengths"), (True, "reset lengths")],
)
def test_export_with_dynamic_time_and_batch(kind: str, bidirectional: bool, given: str) -> None:
    torch.manual_seed(8)
    reader = Reader(kind, bidirectional=bidirectional)
    steps, batch = torch.export.Dim("steps", min=2), torch.export.Dim("batch", min=2)
    sizes = {0: steps, 1: batch}
    shapes = {
        "x": sizes,
        "reset": sizes if "reset" in given else None,
        "lengths": {0: batch} if "lengths" in given else None,
    }

    def example(t: int, b: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        reset = torch.rand(t, b) < 0.3 if "reset" in given else None
        lengths = torch.randint(0, t + 1, (b,)) if "lengths" in given else None
        return torch.randn(t, b, 3), reset, lengths

    program = torch.export.export(reader, example(4, 3), dynamic_shapes=shapes)
    for t, b in ((7, 5), (13, 2)):
        arguments = example(t, b)
        assert gap(tuple(program.module()(*arguments)), reader(*arguments)) < 1e-6


@kinds
def test_compile_as_one_graph(kind: str) -> None:
    reader = Reader(kind)
    compiled = torch.compile(reader, fullgraph=True, dynamic=True, backend="aot_eager")
    for t, b in ((4, 3), (7, 5)):
        x, reset = torch.randn(t, b, 3, requires_grad=True), torch.rand(t, b) < 0.3
        fast, slow = compiled(x, reset), reader(x, reset)
        assert gap(fast, slow) < 1e-6
        grads = [torch.autograd.grad(out[0].pow(2).sum(), x)[0] for out in (fast, slow)]
        assert gap(grads[0], grads[1]) < 1e-6
