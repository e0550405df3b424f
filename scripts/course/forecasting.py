"""Chapter 7: a forecast several steps ahead, and scaling that does not look ahead."""

import numpy as np
from numpy.typing import NDArray

from sidestep.scripts.course.exercise import Chapter, Draw, Exercise, Inputs, Mistake
from sidestep.sequence.models.forecasting import Scaling

Values = NDArray[np.float64]


def ar_forecast(
    past: NDArray[np.float64], intercept: float, weights: NDArray[np.float64], steps: int
) -> NDArray[np.float64]:
    """Return (steps,) forecasts: past (N,), the newest last; weights (tau,), the oldest first."""
    tau = len(weights)
    moved = np.eye(tau, k=1)  # the window, one step on
    moved[-1] = weights
    window, found = past[-tau:], []
    for _ in range(steps):
        window = moved @ window
        window[-1] += intercept
        found.append(window[-1])
    return np.array(found)


def scale(series: NDArray[np.float64], training: int) -> NDArray[np.float64]:
    """Return (N,): series (N,), of which the first `training` values are the training part."""
    return Scaling.of(series[:training]).apply(series)


def _newest_first(past: Values, intercept: float, weights: Values, steps: int) -> Values:
    return ar_forecast(past, intercept, weights[::-1], steps)


def _one_step(past: Values, intercept: float, weights: Values, steps: int) -> Values:
    return np.repeat(ar_forecast(past, intercept, weights, 1), steps)


def _without_intercept(past: Values, intercept: float, weights: Values, steps: int) -> Values:
    return ar_forecast(past, 0.0, weights, steps)


def _oldest_values(past: Values, intercept: float, weights: Values, steps: int) -> Values:
    return ar_forecast(past[: len(weights)], intercept, weights, steps)


def _looks_ahead(series: Values, training: int) -> Values:
    return scale(series, len(series))


def _variance(series: Values, training: int) -> Values:
    part = series[:training]
    return np.asarray((series - part.mean()) / part.var())


def _training_only(series: Values, training: int) -> Values:
    return scale(series[:training], training)


def _one_less(series: Values, training: int) -> Values:
    part = series[:training]
    return np.asarray((series - part.mean()) / part.std(ddof=1))


def _pasts(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(np.array([0.0, 1.0, 1.5, 1.75]), 1.0, np.array([0.5]), 3)]
    cases += [(np.array([2.0, 3.0, 5.0]), 0.5, np.array([-0.5, 1.0]), 1)]
    cases += [(np.array([2.0, 3.0, 5.0]), 0.5, np.array([-0.5, 1.0]), 4)]
    for tau, steps in ((2, 2), (3, 5), (5, 3)):
        weights = draw.numbers(tau, size=0.5)
        cases.append((draw.numbers(tau + 4), float(draw.numbers(1)[0]) + 0.05, weights, steps))
    return cases


def _series(draw: Draw) -> list[Inputs]:
    cases: list[Inputs] = [(np.array([1.0, 3.0, 5.0]), 2), (np.arange(100.0), 75)]
    cases += [(np.array([4.0, 0.0]), 2)]
    return [*cases, (draw.numbers(8).cumsum(), 5), (draw.numbers(40).cumsum() + 3, 25)]


CHAPTER = Chapter(
    "Forecasting",
    "시계열 예측",
    "my_forecast.py",
    "import numpy as np\nfrom numpy.typing import NDArray\n",
    (
        Exercise(
            ar_forecast,
            _pasts,
            (
                Mistake(
                    _newest_first,
                    "The weights are turned round: the first one belongs to the oldest value.",
                    "가중치의 순서가 거꾸로입니다. 첫째 가중치는 가장 오래된 값의 것입니다.",
                ),
                Mistake(
                    _one_step,
                    "Every step repeats the first: put each forecast into the window of the next.",
                    "첫 예측을 되풀이합니다. 예측값을 다음 예측의 윈도에 넣으세요.",
                ),
                Mistake(
                    _without_intercept,
                    "The intercept is missing: add it at every step.",
                    "절편이 빠졌습니다. 단계마다 더하세요.",
                ),
                Mistake(
                    _oldest_values,
                    "The window is at the beginning of the series: take the last tau values.",
                    "윈도가 시계열의 처음에 있습니다. 마지막 tau개의 값을 쓰세요.",
                ),
            ),
        ),
        Exercise(
            scale,
            _series,
            (
                Mistake(
                    _looks_ahead,
                    "Mean and deviation of the whole series look ahead: use the training part.",
                    "시계열 전체의 평균과 표준편차는 앞날을 봅니다. 학습 구간만 쓰세요.",
                ),
                Mistake(
                    _variance,
                    "Divide by the deviation, the root of the variance.",
                    "분산이 아니라 그 제곱근인 표준편차로 나누세요.",
                ),
                Mistake(
                    _training_only,
                    "Return the whole series scaled, not its training part alone.",
                    "학습 구간만이 아니라 시계열 전체를 돌려주세요.",
                ),
                Mistake(
                    _one_less,
                    "The deviation divides by the number of values, not by one less.",
                    "표준편차는 값의 개수로 나눕니다. 하나 적은 수로 나누지 않습니다.",
                ),
            ),
        ),
    ),
)
"""Functions of the chapter, with our answers and what may go wrong."""
