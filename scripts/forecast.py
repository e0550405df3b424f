"""`sidestep forecast`: foresee a series from its past, always beside persistence."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from rich.table import Table

from sidestep.scripts.sequences.fitting_run import (
    Remade,
    ResumeOptions,
    begin,
    fit,
    fitting_curve,
    go_on,
)
from sidestep.scripts.sequences.forecast_figures import forecast_figure
from sidestep.scripts.sequences.forecast_task import (
    ForecastConfig,
    ForecastTask,
    measure,
    record_of,
)
from sidestep.scripts.sequences.series import Series, read_series
from sidestep.scripts.shared.console import console, guarded, parse, table
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.loop_bar import leave
from sidestep.scripts.shared.modules import import_noted
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.fitted import load_fitted
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.records import build_config, check_entry, check_named, entries
from sidestep.sequence.models.forecasting import LatentForecaster

EXAMPLES = """\
  sidestep forecast
  sidestep forecast prices.csv --column close --window 5 --horizon 10 --out runs/prices
  sidestep forecast resume runs/prices --updates 1200"""


@dataclass(frozen=True)
class Options:
    """Forecast a column of a CSV file: persistence, AR(tau), and a latent recurrent model."""

    file: Annotated[Path | None, tyro.conf.Positional] = None
    """A CSV file with a header; the yearly sunspot numbers if left out."""
    column: str | None = None
    """The column's name; the only one, or of two the one that is no time, if left out."""
    encoding: str | None = None
    """The file's encoding, for instance cp949; UTF-8, or found out, if left out."""
    out: Path | None = None
    """The run's folder, which must be new; runs/forecast-COLUMN-TIME if left out."""
    forecast: tyro.conf.OmitArgPrefixes[ForecastConfig] = field(default_factory=ForecastConfig)
    fitting: tyro.conf.OmitArgPrefixes[FittingConfig] = field(
        default_factory=lambda: FittingConfig(
            updates=240, learning_rate=5e-3, log_every=5, validate_every=10
        )
    )


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    args = sys.argv[1:] if args is None else args
    guarded("forecast", lambda: _main(args))


def _main(args: list[str]) -> None:
    if args and args[0] == "resume":
        resume(parse(ResumeOptions, "forecast resume", args[1:], EXAMPLES))
    else:
        train(parse(Options, "forecast", args, EXAMPLES))


def train(options: Options) -> Path:
    """Begin a run; returns its folder."""
    torch.set_num_threads(options.fitting.threads)
    series = read_series(options.file, options.column, options.encoding)
    task = ForecastTask(series, options.forecast, options.fitting)
    path = None if options.file is None else str(options.file.resolve())
    source = (path, options.column, options.encoding)
    record = record_of(source, series, options.forecast, options.fitting)
    name = "".join(c if c.isalnum() else "-" for c in series.name)
    return begin("forecast", name, options.out, record, task, finish)


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    folder = options.run
    import_noted(folder)

    def remake(record: dict[str, Any]) -> Remade:
        source = f"{folder}/config.json"
        entries(record, source, series=dict, forecast=dict)
        kinds = {"path": str | None, "column": str | None, "values": int, "sha256": str}
        entries(record["series"], f"{source}: series", **kinds)
        check_entry(record["series"].get("encoding"), str | None, f"{source}: encoding")
        models: ForecastConfig = build_config(ForecastConfig, record["forecast"], source)

        def task(config: FittingConfig) -> ForecastTask:
            return ForecastTask(_series_of(folder, record, options.file), models, config)

        return Remade(lambda: LatentForecaster(models.cell, models.hidden_size), 1, task)

    go_on("forecast", options, remake, finish)


def _series_of(folder: Path, record: dict[str, Any], file: Path | None) -> Series:
    """The series that a run was begun with."""
    there = record["series"]
    path = file or check_named(None if there["path"] is None else Path(there["path"]))
    try:
        series = read_series(path, there["column"], there.get("encoding"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: expected the series of {folder}; say where it is now with --file"
        ) from None
    if series.digest() != there["sha256"]:
        raise ValueError(
            f"{path}: expected the {there['values']} values that {folder} was begun with, got "
            f"others ({len(series.values)})"
        )
    return series


def finish(fitter: Fitter, task: ForecastTask, folder: Path) -> None:
    """Fit with a progress bar; then the table, the figures and forecast.json, by the best."""
    if task.series.remark:
        console.print(task.series.remark, soft_wrap=True, markup=False, highlight=False)
    stopped = fit(fitter, "forecast")
    facts = load_fitted(task.module, folder)
    measured = measure(task)
    name, size = task.series.name, len(task.series.values)
    console.print(_table(task, measured, facts["updates"]))
    title = f"{name}: {size} values, the last {size - task.split.validation} held out"
    save_figure(forecast_figure(task, measured, title), folder / "forecast.png")
    label = "nats per value, scaled"
    curve = fitting_curve(read_log(folder), f"latent {task.config.cell.upper()}, {name}", label)
    save_figure(curve, folder / "curve.png")
    report = {"updates": facts["updates"], "test": measured, "beyond": _beyond(task)}
    write_atomically(folder / "forecast.json", (json.dumps(report, indent=1) + "\n").encode())
    console.print(f"Figure: {folder / 'forecast.png'}", soft_wrap=True, markup=False)
    console.print(f"Run folder: {folder}", soft_wrap=True, markup=False)
    leave(stopped)


def _table(task: ForecastTask, measured: dict[str, dict[str, Any]], updates: int) -> Table:
    """Errors on the test part, one step ahead and averaged over the horizon."""
    horizon = task.config.horizon
    rows = []
    for name, row in measured.items():
        far = float(np.mean(row["rmse_ahead"]))
        base = float(np.mean(measured["persistence"]["rmse_ahead"]))
        rows.append(
            (
                name,
                f"{row['rmse']:.4g}",
                f"{row['mae']:.4g}",
                _percent(row["skill"]),
                f"{far:.4g}",
                _percent(1 - far / base if base else None),
                f"{row['covered']:.0%}",
            )
        )
    test = len(task.series.values) - task.split.validation
    heading = (
        f"{task.series.name}: errors on the last {test} of {len(task.series.values)} values, the "
        f"latent model after {updates} updates"
    )
    columns = ("model", "rmse, 1 step", "mae, 1 step", "gain", f"rmse, 1-{horizon}", "gain",
               "in 90 %")  # fmt: skip
    return table(heading, columns, rows)


def _percent(skill: float | None) -> str:
    """How much smaller than persistence's error."""
    return "-" if skill is None else f"{skill:+.0%}"


def _beyond(task: ForecastTask) -> dict[str, Any]:
    """Forecasts of what comes after the data."""
    beyond = {}
    for name, model in task.models().items():
        forecast = task.foresee(model, [len(task.series.values)], task.config.horizon)
        beyond[name] = {k: v[0].tolist() for k, v in forecast._asdict().items()}
    return beyond


if __name__ == "__main__":
    main()
