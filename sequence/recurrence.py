"""The masked recurrence (loop over the cells)."""

import torch
from torch import Tensor

from . import cells


def _loop(step, parts, x, reset):
    out = []
    for t in range(x.shape[0]):
        if reset is not None:
            parts = tuple(p.masked_fill(reset[t].unsqueeze(-1), 0) for p in parts)
        parts = tuple(step(x[t], parts))[: len(parts)]
        out.append(parts)
    if not out:
        return tuple(p.new_empty(0, *p.shape) for p in parts)
    return tuple(torch.stack(c) for c in zip(*out, strict=True))


def rnn_recurrence(x, h, w_ih, w_hh, b_ih, b_hh, reset, nonlinearity="tanh") -> Tensor:
    return _loop(
        lambda u, p: cells.rnn_step(u, *p, w_ih, w_hh, b_ih, b_hh, nonlinearity), (h,), x, reset
    )[0]


def lstm_recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, reset):
    return _loop(lambda u, p: cells.lstm_step(u, *p, w_ih, w_hh, b_ih, b_hh), (h, c), x, reset)


def gru_recurrence(x, h, w_ih, w_hh, b_ih, b_hh, reset, reset_after=True) -> Tensor:
    return _loop(
        lambda u, p: cells.gru_step(u, *p, w_ih, w_hh, b_ih, b_hh, reset_after), (h,), x, reset
    )[0]
