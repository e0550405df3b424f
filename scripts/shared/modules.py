"""Modules of others that `--modules` or a run names: imported before what they register is used."""

import importlib
from collections.abc import Iterable
from pathlib import Path

NAMED: list[str] = []
"""The modules that `--modules` or a run named: for a run's config.json, and for a process that this
one starts."""


def import_modules(args: Iterable[str]) -> None:
    """Import what `--modules` names, before flags are read: it may register what they name.

    Args:
        args: a command's words.

    Raises:
        ValueError: one that cannot be imported.
    """
    for name in _parted(args)[0]:
        import_named(name)


def import_noted(run: Path) -> None:
    """Import what `--modules` named when a run was begun, as its config.json notes.

    A command does so, whose user named the run: a module is code. Reading a run imports nothing.

    Args:
        run: its folder.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it.
        ValueError: no names of modules, or one that cannot be imported.
    """
    from sidestep.sequence.fitting.folder import modules_of, read_settings  # they load torch

    source = f"{run}/config.json"
    for name in modules_of(read_settings(run), source):
        try:
            import_named(name)
        except ValueError as error:
            hint = "if it has another name now, change it there"
            raise ValueError(f"{source}: {error}; {hint}") from error


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
