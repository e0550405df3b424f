"""Chapter 9: scores of attention, and the weighted sum."""

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence.models.attention import Attention, masked_softmax

Pair = tuple[Tensor, Tensor]


def additive_scores(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return (T,) scores: d (Q,), e (T, M), w (H, Q), u (H, M), v (H,)."""
    attention = Attention(len(d), e.shape[1], "additive", hidden_size=len(v))
    given = {"query_weight": w, "memory_weight": u, "score_weight": v.unsqueeze(0)}
    attention.load_state_dict(given)
    _, weights = attention(d.unsqueeze(0), attention.project(e.unsqueeze(1)), return_weights=True)
    scores: Tensor = weights[0].log()  # up to a number that is the same for all
    first = v @ torch.tanh(w @ d + u @ e[0])
    return scores - scores[0] + first


def attend(scores: Tensor, e: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the context, (M,), and the weights, (T,): scores (T,), e (T, M), valid (T,) bool."""
    weights = masked_softmax(scores, valid)
    return weights @ e, weights


def _without_tanh(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return (w @ d + e @ u.T) @ v


def _without_query(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return torch.tanh(e @ u.T) @ v


def _tanh_outside(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return torch.tanh((w @ d + e @ u.T) @ v)


def _normalised(d: Tensor, e: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return additive_scores(d, e, w, u, v).softmax(0)


def _zero_at_padding(scores: Tensor, e: Tensor, valid: Tensor) -> Pair:
    weights = scores.masked_fill(~valid, 0).softmax(0)
    return weights @ e, weights


def _masked_late(scores: Tensor, e: Tensor, valid: Tensor) -> Pair:
    weights = scores.softmax(0).masked_fill(~valid, 0)
    return weights @ e, weights


def _mean(scores: Tensor, e: Tensor, valid: Tensor) -> Pair:
    weights = masked_softmax(scores, valid)
    return weights @ e / valid.sum(), weights


def _not_masked(scores: Tensor, e: Tensor, valid: Tensor) -> Pair:
    weights = scores.softmax(0)
    return weights @ e, weights


def _returned_exchanged(scores: Tensor, e: Tensor, valid: Tensor) -> Pair:
    context, weights = attend(scores, e, valid)
    return weights, context


def _scored(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = []
    for steps, query, memory, hidden in ((2, 1, 1, 1), (1, 2, 1, 1), (3, 2, 2, 2), (4, 3, 2, 5)):
        sizes = (query,), (steps, memory), (hidden, query), (hidden, memory), (hidden,)
        cases.append(tuple(draw.tensor(*size) for size in sizes))
    return cases


def _attended(draw: Draw) -> list[Inputs]:
    e = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    scores = torch.tensor([1.0, 2.0, 3.0])
    cases: list[Inputs] = [(scores, e, torch.tensor([True, True, flag])) for flag in (True, False)]
    cases += [(scores, e, torch.tensor([False, True, False]))]
    valid = torch.tensor([True, False, True, True, False])
    return [*cases, (draw.tensor(5), draw.tensor(5, 3), valid)]


CHAPTER = Chapter(
    "Attention, step by step",
    "어텐션, 한 단계씩",
    "my_attention.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            additive_scores,
            _scored,
            (
                Mistake(
                    _without_tanh,
                    "tanh is missing: W d + U e_s is squashed before v weighs it.",
                    "tanh가 빠졌습니다. W d + U e_s에 tanh를 취한 뒤 v를 곱합니다.",
                ),
                Mistake(
                    _without_query,
                    "W d is missing: the score does not depend on the decoder's state.",
                    "W d가 빠졌습니다. 점수가 디코더의 상태와 무관합니다.",
                ),
                Mistake(
                    _tanh_outside,
                    "tanh stands inside: v^T tanh(...), not tanh(v^T ...).",
                    "tanh는 안쪽에 있습니다. tanh(v^T ...)가 아니라 v^T tanh(...)입니다.",
                ),
                Mistake(
                    _normalised,
                    "These are weights: the scores come before the softmax.",
                    "이것은 가중치입니다. 소프트맥스를 취하기 전의 점수를 구하세요.",
                ),
            ),
        ),
        Exercise(
            attend,
            _attended,
            (
                Mistake(
                    _zero_at_padding,
                    "Padding has weight: its score must be -inf, as e^0 is 1, not 0.",
                    "패딩에 가중치가 있습니다. e^0은 0이 아니라 1이므로 점수를 -inf로 두세요.",
                ),
                Mistake(
                    _masked_late,
                    "The weights do not sum to 1: mask before the softmax, not after it.",
                    "가중치의 합이 1이 아닙니다. 소프트맥스 뒤가 아니라 앞에서 가리세요.",
                ),
                Mistake(
                    _mean,
                    "The context is a weighted sum: the weights sum to 1, divide by nothing more.",
                    "문맥 벡터는 가중합입니다. 가중치의 합이 이미 1이므로 더 나누지 마세요.",
                ),
                Mistake(
                    _not_masked,
                    "valid is not used: padding must have weight 0.",
                    "valid를 쓰지 않았습니다. 패딩의 가중치는 0이어야 합니다.",
                ),
                Mistake(
                    _returned_exchanged,
                    "First the context, then the weights: what is returned is exchanged.",
                    "돌려주는 순서가 바뀌었습니다. 문맥 벡터가 먼저이고 가중치가 다음입니다.",
                ),
            ),
            parts=("context", "weights"),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
