"""Chapter 4: one step of an LSTM, and the gradient along its cell."""

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence import lstm_step

Pair = tuple[Tensor, Tensor]


def lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Return h and c, (H,) each: x (D,), h and c (H,), w_ih (4H, D), w_hh (4H, H), b (4H,)."""
    step = lstm_step(x.unsqueeze(0), h.unsqueeze(0), c.unsqueeze(0), w_ih, w_hh, b)
    return step.h[0], step.c[0]


def cell_gradient(f: Tensor) -> Tensor:
    """Return dc_T / dc_0 for each unit, (H,): f (T, H), the forget gates of all steps."""
    first = cell = torch.ones(f.shape[1], requires_grad=True)
    for f_t in f:
        cell = f_t * cell + 0.5
    (gradient,) = torch.autograd.grad(cell.sum(), first)
    return gradient


def _gates_exchanged(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> Pair:
    f, i, g, o = (w_ih @ x + w_hh @ h + b).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _cell_not_squashed(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> Pair:
    i, f, g, o = (w_ih @ x + w_hh @ h + b).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * c, c


def _candidate_as_gate(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> Pair:
    i, f, g, o = torch.sigmoid(w_ih @ x + w_hh @ h + b).chunk(4)
    c = f * c + i * g
    return o * torch.tanh(c), c


def _old_cell_shown(x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor) -> Pair:
    _, new = lstm_cell(x, h, c, w_ih, w_hh, b)
    o = torch.sigmoid((w_ih @ x + w_hh @ h + b).chunk(4)[3])
    return o * torch.tanh(c), new


def _returned_exchanged(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> Pair:
    h, c = lstm_cell(x, h, c, w_ih, w_hh, b)
    return c, h


def _summed(f: Tensor) -> Tensor:
    return f.sum(0)


def _last_only(f: Tensor) -> Tensor:
    return f[-1]


def _over_units(f: Tensor) -> Tensor:
    return f.prod(-1)


def _cells(draw: Draw) -> list[Inputs]:
    w_ih, w_hh = torch.tensor([[1.0, 0.0, 0.5, -1.0]]).t(), torch.tensor([[2.0, 1.0, 1.0, 2.0]]).t()
    first = [torch.tensor([value]) for value in (1.0, 0.5, 0.8)]
    cases: list[Inputs] = [(*first, w_ih, w_hh, torch.tensor([0.0, 1.0, 0.0, 1.0]))]
    for inputs, units in ((1, 1), (2, 1), (1, 2), (3, 2), (5, 7)):
        rows = 4 * units
        sizes = ((inputs,), (units,), (units,), (rows, inputs), (rows, units), (rows,))
        cases.append(tuple(draw.tensor(*size) for size in sizes))
    return cases


def _gates(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(torch.tensor([[0.5, 1.0], [0.5, 0.9]]),), (torch.tensor([[0.3]]),)]
    cases += [(torch.full((20, 1), 0.8176),), (torch.tensor([[0.9, 0.0, 1.0]] * 3),)]
    return [*cases, (draw.tensor(5, 2).sigmoid(),)]


CHAPTER = Chapter(
    "LSTM, gate by gate",
    "LSTM, 게이트 하나씩",
    "my_lstm.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            lstm_cell,
            _cells,
            (
                Mistake(
                    _gates_exchanged,
                    "The rows are i, f, g, o: here the first block is the forget gate.",
                    "행은 i, f, g, o의 순서입니다. 첫째 묶음을 망각 게이트로 썼습니다.",
                ),
                Mistake(
                    _cell_not_squashed,
                    "The hidden state shows tanh of the cell: h = o * tanh(c).",
                    "은닉 상태는 셀의 tanh를 보여 줍니다. h = o * tanh(c)입니다.",
                ),
                Mistake(
                    _candidate_as_gate,
                    "g, the candidate, is a tanh from -1 to 1; i, f and o are sigmoids.",
                    "후보 g는 -1과 1 사이의 tanh이고, i, f, o가 시그모이드입니다.",
                ),
                Mistake(
                    _old_cell_shown,
                    "The hidden state is made of the new cell, not of the one before.",
                    "은닉 상태는 이전 셀이 아니라 새 셀로 만듭니다.",
                ),
                Mistake(
                    _returned_exchanged,
                    "First h, then c: what is returned is exchanged.",
                    "돌려주는 순서가 바뀌었습니다. h가 먼저이고 c가 다음입니다.",
                ),
            ),
            parts=("h", "c"),
        ),
        Exercise(
            cell_gradient,
            _gates,
            (
                Mistake(
                    _summed,
                    "Steps follow each other: their factors are multiplied, not added.",
                    "단계는 차례로 이어지므로 인수를 더하지 않고 곱합니다.",
                ),
                Mistake(
                    _last_only,
                    "Every step gives a factor, not the last one alone.",
                    "마지막 단계만이 아니라 모든 단계에서 인수가 나옵니다.",
                ),
                Mistake(
                    _over_units,
                    "The product goes over time (axis 0), apart for each unit.",
                    "유닛마다 따로 시간(축 0)에 대해 곱합니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
