"""The operators and layers on a GPU, against the loop of steps in float64 on the CPU.

Skipped without one; `.ci/gpu` runs them.
"""

import random
import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.sequence.layers.cuda.dispatch import SWITCH, has_triton, plan_for

from ...kinds import gap, leaves, make, random_state
from .cases import GATES, OPERATORS, Case, error, exact, make_case, run

ready = torch.cuda.is_available() and has_triton()
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not ready, reason="needs a GPU that torch can use, and Triton"),
    # Parameters that several streams share, which here is the point:
    pytest.mark.filterwarnings("ignore:The AccumulateGrad node's stream:UserWarning"),
]
kinds = pytest.mark.parametrize("name", list(GATES))
SIZES = ((7, 37, 3, 17), (5, 19, 3, 64), (6, 37, 5, 128), (4, 19, 7, 200), (3, 70, 5, 512))


def on_gpu(case: Case) -> list[Tensor]:
    return run(case.to("cuda"), *OPERATORS[case.name])


def smooth_error(case: Case) -> float:
    """The error; of ReLU's states alone, as its gradient jumps where a rounded sum changes sign."""
    some = slice(1) if case.name == "relu" else slice(None)
    return error(on_gpu(case)[some], exact(case)[some])


def resets(steps: int, batch: int) -> Tensor:
    return torch.rand(steps, batch) < 0.3


