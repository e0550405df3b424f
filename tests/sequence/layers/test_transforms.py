"""Derivatives of every kind through layers and memories: the right value or a refusal, never 0.

The loop over cells in ordinary autograd (`trace`) is what the values are held to.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from sidestep.sequence import Attention, map_state
from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.memory.attention_window import WindowAttention

from ..kinds import DTYPE, KINDS, gap, leaves, make, random_state

T, B, D, H = 3, 2, 2, 3
pytestmark = pytest.mark.filterwarnings(  # torch's own, on its way to tangents
    "ignore:`torch.jit:DeprecationWarning", "ignore:There is a performance drop"
)
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked": {"num_layers": 2, "bidirectional": True},
    "normalised": {"layer_norm": True},
}
kinds = pytest.mark.parametrize("kind", list(KINDS))
rows = pytest.mark.parametrize("rows", ["all", "reset", "lengths"])
Function = Callable[[Tensor], Tensor]


def case(kind: str, shape: str, rows: str) -> tuple[Recurrent, Tensor, Function, Function]:
    """A layer, x, and x to y by the layer and by the loop over cells, from a state not zero."""
    torch.manual_seed(0)
    layer = make(kind, D, H, **SHAPES[shape])
    start = random_state(layer, B)
    reset = torch.rand(T, B) < 0.3 if rows == "reset" else None
    lengths = torch.tensor([T, 2]) if rows == "lengths" else None
    x = torch.randn(T, B, D, dtype=DTYPE)
    return (
        layer,
        x,
        lambda x: layer(x, start, reset, lengths)[0],
        lambda x: layer.trace(x, start, reset, lengths).y,
    )


def dual_tangent(run: Function, x: Tensor, v: Tensor) -> Tensor:
    """J v by a dual tensor."""
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(run(forward_ad.make_dual(x, v))).tangent
    assert tangent is not None
    return tangent


def loss_of(run: Function) -> Function:
    return lambda x: (run(x) + 1).pow(2).sum()


DERIVATIVES: dict[str, Callable[[Function, Tensor, Tensor], Any]] = {
    "jvp": lambda run, x, v: jvp(run, (x,), (v,)),
    "jacfwd": lambda run, x, v: jacfwd(run)(x),
    "grad": lambda run, x, v: grad(loss_of(run))(x),
    "vjp": lambda run, x, v: vjp(run, x)[1](run(v))[0],
    "jacrev": lambda run, x, v: jacrev(run)(x),
    "hessian": lambda run, x, v: hessian(loss_of(run))(x),
    "grad of grad": lambda run, x, v: grad(loss_of(grad(loss_of(run))))(x),
    "vmap": lambda run, x, v: vmap(run)(torch.stack([x, v])),
    "dual": dual_tangent,
    "batched": lambda run, x, v: torch.autograd.functional.jacobian(run, x, vectorize=True),
}


@kinds
@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        *(("plain", rows) for rows in ("all", "reset", "lengths")),
        *(("stacked", rows) for rows in ("all", "reset")),
        ("normalised", "lengths"),
    ],
)
def test_derivatives_equal_those_of_the_cells(kind: str, shape: str, rows: str) -> None:
    _, x, run, cells = case(kind, shape, rows)
    v = torch.randn_like(x)
    for name, derive in DERIVATIVES.items():
        fast, slow = derive(run, x, v), derive(cells, x, v)
        assert gap(fast, slow) < 1e-11, name
        assert leaves(slow)[-1].abs().max() > 1e-6, name


@kinds
@rows
def test_frozen_layers_keep_the_tangent(kind: str, rows: str) -> None:
    """Without a parameter to train nothing but the tangent asks for a derivative."""
    layer, x, run, cells = case(kind, "plain", rows)
    layer.requires_grad_(False)
    v = torch.randn_like(x)
    with torch.no_grad():
        assert gap(dual_tangent(run, x, v), dual_tangent(cells, x, v)) < 1e-12


class Calls(torch.nn.Module):
    """Calls one method of a layer."""

    def __init__(self, layer: Recurrent, call: str) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, *arguments: Any) -> Any:
        y, state = getattr(self.layer, self.call)(*arguments)[:2]
        return y, state


@kinds
@pytest.mark.parametrize("with_reset", [False, True])
@pytest.mark.parametrize(("dtype", "limit"), [(DTYPE, 1e-12), (torch.float32, 1e-4)])
def test_tangents_of_weights_and_state(
    kind: str, with_reset: bool, dtype: torch.dtype, limit: float
) -> None:
    """Of float32 too, for which torch's LSTM has a kernel of its own."""
    torch.manual_seed(1)
    layer = make(kind, D, H, dtype=dtype)
    start, x = random_state(layer, B), torch.randn(T, B, D, dtype=dtype)
    reset = torch.rand(T, B) < 0.3 if with_reset else None
    weights = {f"layer.{name}": weight.detach() for name, weight in layer.named_parameters()}
    tangents = {name: torch.randn_like(weight) for name, weight in weights.items()}
    along = map_state(torch.randn_like, start)

    def run(call: str, weights: Any, state: Any = start) -> Any:
        return functional_call(Calls(layer, call), weights, (x, state, reset))

    for point, direction in (((weights, start), (tangents, along)), ((weights,), (tangents,))):
        fast = jvp(lambda *a: run("forward", *a), point, direction)[1]
        slow = jvp(lambda *a: run("trace", *a), point, direction)[1]
        assert gap(fast, slow) < limit and leaves(slow)[0].abs().max() > 0.01


