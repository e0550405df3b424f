"""Returns against a brute force that knows only definitions, and against numbers by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from sidestep.agents.algorithms.returns import lambda_returns


def n_step(r: list[float], v: list[float], n: int, discount: float, terminated: bool) -> float:
    """The n-step return of the first step of an episode whose rewards are `r`.

    v[k] is the value of what came after step k; past the end of a terminated episode it is 0.
    """
    n = min(n, len(r))
    tail = 0.0 if terminated and n == len(r) else v[n - 1]
    return sum(discount**k * r[k] for k in range(n)) + discount**n * tail


def by_definition(
    r: list[float], v: list[float], ends: list[str], discount: float, decay: float
) -> list[float]:
    """Sutton & Barto (2018), eq. 12.3: every n-step return, weighted; one lane."""
    result = []
    for t in range(len(r)):
        last = next((k for k in range(t, len(r)) if ends[k]), len(r) - 1)
        rewards, values = r[t : last + 1], v[t : last + 1]
        terminated, steps = ends[last] == "terminated", last + 1 - t
        total = decay ** (steps - 1) * n_step(rewards, values, steps, discount, terminated)
        for n in range(1, steps):
            weight = (1 - decay) * decay ** (n - 1)
            total += weight * n_step(rewards, values, n, discount, terminated)
        result.append(total)
    return result


STEP = st.tuples(
    st.floats(-3, 3), st.floats(-3, 3), st.sampled_from(["", "", "", "terminated", "truncated"])
)
DATA = st.integers(1, 9).flatmap(
    lambda t: st.lists(st.lists(STEP, min_size=t, max_size=t), min_size=1, max_size=3)
)
SHARE = st.sampled_from([0.0, 0.3, 0.9, 1.0])


def lanes(data: list[list[tuple[float, float, str]]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r, v = (tensor([[s[i] for s in lane] for lane in data], dtype=torch.float64).T for i in (0, 1))
    cut, over = (
        tensor([[s[2] == name for s in lane] for lane in data]).T
        for name in ("truncated", "terminated")
    )
    return r, v, over, cut


@settings(max_examples=200, deadline=None)
@given(DATA, SHARE, SHARE)
def test_lambda_returns_against_their_definition(
    data: list[list[tuple[float, float, str]]], discount: float, decay: float
) -> None:
    got = lambda_returns(*lanes(data), discount, decay)
    for b, lane in enumerate(data):
        r, v, ends = (list(part) for part in zip(*lane, strict=True))
        want = by_definition(r, v, ends, discount, decay)
        assert got[:, b].tolist() == pytest.approx(want, abs=1e-5)


def test_lambda_returns_by_hand() -> None:
    # an episode of two steps that ends, then one that the time limit cuts, then the open end
    r = tensor([[1.0], [2.0], [3.0], [4.0], [5.0]])
    v = tensor([[10.0], [20.0], [30.0], [40.0], [50.0]])
    over = tensor([[False], [True], [False], [False], [False]])
    cut = tensor([[False], [False], [False], [True], [False]])
    one = lambda_returns(r, v, over, cut, 0.5, 0.0)
    assert one.flatten().tolist() == [6.0, 2.0, 18.0, 24.0, 30.0]
    half = lambda_returns(r, v, over, cut, 0.5, 0.5)
    # 1 + .5 (.5 * 10 + .5 * 2);  2;  3 + .5 (.5 * 30 + .5 * 24);  4 + .5 * 40;  5 + .5 * 50
    assert half.flatten().tolist() == [4.0, 2.0, 16.5, 24.0, 30.0]
    full = lambda_returns(r, v, over, cut, 0.5, 1.0)
    assert full.flatten().tolist() == [2.0, 2.0, 15.0, 24.0, 30.0]


def test_nothing_behind_an_end_leaks_back() -> None:
    r, v = torch.ones(4, 1), tensor([[7.0], [7.0], [7.0], [7.0]])
    over, cut = tensor([[False], [True], [False], [False]]), torch.zeros(4, 1, dtype=torch.bool)
    before = lambda_returns(r, v, over, cut, 0.9, 0.8)[:2]
    r[2:], v[1:] = 1e9, torch.nan  # the value of a terminated step is ignored, whatever it is
    v[2:] = -1e9
    assert torch.equal(lambda_returns(r, v, over, cut, 0.9, 0.8)[:2], before)


def test_returns_carry_no_gradient() -> None:
    v = torch.ones(2, 1, requires_grad=True)
    no = torch.zeros(2, 1, dtype=torch.bool)
    assert not lambda_returns(torch.ones(2, 1), v, no, no, 0.9, 0.5).requires_grad
