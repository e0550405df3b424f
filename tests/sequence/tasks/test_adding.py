"""The adding problem under training; its numbers are tested in test_tasks.py."""

import pytest
import torch
from torch import nn

from sidestep.sequence import GRU, RNN
from sidestep.sequence.tasks.task import adding

T, BATCH, BASELINE = 100, 50, 0.1667


def error_after_training(layer: GRU | RNN, updates: int) -> float:
    """Mean squared error on 1000 fresh rows after `updates` of 50 rows."""
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(layer.hidden_size, 1)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    for _ in range(updates):
        x, target = adding(generator, BATCH, T)
        y, _ = layer(x)
        loss = (head(y[-1]).squeeze(-1) - target).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    with torch.no_grad():
        x, target = adding(generator, 1000, T)
        return float((head(layer(x)[0][-1]).squeeze(-1) - target).pow(2).mean())


@pytest.mark.slow
def test_gru_solves_it_and_the_tanh_rnn_stays_at_the_baseline() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    gru = GRU(2, 64, init="torch", generator=generator)
    rnn = RNN(2, 64, init="torch", generator=generator)
    assert error_after_training(gru, 1200) < 0.01
    assert error_after_training(rnn, 1200) > 0.8 * BASELINE
