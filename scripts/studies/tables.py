"""Tables of runs: one of a study's seeds, one of any runs, and any as CSV."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from sidestep.agents.acting.evaluation import half_interval, iqm_interval, mean_interval
from sidestep.scripts.shared.console import add_row, table
from sidestep.scripts.shared.groups import (
    Evaluated,
    Group,
    groups_of,
    kind_of,
    settings_that_differ,
)
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.log import INTERVALS

FIGURES = {
    "success": ("success", ".2%"),
    "return_mean": ("return", ".3f"),
    "regret": ("regret", ".4f"),
    "length_mean": ("length", ".2f"),
}
"""What tables show of a run: names of figures, column and form."""
IN_CSV = {
    "success": "success",
    "collision": "hits",
    "return_mean": "return",
    "regret": "regret",
    "return_iqm": "iqm",
    "return_std": "return_std",
    "length_mean": "length",
    "timeouts": "timeouts",
    "optimum": "optimum",
    "episodes": "episodes",
}
"""Figures of a CSV file, and their columns."""
OVER_SEEDS: tuple[tuple[str, Callable[[NDArray[np.float64]], float]], ...] = (
    ("mean", lambda values: mean_interval(values).value),
    ("  95 % interval from", lambda values: mean_interval(values).low),
    ("  to", lambda values: mean_interval(values).high),
    ("interquartile mean", lambda values: iqm_interval(values).value),
    ("  95 % interval from", lambda values: iqm_interval(values).low),
    ("  to", lambda values: iqm_interval(values).high),
)
"""Rows below the seeds: what they are of a figure's values, one of each seed."""
FEW = 4
"""Of fewer seeds the interquartile mean is the mean."""
GROUP_ROWS: tuple[tuple[str, Callable[[NDArray[np.float64]], float]], ...] = (
    ("mean of {}", lambda values: mean_interval(values).value),
    ("  \u00b1, 95 %", lambda values: float(half_interval(values))),
)
"""Rows below a group: what they are of a figure's values, one of each run."""
MOST_SETTINGS = 4
"""Columns of settings on a screen; a CSV file has all."""
DASH = "-"


def counted(number: int, of: str) -> str:
    """So many of something: `1 seed`, `2 seeds`."""
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def value_of(summary: dict[str, Any], name: str) -> float | None:
    """A figure of a run, of an interval its value; None: it is not known."""
    value = summary.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None or math.isnan(value) else float(value)


def seeds_table(runs: list[Evaluated], of: int) -> Table:
    """A row a seed; then means and interquartile means with their 95 % intervals, and the worst.

    Args:
        runs: equal but for their seed, at their end.
        of: how many seeds the study has.
    """
    known = [name for name in FIGURES if all(name in summary for _, _, summary in runs)]
    columns = ["seed", *(FIGURES[name][0] for name in known)]
    rows = [
        [str(config.training.seed), *(_cell(summary, name) for name in known)]
        for _, config, summary in runs
    ]
    values = {name: np.array([value_of(s, name) for _, _, s in runs]) for name in known}
    result = table(_title(runs, of), columns, rows)
    if len(runs) > 1:
        result.rows[-1].end_section = True
        for words, over in OVER_SEEDS[: 3 if len(runs) < FEW else None]:
            add_row(result, [words, *(_over(over, name, values[name]) for name in known)])
        worst = min(runs, key=lambda run: run[2]["return_mean"][0])
        cells = [_cell(worst[2], name) for name in known]
        result.rows[-1].end_section = True
        add_row(result, [f"worst return: seed {worst[1].training.seed}", *cells])
    return result


def _over(
    over: Callable[[NDArray[np.float64]], float], name: str, values: NDArray[np.float64]
) -> str:
    """A cell of a row over seeds; a share is none to all."""
    value = over(values)
    return format(np.clip(value, 0.0, 1.0) if name == "success" else value, FIGURES[name][1])


def _title(runs: list[Evaluated], of: int) -> str:
    _, config, summary = runs[0]
    count = counted(of, "seed") if len(runs) == of else f"{len(runs)} of {counted(of, 'seed')}"
    over = f"; optimum {summary['optimum']:.4f}" if "optimum" in summary else ""
    over += f" over {summary['optimum_over']}" if "optimum_over" in summary else ""
    name = f"{config.learner}, {config.env.in_words()}"
    return f"{name}: {count}, greedy, {summary['episodes']:,} fresh episodes each{over}"


def _cell(summary: dict[str, Any], name: str) -> str:
    value = value_of(summary, name)
    return DASH if value is None else format(value, FIGURES[name][1])


def runs_tables(runs: list[Evaluated]) -> list[Table]:
    """A table for each kind of run: learner, memory and env.

    A row is a run; below each group of several stand their mean and half its 95 % interval.
    Settings that differ within a kind have columns, the first few of them.
    """
    kinds: dict[str, list[Evaluated]] = {}
    for run in runs:
        kinds.setdefault(kind_of(run[1]), []).append(run)
    return [_table_of(kind, alike) for kind, alike in kinds.items()]


