"""Thousands of damaged and forged files, none of which crashes a reader; see fuzzing.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fuzzing.py")


def fuzzed(cases: int, seed: int) -> dict[str, int]:
    """The counts; a crash of the interpreter, too, fails with the case that led to it."""
    words = [sys.executable, str(SCRIPT), "--cases", str(cases), "--seed", str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("FAILED")] or lines[-1:]
    assert done.returncode == 0, f"exit {done.returncode}: {wrong[0]}\n{done.stderr[-2000:]}"
    counts: dict[str, int] = json.loads(lines[-1])
    assert sum(counts.values()) == cases
    return counts


@pytest.mark.slow
def test_a_hundred_damaged_files_are_taken_or_refused() -> None:
    counts = fuzzed(100, seed=0)
    assert counts["failed"] == 0 and counts["refused"] > 50


@pytest.mark.slow
def test_two_thousand_damaged_files_are_taken_or_refused() -> None:
    """Ten thousand take twelve minutes: `python tests/scripts/fuzzing.py --cases 10000`."""
    counts = fuzzed(2000, seed=1)
    assert counts["failed"] == 0 and counts["refused"] > 1000
