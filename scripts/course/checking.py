"""Judge a reader's file: start its process, read what happened, compare, and find the mistake."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidestep.scripts.course.chapters import CHAPTERS
from sidestep.scripts.course.exercise import Chapter, Exercise, Mistake
from sidestep.scripts.course.student import Event
from sidestep.scripts.course.values import Other, Value, alike, difference, from_json, value_of

GRACE = 120.0
"""Seconds beyond the limits of all parts, after which the process itself is ended."""


@dataclass(frozen=True)
class Problem:
    """Why a function, or the whole file, is not right."""

    kind: str
    """A key of the words in `languages.py`."""
    details: Mapping[str, object] = field(default_factory=dict)
    number: int | None = None
    """The input, from 0; None where there is none."""
    got: Value | None = None


@dataclass(frozen=True)
class Verdict:
    """What is found about one function."""

    exercise: Exercise
    right: int
    """Inputs for which it is right."""
    problem: Problem | None = None
    hint: Mistake | None = None
    changes: tuple[str, ...] = ()
    """Arguments that it changes, though it may."""


@dataclass(frozen=True)
class Report:
    """What is found about a file."""

    verdicts: tuple[Verdict, ...]
    broken: Problem | None = None
    """Why the file could not be run."""
    printed: str = ""

    @property
    def right(self) -> bool:
        """Whether all functions are right."""
        return self.broken is None and all(one.problem is None for one in self.verdicts)


def check(path: Path, number: str, seconds: float) -> Report:
    """Run a file in a process of its own, and judge it.

    Args:
        path: the reader's file; it is read only.
        number: of the chapter.
        seconds: that the file, and each call of a function, may take.
    """
    chapter = CHAPTERS[number]
    told: list[Event] = []
    first = 0
    while first < len(chapter.exercises):  # the next function, where one has ended the process
        told += _told(path.resolve(), number, first, seconds)
        stopped = told[-1]["event"] == "stopped" and told[-1]["name"] is not None
        names = [exercise.name for exercise in chapter.exercises]
        first = names.index(told[-1]["name"]) + 1 if stopped else len(names)
    return judge(told, chapter)


def _told(path: Path, number: str, first: int, seconds: float) -> list[Event]:
    """What happens in one process, from an exercise on."""
    exercises = CHAPTERS[number].exercises[first:]
    calls = sum(len(exercise.inputs()) + 1 for exercise in exercises)
    with tempfile.TemporaryDirectory() as folder:
        events, traces = Path(folder, "events"), Path(folder, "traces")
        words = [str(path), number, str(first), str(events), str(traces), str(seconds)]
        how = _run(words, GRACE + seconds * (calls + 1))
        told = _read(events)
        line, endless = _line_in(traces, path)
    if not any(event["event"] == "ready" for event in told):
        raise OSError(f"the process that runs {path} could not be started: {how}")
    if told[-1]["event"] != "end":
        where = {key: told[-1].get(key) for key in ("name", "number")}
        told.append({"event": "stopped", "line": line, "endless": endless, "how": how, **where})
    return told


def _run(words: list[str], limit: float) -> str:
    """Run the process to its end; its exit code, in words."""
    command = [sys.executable, "-P", "-m", "sidestep.scripts.course.student", *words]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    try:
        ended = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False, timeout=limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "timeout"
    said = ended.stderr.decode(errors="replace").strip().splitlines()
    return f"exit code {ended.returncode}" + (f", {said[-1]}" if said else "")


def _read(path: Path) -> list[Event]:
    found = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the process ended within the line
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found


def _line_in(traces: Path, path: Path) -> tuple[int | None, bool]:
    """The innermost line of the file in a trace of its end, and whether time was up."""
    text = traces.read_text("utf-8", "replace") if traces.exists() else ""
    name = str(path).encode("ascii", "backslashreplace").decode()
    found = re.search(rf'File "{re.escape(name)}", line (\d+)', text)
    return (int(found[1]) if found else None), text.startswith("Timeout")


def judge(told: Sequence[Event], chapter: Chapter) -> Report:
    """Read what happened; the functions that were not reached are not right."""
    printed = "".join(event["words"] for event in told if event["event"] == "printed")
    for event in told:
        if event["event"] == "broken":
            return Report((), _problem(event), printed)
        if event["event"] == "stopped" and event["name"] is None:
            return Report((), _stopped(event), printed)
    verdicts = []
    for exercise in chapter.exercises:
        own = [event for event in told if event.get("name") == exercise.name]
        verdicts.append(_verdict(exercise, own))
    return Report(tuple(verdicts), None, printed)


def _verdict(exercise: Exercise, told: Sequence[Event]) -> Verdict:
    for event in told:
        if event["event"] in ("missing", "no function", "arguments"):
            return Verdict(exercise, 0, _refused(exercise, event))
    ends = {
        event["number"]: event for event in told if event["event"] in ("result", "error", "stopped")
    }
    cases = exercise.inputs()
    expected = [value_of(exercise.answer(*inputs)) for inputs in cases]
    problems = [_of_case(exercise, n, expected[n], ends.get(n)) for n in range(len(cases))]
    wrong = [problem for problem in problems if problem is not None]
    right = len(cases) - len(wrong)
    problem = wrong[0] if wrong else None
    again = ends.get(len(cases))
    if again is not None and not _same(again, ends.get(0)):
        problem = problem or _of_case(exercise, 0, expected[0], again) or Problem("unsteady")
        return Verdict(exercise, right, Problem("unsteady", number=0, got=problem.got))
    hint = None if problem is None else _mistake(exercise, expected, ends)
    changes = tuple(dict.fromkeys(name for e in told for name in e.get("changed", ())))
    return Verdict(exercise, right, problem, hint, changes)


def _same(one: Event, other: Event | None) -> bool:
    if other is None or one["event"] != other["event"] or one["event"] != "result":
        return other is not None and one["event"] == other["event"]
    return alike(from_json(one["value"]), from_json(other["value"]))


def _of_case(exercise: Exercise, number: int, expected: Value, end: Event | None) -> Problem | None:
    """What is wrong with one input's result; None: nothing."""
    if end is None:
        return Problem("not checked")
    if end["event"] == "stopped":
        return _stopped(end, number)
    if end["event"] == "error":
        return _problem(end, number)
    got = from_json(end["value"])
    found = difference(expected, got, exercise.parts)
    if found is not None:
        return Problem(found.kind, found.details, number, got)
    touched = [name for name in end.get("changed", ()) if name in exercise.unchanged]
    if touched:
        return Problem("changed", {"names": ", ".join(touched)}, number, got)
    return None


