"""The processes of one command: started, replaced when they die, stopped together."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from sidestep.scripts.shared.console import warn

PAUSE = 0.3
"""Seconds between two looks."""
DEATHS = 3
"""For each process: so many replacements are begun before the command gives up."""


def run_processes(
    jobs: int,
    target: Callable[..., object],
    args: tuple[Any, ...],
    stop: list[str],
    each: Callable[[], object],
) -> bool:
    """Run `target` in processes until each has come to its end.

    Args:
        jobs: how many.
        target: of the processes; whatever it does may be done again by another one.
        args: its arguments.
        stop: once something is in it, all are ended.
        each: is called a few times a second.

    Returns:
        Whether they came to their end by themselves.

    Raises:
        ChildProcessError: they keep dying.
    """
    context = multiprocessing.get_context("spawn")

    def started() -> BaseProcess:
        process = context.Process(target=target, args=args)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a process takes this over: Ctrl-C
        process.start()  # is for the command, which ends it, and would break off its imports
        signal.signal(signal.SIGINT, before)
        return process

    at_work, deaths = [started() for _ in range(jobs)], 0
    try:
        while at_work and not stop:
            time.sleep(PAUSE)
            ended = [process for process in at_work if not process.is_alive()]
            at_work = [process for process in at_work if process.is_alive()]
            for process in ended:
                if process.exitcode and not stop:
                    deaths += 1
                    _note(process, deaths, DEATHS * jobs)
                    at_work.append(started())
            each()
        return not at_work
    finally:
        _end(at_work)


def _note(process: BaseProcess, deaths: int, most: int) -> None:
    code = process.exitcode or 0
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    if deaths > most:
        raise ChildProcessError(
            f"processes: expected workers that go on, got {deaths} that ended, the last {how}; "
            "the same command goes on from here"
        )
    warn(f"A worker ended {how}; another one takes up its trial.")


def _end(processes: list[BaseProcess]) -> None:
    """Ask processes to stop, which they do after an update; wait for them."""
    for process in processes:
        process.terminate()
    try:
        for process in processes:
            process.join()
    except KeyboardInterrupt:  # the second one: at once
        for process in processes:
            process.kill()
        raise
