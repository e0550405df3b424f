"""What every bench stands on: flags, rounds by turns, ratios, records as JSON, sections of a page.

A bench itself says what it measures, and what columns and sentences come of it.
"""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from matplotlib.figure import Figure

from sidestep.scripts.shared.console import console, progress, say, table
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import Limit, check_fields

T = TypeVar("T")
OWN = tuple(f":(exclude,top)docs/{name}" for name in ("results*", "figures", "architecture.md"))
"""What benches write themselves is no change of what they measure."""
OUT = Path("runs/bench")
"""Where results go unless a flag says otherwise; those that are published go to `--out docs`."""
PACKAGES = ("gymnasium", "numba", "numpy", "torch", "stable-baselines3")


@dataclass(frozen=True)
class Flags:
    """Flags of every bench."""

    out: Path = OUT
    """The folder of the page that gets a section, of results/ and of figures/."""
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


def environment() -> dict[str, Any]:
    """Where a figure was measured: commit, processor count, and the versions of what matters."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }


def _commit() -> str:
    """The commit of this code, marked where files are changed."""
    head = ("rev-parse", "--short=12", "HEAD")
    changes = ("status", "--porcelain", "--untracked-files=no", "--", ":/", *OWN)
    try:
        commit, changed = map(_git, (head, changes))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changed else commit


def _git(words: Sequence[str]) -> str:
    git = ["git", "-C", str(Path(__file__).resolve().parent), *words]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def shown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Print a table; returns it as Markdown."""
    console.print(table(title, columns, rows))
    return markdown_table(columns, rows)


def known_result(out: Path, name: str) -> dict[str, Any]:
    """The record of an earlier call, `out/results/NAME.json`; empty where there is none."""
    path = out / "results" / f"{name}.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return record


def write_figure(out: Path, name: str, figure: Figure, source: str | None = None) -> Path:
    """Write `out/figures/NAME.png`, and return its path; arguments as of `save_figure`."""
    path = out / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path, source)
    return path


def write_result(
    out: Path,
    name: str,
    result: Mapping[str, Any],
    markdown: str,
    command: str = "",
    page: str = "results.md",
) -> None:
    """Write `out/results/NAME.json` and replace the section NAME of a page.

    Args:
        out: the folder of both files, made when missing.
        name: the section's name, unique in the page.
        result: the figures, JSON-serialisable; `environment()` is stored beside them.
        markdown: the section's body: a heading, tables, and a sentence on how to read them.
        command: the words that make this result again; `sidestep bench NAME` if left out.
        page: the page's name in `out`.
    """
    (out / "results").mkdir(parents=True, exist_ok=True)
    command = command or f"sidestep bench {name}"
    record = {"command": command, "environment": environment(), **result}
    (out / "results" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    path = out / page
    text = path.read_text() if path.exists() else "# Results\n"
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    place = record["environment"]
    source = (
        f"Made by `{command}` at commit `{place['commit']}` on {place['cpus']} processors; "
        f"figures: [results/{name}.json](results/{name}.json)."
    )
    section = f"{begin}\n{markdown.strip()}\n\n{source}\n{end}"
    if begin in text and end in text:
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = head + section + tail
    else:
        text = text.rstrip() + "\n\n" + section + "\n"
    path.write_text(text)
    say(f"Results: {path}")