@kinds
def test_gradients_of_each_row_alone(kind: str) -> None:
    """Per-sample gradients: vmap over grad, with the reset and the length of each row."""
    torch.manual_seed(2)
    layer = make(kind, D, H, bidirectional=True)
    x, reset = torch.randn(T, B, D, dtype=DTYPE), torch.rand(T, B) < 0.3
    lengths = torch.tensor([T, 2])
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def loss(weights: Any, x: Tensor, reset: Tensor, length: Tensor) -> Tensor:
        arguments = (x.unsqueeze(1), None, reset.unsqueeze(1), length.unsqueeze(0))
        y: Tensor = functional_call(layer, weights, arguments)[0]
        return y.pow(2).sum()

    each = vmap(grad(loss), in_dims=(None, 1, 1, 0))(weights, x, reset, lengths)
    for b in range(B):
        part = slice(b, b + 1)
        layer.zero_grad()
        y, _ = layer(x[:, part], None, reset[:, part], lengths[part])
        y.pow(2).sum().backward()
        for name, weight in layer.named_parameters():
            assert gap(each[name][b], weight.grad) < 1e-12
    with pytest.raises(ValueError, match=r"lengths in 0\.\.3, got 3\.\.4"):
        vmap(loss, in_dims=(None, 1, 1, 0))(weights, x, reset, lengths + 1)


@kinds
@pytest.mark.parametrize("shape", ["plain", "normalised"])
def test_step(kind: str, shape: str) -> None:
    layer, x, _, _ = case(kind, shape, "all")
    start = random_state(layer, B)
    for name in ("jvp", "jacfwd", "grad", "hessian", "vmap", "dual"):
        fast, slow = (
            DERIVATIVES[name](run, x[0], x[1])
            for run in (
                lambda x: layer.step(x, start)[0],
                lambda x: layer.trace(x.unsqueeze(0), start).y[0],
            )
        )
        assert gap(fast, slow) < 1e-12, name


@pytest.mark.parametrize(("kind", "name"), [("rnn", "grad"), ("gru", "jvp")])
def test_compiled(kind: str, name: str) -> None:
    _, x, run, cells = case(kind, "plain", "reset")
    v = torch.randn_like(x)
    torch._dynamo.reset()
    compiled = torch.compile(lambda x, v: DERIVATIVES[name](run, x, v), backend="aot_eager")
    assert gap(compiled(x, v), DERIVATIVES[name](cells, x, v)) < 1e-12


@kinds
@pytest.mark.parametrize("first", ["plain", "dual"])
def test_compiled_for_dual_tensors(kind: str, first: str) -> None:
    """A frozen layer, compiled inside a level of dual tensors or before it."""
    layer, x, run, cells = case(kind, "plain", "reset")
    layer.requires_grad_(False)
    v = torch.randn_like(x)
    torch._dynamo.reset()
    compiled = torch.compile(run, backend="eager")
    with torch.no_grad():
        if first == "plain":
            assert gap(compiled(x), cells(x)) < 1e-12
        assert gap(dual_tangent(compiled, x, v), dual_tangent(cells, x, v)) < 1e-12
        assert gap(compiled(x), cells(x)) < 1e-12


@kinds
@pytest.mark.parametrize("ask", ["hessian", "jvp", "backward"])
def test_what_is_asked_too_late_names_trace(kind: str, ask: str) -> None:
    """Derivatives of an ordinary backward pass, which forward cannot foresee."""
    _, x, run, _ = case(kind, "plain", "reset")
    with pytest.raises(RuntimeError, match="no second derivative: call `trace`"):
        if ask == "hessian":
            torch.autograd.functional.hessian(loss_of(run), x)
        elif ask == "jvp":
            torch.autograd.functional.jvp(run, x, x)
        else:
            x.requires_grad_()
            (first,) = torch.autograd.grad(run(x).sum(), x, create_graph=True)
            first.pow(2).sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("rows", ["all", "reset", "lengths"])
def test_window_attention(rows: str) -> None:
    """With a row of no step among the lengths, whose softmax is over nothing."""
    torch.manual_seed(3)
    layer = WindowAttention(D, H, 3, dtype=DTYPE)
    x = torch.randn(T, B, D, dtype=DTYPE, requires_grad=True)
    reset = torch.rand(T, B) < 0.3 if rows == "reset" else None
    lengths = torch.tensor([T, 0]) if rows == "lengths" else None

    def run(x: Tensor) -> Tensor:
        y: Tensor = layer(x, None, reset, lengths)[0]
        return y

    assert gradcheck(run, x, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(run, x, check_fwd_over_rev=True)
    pair = torch.stack([x, 2 * x])
    assert gap(vmap(run)(pair), torch.stack([run(x), run(2 * x)])) < 1e-12


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "general", "additive", "location"])
@pytest.mark.parametrize("window", ["global", "monotonic", "predictive"])
def test_attention(score: Any, window: Any) -> None:
    """With a row of no valid position."""
    torch.manual_seed(4)
    places = 7 if score == "location" else None
    layer = Attention(D, D, score, window=window, max_positions=places, half_width=2, dtype=DTYPE)
    memory = torch.randn(T, B, D, dtype=DTYPE, requires_grad=True)
    valid = torch.tensor([[True, False]] * (T - 1) + [[False, False]])
    query = torch.randn(3, B, D, dtype=DTYPE, requires_grad=True)

    def run(query: Tensor, memory: Tensor) -> Tensor:
        position = 1 if window == "monotonic" else None
        return layer(query, layer.project(memory, valid), position).context

    assert gradcheck(run, (query, memory), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(run, (query, memory), check_fwd_over_rev=True)