@kinds
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_float32_equals_the_loop(name: str, sizes: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    case = make_case(name, sizes, resets(*sizes[:2]))
    assert plan_for(case.x.to("cuda"), sizes[3]) is not None
    assert error(on_gpu(case), exact(case)) < 1e-5


@kinds
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sizes", [SIZES[1], SIZES[2], SIZES[4]], ids=str)
def test_short_numbers_sum_in_float32(
    name: str, dtype: torch.dtype, sizes: tuple[int, int, int, int]
) -> None:
    torch.manual_seed(1)
    case = make_case(name, sizes, resets(*sizes[:2])).to(dtype)
    assert smooth_error(case) < (3e-2 if dtype == torch.bfloat16 else 5e-3)


@kinds
def test_without_resets_and_biases(name: str) -> None:
    torch.manual_seed(2)
    for sizes in (SIZES[0], SIZES[2]):
        case = make_case(name, sizes, None, bias=False)
        assert error(on_gpu(case), exact(case)) < 1e-5


@kinds
@pytest.mark.parametrize("hidden", [17, 64, 128])
def test_random_shapes(name: str, hidden: int) -> None:
    """A thousand in all."""
    draw = random.Random(hidden)
    torch.manual_seed(3)
    for _ in range(84):
        steps, batch = draw.randrange(10), draw.choice([1, 2, 5, 16, 17, 33, 70])
        reset = torch.rand(steps, batch) < draw.choice([0, 0.1, 0.5, 1])
        case = make_case(name, (steps, batch, draw.choice([1, 3, 8]), hidden), reset)
        assert error(on_gpu(case), exact(case)) < 1e-5, (steps, batch)


@kinds
def test_the_loop_takes_over(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64, and where the kernels are off; either goes back where the other went forward."""
    torch.manual_seed(4)
    case = make_case(name, SIZES[1], resets(5, 19))
    assert error(on_gpu(case.to(torch.float64)), exact(case)) < 1e-12
    forward, backward = OPERATORS[name]

    def off(operator: Any, *arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setenv(SWITCH, "0")
            return operator(*arguments)

    ways: list[tuple[Any, Any]] = [
        (partial(off, forward), partial(off, backward)),
        (forward, partial(off, backward)),
        (partial(off, forward), backward),
    ]
    for both in ways:
        assert error(run(case.to("cuda"), *both), exact(case)) < 1e-5


@kinds
def test_tf32_follows_torchs_switch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    case = make_case(name, SIZES[2], resets(6, 37))
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        found = smooth_error(case)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert 2e-5 < found < 2e-2


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_one_accuracy_with_resets_and_without(kind: str) -> None:
    """cuDNN's own switch for TF32, on by default, is not asked."""
    torch.manual_seed(6)
    layer = make(kind, 5, 128)
    x = torch.randn(33, 37, 5, dtype=torch.float64, requires_grad=True)
    start = random_state(layer, 37)
    inputs = [x, *layer.parameters()]
    want = layer(x, start)[0]
    wants = torch.autograd.grad(want.square().sum(), inputs)
    fast = make(kind, 5, 128, dtype=torch.float32, device="cuda")
    fast.load_state_dict(layer.state_dict())
    given = x.detach().float().cuda().requires_grad_()
    parts = [leaf.float().cuda() for leaf in leaves(start)]
    state = parts[0] if len(parts) == 1 else tuple(parts)
    for reset in (None, torch.zeros(33, 37, dtype=torch.bool, device="cuda")):
        y = fast(given, state, reset)[0]
        got = torch.autograd.grad(y.square().sum(), [given, *fast.parameters()])
        assert error([y, *got], [want, *wants]) < 1e-5


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_second_derivatives_are_refused(kind: str) -> None:
    layer = make(kind, 2, 17, dtype=torch.float32, device="cuda")
    x = torch.randn(4, 3, 2, device="cuda", requires_grad=True)
    reset = resets(4, 3).cuda()
    (grad,) = torch.autograd.grad(layer(x, None, reset)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.pow(2).sum().backward()  # type: ignore[no-untyped-call]


@kinds
def test_opcheck(name: str) -> None:
    torch.manual_seed(7)
    case = make_case(name, (4, 5, 3, 17), resets(4, 5)).to("cuda")
    leaves_of = [case.x, *case.states, *[w for w in case.weights if w is not None]]
    for leaf in leaves_of:
        leaf.requires_grad_()
    extra = (name == "relu",) if name in ("rnn", "relu") else ()
    arguments = (case.x, *case.states, *case.weights, case.reset, *extra)
    operator: Any = OPERATORS[name][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own checks
        torch.library.opcheck(operator, arguments)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_compile_as_one_graph(kind: str) -> None:
    layer = make(kind, 3, 17, dtype=torch.float32, device="cuda", bidirectional=True, num_layers=2)
    compiled: Any = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for t, b in ((4, 3), (7, 5)):
        x = torch.randn(t, b, 3, device="cuda", requires_grad=True)
        reset = resets(t, b).cuda()
        fast, slow = compiled(x, None, reset), layer(x, None, reset)
        assert gap(fast, slow) < 1e-5
        one, other = (torch.autograd.grad(out[0].pow(2).sum(), x)[0] for out in (fast, slow))
        assert gap(one, other) < 1e-4


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_before", "rnn"])
@pytest.mark.parametrize("hidden", [64, 128])
def test_a_cuda_graph_replays(kind: str, hidden: int) -> None:
    """Forward and backward as one graph, on other numbers than it was captured with."""
    torch.manual_seed(8)
    layer = make(kind, 3, hidden, dtype=torch.float32, device="cuda")
    x = torch.randn(6, 37, 3, device="cuda", requires_grad=True)
    reset = resets(6, 37).cuda()

    def both() -> tuple[Tensor, ...]:
        y, _ = layer(x, None, reset)
        return (y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]))

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        both()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = both()
    for _ in range(3):
        with torch.no_grad():
            x.normal_()
        reset.copy_(resets(6, 37))
        graph.replay()
        kept = tuple(t.clone() for t in captured)
        assert gap(kept, both()) < 1e-4


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_two_streams(kind: str) -> None:
    """Grids that meet at barriers, side by side: more programs than the card runs at once."""
    torch.manual_seed(9)
    layer = make(kind, 3, 128, dtype=torch.float32, device="cuda")
    xs = [torch.randn(50, 200, 3, device="cuda", requires_grad=True) for _ in range(4)]
    reset = resets(50, 200).cuda()

    def both(x: Tensor) -> tuple[Tensor, ...]:
        y, _ = layer(x, None, reset)
        return (y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]))

    want = [both(x) for x in xs]
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in xs]
    for _ in range(5):
        got = []
        for x, stream in zip(xs, streams, strict=True):
            with torch.cuda.stream(stream):
                got.append(both(x))
        torch.cuda.synchronize()
        for a, b in zip(got, want, strict=True):
            assert error(list(a), [t.double().cpu() for t in b]) < 1e-5


@pytest.mark.parametrize(("kind", "steps"), [("rnn", 8300), ("gru", 2100)])
def test_more_than_32_bits_of_numbers(kind: str, steps: int) -> None:
    """T B H (RNN) or T B 4H (GRU) beyond 2^31: the end is what the end alone gives."""
    torch.manual_seed(10)
    batch, hidden = 4096, 64
    layer = make(kind, 1, hidden, dtype=torch.bfloat16, device="cuda")
    x = torch.randn(steps, batch, 1, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    reset = torch.zeros(steps, batch, device="cuda", dtype=torch.bool)
    y, _ = layer(x, None, reset)
    tail = x[-3:].detach().requires_grad_()
    end, _ = layer(tail, y[-4].detach().unsqueeze(0), reset[-3:])
    assert (y[-3:].float() - end.float()).abs().max() < 1e-2
    # A gradient that begins at the end and at the beginning: both are reached.
    loss = y[-3:].float().sum() + y[:2].float().sum()
    (d_x,) = torch.autograd.grad(loss, x)
    (d_tail,) = torch.autograd.grad(end.float().sum(), tail)
    assert (d_x[-3:].float() - d_tail.float()).abs().max() < 5e-2 * d_tail.float().abs().max()
    assert d_x[:2].float().abs().min(0).values.max() > 0
