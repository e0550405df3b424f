"""Chapter 2: the states of a plain RNN, and the loss of a sequence."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence import rnn_step


def rnn_states(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    """Return h_1 .. h_T, (T, H): x (T, D), h (H,) before all, w_xh (H, D), w_hh (H, H), b (H,)."""
    state, states = h.unsqueeze(0), []
    for x_t in x:
        state = rnn_step(x_t.unsqueeze(0), state, w_xh, w_hh, b).h
        states.append(state)
    return torch.cat(states)


def sequence_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return one number: logits (T, V), targets (T,) int64 in 0 .. V - 1."""
    return cross_entropy(logits, targets, reduction="sum")


def _no_memory(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(x @ w_xh.t() + w_hh @ h + b)


def _transposed(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    return rnn_states(x, h, w_xh, w_hh.t(), b)


def _squashed_early(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    states = []
    for x_t in x:
        h = torch.tanh(w_xh @ x_t + b) + w_hh @ h
        states.append(h)
    return torch.stack(states)


def _no_bias(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    return rnn_states(x, h, w_xh, w_hh, torch.zeros_like(b))


def _last_alone(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    return rnn_states(x, h, w_xh, w_hh, b)[-1]


def _from_zero(x: Tensor, h: Tensor, w_xh: Tensor, w_hh: Tensor, b: Tensor) -> Tensor:
    return rnn_states(x, torch.zeros_like(h), w_xh, w_hh, b)


def _mean(logits: Tensor, targets: Tensor) -> Tensor:
    return sequence_loss(logits, targets) / len(targets)


def _no_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.gather(1, targets.unsqueeze(1)).sum()


def _most_probable(logits: Tensor, targets: Tensor) -> Tensor:
    return -torch.log_softmax(logits, 1).max(1).values.sum()


def _overflow(logits: Tensor, targets: Tensor) -> Tensor:
    powers = logits.exp()
    p = powers / powers.sum(1, keepdim=True)
    return -p.gather(1, targets.unsqueeze(1)).log().sum()


def _runs(draw: Draw) -> list[Inputs]:
    w_xh = torch.tensor([[0.5, -0.3, 0.2, 0.1], [-0.2, 0.4, 0.6, -0.5]])
    w_hh = torch.tensor([[0.3, -0.1], [0.2, 0.5]])
    hello = torch.eye(4)[[0, 1, 2, 2]]  # h, e, l, l
    cases: list[Inputs] = [(hello, torch.zeros(2), w_xh, w_hh, torch.zeros(2))]
    for steps, inputs, units in ((1, 2, 1), (2, 1, 2), (3, 2, 3), (7, 3, 5)):
        sizes = ((steps, inputs), (units,), (units, inputs), (units, units), (units,))
        cases.append(tuple(draw.tensor(*size) for size in sizes))
    return cases


def _answers(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([0]))]
    cases += [(draw.tensor(2, 3), torch.tensor([2, 1])), (draw.tensor(4, 4), draw.whole(0, 4, 4))]
    cases += [(torch.tensor([[300.0, 0.0], [-200.0, 100.0]]), torch.tensor([1, 0]))]
    return [*cases, (draw.tensor(9, 5, size=3), draw.whole(0, 5, 9))]


CHAPTER = Chapter(
    'The RNN and "hello"',
    'RNN과 "hello"',
    "my_rnn.py",
    "import torch\nfrom torch import Tensor\n",
    (
        Exercise(
            rnn_states,
            _runs,
            (
                Mistake(
                    _no_memory,
                    "Every step starts from the first state: h has to be carried on.",
                    "단계마다 처음 상태에서 시작합니다. h를 다음 단계로 넘겨야 합니다.",
                ),
                Mistake(
                    _transposed,
                    "W_hh is transposed: unit k of the new state uses row k, w_hh @ h.",
                    "W_hh가 전치되었습니다. 새 상태의 유닛 k는 k행을 씁니다. w_hh @ h입니다.",
                ),
                Mistake(
                    _squashed_early,
                    "tanh is taken of the whole sum, the part from the past included.",
                    "tanh는 과거에서 온 부분까지 모두 더한 뒤에 취합니다.",
                ),
                Mistake(_no_bias, "The bias b is not added.", "편향 b를 더하지 않았습니다."),
                Mistake(
                    _last_alone,
                    "This is the last state alone: all of h_1 .. h_T were asked for.",
                    "마지막 상태만 돌려주었습니다. h_1부터 h_T까지 모두 필요합니다.",
                ),
                Mistake(
                    _from_zero,
                    "The first state is the argument h, not zeros.",
                    "처음 상태는 0이 아니라 인자로 받은 h입니다.",
                ),
            ),
        ),
        Exercise(
            sequence_loss,
            _answers,
            (
                Mistake(
                    _mean,
                    "The sum over the steps was asked for; this is its mean.",
                    "시점에 대한 합을 구해야 하는데 평균을 구했습니다.",
                ),
                Mistake(
                    _no_softmax,
                    "A logit is no log-probability: subtract the logarithm of the sum of exp.",
                    "로짓은 로그 확률이 아닙니다. exp의 합의 로그를 빼세요.",
                ),
                Mistake(
                    _most_probable,
                    "The target's probability counts, not the largest one.",
                    "가장 큰 확률이 아니라 정답의 확률을 써야 합니다.",
                ),
                Mistake(
                    _overflow,
                    "exp of a large logit overflows: subtract the largest logit first (logsumexp).",
                    "큰 로짓의 exp가 넘칩니다. 가장 큰 로짓을 먼저 빼거나 logsumexp를 쓰세요.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
