"""The other end of `jobs`: what a job's own process does."""

import json
import os
import signal
import threading
import time
from importlib import import_module
from typing import Any, NoReturn

from sidestep.scripts.shared.console import console, guarded

STOPPED = 75
"""The exit code of a job that saved and ended before its end, because it was told to."""
EVERY = 0.2
"""Seconds between two words on how far it is."""


class Link:
    """A job's line to the command that began it."""

    def __init__(self) -> None:
        """Take standard input and output; what libraries print goes with the errors."""
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._told, self._saved = 0.0, False
        self.stopped = False
        """Whether to save and end now."""

    def task(self) -> dict[str, Any]:
        """Read what is to be done, and from then on whether to stop."""
        data = b""
        while not data.endswith(b"\n"):
            part = os.read(0, 2**16)
            if not part:
                raise SystemExit(1)
            data += part
        threading.Thread(target=self._watch, daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stop())
        task: dict[str, Any] = json.loads(data)
        return task

    def _watch(self) -> None:
        while os.read(0, 2**16):  # not sys.stdin: its lock would be held when Python ends
            pass
        self.stop()

    def stop(self) -> None:
        """Note that it is to end; at once, where all that matters is saved."""
        self.stopped = True
        if self._saved:
            os._exit(STOPPED)

    def tell(self, at: int, words: str, now: bool = False) -> None:
        """Say how far it is and how it goes, not too often.

        Args:
            at: how far.
            words: behind the bar.
            now: say it in any case.
        """
        if now or time.monotonic() - self._told > EVERY:
            self._told = time.monotonic()
            line = json.dumps({"at": at, "words": words}).encode() + b"\n"
            try:
                os.write(self._out, line)
            except BrokenPipeError:  # the command is gone
                self.stop()

    def saved(self) -> None:
        """Say that nothing is lost from here on where the process ends."""
        self._saved = True
        if self.stopped:
            os._exit(STOPPED)

    def leave(self) -> NoReturn:
        """End before the end, with everything saved."""
        raise SystemExit(STOPPED)


def work(target: str) -> None:
    """Do the job that standard input tells; `module:function` is called with it and the link."""
    link = Link()
    console.quiet = True
    module, _, function = target.partition(":")

    def call() -> None:
        task = link.task()
        getattr(import_module(module), function)(task, link)

    guarded("train", call)
