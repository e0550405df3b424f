"""Answers of chapter 05, the GRU: one step as the package has it, and one as the notes write it."""

import torch
from torch import Tensor


def gru_cell(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Tensor:
    """Do one step: the reset gate acts after the product, z weighs the past.

    Args:
        x: (B, D) input.
        h: (B, H) state.
        w_ih: (3H, D) rows in the order r, z, n.
        w_hh: (3H, H) likewise.
        b_ih: (3H,).
        b_hh: (3H,).

    Returns:
        (B, H) the new state.
    """
    x_r, x_z, x_n = (x @ w_ih.T + b_ih).chunk(3, dim=-1)
    h_r, h_z, h_n = (h @ w_hh.T + b_hh).chunk(3, dim=-1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def textbook_gru(x: Tensor, h: Tensor, w_z: Tensor, w_r: Tensor, w: Tensor) -> Tensor:
    """Do one step of the notes' equations: no biases, reset before, z weighs the candidate.

    Args:
        x: (B, D) input.
        h: (B, H) state.
        w_z: (H, H + D) for [h, x].
        w_r: (H, H + D) for [h, x].
        w: (H, H + D) for [r * h, x].

    Returns:
        (B, H) the new state.
    """
    both = torch.cat([h, x], dim=-1)
    z, r = torch.sigmoid(both @ w_z.T), torch.sigmoid(both @ w_r.T)
    n = torch.tanh(torch.cat([r * h, x], dim=-1) @ w.T)
    return (1 - z) * h + z * n
