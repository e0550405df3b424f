"""The operators on one set of arguments, and plans; imported by the tests beside it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from sidestep.sequence.layers import gru, gru_before, lstm, rnn
from sidestep.sequence.layers.cuda.plans import Plan

OPERATORS = {
    "rnn": (rnn.rnn, rnn.rnn_backward),
    "relu": (rnn.rnn, rnn.rnn_backward),
    "lstm": (lstm.lstm, lstm.lstm_backward),
    "gru": (gru.gru, gru.gru_backward),
    "gru_before": (gru_before.gru_before, gru_before.gru_before_backward),
}
GATES = {"rnn": 1, "relu": 1, "lstm": 4, "gru": 3, "gru_before": 3}
PLANS = {
    "tile": Plan("tile", 16, 32, 32, True, 4, 2),
    "tile, W from memory": Plan("tile", 32, 32, 32, False, 4, 2),
    "step": Plan("step", 16, 16, 16, False, 4, 2),
    "step, stacked": Plan("step", 32, 16, 32, True, 4, 2, stacked=True),
    # The interpreter runs one program after another: whoever waits for another waits for ever.
    "split, one program to a row tile": Plan("split", 16, 32, 16, False, 4, 1, stacked=True),
}


class Case(NamedTuple):
    """What an operator takes: x, the first states, and the rest."""

    name: str
    x: Tensor
    states: tuple[Tensor, ...]
    weights: tuple[Tensor | None, ...]
    reset: Tensor | None
    grads: tuple[Tensor | None, ...]

    def to(self, *options: Any) -> "Case":
        """The same numbers in another dtype or on another device."""

        def moved(t: Tensor | None) -> Tensor | None:
            return t if t is None or not t.is_floating_point() else t.to(*options)

        def all_moved(ts: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(map(moved, ts))

        reset = None if self.reset is None else self.reset.to(self.x.to(*options).device)
        return Case(
            self.name, self.x.to(*options), all_moved(self.states), all_moved(self.weights), reset,
            all_moved(self.grads),
        )  # fmt: skip


def make_case(
    name: str, sizes: tuple[int, int, int, int], reset: Tensor | None, bias: bool = True
) -> Case:
    """Random arguments for T, B, D, H, in float32."""
    steps, batch, inputs, hidden = sizes
    rows = GATES[name] * hidden
    biases: list[Tensor | None] = [torch.randn(rows) / 2 if bias else None]
    if name == "gru":
        biases.append(torch.randn(rows) / 2 if bias else None)
    parts = 2 if name == "lstm" else 1
    return Case(
        name,
        torch.randn(steps, batch, inputs),
        tuple(torch.randn(batch, hidden) for _ in range(parts)),
        (torch.randn(rows, inputs) / inputs**0.5, torch.randn(rows, hidden) / hidden**0.5, *biases),
        reset,
        tuple(torch.randn(steps, batch, hidden) for _ in range(parts)),
    )


def run(case: Case, forward: Any, backward: Any) -> list[Tensor]:
    """What an operator and its backward give: states, slots, and gradients of everything."""
    extra = (case.name == "relu",) if case.name in ("rnn", "relu") else ()
    outputs = forward(case.x, *case.states, *case.weights, case.reset, *extra)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    matrices = case.weights[:2]
    given = (*case.grads, case.x, *case.states, *matrices, case.reset, *outputs, *extra, True)
    return [*outputs, *backward(*given)]


def exact(case: Case) -> list[Tensor]:
    """The same by the loop of steps in float64 on the CPU, itself tested against the cells."""
    return run(case.to("cpu").to(torch.float64), *OPERATORS[case.name])


def error(got: list[Tensor], want: list[Tensor]) -> float:
    """The largest difference over the largest value of its tensor; NaN is as far as can be."""
    worst = 0.0
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        if b.numel():
            gap = torch.nan_to_num((a.cpu().double() - b).abs(), nan=float("inf")).max()
            worst = max(worst, (gap / b.abs().max().clamp(min=1e-6)).item())
    return worst
