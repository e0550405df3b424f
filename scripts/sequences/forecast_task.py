"""What `sidestep forecast` fits and measures: split, latent model, errors beside persistence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sidestep.scripts.sequences.series import Series
from sidestep.sequence.devices import device_of, work_of
from sidestep.sequence.fitting.fitter import FittingConfig, Loss, seeded
from sidestep.sequence.fitting.stored import check_tensors, within
from sidestep.sequence.limits import MANY, Limit, at_least, check_fields, one_of
from sidestep.sequence.memory.table import CELLS
from sidestep.sequence.models.forecasting import (
    Forecast,
    Forecaster,
    LatentForecaster,
    Persistence,
    Scaling,
    WindowForecaster,
    errors,
)

Values = NDArray[np.float64]
FARTHEST = 1e12
"""Deviations beyond which the latent model's single precision has no squares."""


@dataclass(frozen=True)
class ForecastConfig:
    """The models and the split."""

    window: int = 9
    """tau, the past values that AR sees."""
    choices: ClassVar[dict[str, Sequence[str]]] = {"cell": CELLS}
    """What a command line may offer for a field."""
    cell: str = "gru"
    """Of the latent model."""
    hidden_size: int = 24
    """Units of the latent model."""
    horizon: int = 11
    """Steps that are foreseen at once."""
    length: int = 48
    """Steps of the pieces of the series that the latent model learns from."""
    rows: int = 16
    """Such pieces an update."""
    validation_share: float = 0.2
    """The part before the last that says which of the latent model's checkpoints is the best."""
    test_share: float = 0.25
    """The last part, which nothing is fitted or chosen by."""

    def __post_init__(self) -> None:
        """Check every field."""
        share = Limit("a number in (0, 1)", lambda value: 0 < value < 1)
        limits = {
            "cell": one_of(*CELLS),
            "window": at_least(1, MANY),
            "hidden_size": at_least(1, MANY),
            "horizon": at_least(1, MANY),
            "length": at_least(1, MANY),
            "rows": at_least(1, MANY),
            "validation_share": share,
            "test_share": share,
        }
        check_fields(self, limits)
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                "expected validation_share + test_share below 1, got "
                f"{self.validation_share} + {self.test_share}"
            )


class Split:
    """A series cut in the order of time, and scaled by its training part alone.

    Attributes:
        training: where the training part ends; the validation part begins there.
        validation: where the validation part ends; the test part begins there.
        scaling: of the training part.
        scaled: (N,) the whole series on that scale.

    Raises:
        ValueError: a part is too short, the training part never changes, or what follows is of
            quite another size.
    """

    def __init__(self, values: Values, config: ForecastConfig) -> None:
        """Cut and scale."""
        size = len(values)
        test, validation = int(config.test_share * size), int(config.validation_share * size)
        self.training, self.validation = size - test - validation, size - test
        if test < config.horizon:
            raise ValueError(
                f"horizon: expected at most the test part's {test} values, got {config.horizon}"
            )
        if validation < 1 or self.training < 4:
            raise ValueError(
                f"expected a series of at least 4 values to learn from and 1 to validate, got "
                f"{self.training} and {validation}"
            )
        self.scaling = Scaling.of(values[: self.training])
        self.scaled = self.scaling.apply(values)
        farthest = int(np.abs(self.scaled).argmax())
        if not abs(self.scaled[farthest]) < FARTHEST:
            raise ValueError(
                f"expected values within {FARTHEST:g} deviations ({self.scaling.deviation:g}) of "
                f"those to learn from, got {values[farthest]:g} as number {farthest + 1}"
            )

    def origins(self, horizon: int) -> list[int]:
        """Every origin in the test part that has `horizon` values after it."""
        return list(range(self.validation, len(self.scaled) - horizon + 1))