def _table_of(kind: str, runs: list[Evaluated]) -> Table:
    names = [name for name in FIGURES if any(name in summary for _, _, summary in runs)]
    settings = settings_that_differ(runs)
    shown, more = list(settings)[:MOST_SETTINGS], list(settings)[MOST_SETTINGS:]
    columns = ["run", "seed", "steps", *map(_last, shown), *(FIGURES[name][0] for name in names)]
    title = f"{kind}: {counted(len(runs), 'run')}"
    if more:
        title += f"; they also differ in {', '.join(map(_last, more))}"
    result, place = table(title, columns, []), {id(run): n for n, run in enumerate(runs)}
    for group in groups_of(runs):
        several = len(group.members) > 1
        for run in group.members:
            told = [_setting(settings[name][place[id(run)]]) for name in shown]
            cells = [_cell(run[2], name) for name in names]
            add_row(result, [str(run[0]), str(run[1].training.seed), _steps(run), *told, *cells])
        if several:
            blank = [""] * (2 + len(shown))
            for words, over in GROUP_ROWS:
                cells = [_over_group(over, group, name) for name in names]
                add_row(result, [words.format(len(group.members)), *blank, *cells])
        result.rows[-1].end_section = several
    return result


def settings_table(runs: list[Evaluated]) -> Table:
    """One table of all runs, of whatever learners: a column a run, a row a setting that differs.

    Learner and env head the columns where they differ; the figures stand below the settings.
    """
    settings = settings_that_differ(runs)
    envs = {config.env.id for _, config, _ in runs}
    where = f", {envs.pop()}" if len(envs) == 1 else ""
    title = f"{counted(len(runs), 'run')}{where}: settings that differ, and figures"
    short = [folder.resolve().name for folder, _, _ in runs]
    names = short if len(set(short)) == len(runs) else [str(folder) for folder, _, _ in runs]
    result = table(title, ["", *names], [])
    add_row(result, ["learner", *(config.learner for _, config, _ in runs)])
    if not where:
        add_row(result, ["env", *(config.env.id.split("/")[-1] for _, config, _ in runs)])
    for name, values in settings.items():
        add_row(result, [_last(name), *map(_in_column, values)])
    result.rows[-1].end_section = True
    add_row(result, ["seed", *(str(config.training.seed) for _, config, _ in runs)])
    add_row(result, ["steps", *map(_steps, runs)])
    for name, (words, _) in FIGURES.items():
        if any(name in summary for _, _, summary in runs):
            add_row(result, [words, *(_cell(summary, name) for _, _, summary in runs)])
    return result


def _in_column(value: Any) -> str:
    """A setting in few characters; a dash for none, and for what a learner does not have."""
    if value is None:
        return DASH
    return f"{value:g}" if isinstance(value, float) else _setting(value)


def _over_group(over: Callable[[NDArray[np.float64]], float], group: Group, name: str) -> str:
    """A cell of a group's row; a dash where one of its runs lacks the figure."""
    values = [value_of(summary, name) for _, _, summary in group.members]
    if None in values:
        return DASH
    return format(over(np.array(values, dtype=float)), FIGURES[name][1])


def _last(name: str) -> str:
    """A setting's name without where it stands, in words that can be broken."""
    return name.split(".")[-1].replace("_", " ")


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or DASH
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _steps(run: Evaluated) -> str:
    """How far a run is, and of how many steps where it is not at its end."""
    _, config, summary = run
    steps, total = summary["steps"], config.training.total_steps
    ended = is_final(summary) or steps >= total
    return f"{steps:,}" if ended else f"{steps:,} of {total:,}"


def is_final(summary: dict[str, Any]) -> bool:
    """Whether figures are those of a run's end."""
    return bool(summary.get("final", True))


def csv_text(runs: list[Evaluated]) -> str:
    """A line a run: what it is, how far, the settings that differ among them, and its figures."""
    settings = settings_that_differ(runs)
    groups = {id(run): g.name for g in groups_of(runs) for run in g.members}
    figures = [name for name in IN_CSV if any(name in summary for _, _, summary in runs)]
    head = ["run", "learner", "env", "seed", "steps", "final", "evaluated", "group", *settings]
    for name in figures:
        ends = [f"{IN_CSV[name]}_low", f"{IN_CSV[name]}_high"] if name in INTERVALS else []
        head += [IN_CSV[name], *ends]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for number, run in enumerate(runs):
        folder, config, summary = run
        line: list[Any] = [folder, config.learner, config.env.id, config.training.seed]
        line += [summary["steps"], "yes" if is_final(summary) else "no"]
        line += [summary["steps"] if is_final(summary) else summary.get("evaluated", "")]
        line += [groups[id(run)]]
        line += [_plain(values[number]) for values in settings.values()]
        for name in figures:
            line += _numbers(summary, name)
        writer.writerow(line)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """A setting as a cell; lists as JSON."""
    return json.dumps(value) if isinstance(value, list | bool) else value


def _numbers(summary: dict[str, Any], name: str) -> list[Any]:
    """The cells of a figure: one, or three of an interval; empty where it is not known."""
    values = summary.get(name, [None] * 3) if name in INTERVALS else [value_of(summary, name)]
    return ["" if value is None or math.isnan(value) else value for value in values]


def write_csv(path: Path, runs: list[Evaluated]) -> None:
    """Write `csv_text` to a file, completely or not at all."""
    write_atomically(path, csv_text(runs).encode())
