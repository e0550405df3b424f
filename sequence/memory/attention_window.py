"""A memory for agents that attends over the last K embeddings.

Axis letters: T time, B batch, D input features, H hidden units, K window.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sidestep.sequence.arguments import (
    check_floating,
    check_input,
    check_leaf,
    check_parts,
    check_reset,
)
from sidestep.sequence.layers.initialisation import draw, refresh
from sidestep.sequence.layers.lengths import check_lengths, padding
from sidestep.sequence.state import State, describe

PARTS = ("embeddings", "count")


class WindowAttention(nn.Module):
    """Attention of the present embedding over the last K, itself among them.

    With e_t = W_e x_t + b_e and lag j = 0..K-1, as far back as the episode goes:

    - score: s_j = e_t^T W_a e_{t-j} / sqrt(H) + q_j^T e_t, a learned q_j for each lag;
    - context: c_t = sum_j softmax(s)_j (e_{t-j} + p_j), a learned p_j for each lag, so that the
      reader knows how long ago what it sees was;
    - output: y_t = tanh(W_c [c_t, e_t] + b_c), (B, H).

    Args:
        input_size: D.
        hidden_size: H, size of embedding and output.
        window: K >= 1.
        generator: draws the weights; None takes torch's global one.
        device: of the parameters.
        dtype: of the parameters.

    The state is a pair: the last K embeddings (K, B, H), newest last, and how many of them belong
    to the present episode (1, B), int64. Its size is fixed: a step drops the oldest and appends the
    newest, in a new buffer, so that a state once taken stays as it was.

    Source: Luong, Pham & Manning (2015), arXiv 1508.04025, eq. 5 (output) and 8 (`general` score);
    Shaw, Uszkoreit & Vaswani (2018), arXiv 1803.02155, eq. 3-4 (relative positions). The scaling by
    sqrt(H) is that of Vaswani et al. (2017).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        window: int = 16,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Make the parameters."""
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "window": window}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        check_floating(dtype)
        self.input_size, self.hidden_size, self.window = input_size, hidden_size, window
        self.output_size = hidden_size

        def parameter(*size: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(size, device=device, dtype=dtype))

        self.embed_weight = parameter(hidden_size, input_size)
        self.embed_bias = parameter(hidden_size)
        self.score_weight = parameter(hidden_size, hidden_size)
        self.lag_scores = parameter(window, hidden_size)
        self.lag_values = parameter(window, hidden_size)
        self.output_weight = parameter(hidden_size, 2 * hidden_size)
        self.output_bias = parameter(hidden_size)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the parameters: Glorot's uniform, small lag vectors, zero biases."""
        for weight in (self.embed_weight, self.score_weight, self.output_weight):
            draw(weight, generator, lambda w: nn.init.xavier_uniform_(w, generator=generator))
        for lags in (self.lag_scores, self.lag_values):
            draw(lags, generator, lambda w: w.normal_(std=0.02, generator=generator))
        for bias in (self.embed_bias, self.output_bias):
            draw(bias, None, Tensor.zero_)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.input_size}, {self.hidden_size}, window={self.window}"

    def initial_state(self, batch: int) -> State:
        """No embedding yet: zeros (K, batch, H) and counts (1, batch)."""
        buffer = self.embed_bias.new_zeros(self.window, batch, self.hidden_size)
        return buffer, torch.zeros(1, batch, dtype=torch.int64, device=buffer.device)

    def step(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """One tick; see `Memory.step`."""
        e, buffer, count, weights = self._attend(x, state, reset)
        context = (weights.flip(-1).t().unsqueeze(-1) * buffer).sum(0)  # (B, H)
        return self._output(weights, context, e), (buffer, count)

    def look(self, x: Tensor, state: State, reset: Tensor | None = None) -> Tensor:
        """Where `step` with the same arguments attends: (B, K) by lag, the present first.

        Rows sum to 1; lags before the episode's first step have 0.
        """
        return self._attend(x, state, reset)[-1]

    def _attend(
        self, x: Tensor, state: State, reset: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embedding (B, H), buffer and count with it, and the weights (B, K) of one tick."""
        refresh(self)
        check_input(x, "B", self.input_size, self.embed_bias)
        buffer, count = self._check_state(state, x)
        if reset is not None:
            check_reset(reset, (x.shape[0],), x.device)
            buffer = buffer.masked_fill(reset.view(1, -1, 1), 0)
            count = count.masked_fill(reset.view(1, -1), 0)
        e = linear(x, self.embed_weight, self.embed_bias)  # (B, H)
        buffer = torch.cat([buffer[1:], e.to(buffer.dtype).unsqueeze(0)])  # (K, B, H)
        count = (count + 1).clamp(max=self.window)
        products = (self._query(e) * buffer).sum(-1).t().flip(-1)  # (B, K), by lag
        return e, buffer, count, self._weights(products, e, count.squeeze(0))

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """A whole sequence; see `Memory.forward`."""
        check_input(x, "T, B", self.input_size, self.embed_bias)
        steps, batch, _ = x.shape
        buffer, count = self._check_state(self.initial_state(batch) if state is None else state, x)
        if reset is not None:
            check_reset(reset, (steps, batch), x.device)
        pad = None
        if lengths is not None:
            lengths = check_lengths(lengths, steps, batch, x.device)
            pad = padding(lengths, steps)
            x = x.masked_fill(pad.unsqueeze(-1), 0)
        counts = self._counts(count, reset, steps)  # (T + 1, B)
        e = linear(x, self.embed_weight, self.embed_bias)  # (T, B, H)
        past = torch.cat([buffer, e.to(buffer.dtype)])  # (K + T, B, H)
        lags = [past[self.window - j : self.window - j + steps] for j in range(self.window)]
        query = self._query(e)
        products = torch.stack([(query * embeddings).sum(-1) for embeddings in lags], dim=-1)
        weights = self._weights(products, e, counts[1:])  # (T, B, K)
        context = torch.zeros_like(e)
        for weight, embeddings in zip(weights.unsqueeze(-1).unbind(-2), lags, strict=True):
            context = context + weight * embeddings
        y = self._output(weights, context, e)
        age = torch.arange(self.window - 1, -1, -1, device=x.device).unsqueeze(1)  # (K, 1)
        if lengths is None or pad is None:
            end, count = past[steps:], counts[steps:]
        else:
            y = y.masked_fill(pad.unsqueeze(-1), 0)
            rows = lengths + self.window - 1 - age  # (K, B)
            end = past.gather(0, rows.unsqueeze(-1).expand(-1, -1, self.hidden_size))
            count = counts.gather(0, lengths.long().unsqueeze(0))
        return y, (end.masked_fill((age >= count).unsqueeze(-1), 0), count)

    def _counts(self, count: Tensor, reset: Tensor | None, steps: int) -> Tensor:
        """How many embeddings of its episode a step may see: (T + 1, B), the first is `count`."""
        t = torch.arange(1, steps + 1, device=count.device).unsqueeze(1)  # (T, 1)
        counts = count + t  # (T, B)
        if reset is not None and steps:
            start = (
                (t - 1).expand_as(reset).masked_fill(~reset, -1).cummax(0).values
            )  # (T, B), -1: none yet
            counts = torch.where(start >= 0, t - start, counts)
        return torch.cat([count, counts.clamp(max=self.window)])

    # Of one step or of many: e (..., B, H), counts (..., B), products and weights (..., B, K).

    def _query(self, e: Tensor) -> Tensor:
        return linear(e, self.score_weight.t()) / math.sqrt(self.hidden_size)

    def _weights(self, products: Tensor, e: Tensor, counts: Tensor) -> Tensor:
        scores = products + linear(e, self.lag_scores)
        valid = torch.arange(self.window, device=e.device) < counts.unsqueeze(-1)
        return scores.masked_fill(~valid, -math.inf).softmax(-1)

    def _output(self, weights: Tensor, context: Tensor, e: Tensor) -> Tensor:
        both = torch.cat([context + weights @ self.lag_values, e], dim=-1)
        return torch.tanh(linear(both, self.output_weight, self.output_bias))

    def _check_state(self, state: State, x: Tensor) -> tuple[Tensor, Tensor]:
        buffer, count = check_parts(state, PARTS)
        batch = x.shape[-2]
        check_leaf(buffer, "embeddings", (self.window, batch, self.hidden_size), x)
        if not isinstance(count, Tensor) or count.dtype != torch.int64 or count.shape != (1, batch):
            kind = f"{count.dtype} " if isinstance(count, Tensor) else ""
            raise ValueError(
                f"expected the state's count to be int64 (1, {batch}), got {kind}{describe(count)}"
            )
        if count.device != x.device:
            raise ValueError(f"expected the state's count on {x.device} as x, got {count.device}")
        assert isinstance(buffer, Tensor)
        return buffer, count
