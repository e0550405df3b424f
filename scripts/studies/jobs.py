"""Several jobs at once, each in a process of its own, under one display; none is left behind.

A job's process gets its task by standard input and tells how far it is by standard output. Its
input stays open for as long as it is to work: where that is closed, because the command was stopped
or however it ended, the job saves and ends.
"""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from rich.progress import TaskID

from sidestep.scripts.shared.console import progress

from .child import STOPPED

START = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from sidestep.scripts.studies.child import work
work(sys.argv[2])
"""
"""What a job's process runs; modules are where this process finds them."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries read on how many threads they take: one, if nobody says otherwise."""
TAIL = 4096
"""Bytes at the end of a job's words among which its error is looked for."""


class Job(NamedTuple):
    """A job to do."""

    name: str
    """Before its bar."""
    task: dict[str, Any]
    """What its function is called with; JSON."""
    length: int
    """How far it has to go."""
    words: Path
    """A file for all that it and its libraries write; kept where it fails."""
    begin: int = 0
    """How far it is already."""


class Running(NamedTuple):
    """A job at work."""

    job: Job
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    bar: TaskID
    reader: threading.Thread
    """Passes on what it tells."""


Message = tuple[Running, dict[str, Any] | None]
"""What a job told; None: it has ended."""


def run_jobs(
    target: str,
    jobs: Sequence[Job],
    at_once: int,
    title: str,
    stop: list[str],
    ended: Callable[[Job, str | None], object],
) -> None:
    """Do all jobs; one that fails ends no other.

    Args:
        target: `module:function`, called in the job's process with its task and a
            `sidestep.scripts.studies.child.Link`.
        jobs: in the order in which they begin.
        at_once: how many work at the same time.
        title: before the bar over all.
        stop: once something is in it, jobs save and end, and no other begins.
        ended: is called with every job that has ended by itself, and its error if it failed.
    """
    waiting, running, told = deque(jobs), list[Running](), queue.Queue[Message]()
    with progress("{task.fields[figures]}") as bars:
        whole = sum(job.length for job in jobs)
        over_all = bars.add_task(title, total=whole, figures="")
        at = {job.name: min(job.begin, job.length) for job in jobs}
        try:
            while running or (waiting and not stop):
                while waiting and len(running) < at_once and not stop:
                    job = waiting.popleft()
                    bar = bars.add_task(job.name, total=job.length, figures="")
                    running.append(_start(target, job, bar, told))
                if stop:
                    for one in running:
                        _close(one)
                bars.update(over_all, completed=sum(at.values()), figures=_state(jobs, waiting))
                try:
                    one, message = told.get(timeout=0.1)
                except queue.Empty:
                    continue
                if message is not None:
                    at[one.job.name] = min(message["at"], one.job.length)
                    shown = {"completed": at[one.job.name], "figures": message["words"]}
                    bars.update(one.bar, **shown)
                    continue
                running.remove(one)
                bars.remove_task(one.bar)
                error = _ended(one)
                at[one.job.name] = one.job.length if error is None else at[one.job.name]
                if not stop or error is None:
                    ended(one.job, error)
        finally:
            for one in running:
                _kill(one)
        bars.update(over_all, completed=sum(at.values()), figures="")


def _state(jobs: Sequence[Job], waiting: Sequence[Job]) -> str:
    return f"{len(waiting)} of {len(jobs)} to begin" if waiting else ""


def _start(target: str, job: Job, bar: TaskID, told: "queue.Queue[Message]") -> Running:
    """Begin a job, and a thread that passes on what it tells."""
    command = [sys.executable, "-P", "-c", START, json.dumps(sys.path), target, job.name]
    threads = {name: os.environ.get(name, "1") for name in THREADS}
    pipe = subprocess.PIPE
    with job.words.open("wb") as words:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=words,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is for the command, which tells its jobs
        )
    assert process.stdin is not None and process.stdout is not None
    reader = threading.Thread(target=lambda: _pass_on(one, told), daemon=True)
    one = Running(job, process, process.stdout, bar, reader)
    reader.start()
    with suppress(BrokenPipeError):  # it has ended already, and its words say why
        process.stdin.write(json.dumps(job.task).encode() + b"\n")
        process.stdin.flush()
    return one


def _pass_on(one: Running, told: "queue.Queue[Message]") -> None:
    for line in one.output:
        told.put((one, json.loads(line)))
    one.process.wait()
    told.put((one, None))


def _close(one: Running) -> None:
    """Tell a job to save and end."""
    assert one.process.stdin is not None
    with suppress(BrokenPipeError):
        one.process.stdin.close()


def _kill(one: Running) -> None:
    """End a job at once, and what it has begun itself."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
    one.process.kill()
    one.process.wait()
    one.reader.join()
    _close(one)
    one.output.close()


def _ended(one: Running) -> str | None:
    """Why a job failed; None: it did not, and its words are forgotten."""
    _close(one)
    one.output.close()
    code, words = one.process.returncode, one.job.words
    if code in (0, STOPPED):
        words.unlink(missing_ok=True)
        return None if code == 0 else "stopped from outside"
    lines = words.read_bytes()[-TAIL:].decode(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    if code < 0:
        said = [f"killed by {signal.Signals(-code).name}"]
    if not said:
        return f"exit code {code}"
    line = re.sub(r"^sidestep [\w-]+: ", "", said[-1])
    return line if len(said) == 1 else f"{line} (all of it: {words})"


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
