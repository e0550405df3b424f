"""What is left of a bench: its record as JSON, its section of a page, its figures.

A record has the options that it was made with and where; a page says at its top which commits its
sections come from.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sidestep.scripts.benches.machine import commit, environment
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.shared.console import say
from sidestep.scripts.shared.curves import save_figure
from sidestep.sequence.fitting.checkpoint import write_atomically

WIDTH, FLAT_WIDTH = 100, 300
"""Characters of a line of JSON, and of one that has no braces in its braces; a list of numbers has
one line, however long."""
DIGITS = 7
"""Of a number in a record; no clock tells more."""
NOT_TOLD = ("out", "busy", "reuse", "redraw")
"""Flags on which no figure depends."""


def lean(value: Any) -> Any:
    """Make a record what JSON reads back, its numbers rounded to DIGITS that count."""
    if isinstance(value, dict):
        return {str(key): lean(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [lean(v) for v in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def record_text(value: Any, indent: int = 0) -> str:
    """Write a record as JSON for readers and for git: what is small or a list of numbers on a line.

    Args:
        value: of JSON's kinds.
        indent: spaces before its inner lines.
    """
    if not isinstance(value, dict | list) or _is_plain(value):
        return json.dumps(value, separators=(",", ":"))
    line = json.dumps(value)
    if indent + len(line) <= (FLAT_WIDTH if line.count("{") < 2 else WIDTH):
        return line
    inner, begin = "\n" + " " * (indent + 1), "\n" + " " * indent
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {record_text(v, indent + 1)}" for key, v in value.items()]
        return "{" + inner + f",{inner}".join(parts) + begin + "}"
    return "[" + inner + f",{inner}".join(record_text(v, indent + 1) for v in value) + begin + "]"


def _is_plain(value: Any) -> bool:
    """Whether it is a list of numbers, or of such lists."""
    return isinstance(value, list) and all(
        _is_plain(v) or v is None or isinstance(v, int | float) for v in value
    )


def options_of(options: Flags) -> dict[str, Any]:
    """What a bench was asked for, as JSON has it: all flags on which its figures depend."""
    found = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in NOT_TOLD}
    told = {n: value.name if isinstance(value, Path) else value for n, value in found.items()}
    return dict(lean(told))


def as_rows(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Runs that all have the same figures, as a record has them: names of these once."""
    figures = list(next(iter(runs.values()), {}))
    return {
        "figures": figures,
        "runs": {key: [run[f] for f in figures] for key, run in runs.items()},
    }


def from_rows(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Runs of a record of `as_rows`, or of an earlier version's."""
    runs = record.get("runs", {})
    if "figures" not in record:
        return dict(runs)
    return {key: dict(zip(record["figures"], row, strict=True)) for key, row in runs.items()}


def known_result(out: Path, name: str) -> dict[str, Any]:
    """The record of an earlier call, `out/results/NAME.json`; empty where there is none."""
    path = out / "results" / f"{name}.json"
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return record


def timed_result(options: Flags, name: str) -> dict[str, Any]:
    """The record of an earlier call whose seconds may stand beside those that are measured now.

    It is of this commit, and not of a machine that was busy unless this one is; else empty.
    """
    record = known_result(options.out, name)
    place = record.get("environment", {})
    if place.get("commit") != commit() or (place.get("busy") and not options.busy):
        return {}
    return record


def write_figure(out: Path, name: str, figure: Figure, source: str | None = None) -> Path:
    """Write `out/figures/NAME.png`, and return its path; arguments as of `save_figure`."""
    path = out / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path, source)
    return path


def write_result(
    options: Flags,
    name: str,
    result: Mapping[str, Any],
    markdown: str,
    command: str = "",
    page: str = "results.md",
    finished: bool = True,
) -> None:
    """Write `out/results/NAME.json` and replace the section NAME of a page.

    Args:
        options: of the bench; `out` is the folder of both files, made when missing.
        name: the section's name, unique in the page.
        result: the figures, JSON-serialisable; options and `environment()` are stored beside them.
        markdown: the section's body: a heading, tables, and a sentence on how to read them.
        command: the words that make this result again; if left out `sidestep bench NAME` with the
            flags that are not the defaults.
        page: the page's name in `out`.
        finished: whether all that was asked for is in it.
    """
    out = options.out
    (out / "results").mkdir(parents=True, exist_ok=True)
    record = {
        "command": command or f"sidestep bench {name}{_flags(options)}",
        "options": options_of(options),
        "finished": finished,
        "environment": environment(options.busy),
        **result,
    }
    record = lean(record)
    write_atomically(out / "results" / f"{name}.json", f"{record_text(record)}\n".encode())
    path = out / page
    text = path.read_text("utf-8") if path.exists() else "# Results\n"
    section = f"<!-- begin {name} -->\n{markdown.strip()}\n\n{_source(name, record)}\n"
    text = _with_section(text, name, section + f"<!-- end {name} -->")
    write_atomically(path, (_with_commits(text, out) if page == "results.md" else text).encode())
    say(f"Results: {path}")


def _flags(options: Flags) -> str:
    """The flags that are not the defaults, as they are typed."""
    words = []
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in NOT_TOLD or value == field.default:
            continue
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [flag, *(v.name if isinstance(v, Path) else str(v) for v in values)]
    return "".join(f" {shlex.quote(word)}" for word in words)


def _with_section(text: str, name: str, section: str) -> str:
    """A page with a section in its former place, or at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if begin not in text or end not in text:
        return text.rstrip() + "\n\n" + section + "\n"
    head, _, rest = text.partition(begin)
    return head + section + rest.partition(end)[2]


def _source(name: str, record: dict[str, Any]) -> str:
    place = record["environment"]
    remarks = [] if record["finished"] else ["**not finished**"]
    if place["busy"]:
        remarks.append(f"**on a busy machine** (load {place['load']})")
    return (
        f"Made by `{record['command']}` at commit `{place['commit']}` on {place['cpus']} processors"
        f"{''.join(f', {remark}' for remark in remarks)}; "
        f"figures: [results/{name}.json](results/{name}.json)."
    )


def _with_commits(text: str, out: Path) -> str:
    """A page that says at its top at which commits its sections were made."""
    block = f"<!-- begin commits -->\n{commits_words(text, out)}\n<!-- end commits -->"
    if "<!-- begin commits -->" in text:
        return _with_section(text, "commits", block)
    heading, _, rest = text.partition("\n")
    return f"{heading}\n\n{block}\n\n{rest.lstrip()}"


def commits_words(text: str, out: Path) -> str:
    """Tell which commits a page's sections come from, and on which machine they were made.

    Args:
        text: of the page.
        out: the folder with the records of its sections.
    """
    names = [n for n in re.findall(r"<!-- begin ([\w-]+) -->", text) if n != "commits"]
    places = {n: known_result(out, n).get("environment", {}) for n in names}
    sections: dict[str, list[str]] = {}
    for name, place in places.items():
        sections.setdefault(place.get("commit", "unknown"), []).append(name)
    busy = [name for name, place in places.items() if place.get("busy")]
    remark = f" Made on a busy machine: {', '.join(busy)}." if busy else ""
    if len(sections) == 1:
        return f"All sections were made at commit `{next(iter(sections))}`.{remark}"
    lines = [f"- `{commit}`: {', '.join(found)}" for commit, found in sections.items()]
    return (
        f"Its sections were made at {len(sections)} commits, so figures of one need not go with "
        f"those of another; `sidestep bench all --out docs` makes all at one.{remark}\n\n"
        + "\n".join(lines)
    )
