"""Chapter 12: resets within a sequence, and how long a gate keeps."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake

Cell = Callable[[Tensor, Tensor], Tensor]


class Leaky:
    """A cell that forgets half of its state in every step, and adds the input."""

    def __call__(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the next state, (B, H), of the input and the state, of the same shape."""
        return x + 0.5 * h

    def __repr__(self) -> str:
        """The formula, in words."""
        return "step(x, h) = x + 0.5 h"


def unroll(step: Callable[[Tensor, Tensor], Tensor], x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    """Return (T, B, H): step(x_t, h) gives the next h; x (T, B, D), h (B, H), reset (T, B) bool."""
    rows = []
    for row in range(x.shape[1]):  # each by itself
        state, states = h[row : row + 1], []
        for t in range(len(x)):
            state = torch.zeros_like(state) if reset[t, row] else state
            state = step(x[t, row : row + 1], state)
            states.append(state)
        rows.append(torch.stack(states))
    return torch.cat(rows, dim=1)


def forget_bias(ticks: int, kept: float) -> float:
    """Return b with sigmoid(b) ** ticks == kept: ticks >= 1, 0 < kept < 1."""
    return -math.log(kept ** (-1 / ticks) - 1)


def _never(step: Cell, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    return unroll(step, x, h, torch.zeros_like(reset))


def _too_late(step: Cell, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    states = []
    for x_t, reset_t in zip(x, reset, strict=True):
        h = step(x_t, h).masked_fill(reset_t.unsqueeze(1), 0.0)
        states.append(h)
    return torch.stack(states)


def _all_rows(step: Cell, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    return unroll(step, x, h, reset.any(1, keepdim=True).expand_as(reset))


def _one_late(step: Cell, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    return unroll(step, x, h, torch.cat([torch.zeros_like(reset[:1]), reset[:-1]]))


def _first_state(step: Cell, x: Tensor, h: Tensor, reset: Tensor) -> Tensor:
    states, first = [], h
    for x_t, reset_t in zip(x, reset, strict=True):
        h = step(x_t, torch.where(reset_t.unsqueeze(1), first, h))
        states.append(h)
    return torch.stack(states)


def _gate_itself(ticks: int, kept: float) -> float:
    return float(kept ** (1 / ticks))


def _one_tick(ticks: int, kept: float) -> float:
    return forget_bias(1, kept)


def _linear(ticks: int, kept: float) -> float:
    return forget_bias(1, 1 - (1 - kept) / ticks)


def _negative(ticks: int, kept: float) -> float:
    return -forget_bias(ticks, kept)


def _sequences(draw: Draw) -> list[Inputs]:
    column = torch.tensor([1.0, 0.0, -1.0, 0.0]).view(4, 1, 1)
    begins = torch.tensor([True, False, True, False]).view(4, 1)
    cases: list[Inputs] = [(Leaky(), column, torch.full((1, 1), 0.8), begins)]
    cases += [(Leaky(), column[:1], torch.full((1, 1), 0.8), begins[1:2])]
    for steps, rows, units in ((2, 2, 1), (4, 2, 2), (6, 3, 5)):
        x, h = draw.tensor(steps, rows, units), draw.tensor(rows, units)
        cases.append((Leaky(), x, h, draw.flags(steps, rows, share=0.4)))
    return cases


def _spans(draw: Draw) -> list[Inputs]:
    return [(1, 0.5), (1, 0.9), (10, 0.5), (10, 0.3487), (128, 0.3679), (3, 0.01)]


CHAPTER = Chapter(
    "Memory in agents",
    "에이전트의 기억",
    "my_memory.py",
    "import math\nfrom collections.abc import Callable\n\nimport torch\nfrom torch import Tensor\n",
    (
        Exercise(
            unroll,
            _sequences,
            (
                Mistake(
                    _never,
                    "The state crosses a border: clear it where reset is True.",
                    "상태가 에피소드의 경계를 넘습니다. reset이 True인 곳에서 지우세요.",
                ),
                Mistake(
                    _too_late,
                    "Clear before the step: the first observation of an episode is lost.",
                    "걸음을 옮기기 전에 지우세요. 에피소드의 첫 관측이 사라집니다.",
                ),
                Mistake(
                    _all_rows,
                    "Only the row whose episode begins is cleared, not all of the batch.",
                    "배치 전체가 아니라 에피소드가 시작되는 행만 지웁니다.",
                ),
                Mistake(
                    _one_late,
                    "reset[t] is for step t itself: here it clears one step later.",
                    "reset[t]는 바로 t단계의 것입니다. 한 단계 늦게 지웠습니다.",
                ),
                Mistake(
                    _first_state,
                    "An episode begins with zeros: h is the state before the first step only.",
                    "에피소드는 0에서 시작합니다. h는 첫 단계 전의 상태일 뿐입니다.",
                ),
            ),
        ),
        Exercise(
            forget_bias,
            _spans,
            (
                Mistake(
                    _gate_itself,
                    "This is f; the bias is what sigmoid makes f of: log(f / (1 - f)).",
                    "이것은 f입니다. 편향은 시그모이드가 f인 수, log(f / (1 - f))입니다.",
                ),
                Mistake(
                    _one_tick,
                    "This keeps so much over one tick: f to the power of ticks must be `kept`.",
                    "한 틱 동안의 비율입니다. f의 ticks 제곱이 `kept`여야 합니다.",
                ),
                Mistake(
                    _linear,
                    "What is lost multiplies: f is the ticks-th root of `kept`.",
                    "잃는 비율은 곱해집니다. f는 `kept`의 ticks 제곱근입니다.",
                ),
                Mistake(
                    _negative,
                    "The sign is wrong: a gate that keeps more has a larger bias.",
                    "부호가 반대입니다. 더 많이 지키는 게이트의 편향이 더 큽니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
