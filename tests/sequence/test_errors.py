"""Wrong input says what was expected and what came."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from sidestep.sequence import GRU, LSTM, RNN, make_memory

T, B, D, H = 5, 3, 2, 7
X = torch.zeros(T, B, D)
RESET = torch.zeros(T, B, dtype=torch.bool)


def gru(**options: Any) -> GRU:
    return GRU(D, H, **options)


CASES: list[tuple[type[Exception], str, Callable[[], object]]] = [
    (ValueError, r"x of shape \(T, B, 2\), got \(3, 2\)", lambda: gru()(X[0])),
    (ValueError, r"x of shape \(T, B, 2\), got \(5, 3, 4\)", lambda: gru()(torch.zeros(T, B, 4))),
    (ValueError, r"x of shape \(B, 2\), got \(5, 3, 2\)", lambda: gru().step(X, X)),
    (TypeError, r"x of torch.float32 as the weights, got torch.float64", lambda: gru()(X.double())),
    (TypeError, r"x of torch.float32 as the weights, got torch.int64", lambda: gru()(X.long())),
    (TypeError, r"x to be a tensor \(T, B, 2\), got list", lambda: gru()([[1.0, 2.0]])),
    (ValueError, r"x on cpu as the weights, got meta", lambda: gru()(X.to("meta"))),
    (
        ValueError,
        r"state's h of shape \(1, 3, 7\), got \(2, 3, 7\)",
        lambda: gru()(X, torch.zeros(2, B, H)),
    ),
    (
        ValueError,
        r"state's h of shape \(1, 3, 7\), got \(1, 4, 7\)",
        lambda: gru().step(X[0], torch.zeros(1, 4, H)),
    ),
    (
        TypeError,
        r"state to be a tensor, got \(tensor\(1, 3, 7\), tensor\(1, 3, 7\)\)",
        lambda: gru()(X, LSTM(D, H).initial_state(B)),
    ),
    (
        TypeError,
        r"state to be a tuple \(h, c\), got tensor\(1, 3, 7\)",
        lambda: LSTM(D, H)(X, gru().initial_state(B)),
    ),
    (
        ValueError,
        r"state's c of shape \(1, 3, 7\), got \(1, 3, 5\)",
        lambda: LSTM(D, H).step(X[0], (torch.zeros(1, B, H), torch.zeros(1, B, 5))),
    ),
    (
        TypeError,
        r"state's h of torch.float32 as x, got torch.float64",
        lambda: gru().step(X[0], torch.zeros(1, B, H, dtype=torch.float64)),
    ),
    (ValueError, r"h on cpu as x, got meta", lambda: gru()(X, torch.zeros(1, B, H, device="meta"))),
    (TypeError, "reset to be boolean, got torch.float32", lambda: gru()(X, None, RESET.float())),
    (ValueError, r"reset of shape \(5, 3\), got \(3, 5\)", lambda: gru()(X, None, RESET.t())),
    (
        ValueError,
        r"reset of shape \(3,\), got \(5, 3\)",
        lambda: gru().step(X[0], torch.zeros(1, B, H), RESET),
    ),
    (TypeError, r"boolean tensor \(5, 3\), got list", lambda: gru()(X, None, [[True]])),
    (TypeError, "lengths to be integers, got torch.float32", lambda: gru()(X, lengths=X[0, :, 0])),
    (
        ValueError,
        r"lengths in 0..5, got 1..6",
        lambda: gru()(X, lengths=torch.tensor([1, 6, 2])),
    ),
    (
        ValueError,
        r"lengths in 0..5, got -1..2",
        lambda: gru()(X, lengths=torch.tensor([1, -1, 2])),
    ),
    (
        ValueError,
        r"lengths of shape \(3,\), got \(2,\)",
        lambda: gru()(X, lengths=torch.ones(2).long()),
    ),
    (TypeError, r"integer tensor \(3,\), got list", lambda: gru()(X, lengths=[1, 2, 3])),
    (
        ValueError,
        "one direction to step, got a bidirectional",
        lambda: gru(bidirectional=True).step(X[0], torch.zeros(2, B, H)),
    ),
    (ValueError, "hidden_size >= 1, got 0", lambda: LSTM(D, 0)),
    (ValueError, "0 <= dropout < 1, got 1.5", lambda: gru(dropout=1.5)),
    (ValueError, r"init to be one of \('orthogonal', 'torch'\), got 'he'", lambda: gru(init="he")),
    (ValueError, "nonlinearity to be one of", lambda: RNN(D, H, nonlinearity="sin")),  # type: ignore[arg-type]
    (
        ValueError,
        "one of none, rnn, lstm, gru, attention, got 'elman'",
        lambda: make_memory("elman", input_size=D),
    ),
    (ValueError, "window >= 1, got 0", lambda: make_memory("attention", input_size=D, window=0)),
    (ValueError, "num_layers=1", lambda: make_memory("attention", input_size=D, num_layers=2)),
    (ValueError, "input_size >= 1, got 0", lambda: make_memory("none", input_size=0)),
    (
        TypeError,
        r"state to be \(\), got tensor\(1, 3, 7\)",
        lambda: make_memory("none", input_size=D)(X, torch.zeros(1, B, H)),
    ),
    (
        ValueError,
        r"embeddings of shape \(4, 3, 7\), got \(3, 3, 7\)",
        lambda: make_memory("attention", input_size=D, hidden_size=H, window=4)(
            X, (torch.zeros(3, B, H), torch.zeros(1, B, dtype=torch.int64))
        ),
    ),
    (
        ValueError,
        r"count to be int64 \(1, 3\), got torch.float32 tensor\(1, 3\)",
        lambda: make_memory("attention", input_size=D, hidden_size=H, window=4)(
            X, (torch.zeros(4, B, H), torch.zeros(1, B))
        ),
    ),
    (
        ValueError,
        r"count on cpu as x, got meta",
        lambda: make_memory("attention", input_size=D, hidden_size=H, window=4)(
            X, (torch.zeros(4, B, H), torch.zeros(1, B, dtype=torch.int64, device="meta"))
        ),
    ),
]


@pytest.mark.parametrize(("error", "message", "action"), CASES, ids=[c[1][:40] for c in CASES])
def test_wrong_input(error: type[Exception], message: str, action: Callable[[], object]) -> None:
    with pytest.raises(error, match=message) as caught:
        action()
    assert str(caught.value).startswith("expected") and "\n" not in str(caught.value)
