"""What a record says of the machine, and how busy it is, on each system."""

import ctypes
import platform
from types import SimpleNamespace
from typing import Any

import pytest

from sidestep.scripts.benches import machine, quiet


def windows(**calls: Any) -> Any:
    """A stand-in for ctypes on Windows, whose calls write where pointers lead."""
    kernel = SimpleNamespace(**calls)
    return SimpleNamespace(
        c_ulonglong=ctypes.c_ulonglong,
        byref=ctypes.byref,
        sizeof=ctypes.sizeof,
        windll=SimpleNamespace(kernel32=kernel),
    )


def test_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    def memory(status: Any) -> int:
        fields = status._obj
        assert fields[0] == 64 == ctypes.sizeof(fields)  # dwLength of MEMORYSTATUSEX
        fields[1] = 16_000_000_000
        return 1

    def times(*pointers: Any) -> int:
        for pointer, seconds in zip(pointers, (30, 40, 5), strict=True):  # idle, kernel, user
            pointer._obj.value = seconds * 10_000_000
        return 1

    calls = windows(GlobalMemoryStatusEx=memory, GetSystemTimes=times)
    for module in (machine, quiet):
        monkeypatch.setattr(module, "ctypes", calls)
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform="win32"))
    assert machine.memory() == 16.0
    assert quiet._times() == 40 + 5 - 30  # the kernel's time holds idling
    monkeypatch.setattr(platform, "processor", lambda: "Some64 Family 6")
    assert machine.processor() == "Some64 Family 6"


def test_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(machine, "_said", lambda words: f"Apple, by {words[0]}")
    assert machine.processor() == "Apple, by sysctl"

    def missing(words: Any) -> str:
        raise FileNotFoundError(words[0])

    monkeypatch.setattr(machine, "_said", missing)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine.processor() == platform.machine()
    assert machine.commit() == "unknown"  # without git too


def test_here() -> None:
    assert machine.processor()
    memory = machine.memory()
    assert memory is None or memory > 0.1
