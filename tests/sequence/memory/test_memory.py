"""The memories behind one interface, and the helpers for their states."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from sidestep.sequence import (
    MEMORIES,
    State,
    concatenate_states,
    detach_state,
    flatten_state,
    make_memory,
    map_state,
    mask_state,
    put_state,
    select_state,
    unflatten_state,
)

from ..kinds import gap, leaves, reset_pattern

B, D, H, K = 5, 3, 7, 4
memories = pytest.mark.parametrize("name", MEMORIES)


def memory(name: str) -> Any:
    generator = torch.Generator().manual_seed(0)
    return make_memory(name, input_size=D, hidden_size=H, window=K, generator=generator)


def seen(name: str, ticks: int = 9) -> tuple[Any, State]:
    """A memory and its state after some ticks."""
    layer = memory(name)
    _, state = layer(torch.randn(ticks, B, D))
    return layer, state


@memories
def test_interface(name: str) -> None:
    layer = memory(name)
    assert layer.input_size == D and layer.output_size == (D if name == "none" else H)
    state = layer.initial_state(B)
    assert all(leaf.shape[1] == B and not leaf.any() for leaf in leaves(state))
    y, new = layer.step(torch.randn(B, D), state)
    assert y.shape == (B, layer.output_size)
    assert [leaf.shape for leaf in leaves(new)] == [leaf.shape for leaf in leaves(state)]
    empty, same = layer(torch.randn(0, B, D), new)
    assert empty.shape == (0, B, layer.output_size) and gap(same, new) == 0


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(MEMORIES),
    steps=st.sampled_from([1, 2, 3, 5, 11]),
    pattern=st.sampled_from(["none", "all", "first", "last", "random"]),
    warm=st.sampled_from([0, 1, 9]),
    seed=st.integers(0, 99),
)
def test_step_after_step_equals_forward(
    name: str, steps: int, pattern: str, warm: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer, state = seen(name, warm)
    x, reset = torch.randn(steps, B, D), reset_pattern(pattern, steps, B)
    assert reset is not None
    y, end = layer(x, state, reset)
    outputs = []
    for t in range(steps):
        output, state = layer.step(x[t], state, reset[t])
        outputs.append(output)
    assert gap((y, end), (torch.stack(outputs), state)) < 1e-5


@memories
def test_a_chunk_at_a_time_equals_all_at_once(name: str) -> None:
    layer, start = seen(name)
    x, reset = torch.randn(11, B, D), reset_pattern("random", 11, B)
    assert reset is not None
    y, end = layer(x, start, reset)
    first, middle = layer(x[:5], start, reset[:5])
    second, last = layer(x[5:], middle, reset[5:])
    assert gap((y, end), (torch.cat([first, second]), last)) < 1e-5


@memories
def test_nothing_is_seen_across_a_reset(name: str) -> None:
    layer, state = seen(name)
    x = torch.randn(7, B, D, requires_grad=True)
    reset = torch.zeros(7, B, dtype=torch.bool)
    reset[3] = True
    y, _ = layer(x, state, reset)
    fresh, _ = layer(x[3:])
    assert gap(y[3:], fresh) < 1e-6
    (grad,) = torch.autograd.grad(y[3:].pow(2).sum(), x)
    assert (grad[:3] == 0).all() and (grad[3:] != 0).any()


@memories
def test_padding_does_not_matter(name: str) -> None:
    layer, state = seen(name, 2)
    lengths = torch.tensor([3, 7, 0, 1, 5])
    x = torch.randn(7, B, D)
    for b, length in enumerate(lengths.tolist()):
        x[length:, b] = float("nan")
    reset = reset_pattern("random", 7, B)
    assert reset is not None
    y, end = layer(x, state, reset, lengths)
    for b, length in enumerate(lengths.tolist()):
        row = torch.tensor([b])
        alone, alone_end = layer(x[:length, row], select_state(state, row), reset[:length, row])
        assert gap(y[:length, row], alone) < 1e-6
        assert gap(select_state(end, row), alone_end) < 1e-6
        assert (y[length:, b] == 0).all()


@pytest.mark.parametrize("lag", range(K + 1))
def test_attention_sees_the_last_k_and_no_more(lag: int) -> None:
    layer = memory("attention")
    x = torch.randn(9, 1, D, requires_grad=True)
    y, _ = layer(x)
    (grad,) = torch.autograd.grad(y[8].sum(), x)
    assert (grad[8 - lag] != 0).any() == (lag < K)


def test_attention_by_hand() -> None:
    """Its three formulas, written out for one row."""
    torch.manual_seed(0)
    layer = memory("attention").double()
    x = torch.randn(6, 1, D, dtype=torch.float64)
    e = (x @ layer.embed_weight.t() + layer.embed_bias).squeeze(1)
    past = torch.stack([e[5 - j] for j in range(K)])  # (K, H), by lag
    scores = past @ (layer.score_weight.t() @ e[5]) / H**0.5 + layer.lag_scores @ e[5]
    context = torch.softmax(scores, 0) @ (past + layer.lag_values)
    both = torch.cat([context, e[5]])
    expected = torch.tanh(layer.output_weight @ both + layer.output_bias)
    assert gap(layer(x)[0][5, 0], expected) < 1e-12


@memories
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_lengths_in_narrow_integers(name: str, dtype: torch.dtype) -> None:
    """Where T, or T and the window, are more than the integers can hold."""
    torch.manual_seed(9)
    layer = make_memory(name, input_size=D, hidden_size=H, window=130).double()
    steps = 290
    x = torch.randn(steps, 3, D, dtype=torch.float64)
    lengths = torch.tensor([100, 0, 127])
    reset = torch.rand(steps, 3) < 0.1
    assert gap(layer(x, None, reset, lengths.to(dtype)), layer(x, None, reset, lengths)) == 0


@memories
def test_an_old_state_stays_what_it_was(name: str) -> None:
    layer, state = seen(name)
    before = [leaf.clone() for leaf in leaves(state)]
    layer.step(torch.randn(B, D), state, torch.ones(B, dtype=torch.bool))
    layer(torch.randn(3, B, D), state)
    assert gap(tuple(before), state if isinstance(state, tuple) else (state,)) == 0


@memories
def test_select_and_put_are_inverse(name: str) -> None:
    layer, state = seen(name)
    rows = torch.tensor([3, 1])
    fresh = layer.initial_state(2)
    changed = put_state(state, rows, fresh)
    assert gap(select_state(changed, rows), fresh) == 0
    assert gap(put_state(changed, rows, select_state(state, rows)), state) == 0
    mask = torch.tensor([False, True, False, True, False])
    assert gap(select_state(state, mask), select_state(state, torch.tensor([1, 3]))) == 0
    halves = [select_state(state, torch.arange(B)[piece]) for piece in (slice(2), slice(2, B))]
    assert gap(concatenate_states(halves), state) == 0


@memories
def test_mask_equals_reset(name: str) -> None:
    layer, state = seen(name)
    reset = torch.tensor([True, False, True, False, False])
    x = torch.randn(B, D)
    masked = mask_state(state, reset)
    assert gap(select_state(masked, reset), layer.initial_state(2)) == 0
    assert gap(layer.step(x, masked), layer.step(x, state, reset)) == 0


def test_mask_clears_nan() -> None:
    assert not mask_state(torch.full((1, 2, 3), float("nan")), torch.ones(2).bool()).isnan().any()  # type: ignore[union-attr]


@memories
def test_a_state_survives_safetensors(name: str) -> None:
    layer, state = seen(name)
    flat = flatten_state(detach_state(state), "lane.state")
    back = unflatten_state(load(save(flat)), "lane.state")
    assert gap(back, state) == 0
    assert gap(layer.step(torch.ones(B, D), back), layer.step(torch.ones(B, D), state)) == 0


def test_nested_states() -> None:
    state: State = (torch.ones(1, B), ((), (torch.zeros(2, B), torch.ones(3, B, 2))), ())
    back = unflatten_state(flatten_state(state))
    assert gap(back, state) == 0 and isinstance(back, tuple) and back[2] == ()
    doubled = map_state(lambda a, b: a + b, state, back)
    assert isinstance(doubled, tuple) and gap(doubled[0], 2 * torch.ones(1, B)) == 0


def test_structures_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one structure, got \(tensor\(1, 5\)\) and \(\)"):
        map_state(lambda a, b: a + b, (torch.ones(1, B),), ())
    with pytest.raises(ValueError, match=r"a tensor as in the first state, got \(\)"):
        map_state(lambda a, b: a + b, torch.ones(1, B), ())
    with pytest.raises(ValueError, match="at least one state"):
        concatenate_states([])
    with pytest.raises(ValueError, match="tensors named 'state'"):
        unflatten_state({"other": torch.ones(1)})


@memories
def test_detach(name: str) -> None:
    _, state = seen(name)
    assert not any(leaf.requires_grad for leaf in leaves(detach_state(state)))


def test_window_attention_compiles_as_one_graph() -> None:
    layer = memory("attention")

    def run(x: Tensor, reset: Tensor) -> Tensor:
        y: Tensor = layer(x, None, reset)[0]
        return y

    compiled = torch.compile(run, fullgraph=True, dynamic=True, backend="eager")
    for t in (3, 5):
        x, reset = torch.randn(t, B, D), torch.rand(t, B) < 0.3
        assert gap(compiled(x, reset), run(x, reset)) < 1e-6
