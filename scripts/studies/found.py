"""Runs found in folders, with what was measured of them last."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from sidestep.agents.runs import read_config
from sidestep.scripts.shared.finals import read_final
from sidestep.scripts.shared.groups import Evaluated
from sidestep.sequence.fitting.folder import read_settings
from sidestep.sequence.fitting.log import read_log


def run_folders(folder: Path) -> Iterator[Path]:
    """Every folder with a config.json at and below one, in the order of names; 2 before 10.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder with runs, got none")
    if (folder / "config.json").is_file():
        yield folder
    for path in sorted(folder.iterdir(), key=_by_numbers):
        if path.is_dir() and not path.is_symlink():
            yield from run_folders(path)


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    """A key by which `seed-2` comes before `seed-10`."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", path.name)]


def is_agents(folder: Path) -> bool:
    """Whether a folder is a run of `sidestep train`, and not of `lm`, `translate` or `forecast`."""
    return "kind" not in read_settings(folder)


def steps_of(folder: Path) -> int:
    """How far a run is, by its last checkpoint and its log."""
    names = [path.stem.partition("-")[2] for path in folder.glob("checkpoint-*.json")]
    logged = [int(line["steps"]) for line in read_log(folder)]
    return max([int(name) for name in names if name.isdigit()] + logged, default=0)


def final_of(folder: Path) -> dict[str, Any] | None:
    """The record of a run's end; None: it has not come to it, or has gone on since then."""
    final = read_final(folder)
    return final if final is not None and final["steps"] >= steps_of(folder) else None


def found_run(folder: Path, modules: Collection[str] = ()) -> Evaluated:
    """A run and what was measured of it last: at its end, or else on its way.

    Of a run on its way the summary says `steps`, how far it is, and if it has been evaluated
    `evaluated`, how far it was then, beside the figures.

    Args:
        folder: of the run.
        modules: that may be imported for its env.

    Raises:
        OSError, ValueError: no run, or a damaged one.
    """
    config = read_config(folder, modules)
    final = final_of(folder)
    if final is not None:
        return folder, config, final
    on_the_way: dict[str, Any] = {"steps": steps_of(folder), "final": False}
    for line in reversed(read_log(folder)):
        if "evaluation" in line:
            figures = {"evaluated": int(line["steps"]), **line["evaluation"]}
            return folder, config, {**on_the_way, **figures}
    return folder, config, on_the_way
