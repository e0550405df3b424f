"""Who is at work on a sweep, on which machine, and who has died.

A worker holds the system's lock on a file of its own, which ends with its process however that
ends, and writes a count into another one every few seconds. It is dead where its lock is free and,
seen from another machine, whose locks may not reach so far, its count has stood still for a minute
of the observer's own clock: no two clocks are ever compared.
"""

import json
import os
import platform
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from sidestep.sequence.fitting.checkpoint import write_atomically

BEAT, GRACE = 5.0, 60.0
"""Seconds between two counts, and for which one may stand still."""
BOOT = Path("/proc/sys/kernel/random/boot_id")


def machine() -> str:
    """A name for the running system: processes under one name see each other's locks."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


class Worker:
    """This process, at work on a sweep; use it as a context.

    Args:
        folder: of the sweep's workers; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        """Take a name that no other has."""
        self.folder = folder
        self.name = f"{platform.node() or 'machine'}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._ended = threading.Event()
        self._seen: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        """Take the lock, and begin to count."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / f"{self.name}.lock", timeout=0)
        self._lock.acquire()
        self._count(0)
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""
        self._ended.set()
        self._thread.join()
        self._lock.release()
        for suffix in (".json", ".lock"):
            (self.folder / f"{self.name}{suffix}").unlink(missing_ok=True)

    def _count(self, number: int) -> None:
        record = {"machine": machine(), "beat": number}
        write_atomically(self.folder / f"{self.name}.json", json.dumps(record).encode())

    def _go_on(self) -> None:
        number = 0
        while not self._ended.wait(BEAT):
            number += 1
            try:
                self._count(number)
            except OSError:  # a full disk: the training itself will say so
                continue

    def is_dead(self, name: str) -> bool:
        """Whether a worker has ended without a word; asked again, it may know more.

        Args:
            name: of the worker; this one is not asked.
        """
        lock, record = self.folder / f"{name}.lock", self.folder / f"{name}.json"
        if not lock.exists():
            return True
        try:
            with FileLock(lock, timeout=0):
                pass
        except Timeout:
            return False
        try:
            told = record.read_text(encoding="utf-8")
        except OSError:
            return True
        if machine() in told:
            record.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            return True
        now = time.monotonic()
        before, since = self._seen.setdefault(name, (told, now))
        if before != told:
            self._seen[name] = (told, now)
            return False
        return now - since > GRACE
