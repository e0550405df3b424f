"""Chapter 1: a Markov model by counting, and the log-probability of a sequence."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence.models.markov import WindowModel

Numbers = NDArray[np.float64]
Symbols = NDArray[np.int64]
HELLO = [1, 0, 2, 2, 3]
"""e, h, l, o are 0 to 3."""


def transition_table(symbols: NDArray[np.int64], size: int, added: float) -> NDArray[np.float64]:
    """Return p(s | w) at [w, s], (V, V): symbols (T,), size V, added a."""
    if len(symbols) < 2:  # a window needs a symbol before and one after
        return np.full((size, size), 1 / size)
    model = WindowModel([symbols], size, window=1, smoothing=added)
    return np.stack([model.probabilities(np.array([w])) for w in range(size)])


def log_probability(
    symbols: NDArray[np.int64], first: NDArray[np.float64], table: NDArray[np.float64]
) -> float:
    """Return ln p: symbols (T,) with T >= 1, first (V,), table (V, V) as in exercise 1."""
    factors = [first[symbols[0]]]
    factors += [table[w, s] for w, s in pairwise(symbols)]
    return sum(math.log(factor) for factor in factors)


def _counts(symbols: Symbols, size: int) -> Numbers:
    counts = np.zeros((size, size))
    np.add.at(counts, (symbols[:-1], symbols[1:]), 1)
    return counts


def _transposed(symbols: Symbols, size: int, added: float) -> Numbers:
    return transition_table(symbols, size, added).T


def _joint(symbols: Symbols, size: int, added: float) -> Numbers:
    counts = _counts(symbols, size) + added
    total = float(counts.sum())
    return counts / total if total else np.full((size, size), 1 / size)


def _added_once(symbols: Symbols, size: int, added: float) -> Numbers:
    counts = _counts(symbols, size)
    totals = counts.sum(1, keepdims=True) + added
    return np.where(totals > 0, (counts + added) / np.where(totals > 0, totals, 1), 1 / size)


def _empty_rows(symbols: Symbols, size: int, added: float) -> Numbers:
    counts = _counts(symbols, size) + added
    with np.errstate(invalid="ignore"):
        result: Numbers = counts / counts.sum(1, keepdims=True)
    return result


def _zero_rows(symbols: Symbols, size: int, added: float) -> Numbers:
    return np.nan_to_num(_empty_rows(symbols, size, added))


def _without_first(symbols: Symbols, first: Numbers, table: Numbers) -> float:
    return float(np.log(table[symbols[:-1], symbols[1:]]).sum())


def _no_logarithm(symbols: Symbols, first: Numbers, table: Numbers) -> float:
    return math.exp(log_probability(symbols, first, table))


def _backwards(symbols: Symbols, first: Numbers, table: Numbers) -> float:
    return log_probability(symbols, first, table.T)


def _tables(draw: Draw) -> list[Inputs]:
    hello = np.array(HELLO)
    cases: list[Inputs] = [(hello, 4, 1.0), (hello, 4, 0.0), (np.array([1]), 2, 0.0)]
    cases += [(np.array([2]), 3, 1.0), (np.array([0, 0, 0]), 2, 0.5)]
    cases += [(draw.whole(0, size, 12).numpy(), size, a) for size, a in ((3, 0.5), (5, 0.0))]
    return [*cases, (draw.whole(0, 6, 40).numpy(), 6, 2.0)]


def _chains(draw: Draw) -> list[Inputs]:
    halves = np.array([[0.5, 0.5], [0.1, 0.9]])
    cases: list[Inputs] = [(np.array([0, 1]), np.array([0.8, 0.2]), halves)]
    cases += [(np.array([1]), np.array([0.3, 0.7]), halves)]
    for size, length in ((3, 4), (4, 6), (5, 30)):
        rows = draw.whole(1, 10, size + 1, size).double().numpy()
        rows /= rows.sum(1, keepdims=True)
        cases.append((draw.whole(0, size, length).numpy(), rows[0], rows[1:]))
    return cases


CHAPTER = Chapter(
    "Sequence data and Markov models",
    "시퀀스 데이터와 마르코프 모델",
    "my_sequences.py",
    "import numpy as np\nfrom numpy.typing import NDArray\n",
    (
        Exercise(
            transition_table,
            _tables,
            (
                Mistake(
                    _transposed,
                    "Rows and columns are exchanged: row w is before, column s is after.",
                    "행과 열이 바뀌었습니다. 행 w가 앞, 열 s가 뒤입니다.",
                ),
                Mistake(
                    _joint,
                    "The table as a whole sums to 1; here every row has to: divide by n(w) + a V.",
                    "표 전체의 합이 1입니다. 행마다 합이 1이어야 하므로 n(w) + a V로 나누세요.",
                ),
                Mistake(
                    _added_once,
                    "a is added to each of the V counts of a row, so the divisor grows by a V.",
                    "a는 한 행의 V개 횟수마다 더하므로 나누는 수에는 a V가 더해집니다.",
                ),
                Mistake(
                    _empty_rows,
                    "A row in which nothing was counted is 0 / 0: make it uniform, 1 / V.",
                    "셀 것이 없는 행은 0 / 0이 됩니다. 균등 분포 1 / V로 두세요.",
                ),
                Mistake(
                    _zero_rows,
                    "A row in which nothing was counted is uniform, 1 / V; here it is 0.",
                    "셀 것이 없는 행은 0이 아니라 균등 분포 1 / V입니다.",
                ),
            ),
        ),
        Exercise(
            log_probability,
            _chains,
            (
                Mistake(
                    _without_first,
                    "The first symbol has a probability too: add ln p(x_1).",
                    "첫 기호에도 확률이 있습니다. ln p(x_1)을 더하세요.",
                ),
                Mistake(
                    _no_logarithm,
                    "This is p itself; the logarithm, a sum, was asked for.",
                    "이것은 p 자체입니다. 로그 확률, 곧 로그의 합을 구해야 합니다.",
                ),
                Mistake(
                    _backwards,
                    "The condition is the symbol before: table[x_{t-1}, x_t].",
                    "조건은 바로 앞의 기호입니다. table[x_{t-1}, x_t]를 쓰세요.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