class ForecastTask:
    """The latent forecaster on pieces of the training part, for a `Fitter`.

    Args:
        series: all of it.
        config: models and split.
        fitting: gives seed and device.

    Raises:
        ValueError: a series too short or constant, or no such device.
    """

    unit = "values"

    def __init__(self, series: Series, config: ForecastConfig, fitting: FittingConfig) -> None:
        """Split, scale, and make the models."""
        self.fitting = fitting
        self.series, self.config = series, config
        self.split = Split(series.values, config)
        training = self.split.scaled[: self.split.training]
        self.persistence = Persistence(training)
        self.window = WindowForecaster(training, config.window)
        with seeded(fitting.seed):
            self.module = LatentForecaster(config.cell, config.hidden_size)
        device = device_of(
            fitting.device, lambda: work_of(self.module, config.rows * config.length)
        )
        self.module.to(device)
        scaled = torch.from_numpy(self.split.scaled).float().to(device)
        self.training, self.known = scaled[: self.split.training], scaled[: self.split.validation]
        self.random = np.random.default_rng(fitting.seed)

    def loss(self, update: int) -> Loss:
        """Nats of the next values over random pieces."""
        size = min(self.config.length + 1, len(self.training))
        begins = self.random.integers(0, len(self.training) - size + 1, self.config.rows)
        rows = [self.training[begin : begin + size] for begin in begins]
        nats = self.module.nats(torch.stack(rows, dim=1))  # (size - 1, rows)
        return Loss(nats.sum(), nats.numel())

    def validate(self) -> dict[str, float]:
        """Nats per value of the validation part, read after the training part."""
        nats = self.module.nats(self.known.unsqueeze(1))[self.split.training - 1 :]
        return {"loss": float(nats.mean())}

    def state_dict(self) -> dict[str, Tensor]:
        """Where the random pieces stand."""
        state: Any = self.random.bit_generator.state
        numbers = [state["state"]["state"], state["state"]["inc"]]
        words = [n >> shift & 0xFFFFFFFF for n in numbers for shift in (96, 64, 32, 0)]
        return {"random": torch.tensor([*words, state["has_uint32"], state["uinteger"]])}

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Refuse what `load_state_dict` could not take.

        Raises:
            ValueError: not ten 32-bit words, of which the ninth says yes or no.
        """
        check_tensors(self.state_dict(), state, "task.")
        within(state["random"], "task.random", 0, 2**32 - 1)
        within(state["random"][8], "task.random[8]", 0, 1)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        *words, has, last = state["random"].tolist()
        whole = [
            sum(
                word << shift for word, shift in zip(words[k : k + 4], (96, 64, 32, 0), strict=True)
            )
            for k in (0, 4)
        ]
        self.random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": whole[0], "inc": whole[1]},
            "has_uint32": has,
            "uinteger": last,
        }

    def models(self) -> dict[str, Forecaster]:
        """The three forecasters by the names that tables and figures use."""
        return {
            "persistence": self.persistence,
            f"AR({self.config.window})": self.window,
            f"latent {self.config.cell.upper()}": self.module,
        }

    def foresee(self, model: Forecaster, origins: list[int], steps: int) -> Forecast:
        """Forecasts in the unit of the series."""
        forecast = model.ahead(self.split.scaled, origins, steps)
        return Forecast(*(self.split.scaling.undo(part) for part in forecast))


def measure(task: ForecastTask) -> dict[str, dict[str, Any]]:
    """Errors on the test part by model, in the series' unit, and beside persistence.

    Returns:
        For each model: `rmse` and `mae` one step ahead, `rmse_ahead` (K,) at each distance,
        `skill` and `skill_ahead`, 1 - rmse / persistence's, and `covered`, the share of test values
        inside the 90 % interval one step ahead.
    """
    values, horizon = task.series.values, task.config.horizon
    single, many = task.split.origins(1), task.split.origins(horizon)
    result: dict[str, dict[str, Any]] = {}
    for name, model in task.models().items():
        one = task.foresee(model, single, 1)
        rmse, mae = errors(one, values, single)
        ahead, _ = errors(task.foresee(model, many, horizon), values, many)
        truth = values[single][:, None]
        covered = ((one.low <= truth) & (truth <= one.high)).mean()
        result[name] = {
            "rmse": float(rmse[0]),
            "mae": float(mae[0]),
            "rmse_ahead": ahead.tolist(),
            "covered": float(covered),
        }
    base = result["persistence"]
    for row in result.values():
        row["skill"] = _skill(row["rmse"], base["rmse"])
        pairs = zip(row["rmse_ahead"], base["rmse_ahead"], strict=True)
        row["skill_ahead"] = [_skill(mine, other) for mine, other in pairs]
    return result


def _skill(error: float, base: float) -> float | None:
    """The share of persistence's error that is gone; None where that had none."""
    return 1 - error / base if base > 0 else None


def record_of(
    source: tuple[str | None, str | None, str | None],
    series: Series,
    config: ForecastConfig,
    fitting: FittingConfig,
) -> dict[str, Any]:
    """What config.json holds; `source` is path, column and encoding, as they were asked for."""
    path, column, encoding = source
    return {
        "series": {
            "path": path,
            "column": column,
            "encoding": encoding,
            "values": len(series.values),
            "sha256": series.digest(),
        },
        "forecast": asdict(config),
        "fitting": asdict(fitting),
    }
