"""Answers of chapter 04."""

import torch
from torch import Tensor


def lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Do one LSTM step: x (D,), h, c (H,), weights of 4H rows i, f, g, o; the new h and c."""
    i, f, g, o = (w_ih @ x + w_hh @ h + b).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def cell_gradient(f: Tensor) -> Tensor:
    """Multiply the forget gates, (T, H), over time: dc_T / dc_0, (H,), gates held fixed."""
    return f.prod(0)
