"""What every bench stands on: flags, rounds by turns, ratios, tables.

A bench itself says what it measures, and what columns and sentences come of it.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sidestep.scripts.shared.console import console, progress, table
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import Limit, check_fields

T = TypeVar("T")
OUT = Path("runs/bench")
"""Where results go unless a flag says otherwise; those that are published go to `--out docs`."""


@dataclass(frozen=True)
class Flags:
    """Flags of every bench."""

    out: Path = OUT
    """The folder of the page that gets a section, of results/ and of figures/."""
    busy: bool = field(default=False, kw_only=True)
    """Say in record and page that the machine did other things too."""
    limits: ClassVar[Mapping[str, Limit]] = {}
    """What fields may hold."""

    def __post_init__(self) -> None:
        """Check every field that has a limit."""
        check_fields(self, self.limits)


def by_turns(
    title: str,
    measures: Mapping[str, Callable[..., T]],
    rounds: Sequence[tuple[Any, ...]] = ((),),
    after: Callable[[int, dict[str, list[T]]], None] | None = None,
) -> dict[str, list[T]]:
    """Measure everybody in each round, one after the other, with a bar.

    Args:
        title: before the bar.
        measures: by name.
        rounds: for each round what everybody is called with; `[()] * 3` are three with nothing.
        after: is called after every round, with how many there were and all that is measured.

    Returns:
        What was measured, for each name a list over rounds.
    """
    found: dict[str, list[T]] = {name: [] for name in measures}
    with progress("{task.fields[now]}") as bar:
        task = bar.add_task(title, total=len(rounds) * len(measures), now="")
        for number, words in enumerate(rounds, 1):
            for name, measure in measures.items():
                bar.update(task, now=f"{name}, round {number}" if len(rounds) > 1 else name)
                found[name].append(measure(*words))
                bar.advance(task)
            if after is not None:
                after(number, found)
    return found


def interleave(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round; one round makes all, one after the other."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return times


def ratio(times: Mapping[str, list[float]], name: str, base: str) -> float:
    """The median over rounds of one's figure by another's in the same round."""
    return statistics.median(a / b for a, b in zip(times[name], times[base], strict=True))


def shown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Print a table; returns it as Markdown."""
    console.print(table(title, columns, rows))
    return markdown_table(columns, rows)
