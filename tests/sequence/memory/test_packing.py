"""Episodes end to end in few rows: nothing is lost, nothing leaks, and little is empty."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sidestep.sequence import MEMORIES, make_memory, pack_episodes


def test_by_hand() -> None:
    packing = pack_episodes(torch.tensor([2, 5, 1, 2]))  # 10 steps, two rows of 5
    assert packing.filled.all()
    assert packing.source.t().tolist() == [[1, 5, 9, 13, 17], [0, 4, 3, 7, 2]]


@given(st.lists(st.integers(0, 13), min_size=1, max_size=40))
def test_every_step_stands_once_in_order_and_rows_are_nearly_full(lengths: list[int]) -> None:
    packing = pack_episodes(torch.tensor(lengths))
    batch, longest = len(lengths), max(lengths)
    steps, rows = packing.source.shape
    want = {t * batch + b for b, length in enumerate(lengths) for t in range(length)}
    assert sorted(packing.source[packing.filled].tolist()) == sorted(want)
    assert longest <= steps <= 2 * longest
    assert rows == max(1, -(-sum(lengths) // max(longest, 1)))
    for row in range(rows):
        count = int(packing.filled[:, row].sum())
        assert packing.filled[:count, row].all()
        places = packing.source[:count, row].tolist()
        for before, after in pairwise(places):
            goes_on = after == before + batch
            is_next = after < batch and before // batch == lengths[before % batch] - 1
            assert goes_on or is_next


@pytest.mark.parametrize("kind", [m for m in MEMORIES if m != "none"])
def test_a_memory_gives_the_same_numbers_and_gradients_packed(kind: str) -> None:
    random = torch.Generator().manual_seed(1)
    lengths = torch.tensor([3, 11, 1, 0, 7, 2, 5])
    steps, batch = 11, 7
    memory = make_memory(kind, input_size=3, hidden_size=5, num_layers=1, window=4).double()
    x = torch.randn(steps, batch, 3, generator=random, dtype=torch.float64)
    reset = torch.zeros(steps, batch, dtype=torch.bool)
    reset[0] = True
    needed = torch.arange(steps).unsqueeze(1) < lengths
    weight = torch.randn(steps, batch, 5, generator=random, dtype=torch.float64)

    whole, _ = memory(x, None, reset)
    gradients = torch.autograd.grad((whole * weight)[needed].sum(), memory.parameters())
    packing = pack_episodes(lengths)
    packed, _ = memory(packing.gather(x), None, packing.gather(reset))
    part = packing.scatter(packed, steps, batch)
    again = torch.autograd.grad((part * weight).sum(), memory.parameters())

    torch.testing.assert_close(part, whole * needed.unsqueeze(-1))
    torch.testing.assert_close(again, gradients)
