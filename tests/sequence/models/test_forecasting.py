"""Forecasters against numbers that can be computed: persistence, AR by hand, a latent state."""

import math

import numpy as np
import pytest
import torch

from sidestep.sequence.models import forecasting
from sidestep.sequence.models.forecasting import (
    NORMAL_90,
    Forecast,
    Forecaster,
    LatentForecaster,
    Persistence,
    Scaling,
    WindowForecaster,
    errors,
)


def ar2(size: int, seed: int = 0) -> np.ndarray:
    """x_t = 0.3 + 1.2 x_{t-1} - 0.5 x_{t-2} + 0.1 noise."""
    noise = np.random.default_rng(seed).normal(0, 0.1, size)
    x = np.zeros(size)
    for t in range(2, size):
        x[t] = 0.3 + 1.2 * x[t - 1] - 0.5 * x[t - 2] + noise[t]
    return x


def latent_of(cell: str = "gru", paths: int = 7) -> LatentForecaster:
    torch.manual_seed(2)
    model = LatentForecaster(cell, 5, paths)  # type: ignore[arg-type]
    torch.nn.init.normal_(model.head.weight, std=0.3)
    return model


def test_scaling_by_hand() -> None:
    scaling = Scaling.of(np.array([1.0, 3.0]))
    assert scaling == (2.0, 1.0)
    values = np.array([1.0, 5.0])
    assert scaling.apply(values).tolist() == [-1, 3]
    assert scaling.undo(scaling.apply(values)).tolist() == [1, 5]
    for wrong in ([2.0], [2.0, 2.0, 2.0], [1e9, 1e9], [1.0, math.nan]):
        with pytest.raises(ValueError, match=r"expected (at least 2 finite|a series that changes)"):
            Scaling.of(np.array(wrong))


def test_persistence_by_hand() -> None:
    model = Persistence(np.array([0.0, 2.0, 1.0, 3.0]))  # differences 2, -1, 2
    assert model.deviation == pytest.approx(math.sqrt(3))
    forecast = model.ahead(np.array([5.0, 7.0, 4.0]), [1, 3], 4)
    assert forecast.mean.tolist() == [[5] * 4, [4] * 4]
    assert (forecast.high - forecast.mean)[1].tolist() == pytest.approx(
        [NORMAL_90 * math.sqrt(3 * k) for k in (1, 2, 3, 4)]
    )


def test_the_window_model_finds_the_coefficients() -> None:
    model = WindowForecaster(ar2(20_011), 2)
    assert model.weights.tolist() == pytest.approx([-0.5, 1.2], abs=0.02)  # oldest first
    assert model.intercept == pytest.approx(0.3, abs=0.02)
    assert model.deviation == pytest.approx(0.1, abs=0.002)
    forecast = model.ahead(np.array([9.0, 1.0, 2.0]), [3], 2)
    a, (w2, w1) = model.intercept, model.weights
    first = a + w1 * 2 + w2 * 1
    assert forecast.mean[0].tolist() == pytest.approx([first, a + w1 * first + w2 * 2])
    assert model.echo(4).tolist() == pytest.approx([1, w1, w1**2 + w2, w1 * (w1**2 + w2) + w2 * w1])
    spread = (forecast.high - forecast.mean)[0] / NORMAL_90
    assert spread.tolist() == pytest.approx([model.deviation, model.deviation * math.hypot(1, w1)])


def test_the_interval_of_the_window_model_covers_what_it_says() -> None:
    series = ar2(6007, seed=1)
    model = WindowForecaster(series[:3000], 2)
    origins = list(range(3000, 6000))
    forecast = model.ahead(series, origins, 5)
    truth = np.stack([series[o : o + 5] for o in origins])
    covered = ((forecast.low <= truth) & (truth <= forecast.high)).mean(0)
    assert covered.tolist() == pytest.approx([0.9] * 5, abs=0.02)


