"""Losses and baselines by hand."""

import math

import pytest
import torch
from torch import tensor

from sidestep.agents.algorithms.losses import (
    chosen,
    expected_value,
    leave_one_out,
    masked,
    mean_of_others,
    policy_gradient,
    value_error,
)


def test_expected_value_by_hand() -> None:
    q = tensor([[1.0, 4.0, -2.0], [0.0, 0.0, 6.0]])
    assert expected_value(q, 0.0).tolist() == [4.0, 6.0]
    assert expected_value(q, 1.0).tolist() == [1.0, 2.0]
    assert expected_value(q, 0.25).tolist() == [3.25, 5.0]  # .75 max + .25 mean
    mask = tensor([[True, False, True], [True, True, False]])
    assert expected_value(q, 0.25, mask).tolist() == [0.75 * 1 - 0.25 * 0.5, 0.0]
    only = tensor([[False, False, True], [False, False, True]])
    assert expected_value(q, 0.9, only).tolist() == pytest.approx([-2.0, 6.0])


def test_chosen_picks_the_action_of_each_step() -> None:
    values = torch.arange(2 * 3 * 5.0).view(2, 3, 5)
    action = tensor([[0, 4, 2], [1, 1, 3]])
    assert chosen(values, action).tolist() == [[0.0, 9.0, 12.0], [16.0, 21.0, 28.0]]


def test_value_error_by_hand_and_only_where_valid() -> None:
    prediction = tensor([[0.0, 3.0], [1.0, 5.0]], requires_grad=True)
    target = tensor([[0.5, 1.0], [1.0, -99.0]])
    valid = tensor([[True, True], [True, False]])
    huber = value_error(prediction, target, valid, "huber")
    assert huber.item() == 0.5 * 0.25 + (2 - 0.5) + 0.0
    (gradient,) = torch.autograd.grad(huber, prediction)
    assert gradient.tolist() == [[-0.5, 1.0], [0.0, 0.0]]  # the error, clipped at 1
    squared = value_error(prediction, target, valid, "squared")
    assert squared.item() == 0.5 * (0.25 + 4.0)
    (gradient,) = torch.autograd.grad(squared, prediction)
    assert gradient.tolist() == [[-0.5, 2.0], [0.0, 0.0]]  # the textbook's TD error


def test_a_loss_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="loss: expected huber or squared, got 'absolute'"):
        value_error(tensor([1.0]), tensor([2.0]), tensor([True]), "absolute")


def test_policy_gradient_by_hand() -> None:
    p = tensor([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], [[0.25, 0.5, 0.25], [1 / 3] * 3]])
    logits = (p.log() + 3).requires_grad_()
    action, advantage = tensor([[0, 2], [1, 0]]), tensor([[2.0, -1.0], [4.0, 1e9]])
    valid = tensor([[True, True], [True, False]])
    surrogate, entropy = policy_gradient(logits, action, advantage, valid)
    want = 2 * math.log(2) + math.log(0.75) + 4 * math.log(2)
    assert surrogate.item() == pytest.approx(want, rel=1e-6)
    nats = [1.5 * math.log(2), -(0.25 * math.log(0.125) + 0.75 * math.log(0.75))]
    assert entropy.item() == pytest.approx(2 * nats[0] + nats[1], rel=1e-6)
    (gradient,) = torch.autograd.grad(surrogate, logits)
    # (p - onehot) A
    assert gradient[0, 0].tolist() == pytest.approx([-1.0, 0.5, 0.5], abs=1e-6)
    assert gradient[0, 1].tolist() == pytest.approx([-0.125, -0.125, 0.25], abs=1e-6)
    assert gradient[1, 0].tolist() == pytest.approx([1.0, -2.0, 1.0], abs=1e-6)
    assert gradient[1, 1].tolist() == [0.0, 0.0, 0.0]


def test_masked_actions_have_no_probability_and_no_gradient() -> None:
    logits = tensor([[[1.0, 50.0, 1.0]]], requires_grad=True)
    allowed = masked(logits, tensor([[[True, False, True]]]))
    surrogate, entropy = policy_gradient(allowed, tensor([[0]]), tensor([[1.0]]), tensor([[True]]))
    assert surrogate.item() == pytest.approx(math.log(2))
    assert entropy.item() == pytest.approx(math.log(2))
    (gradient,) = torch.autograd.grad(surrogate - entropy, logits)
    assert gradient.tolist() == [[[-0.5, 0.0, 0.5]]]
    assert masked(logits, None) is logits


RETURNS = tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 777.0], [3.0, 777.0, 777.0]])
VALID = tensor([[True, True, True], [True, True, False], [True, False, False]])


def test_mean_of_others_by_hand() -> None:
    got = mean_of_others(RETURNS, VALID)
    assert got.flatten().tolist() == pytest.approx([130 / 3, 106 / 4, 36 / 5])
    assert mean_of_others(RETURNS[:, :1], VALID[:, :1]).tolist() == [[0.0]]  # no other episode


def test_leave_one_out_by_hand() -> None:
    got = leave_one_out(RETURNS, VALID)
    assert got[VALID].tolist() == [55.0, 50.5, 5.5, 20.0, 2.0, 0.0]  # the last one is alone
    assert leave_one_out(RETURNS[:, :1], VALID[:, :1]).tolist() == [[0.0]] * 3
