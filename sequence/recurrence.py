"""The masked recurrence: RNN, LSTM and GRU over time, with resets inside the batch.

The engine under `RNN`, `LSTM` and `GRU`. Each kind is a torch custom operator (`sidestep::rnn`,
`sidestep::lstm`, `sidestep::gru`, `sidestep::gru_before`) with a fake kernel, for compilation and
export, and a hand-written backward:

1. the product of all inputs with W_ih is one matrix product;
2. the loop over t clears the reset rows and does one product in place (two for the GRU that resets
   before), with the gates' values kept in the buffer of their sums;
3. backward, the derivative factors are prepared for pieces of time that fit the cache, the loop
   does one product a step (two), and the gradient of W_hh is one product after the loop.

All take x (T, B, D), states (B, H), torch.nn's weights and row orders, and `reset` (T, B) boolean
or None: True where an episode starts at t, the state is cleared before x[t] is consumed, and no
gradient crosses. Tensors share one floating dtype and device. They give the states after each step,
(T, B, H).

An operator knows its first derivative, in reverse mode. Inside torch.func's transforms and for
dual tensors the cells run one step after another instead, in ordinary operations: slower, and right
at every order (`transformed`). A second derivative by `create_graph=True`, which cannot be foreseen
here, raises a `RuntimeError`.
"""

import torch
from torch import Tensor

from .cells import GRUStep, LSTMStep, Nonlinearity, RNNStep, gru_step, lstm_step, rnn_step
from .recurrence_gru import gru
from .recurrence_gru_before import gru_before
from .recurrence_lstm import lstm
from .recurrence_rnn import rnn
from .recurrence_tools import step_by_step, transformed

Parts = tuple[Tensor, ...]


def _sum(b_ih: Tensor | None, b_hh: Tensor | None) -> Tensor | None:
    """b_ih + b_hh, either of which may be missing."""
    if b_ih is None or b_hh is None:
        return b_hh if b_ih is None else b_ih
    return b_ih + b_hh


def rnn_recurrence(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
    nonlinearity: Nonlinearity = "tanh",
) -> Tensor:
    """`cells.rnn_step` over time: h (B, H) is the first state; returns all, (T, B, H)."""
    states: Tensor
    if transformed(x, h, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> RNNStep:
            return rnn_step(x_t, parts[0], w_ih, w_hh, b_ih, b_hh, nonlinearity=nonlinearity)

        states = step_by_step(step, RNNStep, x, (h,), reset).h
        return states
    states = rnn(x, h, w_ih, w_hh, _sum(b_ih, b_hh), reset, nonlinearity == "relu")
    return states


def lstm_recurrence(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`cells.lstm_step` over time: h, c (B, H) are the first states; returns all h and all c."""
    if transformed(x, h, c, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> LSTMStep:
            return lstm_step(x_t, parts[0], parts[1], w_ih, w_hh, b_ih, b_hh)

        record: LSTMStep = step_by_step(step, LSTMStep, x, (h, c), reset)
        return record.h, record.c
    hs, cs, _ = lstm(x, h, c, w_ih, w_hh, _sum(b_ih, b_hh), reset)
    return hs, cs


def gru_recurrence(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    reset: Tensor | None = None,
    reset_after: bool = True,
) -> Tensor:
    """`cells.gru_step` over time (z weighs the past): h (B, H) is the first; returns all states."""
    states: Tensor
    if transformed(x, h, w_ih, w_hh, b_ih, b_hh):

        def step(x_t: Tensor, parts: Parts) -> GRUStep:
            return gru_step(x_t, parts[0], w_ih, w_hh, b_ih, b_hh, reset_after=reset_after)

        states = step_by_step(step, GRUStep, x, (h,), reset).h
    elif reset_after:
        if b_ih is None and b_hh is not None:
            b_ih = torch.zeros_like(b_hh)
        elif b_hh is None and b_ih is not None:
            b_hh = torch.zeros_like(b_ih)
        states, _ = gru(x, h, w_ih, w_hh, b_ih, b_hh, reset)
    else:
        states, _ = gru_before(x, h, w_ih, w_hh, _sum(b_ih, b_hh), reset)
    return states
