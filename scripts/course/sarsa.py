"""Chapter 10: the target of SARSA, and one update."""

import torch
from torch import Tensor

from sidestep.agents.algorithms.losses import chosen, value_error
from sidestep.agents.algorithms.returns import lambda_returns
from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake


def sarsa_targets(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    """Return (B,): reward (B,), q_next (B, A), a_next (B,) int64, terminated (B,) bool."""
    following, never = chosen(q_next, a_next), torch.zeros_like(terminated)
    step = [part.unsqueeze(0) for part in (reward, following, terminated, never)]
    return lambda_returns(step[0], step[1], step[2], step[3], discount, 0.0)[0]


def sarsa_update(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    """Return the new weights, (A, D): w (A, D), x (D,)."""
    weights = w.clone().requires_grad_()
    prediction, wanted = (weights @ x)[action].view(1, 1), torch.tensor([[target]])
    loss = value_error(prediction, wanted, torch.ones(1, 1, dtype=torch.bool), "squared")
    (gradient,) = torch.autograd.grad(loss, weights)
    return w - rate * gradient


def _greedy(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    return sarsa_targets(reward, q_next, q_next.argmax(1), terminated, discount)


def _past_the_end(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    return sarsa_targets(reward, q_next, a_next, torch.zeros_like(terminated), discount)


def _discounted_reward(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    return sarsa_targets(discount * reward, q_next, a_next, terminated, discount)


def _no_reward_at_the_end(
    reward: Tensor, q_next: Tensor, a_next: Tensor, terminated: Tensor, discount: float
) -> Tensor:
    return _past_the_end(reward, q_next, a_next, terminated, discount) * ~terminated


def _uphill(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    return sarsa_update(w, x, action, target, -rate)


def _without_features(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    new = w.clone()
    new[action] += rate * (target - w[action] @ x)
    return new


def _all_actions(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    return w + rate * torch.outer(target - w @ x, x)


def _twice(w: Tensor, x: Tensor, action: int, target: float, rate: float) -> Tensor:
    return sarsa_update(w, x, action, target, 2 * rate)


def _batches(draw: Draw) -> list[Inputs]:
    reward, q, second = torch.tensor([-0.1]), torch.tensor([[0.5, 0.2]]), torch.tensor([1])
    cases: list[Inputs] = [
        (reward, q, second, torch.tensor([ended]), 0.9) for ended in (False, True)
    ]
    for rows, actions, discount in ((2, 2, 1.0), (3, 3, 0.5), (3, 2, 0.0), (7, 5, 0.99)):
        q_next, a_next = draw.tensor(rows, actions), draw.whole(0, actions, rows)
        ended = draw.flags(rows, share=0.4)
        cases.append((draw.tensor(rows), q_next, a_next, ended, discount))
    return cases


def _updates(draw: Draw) -> list[Inputs]:
    w, x = torch.tensor([[0.2, 0.2], [0.0, 0.0]]), torch.tensor([1.0, 0.5])
    cases: list[Inputs] = [(w, x, 0, 0.08, 0.1), (w, x, 1, 1.0, 0.5), (w, x, 0, 0.3, 0.1)]
    for actions, size in ((1, 1), (3, 2), (5, 4)):
        action = int(draw.whole(0, actions, 1))
        cases.append((draw.tensor(actions, size), draw.tensor(size), action, 0.7, 0.25))
    return cases


CHAPTER = Chapter(
    "Deep SARSA",
    "딥살사",
    "my_sarsa.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            sarsa_targets,
            _batches,
            (
                Mistake(
                    _greedy,
                    "This takes the largest value, which is Q-learning: SARSA takes Q of a_next.",
                    "가장 큰 값을 쓰면 큐러닝입니다. 살사는 a_next의 Q를 씁니다.",
                ),
                Mistake(
                    _past_the_end,
                    "After a terminated step nothing follows: the target is the reward alone.",
                    "종료된 뒤에는 아무것도 없습니다. 목푯값은 보상뿐입니다.",
                ),
                Mistake(
                    _discounted_reward,
                    "The reward itself is not discounted, only what comes after it.",
                    "보상 자체는 감가하지 않습니다. 그 뒤에 오는 것만 감가합니다.",
                ),
                Mistake(
                    _no_reward_at_the_end,
                    "The last reward counts: only the value of what follows is left out.",
                    "마지막 보상은 셉니다. 그 뒤의 가치만 빼세요.",
                ),
            ),
        ),
        Exercise(
            sarsa_update,
            _updates,
            (
                Mistake(
                    _uphill,
                    "The sign is wrong: Q moves away from the target.",
                    "부호가 반대입니다. Q가 목푯값에서 멀어집니다.",
                ),
                Mistake(
                    _without_features,
                    "The gradient of w . x is x: multiply the step by the features.",
                    "w . x의 기울기는 x입니다. 걸음에 특징을 곱하세요.",
                ),
                Mistake(
                    _all_actions,
                    "Only the weights of the action that was played change.",
                    "실제로 한 행동의 가중치만 바뀝니다.",
                ),
                Mistake(
                    _twice,
                    "The step is twice too long: the error is half the square.",
                    "걸음이 두 배입니다. 오차는 제곱의 절반입니다.",
                ),
            ),
            unchanged=("w",),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
