"""The pieces of `pieces.py`, registered for one test."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.scripts.viewer.panels.registry import PANELS
from sidestep.sequence.memory.table import KINDS

TABLES: tuple[dict[str, Any], ...] = (OBSERVATIONS, KINDS)


def _rows() -> list[Any]:
    return [*(dict(table) for table in TABLES), list(PANELS)]


def _put(rows: list[Any]) -> None:
    for table, before in zip(TABLES, rows, strict=False):
        table.clear()
        table.update(before)
    PANELS[:] = rows[-1]


@pytest.fixture
def tables() -> Iterator[None]:
    """Every table is afterwards as it was before."""
    before = _rows()
    yield
    _put(before)


@pytest.fixture
def as_fresh(tables: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls a command as if nothing but the package were imported."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(Path(__file__).parent)
    shipped = _rows()

    def call(command: Callable[[list[str]], Any], words: list[str]) -> Any:
        try:
            return command(words)
        finally:
            sys.modules.pop("pieces", None)
            _put(shipped)

    return call


@pytest.fixture
def pieces(tables: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, imported as somebody else's would be."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield importlib.import_module("pieces")
    del sys.modules["pieces"]
