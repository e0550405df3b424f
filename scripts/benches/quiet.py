"""Is the machine doing something else? What a measurement asks before it begins."""

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

MOST_LOAD, MOST_USE = 0.25, 0.2
"""Of a quiet machine: the load average by its processors, and how many of these others keep busy
while one looks."""
PROC = Path("/proc")


class Use(NamedTuple):
    """What is at work on the machine while one looks, and waits."""

    processors: float
    """How many are kept busy."""
    most: str = ""
    """Who keeps most of them busy, in words; empty where this cannot be told."""


def load() -> float | None:
    """Return the load average of the last minute; None where the system has none (Windows)."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def used(seconds: float) -> Use | None:
    """Look for so long at what is at work; None where the system does not tell (macOS)."""
    before, theirs = _times(), _processes()
    begin = time.perf_counter()
    time.sleep(seconds)
    after, took = _times(), time.perf_counter() - begin
    if before is None or after is None:
        return None
    grown = [(spent - theirs.get(who, spent), who) for who, spent in _processes().items()]
    spent, (number, name) = max(grown, default=(0.0, (0, "")))
    most = f"{name} (process {number})" if spent > MOST_USE / 2 * took else ""
    return Use((after - before) / took, most)


def busy(seconds: float = 2.0, load_too: bool = True) -> str | None:
    """Say what keeps the machine from being quiet; None: nothing.

    Args:
        seconds: to look at it.
        load_too: ask for the last minute's load as well, which still holds what one did oneself;
            it is asked for anyhow where nothing else can be told.
    """
    use, average, cpus = used(seconds), load(), os.cpu_count() or 1
    words = []
    if average is not None and (load_too or use is None) and average > MOST_LOAD * cpus:
        words.append(f"its load average is {average:.2f}, over {MOST_LOAD * cpus:.2f}")
    if use is not None and use.processors > MOST_USE:
        most = f", most of it {use.most}" if use.most else ""
        words.append(f"others use {use.processors:.2f} processors, over {MOST_USE:g}{most}")
    return f"the machine is busy: {' and '.join(words)}" if words else None


def _times() -> float | None:
    """Seconds that all processors have been busy for since the machine began."""
    if sys.platform == "win32":
        idle, kernel, user = (ctypes.c_ulonglong() for _ in range(3))
        windows: Any = ctypes
        told = windows.windll.kernel32.GetSystemTimes(*map(ctypes.byref, (idle, kernel, user)))
        return (kernel.value + user.value - idle.value) / 1e7 if told else None
    try:  # user, nice, system, idle, iowait, irq, softirq, steal; the kernel's time holds idling
        ticks = [int(word) for word in (PROC / "stat").read_text().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(ticks) - sum(ticks[3:5])) / _ticks() if sum(ticks) else None


def _processes() -> dict[tuple[int, str], float]:
    """Seconds of processor time of every other process that can be seen, by number and name."""
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            head, _, tail = path.read_text(errors="replace").rpartition(")")
            fields = tail.split()
            spent = (int(fields[11]) + int(fields[12])) / _ticks()
        except (OSError, ValueError, IndexError):  # it has ended
            continue
        number = int(path.parent.name)
        if number != os.getpid():
            found[number, head.partition("(")[2]] = spent
    return found


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
