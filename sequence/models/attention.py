"""Attention of a decoder over an encoder's states: five scores, masks, global and local windows.

Axis letters: T positions of the memory, B batch, S queries at once, Q features of a query, M
features of the memory, H hidden units of the additive score. Nothing is remembered between calls:
what can be computed once for a memory stands in the `ProjectedMemory` that the caller holds.
"""

import math
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sidestep.sequence.arguments import check_floating, shape
from sidestep.sequence.layers.initialisation import draw, refresh

Score = Literal["dot", "scaled_dot", "general", "additive", "location"]
Window = Literal["global", "monotonic", "predictive"]
SCORES = ("dot", "scaled_dot", "general", "additive", "location")
WINDOWS = ("global", "monotonic", "predictive")


class ProjectedMemory(NamedTuple):
    """What is attended over, with the part of the score that no query changes.

    Attributes:
        values: (B, T, M) the states that the context is made of.
        keys: (B, T, H or M) what queries are compared with.
        valid: (B, T) boolean, False at padding.
    """

    values: Tensor
    keys: Tensor
    valid: Tensor


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        context: (S, B, M), the weighted sum of values; (B, M) for a query (B, Q).
        weights: (S, B, T), zero where invalid; (B, T); None unless asked for.
    """

    context: Tensor
    weights: Tensor | None


def masked_softmax(scores: Tensor, valid: Tensor) -> Tensor:
    """Softmax over the last axis among the valid; a row with none of them is all zeros.

    Args:
        scores: (..., T).
        valid: (..., T) boolean, broadcast against scores.

    Returns:
        (..., T).
    """
    weights = scores.masked_fill(~valid, -math.inf).softmax(-1)
    return weights.masked_fill(~valid, 0)  # the softmax of an empty row is NaN


class Attention(nn.Module):
    """Scores a query against every position of a memory, and returns the weighted sum.

    With d a query and e_s the memory at s, the score is

    - "dot": d^T e_s; "scaled_dot": that over sqrt(M); both need Q = M;
    - "general": d^T W e_s;
    - "additive": v^T tanh(W d + U e_s);
    - "location": (W d)_s, which does not look at the memory and needs `max_positions`.

    The weights are the softmax over the valid positions of the window: all ("global"), or those
    within `half_width` D of a position p. p is where the query stands ("monotonic"), or foreseen by
    it as p = L * sigmoid(v_p^T tanh(W_p d)) with L the valid length ("predictive"); then the
    weights are multiplied by exp(-(s - p)^2 / (2 (D / 2)^2)) and do not sum to 1.

    Args:
        query_size: Q.
        memory_size: M.
        score: one of `SCORES`.
        hidden_size: H of the additive score; M when None.
        window: one of `WINDOWS`.
        half_width: D >= 1 of a local window.
        max_positions: longest T of the location score.
        generator: draws the weights; None takes torch's global one.
        device: of the parameters.
        dtype: of the parameters.

    Source: additive: Bahdanau, Cho & Bengio (2015), arXiv 1409.0473, appendix A.1.2; dot, general,
    location and the windows: Luong, Pham & Manning (2015), arXiv 1508.04025, eq. 8-10; scaled dot:
    Vaswani et al. (2017), arXiv 1706.03762, eq. 1.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        score: Score = "additive",
        *,
        hidden_size: int | None = None,
        window: Window = "global",
        half_width: int = 10,
        max_positions: int | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Check that the options fit one another, and make the parameters."""
        super().__init__()
        check_floating(dtype)
        if score not in SCORES:
            raise ValueError(f"expected score to be one of {SCORES}, got {score!r}")
        if window not in WINDOWS:
            raise ValueError(f"expected window to be one of {WINDOWS}, got {window!r}")
        if score in ("dot", "scaled_dot") and query_size != memory_size:
            raise ValueError(
                f"expected query_size = memory_size for {score}, got {query_size} and {memory_size}"
            )
        if (score == "location") != (max_positions is not None):
            raise ValueError(f"expected max_positions with the location score only, got {score!r}")
        if half_width < 1:
            raise ValueError(f"expected half_width >= 1, got {half_width}")
        self.query_size, self.memory_size = query_size, memory_size
        self.score: Score = score
        self.window: Window = window
        self.half_width, self.max_positions = half_width, max_positions
        hidden = memory_size if hidden_size is None else hidden_size
        for name, size in self._parameter_sizes(hidden).items():
            weight = nn.Parameter(torch.empty(size, device=device, dtype=dtype))
            self.register_parameter(name, weight)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all parameters anew by Glorot's uniform."""
        for weight in self.parameters():
            draw(weight, generator, lambda w: nn.init.xavier_uniform_(w, generator=generator))

    def _parameter_sizes(self, hidden: int) -> dict[str, tuple[int, int]]:
        sizes: dict[str, tuple[int, int]] = {}
        if self.score == "general":
            sizes["memory_weight"] = (self.query_size, self.memory_size)
        elif self.score == "additive":
            sizes["query_weight"] = (hidden, self.query_size)
            sizes["memory_weight"] = (hidden, self.memory_size)
            sizes["score_weight"] = (1, hidden)
        elif self.max_positions is not None:
            sizes["query_weight"] = (self.max_positions, self.query_size)
        if self.window == "predictive":
            sizes["position_weight"] = (hidden, self.query_size)
            sizes["position_score"] = (1, hidden)
        return sizes

    def _weight(self, name: str) -> Tensor:
        """A parameter, or what stands in its place: a plain tensor, a parametrisation's result."""
        return cast(Tensor, getattr(self, name))

    def extra_repr(self) -> str:
        """The sizes and the kind."""
        return f"{self.query_size}, {self.memory_size}, {self.score!r}, window={self.window!r}"

    def project(self, memory: Tensor, valid: Tensor | None = None) -> ProjectedMemory:
        """Prepare a memory for any number of queries.

        Args:
            memory: (T, B, M), for instance an encoder's outputs.
            valid: (T, B) boolean, False at padding; None is all valid. What stands there does not
                matter, NaN neither.

        Raises:
            ValueError: a wrong shape, or T > max_positions of the location score.
            TypeError: valid is not boolean.
        """
        refresh(self)
        if memory.ndim != 3 or memory.shape[-1] != self.memory_size:
            raise ValueError(
                f"expected memory of shape (T, B, {self.memory_size}), got {shape(memory)}"
            )
        if self.max_positions is not None and memory.shape[0] > self.max_positions:
            raise ValueError(
                f"expected at most {self.max_positions} positions, got {memory.shape[0]}"
            )
        if valid is None:
            valid = torch.ones(memory.shape[:2], dtype=torch.bool, device=memory.device)
        if valid.dtype != torch.bool:
            raise TypeError(f"expected valid to be boolean, got {valid.dtype}")
        if valid.shape != memory.shape[:2]:
            raise ValueError(f"expected valid of shape {shape(memory)[:2]}, got {shape(valid)}")
        values = memory.masked_fill(~valid.unsqueeze(-1), 0).transpose(0, 1)  # (B, T, M)
        keys = values
        if self.score in ("general", "additive"):
            keys = linear(values, self._weight("memory_weight"))
        return ProjectedMemory(values, keys, valid.t())

    def forward(
        self,
        query: Tensor,
        memory: ProjectedMemory,
        position: Tensor | int | None = None,
        return_weights: bool = False,
    ) -> Attended:
        """Attend.

        Args:
            query: (B, Q), or (S, B, Q) for S queries at once.
            memory: from `project`.
            position: where the query stands, for the monotonic window only: a number, (B,), or
                (S, B).
            return_weights: whether to return the weights too.

        Raises:
            ValueError: a wrong shape or batch, or a position where none belongs or vice versa.
        """
        batch = memory.values.shape[0]
        if query.ndim not in (2, 3) or query.shape[-2:] != (batch, self.query_size):
            raise ValueError(
                f"expected query of shape ({batch}, {self.query_size}) or (S, {batch}, "
                f"{self.query_size}), got {shape(query)}"
            )
        if (position is None) == (self.window == "monotonic"):
            raise ValueError(
                f"expected a position for the monotonic window only, got {position!r} for "
                f"{self.window}"
            )
        scores = self.scores(query, memory)  # (..., B, T)
        valid = memory.valid.expand(scores.shape)
        if self.window == "global":
            weights = masked_softmax(scores, valid)
        else:
            weights = self._local(scores, valid, query, position)
        context = torch.einsum("...bt,btm->...bm", weights, memory.values)
        return Attended(context, weights if return_weights else None)

    def scores(self, query: Tensor, memory: ProjectedMemory) -> Tensor:
        """Score queries (..., B, Q) against every position, padding too: (..., B, T)."""
        if self.score == "location":
            scores = linear(query, self._weight("query_weight"))
            return scores[..., : memory.keys.shape[1]]
        if self.score == "additive":
            projected = linear(query, self._weight("query_weight")).unsqueeze(-2)
            hidden = torch.tanh(projected + memory.keys)  # (..., B, T, H)
            return linear(hidden, self._weight("score_weight")).squeeze(-1)
        scores = torch.einsum("...bq,btq->...bt", query, memory.keys)
        return scores / math.sqrt(self.memory_size) if self.score == "scaled_dot" else scores

    def _local(
        self, scores: Tensor, valid: Tensor, query: Tensor, position: Tensor | int | None
    ) -> Tensor:
        """The weights of a local window: scores and valid (..., B, T)."""
        places = torch.arange(scores.shape[-1], device=scores.device)  # (T,)
        if position is None:
            hidden = torch.tanh(linear(query, self._weight("position_weight")))
            share = torch.sigmoid(linear(hidden, self._weight("position_score")))
            center = share * valid.sum(-1, keepdim=True)  # (..., B, 1)
        else:
            center = torch.as_tensor(position, device=scores.device).unsqueeze(-1)
        distance = places - center  # (..., B, T)
        weights = masked_softmax(scores, valid & (distance.abs() <= self.half_width))
        if position is not None:
            return weights
        return weights * torch.exp(-(distance**2) / (2 * (self.half_width / 2) ** 2))
