"""What a layer or a memory returns has memory of its own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.sequence import MEMORIES, make_memory

from ..kinds import DTYPE, KINDS, gap, leaves, make

B, D, H, K = 2, 3, 7, 4

OWNERS: dict[str, Callable[[], Any]] = {
    **{
        f"{kind} {label}": lambda kind=kind, sizes=sizes, options=options: make(
            kind, *sizes, **options
        )
        for kind in KINDS
        for label, sizes, options in (
            ("alone", (D, H), {}),
            ("stacked", (D, H, 2), {}),
            ("normalised", (D, H), {"layer_norm": True}),
            ("both ways", (D, H), {"bidirectional": True}),
        )
    },
    **{
        f"memory {name}": lambda name=name: make_memory(
            name, input_size=D, hidden_size=H, window=K
        ).double()
        for name in MEMORIES
    },
}


def overwritten(tensors: list[Tensor], others: list[Tensor]) -> bool:
    """Whether writing into `tensors` changes any of `others`."""
    before = [other.clone() for other in others]
    for tensor in tensors:
        tensor.fill_(37)
    return not all(torch.equal(a, b) for a, b in zip(before, others, strict=True))


@pytest.mark.parametrize("name", list(OWNERS))
@pytest.mark.parametrize("grad", [True, False])
def test_nothing_that_is_returned_shares_memory(name: str, grad: bool) -> None:
    """Neither with one another nor with the arguments, at any T, with resets and lengths."""
    torch.manual_seed(7)
    layer = OWNERS[name]()
    reset, lengths = torch.tensor([[True, False]]), torch.tensor([1, 0])
    calls: list[tuple[str, int, tuple[Any, ...]]] = [
        *(("forward", steps, ()) for steps in (0, 1, 3)),
        ("forward", 1, (reset,)),
        ("forward", 1, (None, lengths)),
        ("forward", 1, (reset, lengths)),
    ]
    if not getattr(layer, "bidirectional", False):
        calls += [("step", 1, ()), ("step", 1, (reset[0],))]
    if hasattr(layer, "trace"):
        calls += [("trace", 3, ()), ("trace", 1, (None, lengths))]
    for call, steps, rest in calls:
        x = torch.randn(steps, B, D, dtype=DTYPE)
        _, start = layer(torch.randn(2, B, D, dtype=DTYPE))
        given = [x, *(leaf.detach() for leaf in leaves(start))]
        with torch.set_grad_enabled(grad):
            result = getattr(layer, call)(x[0] if call == "step" else x, start, *rest)
        y, state = result[0].detach(), [leaf.detach() for leaf in leaves(result[1])]
        record = [field.detach() for cell in result[2] for field in cell] if result[2:] else []
        assert not overwritten([y], state + given + record), (call, steps)
        assert not overwritten(state, [y, *given, *record]), (call, steps)
        for k, leaf in enumerate(state):
            assert not overwritten([leaf], state[:k] + state[k + 1 :]), (call, steps)


@pytest.mark.parametrize("name", [n for n in OWNERS if "both ways" not in n and "memory" not in n])
def test_an_output_changed_in_place_leaves_learning_as_it_is(name: str) -> None:
    """`y.relu_()` of step: the same gradients as `y.relu()`."""
    torch.manual_seed(8)
    layer = OWNERS[name]()
    x = torch.randn(3, B, D, dtype=DTYPE, requires_grad=True)
    grads = []
    for act in (Tensor.relu, Tensor.relu_):
        state, total = layer.initial_state(B), x.new_zeros(())
        for t in range(3):
            y, state = layer.step(x[t], state)
            total = total + act(y).sum()
        grads.append(torch.autograd.grad(total, x)[0])
    assert gap(grads[0], grads[1]) == 0