@pytest.mark.parametrize("kind", ["persistence", "window", "rnn", "lstm", "gru"])
def test_nothing_from_the_origin_on_is_used(kind: str) -> None:
    series = ar2(41)
    models: dict[str, Forecaster] = {
        "persistence": Persistence(series),
        "window": WindowForecaster(series, 3),
    }
    model = models[kind] if kind in models else latent_of(kind)
    before = model.ahead(series, [7, 20], 3)
    other = series.copy()
    other[20:] = 99.0
    after = model.ahead(other, [7, 20], 3)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    other[19] = 99.0
    assert not np.array_equal(model.ahead(other, [7, 20], 3).mean[1], before.mean[1])
    alone = model.ahead(series, [20], 3)  # a batch equals one by one, random futures too
    for one, both in zip(alone, before, strict=True):
        assert one[0] == pytest.approx(both[1], rel=1e-4, abs=1e-5)
    for origins, steps in (([0], 1), ([42], 1), ([], 1), ([7], 0)):
        with pytest.raises(ValueError, match=r"(origins: expected some in|steps: expected at)"):
            model.ahead(series, origins, steps)
    assert model.ahead(series, [41], 2).mean.shape == (1, 2)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_value_never_changes_its_own_distribution(cell: str) -> None:
    model = latent_of(cell)
    x = torch.randn(11, 3, generator=torch.Generator().manual_seed(0))
    before, deviation, _ = model(x)
    for t in range(11):
        other = x.clone()
        other[t] += 1
        mean, log_deviation, _ = model(other)
        changed = ((mean != before) | (log_deviation != deviation)).any(1)
        assert not changed[:t].any() and changed[t]  # index t is the forecast of x[t + 1]


def test_latent_nats_and_first_step_by_hand() -> None:
    fresh = LatentForecaster("gru", 5)  # begins as persistence with deviation 1
    x = torch.tensor([[0.5], [2.0], [1.0]])
    expected = [0.5 * e**2 + 0.5 * math.log(2 * math.pi) for e in (1.5, -1.0)]
    assert fresh.nats(x).flatten().tolist() == pytest.approx(expected)
    forecast = fresh.ahead(np.array([0.5, 2.0, 1.0]), [2, 3], 1)
    assert forecast.mean.flatten().tolist() == [2, 1]
    assert (forecast.high - forecast.mean).flatten().tolist() == pytest.approx([NORMAL_90] * 2)


def test_random_futures_of_a_random_walk() -> None:
    """The fresh model is a walk with deviation 1: K steps ahead its deviation is sqrt(K)."""
    model = LatentForecaster("gru", 5, paths=4001)
    forecast = model.ahead(np.array([0.5, 2.0]), [2], 9)
    assert forecast.mean[0].tolist() == pytest.approx([2] * 9, abs=0.12)
    spread = (forecast.high - forecast.low)[0] / (2 * NORMAL_90)
    assert spread.tolist() == pytest.approx([math.sqrt(k) for k in range(1, 10)], rel=0.06)
    again = model.ahead(np.array([0.5, 2.0]), [2], 9)
    assert np.array_equal(forecast.low, again.low)


def test_many_origins_equal_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, series, origins = latent_of("lstm"), ar2(41), list(range(1, 42))
    whole = model.ahead(series, origins, 5)
    monkeypatch.setattr(forecasting, "AT_ONCE", 7)
    for one, other in zip(whole, model.ahead(series, origins, 5), strict=True):
        assert one.shape == (41, 5)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_errors_by_hand() -> None:
    forecast = Forecast(np.array([[1.0, 2.0], [3.0, 3.0]]), np.zeros((2, 2)), np.zeros((2, 2)))
    rmse, mae = errors(forecast, np.array([9.0, 1.0, 5.0, 3.0]), [1, 2])
    assert rmse.tolist() == pytest.approx([math.sqrt(2), math.sqrt(4.5)])
    assert mae.tolist() == pytest.approx([1, 1.5])


@pytest.mark.parametrize("window", [0, 10, 50])
def test_a_window_too_long_for_the_series(window: int) -> None:
    message = (
        rf"window: expected at least 1 and at most 9 for 20 values to learn from, got {window}"
    )
    with pytest.raises(ValueError, match=message):
        WindowForecaster(ar2(20), window)
    assert WindowForecaster(ar2(20), 9).first == 9
