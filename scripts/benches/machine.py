"""Where a figure was measured: machine, versions, commit and date, for every record."""

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sidestep.scripts.benches import quiet

OWN = (":(exclude,top)docs", ":(exclude,top,glob)*.md")
"""Pages, which benches write themselves, are no change of what they measure."""
PACKAGES = ("gymnasium", "numba", "numpy", "torch", "stable-baselines3", "sb3-contrib")
LOAD = quiet.load()
"""When this process began: what it measures makes a load too."""


def environment(busy: bool = False) -> dict[str, Any]:
    """Describe where and when a figure was measured.

    Args:
        busy: the machine was told to be doing other things too.

    Returns:
        Commit, date, Python, architecture, processor's name and count, memory in gigabytes, load
        average when the process began, and the versions of what matters.
    """
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "memory_gb": memory(),
        "load": None if LOAD is None else round(LOAD, 2),
        "busy": busy,
        "versions": versions,
    }


def commit() -> str:
    """Name the commit of this code, marked where files are changed."""
    head = ("rev-parse", "--short=12", "HEAD")
    changes = ("status", "--porcelain", "--untracked-files=no", "--", ":/", *OWN)
    try:
        found, changed = map(_git, (head, changes))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{found}+changes" if changed else found


def _git(words: Sequence[str]) -> str:
    return _said(["git", "-C", str(Path(__file__).resolve().parent), *words])


def _said(words: Sequence[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def processor() -> str:
    """Name the processor as its maker does, or at least its kind."""
    try:
        if sys.platform == "darwin":
            return _said(["sysctl", "-n", "machdep.cpu.brand_string"])
        if sys.platform != "win32":
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return platform.processor() or platform.machine()


def memory() -> float | None:
    """Gigabytes of the machine's memory; None where it does not tell."""
    if sys.platform == "win32":
        fields = (ctypes.c_ulonglong * 8)()
        fields[0] = ctypes.sizeof(fields)  # MEMORYSTATUSEX: size and load, then the total
        windows: Any = ctypes
        told = windows.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(fields))
        return round(fields[1] / 1e9, 1) if told else None
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (OSError, ValueError):
        return None
