"""Modules of others that `--modules` names: imported before the flags are read."""

import importlib
from collections.abc import Iterable

NAMED: list[str] = []
"""The modules that `--modules` named, for a process that this one starts."""


def import_modules(args: Iterable[str]) -> None:
    """Import what `--modules` names, before flags are read: it may register what they name.

    Args:
        args: a command's words.

    Raises:
        ValueError: one that cannot be imported.
    """
    for name in _parted(args)[0]:
        import_named(name)


def without_modules(args: Iterable[str]) -> list[str]:
    """The words of a command that has no flag of that name, without `--modules`."""
    return _parted(args)[1]


def _parted(args: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names after `--modules`, and all other words of a command."""
    names: list[str] = []
    others: list[str] = []
    reading = False
    for word in args:
        flag, equals, value = word.partition("=")
        if word.startswith("-"):
            reading = word == "--modules"
        if flag == "--modules":
            names += [value] if equals else []
        else:
            (names if reading else others).append(word)
    return names, others


def import_named(name: str) -> None:
    """Import one module.

    Raises:
        ValueError: there is none, or it fails when it is imported.
    """
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a module of others does when it is imported
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"modules: expected one to import, got {name!r} ({what})") from error
    if name not in NAMED:
        NAMED.append(name)
