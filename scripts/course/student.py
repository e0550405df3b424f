"""Run a reader's file and call its functions, in a process of its own.

What happens is told as events, one a line of JSON, to a file; whoever started the process reads it.
"""

import builtins
import contextlib
import faulthandler
import inspect
import io
import json
import os
import random
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sidestep.scripts.course.chapters import CHAPTERS
from sidestep.scripts.course.exercise import Exercise, changed, copied
from sidestep.scripts.course.values import to_json, value_of, words_for

Event = dict[str, Any]
MEMORY = 4 << 30
"""Bytes that the file may take, where the system can be told so."""
PRINTED = 2000
"""Characters of what the file prints that are shown."""


class Printed(io.TextIOBase):
    """Keeps the beginning of what is written, and forgets the rest."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.kept = ""

    def write(self, words: str) -> int:
        """Take words."""
        self.kept += words[: PRINTED - len(self.kept)]
        return len(words)


def look(
    path: Path,
    exercises: Sequence[Exercise],
    tell: Callable[[Event], None],
    begin: Callable[[], None],
) -> None:
    """Run the file, then its function for every exercise on every input.

    Args:
        path: the reader's file.
        exercises: what is asked for.
        tell: takes the events.
        begin: called before each part that may take the time limit.
    """
    printed = Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        begin()
        namespace = _loaded(path, tell)
        for exercise in exercises if namespace is not None else ():
            assert namespace is not None
            _called(exercise, namespace, path, tell, begin)
    if printed.kept:
        tell({"event": "printed", "words": printed.kept})
    tell({"event": "end"})


def _loaded(path: Path, tell: Callable[[Event], None]) -> dict[str, Any] | None:
    """The names that the file makes; None, and told, where it cannot be run."""
    module = types.ModuleType("student")
    module.__file__ = str(path)
    sys.modules["student"] = module
    tell({"event": "load"})
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, module.__dict__)
    except BaseException as error:
        tell({"event": "broken", **_in_words(error, path)})
        return None
    return module.__dict__


def _called(
    exercise: Exercise,
    namespace: dict[str, Any],
    path: Path,
    tell: Callable[[Event], None],
    begin: Callable[[], None],
) -> None:
    name = exercise.name
    function = namespace.get(name)
    if function is None or function is getattr(builtins, name, None):
        tell({"event": "missing", "name": name})
        return
    if not callable(function):
        tell({"event": "no function", "name": name, "got": words_for(value_of(function))})
        return
    refused = _refused(function, exercise)
    if refused is not None:
        tell({"event": "arguments", "name": name, **refused})
        return
    _seeded()
    cases = exercise.inputs()
    for number, inputs in enumerate([*cases, cases[0]]):  # the first one twice
        begin()
        tell({"event": "call", "name": name, "number": number})
        given = copied(inputs)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(*given)
                value = value_of(result)
        except BaseException as error:
            tell({"event": "error", "name": name, "number": number, **_in_words(error, path)})
            continue
        names = changed(inputs, given, exercise.arguments)
        event = {"event": "result", "name": name, "number": number, "value": to_json(value)}
        tell({**event, "changed": names})


def _refused(function: Callable[..., Any], exercise: Exercise) -> Event | None:
    """Which arguments a function takes, where it does not take those of the exercise."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    names = list(signature.parameters)
    exchanged = names != [*exercise.arguments] and sorted(names) == sorted(exercise.arguments)
    try:
        signature.bind(*exercise.arguments)
        if not exchanged:
            return None
    except TypeError:
        pass
    code = getattr(function, "__code__", None)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    got = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return {"line": None if code is None else code.co_firstlineno, "got": got[1:-1]}


def _seeded() -> None:
    """Random numbers of the file are the same in every run, and others in every call."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _in_words(error: BaseException, path: Path) -> Event:
    """What was raised, in one line, and the line of the file where it happened."""
    if isinstance(error, SystemExit | KeyboardInterrupt):
        kind = "ended"
        words = "sys.exit" if isinstance(error, SystemExit) else "KeyboardInterrupt"
    else:
        kind = "error"
        said = " ".join(str(error).split()) if not isinstance(error, SyntaxError) else error.msg
        words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__, -50)
        if frame.filename == str(path)
    ]
    line = lines[-1] if lines else None
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    return {"kind": kind, "words": words[:300], "line": line}


def _limited() -> None:
    """Take no more memory than `MEMORY`, where the system can be told so."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def main(words: list[str]) -> None:
    """Look at a file: path, chapter, first exercise, files of events and traces, and seconds."""
    path, number, first, events, traces, seconds = words
    torch.set_num_threads(1)
    told = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    trace = open(traces, "w")
    faulthandler.enable(trace)

    def tell(event: Event) -> None:
        os.write(told, (json.dumps(event) + "\n").encode())

    def begin() -> None:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=trace)

    tell({"event": "ready"})
    file = Path(path)
    sys.argv = [path]
    sys.path.append(str(file.parent))
    _limited()
    look(file, CHAPTERS[number].exercises[int(first) :], tell, begin)
    os._exit(0)  # whatever threads the file has begun


if __name__ == "__main__":
    main(sys.argv[1:])
