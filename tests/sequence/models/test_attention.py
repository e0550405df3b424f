"""Attention scores, windows and masks, by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.sequence import Attention, masked_softmax
from sidestep.sequence.models.attention import SCORES

from ..kinds import DTYPE, gap

T, B, S, Q, M = 7, 3, 2, 5, 5


def attention(score: str, **options: Any) -> Attention:
    if score == "location":
        options["max_positions"] = 11
    generator = torch.Generator().manual_seed(0)
    return Attention(Q, M, score, generator=generator, **options).double()  # type: ignore[arg-type]


def case() -> tuple[Tensor, Tensor, Tensor]:
    """Queries (S, B, Q), memory (T, B, M), and which positions are valid."""
    torch.manual_seed(0)
    lengths = torch.tensor([7, 4, 1])
    valid = torch.arange(T).unsqueeze(1) < lengths
    return torch.randn(S, B, Q, dtype=DTYPE), torch.randn(T, B, M, dtype=DTYPE), valid


def score_by_hand(layer: Attention, d: Tensor, e: Tensor, s: int) -> Tensor:
    """The score of one query and one position, as the papers write it."""
    p = dict(layer.named_parameters())
    if layer.score == "dot":
        return d @ e
    if layer.score == "scaled_dot":
        return d @ e / math.sqrt(M)
    if layer.score == "general":
        return d @ p["memory_weight"] @ e
    if layer.score == "location":
        return (p["query_weight"] @ d)[s]
    return p["score_weight"][0] @ torch.tanh(p["query_weight"] @ d + p["memory_weight"] @ e)


@pytest.mark.parametrize("score", SCORES)
def test_scores_and_context_by_hand(score: str) -> None:
    query, memory, valid = case()
    layer = attention(score)
    got = layer(query, layer.project(memory, valid), return_weights=True)
    for i in range(S):
        for b, length in enumerate(valid.sum(0).tolist()):
            scores = [score_by_hand(layer, query[i, b], memory[s, b], s) for s in range(length)]
            weights = torch.stack(scores).softmax(0)
            assert gap(got.weights[i, b, :length], weights) < 1e-12
            assert gap(got.context[i, b], weights @ memory[:length, b]) < 1e-12
            assert (got.weights[i, b, length:] == 0).all()
    assert gap(got.weights.sum(-1), torch.ones(S, B, dtype=DTYPE)) < 1e-12


@pytest.mark.parametrize("score", SCORES)
def test_one_query_is_a_row_of_many(score: str) -> None:
    query, memory, valid = case()
    layer = attention(score)
    projected = layer.project(memory, valid)
    one = layer(query[1], projected, return_weights=True)
    many = layer(query, projected, return_weights=True)
    assert gap(one.context, many.context[1]) < 1e-12
    assert gap(one.weights, many.weights[1]) < 1e-12
    assert layer(query[1], projected).weights is None


@pytest.mark.parametrize("score", SCORES)
def test_padding_may_be_nan(score: str) -> None:
    query, memory, valid = case()
    spoiled = memory.masked_fill(~valid.unsqueeze(-1), float("nan")).requires_grad_()
    layer = attention(score)
    context = layer(query, layer.project(spoiled, valid)).context
    assert gap(context, layer(query, layer.project(memory, valid)).context) == 0
    context.pow(2).sum().backward()
    assert spoiled.grad is not None
    assert spoiled.grad.isfinite().all() and (spoiled.grad[~valid] == 0).all()


@pytest.mark.parametrize("window", ["global", "monotonic", "predictive"])
@pytest.mark.parametrize("score", SCORES)
def test_a_fully_masked_row_gives_zeros(score: str, window: str) -> None:
    query, memory, valid = case()
    valid = valid.clone()
    valid[:, 1] = False
    layer = attention(score, window=window)
    position = 2 if window == "monotonic" else None
    query.requires_grad_()
    got = layer(query, layer.project(memory, valid), position, return_weights=True)
    assert (got.context[:, 1] == 0).all() and (got.weights[:, 1] == 0).all()
    assert (got.context[:, 0] != 0).all()
    got.context.sum().backward()
    assert query.grad is not None and query.grad.isfinite().all()


def test_monotonic_window() -> None:
    query, memory, valid = case()
    layer = attention("dot", window="monotonic", half_width=2)
    position = torch.tensor([4, 3, 0])
    got = layer(query, layer.project(memory, valid), position, return_weights=True)
    scores = torch.einsum("sbq,tbq->sbt", query, memory)
    assert gap(got.weights[:, 0, 2:7], scores[:, 0, 2:7].softmax(-1)) < 1e-12
    assert gap(got.weights[:, 1, 1:4], scores[:, 1, 1:4].softmax(-1)) < 1e-12
    assert (got.weights[:, 0, :2] == 0).all() and (got.weights[:, 1, 0] == 0).all()
    assert gap(got.weights[:, 2, 0], torch.ones(S, dtype=DTYPE)) == 0


def test_predictive_window_by_hand() -> None:
    query, memory, valid = case()
    layer = attention("general", window="predictive", half_width=2)
    got = layer(query, layer.project(memory, valid), return_weights=True)
    p = dict(layer.named_parameters())
    for b, length in enumerate(valid.sum(0).tolist()):
        d = query[1, b]
        center = length * torch.sigmoid(
            p["position_score"][0] @ torch.tanh(p["position_weight"] @ d)
        )
        near = [s for s in range(length) if abs(s - center.item()) <= 2]
        align = torch.stack([d @ p["memory_weight"] @ memory[s, b] for s in near]).softmax(0)
        bell = torch.exp(-((torch.tensor(near) - center) ** 2) / 2)  # sigma = D / 2 = 1
        assert gap(got.weights[1, b, near], align * bell) < 1e-12
        far = [s for s in range(T) if s not in near]
        assert (got.weights[1, b, far] == 0).all()


def test_masked_softmax() -> None:
    valid = torch.tensor([[True, True, False], [False, False, False]])
    weights = masked_softmax(torch.tensor([[0.0, math.log(3), 99.0], [1.0, 2.0, 3.0]]), valid)
    assert torch.allclose(weights, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]))


def test_wrong_input() -> None:
    query, memory, valid = case()
    layer = attention("additive")
    projected = layer.project(memory, valid)
    wrong: list[tuple[type[Exception], str, Any]] = [
        (ValueError, r"query of shape \(3, 5\) or", lambda: layer(query[..., :2], projected)),
        (
            ValueError,
            r"memory of shape \(T, B, 5\), got \(7, 3, 2\)",
            lambda: layer.project(memory[..., :2]),
        ),
        (
            ValueError,
            r"valid of shape \(7, 3\), got \(3, 7\)",
            lambda: layer.project(memory, valid.t()),
        ),
        (
            TypeError,
            "valid to be boolean, got torch.float32",
            lambda: layer.project(memory, valid.float()),
        ),
        (ValueError, "position for the monotonic window only", lambda: layer(query, projected, 3)),
        (
            ValueError,
            "query_size = memory_size for dot, got 3 and 5",
            lambda: Attention(3, 5, "dot"),
        ),
        (ValueError, "score to be one of", lambda: Attention(3, 5, "cosine")),  # type: ignore[arg-type]
        (ValueError, "window to be one of", lambda: Attention(3, 5, window="wide")),  # type: ignore[arg-type]
        (
            ValueError,
            "max_positions with the location score only",
            lambda: Attention(3, 5, "location"),
        ),
        (ValueError, "half_width >= 1, got 0", lambda: Attention(3, 5, half_width=0)),
        (
            ValueError,
            "at most 2 positions, got 7",
            lambda: Attention(3, 5, "location", max_positions=2).project(memory.float()),
        ),
    ]
    for error, message, action in wrong:
        with pytest.raises(error, match=message) as caught:
            action()
        assert str(caught.value).startswith("expected")
