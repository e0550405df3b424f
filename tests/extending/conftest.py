"""The pieces of `pieces.py`, registered for one test."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .registries import kept


@pytest.fixture
def tables() -> Iterator[None]:
    """Every table is afterwards as it was before."""
    with kept():
        yield


@pytest.fixture
def as_fresh(tables: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls a command as if nothing but the package were imported."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(Path(__file__).parent)

    def call(command: Callable[[list[str]], Any], words: list[str]) -> Any:
        with kept():
            try:
                return command(words)
            finally:
                sys.modules.pop("pieces", None)

    return call


@pytest.fixture
def pieces(tables: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, imported as somebody else's would be."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield importlib.import_module("pieces")
    del sys.modules["pieces"]
