"""Chapter 11: returns, and the gradient of REINFORCE's loss."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sidestep.agents.algorithms.losses import policy_gradient
from sidestep.agents.algorithms.returns import lambda_returns
from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake


def returns(rewards: Tensor, discount: float) -> Tensor:
    """Return G_0 .. G_{T-1}, (T,): rewards (T,), r_1 .. r_T of an episode that has ended."""
    column = rewards.unsqueeze(1)
    over = torch.zeros_like(column, dtype=torch.bool)
    over[-1] = True
    going_on = torch.zeros_like(over)
    return lambda_returns(column, torch.zeros_like(column), over, going_on, discount, 1.0)[:, 0]


def loss_gradient(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    """Return dL / dlogits, (T, A): logits (T, A), actions (T,) int64, weights (T,)."""
    scores = logits.unsqueeze(1).clone().requires_grad_()  # (T, 1, A)
    valid = torch.ones(len(actions), 1, dtype=torch.bool)
    loss, _ = policy_gradient(scores, actions.unsqueeze(1), weights.unsqueeze(1), valid)
    (gradient,) = torch.autograd.grad(loss, scores)
    return gradient.squeeze(1)


def _undiscounted(rewards: Tensor, discount: float) -> Tensor:
    return returns(rewards, 1.0)


def _from_the_past(rewards: Tensor, discount: float) -> Tensor:
    return returns(rewards.flip(0), discount).flip(0)


def _from_the_start(rewards: Tensor, discount: float) -> Tensor:
    powers = discount ** torch.arange(len(rewards), dtype=rewards.dtype)
    return returns(rewards * powers, 1.0)


def _next_reward_left_out(rewards: Tensor, discount: float) -> Tensor:
    return returns(rewards, discount) - rewards


def _first_alone(rewards: Tensor, discount: float) -> Tensor:
    return returns(rewards, discount)[0]


def _uphill(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    return -loss_gradient(logits, actions, weights)


def _without_policy(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    return -weights.unsqueeze(1) * one_hot(actions, logits.shape[1]).to(logits.dtype)


def _without_log(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    probability = logits.softmax(1).gather(1, actions.unsqueeze(1))
    return probability * loss_gradient(logits, actions, weights)


def _unweighted(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    return loss_gradient(logits, actions, torch.ones_like(weights))


def _mean(logits: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    return loss_gradient(logits, actions, weights) / len(actions)


def _episodes(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(torch.tensor([0.0, 0.0, 1.0]), 0.9), (torch.tensor([2.0]), 0.9)]
    cases += [(torch.tensor([1.0, -1.0]), 0.0), (torch.tensor([1.0, 2.0, 3.0]), 1.0)]
    return [*cases, (draw.tensor(6), 0.5), (draw.tensor(30), 0.99)]


def _policies(draw: Draw) -> list[Inputs]:
    worked = torch.zeros(3, 2), torch.tensor([0, 1, 0]), torch.tensor([0.81, 0.9, 1.0])
    cases: list[Inputs] = [worked, (draw.tensor(1, 3), torch.tensor([2]), torch.tensor([-1.0]))]
    for steps, actions in ((2, 2), (4, 3), (9, 5)):
        played = draw.whole(0, actions, steps)
        cases.append((draw.tensor(steps, actions), played, draw.tensor(steps)))
    return cases


CHAPTER = Chapter(
    "Policy gradient and REINFORCE",
    "정책 경사와 REINFORCE",
    "my_policy_gradient.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            returns,
            _episodes,
            (
                Mistake(
                    _undiscounted,
                    "discount is not used: a reward k steps later counts discount^k.",
                    "감가율을 쓰지 않았습니다. k단계 뒤의 보상에는 discount^k를 곱합니다.",
                ),
                Mistake(
                    _from_the_past,
                    "G_t sums what comes after t: go from the last reward to the first.",
                    "G_t는 t 뒤에 오는 것의 합입니다. 마지막 보상에서 처음으로 가세요.",
                ),
                Mistake(
                    _from_the_start,
                    "Discounting begins at t: r_{t+1} counts whole, however late t is.",
                    "감가는 t에서 시작합니다. t가 아무리 늦어도 r_{t+1}은 온전히 셉니다.",
                ),
                Mistake(
                    _next_reward_left_out,
                    "G_t begins with r_{t+1}, the reward right after a_t.",
                    "G_t는 a_t 바로 다음의 보상 r_{t+1}부터 셉니다.",
                ),
                Mistake(
                    _first_alone,
                    "This is G_0 alone: every step has a return.",
                    "G_0만 구했습니다. 반환값은 시점마다 있습니다.",
                ),
            ),
        ),
        Exercise(
            loss_gradient,
            _policies,
            (
                Mistake(
                    _uphill,
                    "The sign is that of the ascent; the loss is minus the sum, its gradient too.",
                    "올라가는 방향의 부호입니다. 손실은 합에 음의 부호를 붙인 것입니다.",
                ),
                Mistake(
                    _without_policy,
                    "Softmax is missing: the logits' gradient is the policy less one-hot.",
                    "소프트맥스가 빠졌습니다. 로짓의 기울기는 정책에서 원-핫을 뺀 것입니다.",
                ),
                Mistake(
                    _without_log,
                    "This is the gradient of the probability: take that of its logarithm.",
                    "확률의 기울기입니다. 로그 확률의 기울기를 구하세요.",
                ),
                Mistake(
                    _unweighted,
                    "The weights are not used: each step's row is multiplied by its own.",
                    "가중치를 쓰지 않았습니다. 시점마다 자기 가중치를 곱하세요.",
                ),
                Mistake(
                    _mean,
                    "The loss is a sum over the steps: do not divide by their number.",
                    "손실은 시점에 대한 합입니다. 시점의 수로 나누지 마세요.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
