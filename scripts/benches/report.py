"""Benchmark results: JSON with commit and machine inside, and a section of results.md."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sidestep.scripts.shared.console import say

OWN = tuple(f":(exclude,top)docs/{name}" for name in ("results*", "figures", "architecture.md"))
"""What benches write themselves is no change of what they measure."""
OUT = Path("runs/bench")
"""Where results go unless a flag says otherwise; those that are published go to `--out docs`."""
PACKAGES = ("gymnasium", "numba", "numpy", "torch", "stable-baselines3")


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
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ":/", *OWN],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+changes" if changed else head


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column after the first is right-aligned."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, rule, *rows])


def write_result(
    out: Path,
    name: str,
    command: str,
    result: Mapping[str, Any],
    markdown: str,
    page: str = "results.md",
) -> None:
    """Write `out/results/NAME.json` and replace the section NAME of a page.

    Args:
        out: the folder of both files, made when missing.
        name: the section's name, unique in the page.
        command: the words that make this result again; printed above the table.
        result: the figures, JSON-serialisable; `environment()` is stored beside them.
        markdown: the section's body: a heading, tables, and a sentence on how to read them.
        page: the page's name in `out`.
    """
    (out / "results").mkdir(parents=True, exist_ok=True)
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
