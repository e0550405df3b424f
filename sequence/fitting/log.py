"""The log of a run: a line of metrics.jsonl for every report, and TensorBoard beside it."""

import json
import math
import os
from functools import partial
from pathlib import Path
from typing import Any

from .checkpoint import naming
from .records import entries, parse_json, read_regular, shown

SUMMARIES: dict[str, dict[str, Any]] = {
    "evaluation": {"return_mean": list},
    "validation": {"loss": float | None},
}
"""What a line may hold that has figures of its own, and which of them every one has."""
INTERVALS = ("return_mean", "return_iqm", "success", "collision", "regret")
"""Figures of an evaluation that are intervals."""
MOST_LOG = 2**30
"""Bytes of a log that are read."""


class RunLog:
    """Appends to metrics.jsonl; without a folder it keeps nothing.

    Args:
        folder: of the run, or None.
        tensorboard: write event files too.

    Raises:
        ValueError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path | None, tensorboard: bool = False) -> None:
        """Check that TensorBoard is there; files are made with the first line."""
        self.path = None if folder is None else folder / "metrics.jsonl"
        self.writer: Any = None
        self.make_writer: Any = None
        if tensorboard and folder is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise ValueError(
                    "tensorboard: expected it to be installed: pip install tensorboard"
                ) from None
            self.make_writer = partial(SummaryWriter, str(folder / "tensorboard"))

    def __repr__(self) -> str:
        """Name the file."""
        return f"RunLog({None if self.path is None else str(self.path)!r})"

    def write(self, record: dict[str, Any]) -> None:
        """Append one line; `record["steps"]` is its place in time."""
        if self.path is not None:
            with naming(self.path), self.path.open("a") as file:
                file.write(json.dumps(plain(record), allow_nan=False) + "\n")
        if self.make_writer is not None:
            self.writer = self.writer or self.make_writer()
            for name, value in _scalars(record):
                self.writer.add_scalar(name, value, record["steps"])
            self.writer.flush()

    def position(self) -> int:
        """Bytes written so far; a resumed run goes on from here.

        Raises:
            ValueError: there is something else than a regular file, which might never end.
        """
        if self.path is None or not self.path.exists():
            return 0
        if not self.path.is_file():
            raise ValueError(f"{self.path}: expected a regular file, got a folder, pipe or device")
        return self.path.stat().st_size

    def rewind(self, position: int) -> None:
        """Forget what was written after `position`, in TensorBoard's event files too."""
        if self.path is not None and self.position() > position:
            os.truncate(self.path, position)
        if self.make_writer is not None and self.path is not None:
            kept = read_log(self.path.parent)
            after = int(kept[-1]["steps"]) + 1 if kept else 0
            # TensorBoard hides what the earlier event files hold of this step and of later ones
            self.make_writer = partial(self.make_writer, purge_step=after)

    def close(self) -> None:
        """Close the event files."""
        if self.writer is not None:
            self.writer.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Every line of a run's metrics.jsonl; none before the first, nor a half-written last one.

    Raises:
        ValueError: a line that no run writes.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = read_regular(path, MOST_LOG).split(b"\n")
    return [_record(line, f"{path}, line {n}") for n, line in enumerate(lines[:-1], 1) if line]


def _record(line: bytes, source: str) -> dict[str, Any]:
    """One line of a log: its place in time, and figures; null becomes NaN again."""
    record = entries(parse_json(line, source), source, steps=int)
    if not 0 <= record["steps"] < 2**63:
        raise ValueError(f"{source}: expected steps from 0 on, got {shown(record['steps'])}")
    read: dict[str, Any] = {}
    for name, value in record.items():
        place = f"{source}: {name}"
        if name in SUMMARIES:
            read[name] = read_figures(entries(value, place, **SUMMARIES[name]), place)
        else:
            read[name] = value if isinstance(value, bool) else _figure(value, place)
    return read


def read_figures(summary: dict[str, Any], source: str) -> dict[str, Any]:
    """The figures of an evaluation as they were before they were written; null becomes NaN again.

    Args:
        summary: as it was read.
        source: begins the error.

    Raises:
        ValueError: one that is no number, or no interval where it should be one.
    """
    return {k: _figure(v, f"{source} {k}", k in INTERVALS) for k, v in summary.items()}


def _figure(value: Any, source: str, interval: bool = False) -> Any:
    """A number, or an interval: its value, lower and upper end."""
    if interval:
        if not isinstance(value, list) or len(value) != 3:
            raise ValueError(f"{source}: expected [value, low, high], got {shown(value)}")
    if isinstance(value, list):
        if any(isinstance(part, list) for part in value):
            raise ValueError(f"{source}: expected a list of numbers, got {shown(value)}")
        return [_figure(part, source) for part in value]
    if value is None:
        return math.nan
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e308:
        raise ValueError(f"{source}: expected a number, got {shown(value)}")
    return value


def plain(value: Any) -> Any:
    """What JSON can hold: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scalars(record: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """The numbers of a record with their names; of an interval its value."""
    scalars: list[tuple[str, float]] = []
    for name, value in record.items():
        if isinstance(value, dict):
            scalars += _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, list):
            scalars.append((prefix + name, float(value[0])))
        elif isinstance(value, int | float) and name != "steps":
            scalars.append((prefix + name, float(value)))
    return scalars
