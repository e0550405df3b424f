"""Chapter 3: the gradient of a chain, and what truncation leaves of it."""

import math

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence import toy_chain

Factors = tuple[float, float, float]


def chain_gradient(
    x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool
) -> tuple[float, float, float]:
    """Return power, slopes and dh_T / dh_1: x (T,), x[0] is not used as h_1 is given."""
    chain = toy_chain(x, w_xh, w_hh, b, h_1, nonlinearity="relu" if relu else "tanh")
    return float(chain.power), chain.slopes, chain.gradient


def truncated_gradient(x: Tensor, w_xh: float, w_hh: float, b: float, steps: int) -> float:
    """Return dh_T / dw_hh: x (T,), steps >= 1; steps >= T is the whole gradient."""
    weight = torch.tensor(w_hh, dtype=torch.float64, requires_grad=True)
    h = torch.zeros((), dtype=torch.float64)
    for t, x_t in enumerate(x.double()):
        before = h.detach() if t == len(x) - steps else h
        h = torch.tanh(w_xh * x_t + weight * before + b)
    (gradient,) = torch.autograd.grad(h, weight)
    return float(gradient)


def _power_alone(x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool) -> Factors:
    power, slopes, _ = chain_gradient(x, w_xh, w_hh, b, h_1, relu)
    return power, slopes, power


def _one_factor_more(
    x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool
) -> Factors:
    power, slopes, _ = chain_gradient(x, w_xh, w_hh, b, h_1, relu)
    slopes *= float(h_1 > 0) if relu else 1 - h_1 * h_1
    return power * w_hh, slopes, power * w_hh * slopes


def _slope_of_the_slope(
    x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool
) -> Factors:
    if relu:
        return chain_gradient(x, w_xh, w_hh, b, h_1, relu)
    slopes = 1.0
    for h in toy_chain(x, w_xh, w_hh, b, h_1).h[1:].tolist():
        slopes *= 1 - math.tanh(h) ** 2
    power = w_hh ** (len(x) - 1)
    return power, slopes, power * slopes


def _always_tanh(x: Tensor, w_xh: float, w_hh: float, b: float, h_1: float, relu: bool) -> Factors:
    return chain_gradient(x, w_xh, w_hh, b, h_1, False)


def _whole(x: Tensor, w_xh: float, w_hh: float, b: float, steps: int) -> float:
    return truncated_gradient(x, w_xh, w_hh, b, len(x))


def _cleared(x: Tensor, w_xh: float, w_hh: float, b: float, steps: int) -> float:
    return truncated_gradient(x[-steps:], w_xh, w_hh, b, steps)


def _last_step(x: Tensor, w_xh: float, w_hh: float, b: float, steps: int) -> float:
    return truncated_gradient(x, w_xh, w_hh, b, 1)


def _chains(draw: Draw) -> list[Inputs]:
    middle, saturated = torch.tensor([-0.5] * 3), torch.zeros(3)
    cases: list[Inputs] = [(middle, 2.0, 3.0, 1.0, 0.0, False)]
    cases += [(saturated, 2.0, 3.0, 1.0, 0.0, relu) for relu in (False, True)]
    cases += [(torch.tensor([0.0, -1.0, 0.0]), 2.0, 3.0, 1.0, 0.0, True)]
    cases += [(torch.tensor([0.3]), 2.0, 3.0, 1.0, 0.4, False)]  # no step at all
    for relu in (False, True, False, True):
        cases.append((draw.tensor(5), 0.7, -0.9, 0.15, 0.5, relu))
    return cases


def _pieces(draw: Draw) -> list[Inputs]:
    x = torch.full((3,), -0.4)
    cases: list[Inputs] = [(x, 2.0, 3.0, 1.0, steps) for steps in (1, 2, 3, 5)]
    cases += [(torch.tensor([0.5]), 1.0, 0.5, 0.2, 1)]
    return [*cases, *((draw.tensor(6), 0.7, 0.9, 0.1, steps) for steps in (2, 4))]


CHAPTER = Chapter(
    "Truncated back-propagation and vanishing gradients",
    "절단 역전파와 기울기 소실",
    "my_gradients.py",
    "import math\n\nfrom torch import Tensor\n",
    (
        Exercise(
            chain_gradient,
            _chains,
            (
                Mistake(
                    _power_alone,
                    "The slopes belong to the gradient too: it is power times slopes.",
                    "기울기에는 경사도 들어갑니다. 거듭제곱과 경사의 곱을 곱하세요.",
                ),
                Mistake(
                    _one_factor_more,
                    "From h_1 to h_T there are T - 1 steps: t = 1 gives no factor.",
                    "h_1에서 h_T까지는 T - 1단계입니다. t = 1에서는 인수가 나오지 않습니다.",
                ),
                Mistake(
                    _slope_of_the_slope,
                    "The slope of tanh at a is 1 - tanh(a)^2, which is 1 - h^2.",
                    "a에서 tanh의 경사는 1 - tanh(a)^2, 곧 1 - h^2입니다.",
                ),
                Mistake(
                    _always_tanh,
                    "With relu the function is max(0, a), and its slope 1 or 0.",
                    "relu이면 함수는 max(0, a)이고 경사는 1 아니면 0입니다.",
                ),
            ),
            parts=("power", "slopes", "gradient"),
        ),
        Exercise(
            truncated_gradient,
            _pieces,
            (
                Mistake(
                    _whole,
                    "States before the last `steps` steps are constants: no gradient goes through.",
                    "마지막 `steps` 단계보다 앞의 상태는 상수입니다. 기울기가 지나가지 않습니다.",
                ),
                Mistake(
                    _cleared,
                    "Truncation keeps the state's value: only its gradient is cut.",
                    "절단해도 상태의 값은 그대로입니다. 기울기만 끊으세요.",
                ),
                Mistake(
                    _last_step,
                    "Gradients go back through all of the last `steps` steps, and add up.",
                    "기울기는 마지막 `steps` 단계를 모두 거슬러 가며 더해집니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
