"""A run loop on the command line: its progress bar, and the signals that stop it."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import rich.progress

from sidestep.scripts.shared.console import progress, say
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.sequence.fitting.runs import Progress, RunLoop


def run_with_bar(
    loop: RunLoop,
    command: str,
    figures: Callable[[Progress], str],
    title: str | None = None,
    hint: str = "",
    each: Callable[[Progress], object] | None = None,
    within: Callable[[rich.progress.Progress], AbstractContextManager[Any]] = nullcontext,
) -> str | None:
    """Run a loop with a progress bar; Ctrl-C and SIGTERM save and end it.

    Args:
        loop: goes on from wherever it stands; has a folder.
        command: the word after `sidestep`; its `resume` goes on with the run.
        figures: what stands behind the bar; it is shown the last evaluation that was made.
        title: before the bar; None: the command.
        hint: ends the line of a loss that is not finite.
        each: is called after every update.
        within: the context in which the bar is shown.

    Returns:
        The signal's name if one stopped it, else None. The command finishes its work quickly and
        ends with `leave(name)`.

    Raises:
        SystemExit: a loss that is not finite, with one line that names the last good checkpoint.
    """
    folder = loop.folder
    assert folder is not None
    with stoppable() as stop:
        with finite(folder, command, hint), progress("{task.fields[figures]}") as bar, within(bar):
            name, evaluation, shown = title or command, None, 0.0
            task = bar.add_task(name, total=loop.end, completed=loop.now, figures="")

            def report(state: Progress) -> bool:
                nonlocal evaluation, shown
                evaluation = state.evaluation or evaluation
                if time.monotonic() - shown > 0.1 or state.steps >= loop.end:
                    shown = time.monotonic()
                    words = figures(state._replace(evaluation=evaluation))
                    bar.update(task, completed=min(state.steps, loop.end), figures=words)
                if each is not None:
                    each(state)
                return not stop

            loop.run(report)
    if not stop:
        return None
    say(f"Stopped by {stop[0]}; `sidestep {command} resume {folder}` goes on from here.")
    return stop[0]


@contextmanager
def finite(folder: Path, command: str, hint: str = "") -> Iterator[None]:
    """End the command in one line where a number is not finite.

    Args:
        folder: of the run.
        command: the word after `sidestep`.
        hint: ends the line.

    Raises:
        SystemExit: a number is not; the line names the last good checkpoint.
    """
    try:
        yield
    except FloatingPointError as error:
        kept = latest_checkpoint(folder).stem
        line = f"sidestep {command}: {error}; the last good one is {kept}{hint}"
        raise SystemExit(line) from None


def leave(stopped: str | None) -> None:
    """End the command with the exit code of the signal that stopped it, if any."""
    if stopped is not None:
        raise SystemExit(128 + signal.Signals[stopped].value)


@contextmanager
def stoppable() -> Iterator[list[str]]:
    """A list that Ctrl-C and SIGTERM put their name into; a second Ctrl-C interrupts at once.

    A process of a command's own has Ctrl-C ignored: a terminal sends it to all of them, the
    command decides, and says so by SIGTERM, which never interrupts.
    """
    caught: list[str] = []

    def note(number: int, _: Any) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGINT and name in caught:
            raise KeyboardInterrupt
        caught.append(name)

    own = multiprocessing.parent_process() is not None
    handlers = {signal.SIGINT: signal.SIG_IGN if own else note, signal.SIGTERM: note}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
