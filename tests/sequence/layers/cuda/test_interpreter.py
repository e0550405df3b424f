"""The kernels on the CPU, by Triton's interpreter, against the loop of steps in float64.

TRITON_INTERPRET=1 pytest -m interpreter, where Triton is installed: a step of its own in CI.
"""

import os
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from ...kinds import PATTERNS, reset_pattern
from .cases import GATES, PLANS, Case, error, exact, make_case, run

asked = os.environ.get("TRITON_INTERPRET") == "1" and find_spec("triton") is not None
pytestmark = [
    pytest.mark.interpreter,
    pytest.mark.skipif(not asked, reason="needs Triton and TRITON_INTERPRET=1"),
]
kinds = pytest.mark.parametrize("name", list(GATES))
plans = pytest.mark.parametrize("plan", list(PLANS))


def by_kernels(case: Case, plan: str) -> list[Tensor]:
    from sidestep.sequence.layers.cuda import operators

    if case.name == "gru_before" and plan.startswith("step"):
        pytest.skip("the loop takes the place of this plan")

    name = "rnn" if case.name == "relu" else case.name
    both: tuple[Any, Any] = (getattr(operators, name), getattr(operators, f"{name}_backward"))
    forward, backward = (partial(f, PLANS[plan], "tf32x3") for f in both)
    return run(case, forward, backward)


@kinds
@pytest.mark.parametrize(
    ("plan", "pattern"),
    [(plan, "random") for plan in PLANS]
    + [("split, one program to a row tile", pattern) for pattern in PATTERNS[:-1]],
)
def test_both_passes_equal_the_loop(name: str, plan: str, pattern: str) -> None:
    torch.manual_seed(0)
    reset = reset_pattern(pattern, 5, 19)
    assert reset is not None
    case = make_case(name, (5, 19, 3, 23), reset)
    assert error(by_kernels(case, plan), exact(case)) < 3e-6


@kinds
@plans
@pytest.mark.parametrize("steps", [0, 1])
def test_no_step_and_one_step(name: str, plan: str, steps: int) -> None:
    torch.manual_seed(1)
    for reset in (None, torch.arange(7).expand(steps, 7) % 3 == 0):
        case = make_case(name, (steps, 7, 2, 19), reset)
        assert error(by_kernels(case, plan), exact(case)) < 3e-6


@kinds
@plans
def test_without_resets_and_biases(name: str, plan: str) -> None:
    torch.manual_seed(2)
    case = make_case(name, (7, 3, 5, 17), None, bias=False)
    assert error(by_kernels(case, plan), exact(case)) < 3e-6


@kinds
def test_no_row(name: str) -> None:
    case = make_case(name, (3, 0, 5, 17), torch.zeros(3, 0, dtype=torch.bool))
    assert error(by_kernels(case, "tile"), exact(case)) == 0


@kinds
@plans
def test_arguments_laid_out_in_any_way(name: str, plan: str) -> None:
    """Transposed in memory, every second row, and a gradient expanded from one number."""
    torch.manual_seed(3)
    case = make_case(name, (5, 19, 3, 23), torch.rand(38, 5).t()[:, ::2] < 0.3)

    def turned(t: Tensor | None) -> Tensor | None:
        return t if t is None else t.transpose(0, -1).contiguous().transpose(0, -1)

    strange = case._replace(
        x=case.x.transpose(0, 1).contiguous().transpose(0, 1),
        states=tuple(map(turned, case.states)),  # type: ignore[arg-type]
        weights=tuple(map(turned, case.weights)),
        grads=tuple(torch.ones(()).expand(g.shape) for g in case.grads if g is not None),
    )
    assert error(by_kernels(strange, plan), exact(strange)) < 3e-6


@pytest.mark.parametrize("missing", [0, 1])
def test_a_gradient_of_one_of_the_lstms_states(missing: int) -> None:
    torch.manual_seed(4)
    case = make_case("lstm", (5, 19, 3, 23), torch.rand(5, 19) < 0.3)
    grads = [*case.grads]
    grads[missing] = None
    for plan in PLANS:
        half = case._replace(grads=tuple(grads))
        assert error(by_kernels(half, plan), exact(half)) < 3e-6


@kinds
def test_nothing_crosses_a_reset(name: str) -> None:
    """Not a value, NaN neither, and of the gradient exactly nothing."""
    torch.manual_seed(5)
    reset = torch.zeros(7, 3, dtype=torch.bool)
    reset[4, 1] = True
    case = make_case(name, (7, 3, 2, 23), reset)
    case.x[:4, 1] = float("nan")
    case = case._replace(weights=(*case.weights[:2], *[None] * len(case.weights[2:])))
    for plan in ("tile", "split, one program to a row tile"):
        states, *_ = by_kernels(case, plan)
        assert states[4:, 1].isfinite().all() and states[:4, 1].isnan().all()
        clean = case._replace(x=case.x.nan_to_num(1.0))
        late = [None if g is None else g.clone() for g in case.grads]
        for g in late:
            assert g is not None
            g[:4, 1] = 0
        got = by_kernels(clean._replace(grads=tuple(late)), plan)
        d_x, d_h0 = got[{"lstm": 3, "gru": 2, "gru_before": 2}.get(name, 1) :][:2]
        assert (d_x[:4, 1] == 0).all() and (d_h0[1] == 0).all() and (d_h0[0] != 0).any()


@kinds
def test_float16_sums_in_float32(name: str) -> None:
    """bfloat16 is for a device to try."""
    torch.manual_seed(6)
    case = make_case(name, (5, 7, 3, 19), torch.rand(5, 7) < 0.2).to(torch.float16)
    for plan in ("tile", "split, one program to a row tile"):
        assert error(by_kernels(case, plan), exact(case)) < 6e-3


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # of memory never written
def test_a_barrier_that_is_given_up_gives_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs to a row tile: the interpreter's first waits in vain for the second."""
    from sidestep.sequence.layers.cuda import launch

    monkeypatch.setattr(launch, "LOOKS", 3)
    monkeypatch.setitem(PLANS, "split", PLANS["step"]._replace(kind="split"))
    case = make_case("gru", (3, 5, 2, 17), None)
    states, *_ = by_kernels(case, "split")
    assert states[0].isfinite().all() and states[1:, :, :16].isnan().all()


@pytest.mark.parametrize("name", ["gru", "gru_before"])
def test_counters_are_left_at_zero(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels of a stream share them."""
    from sidestep.sequence.layers.cuda import launch

    counters = torch.zeros(4, dtype=torch.int32)
    monkeypatch.setattr(launch, "_zeros", lambda device, size: counters[:size])
    case = make_case(name, (3, 19, 2, 17), None)
    for _ in range(2):
        got = by_kernels(case, "split, one program to a row tile")
        assert error(got, exact(case)) < 3e-6 and not counters.any()