def _mistake(
    exercise: Exercise, expected: Sequence[Value], ends: Mapping[int, Event]
) -> Mistake | None:
    """The known mistake that gives the same for every input, if there is one."""
    got: list[Value | None] = []
    for number in range(len(expected)):
        end = ends.get(number, {})
        got.append(from_json(end["value"]) if end.get("event") == "result" else None)
    for mistake in exercise.mistakes:
        made = [_made(mistake, inputs) for inputs in exercise.inputs()]
        if all(_match(a, b) for a, b in zip(made, got, strict=True)):
            return mistake
    return None


def _made(mistake: Mistake, inputs: tuple[Any, ...]) -> Value | None:
    try:
        return value_of(mistake.function(*inputs))
    except Exception:
        return None


def _match(made: Value | None, got: Value | None) -> bool:
    if made is None or got is None:
        return made is got
    return not isinstance(made, Other) and alike(made, got)


def _problem(event: Event, number: int | None = None) -> Problem:
    details = {"line": event["line"], "error": event["words"], "how": event["words"]}
    return Problem(event["kind"], details, number)


def _stopped(event: Event, number: int | None = None) -> Problem:
    kind = "endless" if event["endless"] or event["how"] == "timeout" else "ended"
    return Problem(kind, {"line": event["line"], "how": event["how"]}, number)


def _refused(exercise: Exercise, event: Event) -> Problem:
    details: dict[str, object] = {key: event[key] for key in ("line", "got") if key in event}
    details |= {"signature": exercise.signature(), "expected": ", ".join(exercise.arguments)}
    return Problem(event["event"], details)
