"""Chapter 6: the cost of a sequence, and the unit that follows a property."""

import torch
from torch import Tensor

from sidestep.scripts.course import rnn
from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence.models.units import rank_units


def sequence_nats(logits: Tensor, target: Tensor) -> Tensor:
    """Return one number: logits (T, V), target (T,) int64."""
    return rnn.sequence_loss(logits, target)


def best_follower(units: Tensor, values: Tensor) -> int:
    """Return a number in 0 .. U - 1: units (T, U), values (T,)."""
    return rank_units(units, values.double().numpy())[0].unit


def _mean(logits: Tensor, target: Tensor) -> Tensor:
    return sequence_nats(logits, target) / len(target)


def _without_log(logits: Tensor, target: Tensor) -> Tensor:
    return (1 - logits.softmax(-1)[torch.arange(len(target)), target]).sum()


def _twice(logits: Tensor, target: Tensor) -> Tensor:
    return sequence_nats(logits.softmax(-1), target)


def _bits(logits: Tensor, target: Tensor) -> Tensor:
    return sequence_nats(logits, target) / torch.tensor(2.0).log()


def _overflow(logits: Tensor, target: Tensor) -> Tensor:
    return -logits.softmax(-1)[torch.arange(len(target)), target].log().sum()


def _signed(units: Tensor, values: Tensor) -> int:
    centred, wanted = units - units.mean(0), values - values.mean()
    return int((wanted @ centred / (centred.norm(dim=0) * wanted.norm())).argmax())


def _covariance(units: Tensor, values: Tensor) -> int:
    return int(((values - values.mean()) @ (units - units.mean(0))).abs().argmax())


def _not_centred(units: Tensor, values: Tensor) -> int:
    return int((values @ units / (units.norm(dim=0) * values.norm())).abs().argmax())


def _costs(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(torch.tensor([[2.0, 1.0, 0.0, 3.0]]), torch.tensor([0]))]
    cases += [(draw.tensor(2, 2), torch.tensor([1, 0])), (draw.tensor(3, 4), draw.whole(0, 4, 3))]
    cases += [(torch.tensor([[300.0, 0.0], [-200.0, 100.0]]), torch.tensor([1, 0]))]
    return [*cases, (draw.tensor(8, 5, size=3), draw.whole(0, 5, 8))]


def _followers(draw: Draw) -> list[Inputs]:
    values = torch.tensor([0.0, 0.0, 1.0, 1.0])
    against = torch.tensor([[0.9, 0.2], [0.8, -0.6], [-0.7, 0.9], [-0.9, 0.3]])
    large = torch.tensor([[0.1, 5.0], [0.0, -6.0], [0.9, 7.0], [1.0, 3.0]])
    always_on = torch.tensor([[0.7, 0.0], [0.9, 0.2], [0.8, 0.1], [0.9, 0.9]])
    cases: list[Inputs] = [(units, values) for units in (against, large, always_on)]
    for length, units in ((6, 3), (30, 8)):
        wanted = torch.cat([torch.tensor([0.0, 1.0]), draw.flags(length - 2).float()])
        painted = draw.tensor(length, units) * (0.5 + 3 * draw.flags(units)) + draw.tensor(units)
        sign = 1 - 2 * (units % 2)
        painted[:, 1] = sign * (wanted * 0.6 + 0.1 * draw.tensor(length))
        cases.append((painted, wanted))
    return cases


CHAPTER = Chapter(
    "Language models and painted units",
    "언어 모델과 색칠한 유닛",
    "my_language.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            sequence_nats,
            _costs,
            (
                Mistake(
                    _mean,
                    "This is the mean over the steps: the cost of a sequence is their sum.",
                    "시점에 대한 평균입니다. 시퀀스의 비용은 합입니다.",
                ),
                Mistake(
                    _without_log,
                    "The logarithm is missing: a step costs -log p of the true symbol.",
                    "로그가 빠졌습니다. 한 시점의 비용은 정답 기호의 -log p입니다.",
                ),
                Mistake(
                    _twice,
                    "Softmax is taken twice: take logits, not probabilities, into log-softmax.",
                    "소프트맥스를 두 번 취했습니다. 로그 소프트맥스에는 로짓을 넣으세요.",
                ),
                Mistake(
                    _bits,
                    "This is in bits: nats take the natural logarithm.",
                    "비트 단위입니다. 나트는 자연로그를 씁니다.",
                ),
                Mistake(
                    _overflow,
                    "A small probability becomes 0 before its logarithm: use log-softmax.",
                    "작은 확률이 로그를 취하기 전에 0이 됩니다. 로그 소프트맥스를 쓰세요.",
                ),
            ),
        ),
        Exercise(
            best_follower,
            _followers,
            (
                Mistake(
                    _signed,
                    "A unit that falls where the property rises follows it too: use the size.",
                    "성질이 커질 때 작아지는 유닛도 따라가는 것입니다. 절댓값을 쓰세요.",
                ),
                Mistake(
                    _covariance,
                    "Divide by the unit's own spread: a large unit need not follow well.",
                    "유닛 자신의 퍼진 정도로 나누세요. 값이 크다고 잘 따라가는 것은 아닙니다.",
                ),
                Mistake(
                    _not_centred,
                    "Take the means away first: a unit that is always on follows nothing.",
                    "평균을 먼저 빼세요. 늘 켜져 있는 유닛은 아무것도 따라가지 않습니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
