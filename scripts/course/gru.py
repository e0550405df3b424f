"""Chapter 5: a step of the GRU as the package has it, and as the notes write it."""

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence import gru_step


def gru_cell(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    """Return h, (B, H): x (B, D), h (B, H), w_ih (3H, D), w_hh (3H, H), b_ih and b_hh (3H,)."""
    return gru_step(x, h, w_ih, w_hh, b_ih, b_hh).h


def textbook_gru(x: Tensor, h: Tensor, w_z: Tensor, w_r: Tensor, w: Tensor) -> Tensor:
    """Return h, (B, H): x (B, D), h (B, H), w_z, w_r and w (H, H + D)."""
    size = h.shape[1]
    w_hh, w_ih = (torch.cat(rows) for rows in zip(*_halves(size, w_r, w_z, w), strict=True))
    return gru_step(x, h, w_ih, w_hh, reset_after=False, z_weighs="candidate").h


def _halves(size: int, *weights: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(weight[:, :size], weight[:, size:]) for weight in weights]


def _z_on_candidate(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    return gru_step(x, h, w_ih, w_hh, b_ih, b_hh, z_weighs="candidate").h


def _z_before_r(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    order = torch.arange(len(b_ih)).view(3, -1)[[1, 0, 2]].flatten()
    return gru_step(x, h, w_ih[order], w_hh[order], b_ih[order], b_hh[order]).h


def _bias_outside(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    return gru_step(x, h, w_ih, w_hh, b_ih + b_hh, torch.zeros_like(b_hh)).h


def _reset_before(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    return gru_step(x, h, w_ih, w_hh, b_ih, b_hh, reset_after=False).h


def _z_on_past(x: Tensor, h: Tensor, w_z: Tensor, w_r: Tensor, w: Tensor) -> Tensor:
    return textbook_gru(x, h, -w_z, w_r, w)  # sigmoid(-a) = 1 - sigmoid(a)


def _reset_after(x: Tensor, h: Tensor, w_z: Tensor, w_r: Tensor, w: Tensor) -> Tensor:
    size = h.shape[1]
    w_hh, w_ih = (torch.cat(rows) for rows in zip(*_halves(size, w_r, w_z, w), strict=True))
    return gru_step(x, h, w_ih, w_hh, z_weighs="candidate").h


def _without_reset(x: Tensor, h: Tensor, w_z: Tensor, w_r: Tensor, w: Tensor) -> Tensor:
    both = torch.cat([h, x], dim=-1)
    z = torch.sigmoid(both @ w_z.T)
    return (1 - z) * h + z * torch.tanh(both @ w.T)


def _cells(draw: Draw) -> list[Inputs]:
    x, h = torch.tensor([[1.0]]), torch.tensor([[0.5]])
    w_ih, w_hh = torch.tensor([[1.0], [0.0], [1.0]]), torch.tensor([[-1.0], [2.0], [-2.0]])
    cases: list[Inputs] = [(x, h, w_ih, w_hh, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))]
    for rows, inputs, units in ((1, 1, 1), (1, 2, 2), (3, 1, 2), (4, 5, 3)):
        shapes = (rows, inputs), (rows, units), (3 * units, inputs), (3 * units, units)
        cases.append(tuple(draw.tensor(*size) for size in (*shapes, (3 * units,), (3 * units,))))
    return cases


def _textbook(draw: Draw) -> list[Inputs]:
    x, h = torch.tensor([[1.0]]), torch.tensor([[0.5]])
    weights = [torch.tensor([pair]) for pair in ([2.0, 0.0], [-1.0, 1.0], [-2.0, 1.0])]
    cases: list[Inputs] = [(x, h, *weights)]
    for rows, inputs, units in ((1, 1, 2), (2, 2, 2), (3, 1, 2), (4, 5, 3)):
        both = [(units, units + inputs)] * 3
        cases.append(tuple(draw.tensor(*s) for s in ((rows, inputs), (rows, units), *both)))
    return cases


CHAPTER = Chapter(
    "The GRU",
    "GRU",
    "my_gru.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            gru_cell,
            _cells,
            (
                Mistake(
                    _z_on_candidate,
                    "z and 1 - z are exchanged: z weighs the past, h' = (1 - z) n + z h.",
                    "z와 1 - z가 바뀌었습니다. z는 과거의 비율입니다. h' = (1 - z) n + z h.",
                ),
                Mistake(
                    _z_before_r,
                    "The rows of the weights are in the order r, z, n; r and z are exchanged.",
                    "가중치의 행은 r, z, n의 순서입니다. r과 z가 바뀌었습니다.",
                ),
                Mistake(
                    _bias_outside,
                    "r also multiplies the candidate's bias: r * (U_n h + b_hn).",
                    "r은 후보의 편향에도 곱합니다. r * (U_n h + b_hn)입니다.",
                ),
                Mistake(
                    _reset_before,
                    "r acts after the product here: r * (U_n h + b_hn), not U_n (r * h).",
                    "여기서는 곱한 뒤에 리셋합니다. U_n (r * h)가 아니라 r * (U_n h + b_hn)입니다.",
                ),
            ),
        ),
        Exercise(
            textbook_gru,
            _textbook,
            (
                Mistake(
                    _z_on_past,
                    "z and 1 - z are exchanged: in the notes' equation z weighs the candidate.",
                    "z와 1 - z가 바뀌었습니다. 노트의 식에서 z는 후보의 비율입니다.",
                ),
                Mistake(
                    _reset_after,
                    "r acts before the product here: multiply h by r, then by the weights.",
                    "여기서는 곱하기 전에 리셋합니다. h에 r을 곱한 다음 가중치를 곱하세요.",
                ),
                Mistake(
                    _without_reset,
                    "r is not used: the candidate sees r * h in the place of h.",
                    "r을 쓰지 않았습니다. 후보는 h 대신 r * h를 봅니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
