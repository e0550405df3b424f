"""Chapter 8: the context of each row, and greedy writing."""

from collections.abc import Callable

import torch
from torch import Tensor

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake

PAD, BEGIN, END = 0, 1, 2
Writer = Callable[[int, Tensor], tuple[Tensor, Tensor]]


class Decoder:
    """A step whose logits are a row for the symbol that is read, and a part from the state."""

    def __init__(self, rows: Tensor, weight: Tensor) -> None:
        """Rows (V, V) and weight (V, H)."""
        self.rows, self.weight = rows, weight

    def __call__(self, symbol: int, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, (V,), and the next state, (H,)."""
        return self.rows[int(symbol)] + self.weight @ state, 1 - 2 * state

    def __repr__(self) -> str:
        """The formula, in words."""
        rows, weight = self.rows.tolist(), self.weight.tolist()
        numbers = str([[round(number, 1) for number in row] for row in rows])
        mixed = str([[round(number, 1) for number in row] for row in weight])
        return f"logits {numbers}[symbol] + {mixed} @ state; next state 1 - 2 state"


def contexts(y: Tensor, lengths: Tensor) -> Tensor:
    """Return (B, H): y (T, B, H), lengths (B,) int64 in 1 .. T."""
    return torch.stack([y[length - 1, row] for row, length in enumerate(lengths.tolist())])


def write_greedily(
    step: Callable[[int, Tensor], tuple[Tensor, Tensor]], context: Tensor, max_length: int
) -> list[int]:
    """Return the symbols: step(symbol, state) gives logits (V,) and the new state."""
    return _written(step, context, max_length)


def _written(
    step: Writer,
    context: Tensor,
    max_length: int,
    *,
    lowest: int = END,
    stops: bool = True,
    with_end: bool = False,
    reads: bool = True,
    carries: bool = True,
) -> list[int]:
    """Write greedily, or with one of the mistakes."""
    symbol, state = BEGIN, context
    written: list[int] = []
    while len(written) < max_length:
        logits, after = step(symbol if reads or not written else BEGIN, state)
        state = after if carries else state
        scores = [(score, -number) for number, score in enumerate(logits.tolist())][lowest:]
        symbol = -max(scores)[1]
        if symbol == END and stops:
            return [*written, END] if with_end else written
        written.append(symbol)
    return written


def _last_row(y: Tensor, lengths: Tensor) -> Tensor:
    return y[-1]


def _one_late(y: Tensor, lengths: Tensor) -> Tensor:
    return contexts(y, (lengths + 1).clamp(max=len(y)))


def _mean(y: Tensor, lengths: Tensor) -> Tensor:
    inside = torch.arange(len(y)).unsqueeze(1) < lengths  # (T, B)
    return y.masked_fill(~inside.unsqueeze(-1), 0).sum(0) / lengths.unsqueeze(1)


def _never_stops(step: Writer, context: Tensor, max_length: int) -> list[int]:
    return _written(step, context, max_length, stops=False)


def _end_returned(step: Writer, context: Tensor, max_length: int) -> list[int]:
    return _written(step, context, max_length, with_end=True)


def _always_begin(step: Writer, context: Tensor, max_length: int) -> list[int]:
    return _written(step, context, max_length, reads=False)


def _same_state(step: Writer, context: Tensor, max_length: int) -> list[int]:
    return _written(step, context, max_length, carries=False)


def _any_symbol(step: Writer, context: Tensor, max_length: int) -> list[int]:
    return _written(step, context, max_length, lowest=PAD)


def _states(draw: Draw) -> list[Inputs]:
    counted = torch.arange(6.0).view(3, 2, 1)
    cases: list[Inputs] = [
        (counted, torch.tensor([3, 1])),
        (draw.tensor(1, 1, 2), torch.ones(1).long()),
    ]
    for steps, rows, units in ((4, 2, 2), (5, 3, 1), (6, 3, 5)):
        lengths = draw.whole(1, steps + 1, rows)
        cases.append((draw.tensor(steps, rows, units), lengths))
    return cases


def _decoders(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = []
    for symbols, units, longest in (
        (4, 1, 3),
        (5, 1, 4),
        (5, 2, 8),
        (6, 2, 8),
        (5, 2, 1),
        (7, 3, 9),
    ):
        rows, weight = draw.tensor(symbols, symbols, size=2), draw.tensor(symbols, units)
        rows += 0.01 * torch.arange(symbols)  # no two are the same
        rows[:, END] -= 1
        cases.append((Decoder(rows, weight), draw.tensor(units), longest))
    ends = torch.zeros(4, 4)
    ends[:, END] = 1
    return [*cases, (Decoder(ends, torch.zeros(4, 1)), torch.zeros(1), 5)]


CHAPTER = Chapter(
    "Sequence to sequence and its bottleneck",
    "시퀀스 투 시퀀스와 병목",
    "my_seq2seq.py",
    "from collections.abc import Callable\n\nimport torch\nfrom torch import Tensor\n\n"
    "PAD, BEGIN, END = 0, 1, 2\n",
    (
        Exercise(
            contexts,
            _states,
            (
                Mistake(
                    _last_row,
                    "y[-1] is padding in the shorter rows: each row ends at its own length.",
                    "짧은 행에서 y[-1]은 패딩입니다. 행은 저마다 자기 길이에서 끝납니다.",
                ),
                Mistake(
                    _one_late,
                    "One step too late: the last symbol of a row stands at lengths - 1.",
                    "한 단계 늦습니다. 행의 마지막 기호는 lengths - 1에 있습니다.",
                ),
                Mistake(
                    _mean,
                    "This is the mean of the states: the context is the last one alone.",
                    "상태들의 평균입니다. 문맥은 마지막 상태 하나입니다.",
                ),
            ),
        ),
        Exercise(
            write_greedily,
            _decoders,
            (
                Mistake(
                    _never_stops,
                    "END ends the sequence, and is not among the symbols returned.",
                    "END가 나오면 끝나고, END는 돌려주는 기호에 들지 않습니다.",
                ),
                Mistake(
                    _end_returned,
                    "END is returned too: leave it out.",
                    "END까지 돌려주었습니다. END는 빼세요.",
                ),
                Mistake(
                    _always_begin,
                    "BEGIN is read only once: then each step reads the symbol before.",
                    "BEGIN은 한 번만 읽습니다. 그다음부터는 바로 앞에 쓴 기호를 읽으세요.",
                ),
                Mistake(
                    _same_state,
                    "The state is not carried on: each step begins where the last one ended.",
                    "상태를 넘기지 않았습니다. 각 단계는 앞 단계가 끝난 상태에서 시작합니다.",
                ),
                Mistake(
                    _any_symbol,
                    "PAD and BEGIN are written: choose among the symbols from END on.",
                    "PAD나 BEGIN을 썼습니다. END부터의 기호 가운데에서 고르세요.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
