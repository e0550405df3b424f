"""The folder of any run: its one writer, its config.json, and that its checkpoints are its own."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .checkpoint import write_atomically
from .records import check_entry, read_record, shown

LOCK = ".lock"
"""The locked file. The lock is the system's and ends with its process, however that ends: a file
that a kill has left over locks nobody out."""
_LOCKS: dict[Path, FileLock] = {}
"""By path: this process may lock a folder that it has locked."""


@contextmanager
def writing(folder: Path | None, new: bool = False) -> Iterator[None]:
    """Be the only process that writes to a run's folder; reading is open to all.

    Args:
        folder: of the run; made if it is not there. None: nothing is written, nothing is done.
        new: refuse one that is in use, before anything is written to it.

    Raises:
        FileExistsError: `new`, and the folder is there already and not empty.
        BlockingIOError: another process is writing to it.
        OSError: it cannot be written to.
    """
    if folder is None:
        yield
        return
    if new:
        check_new(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / LOCK).resolve()
    lock = _LOCKS.setdefault(path, FileLock(path, timeout=0, thread_local=False))
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            f"{folder}: expected no other process that writes to it, got one at work; "
            "wait for its end or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_new(folder: Path) -> None:
    """Raise FileExistsError unless the folder is not there, or empty but for its lock."""
    if folder.exists() and (not folder.is_dir() or {p.name for p in folder.iterdir()} - {LOCK}):
        raise FileExistsError(f"{folder}: expected a new folder for the run, got one in use")


def create_folder(folder: Path, text: str) -> None:
    """Make the folder of any run, with `text` as its config.json.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    check_new(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.json", text.encode())


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the dict of a run's config.json.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it.
        ValueError: something else is in it.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected a run's folder with a config.json in it")
    return read_record(path)


def modules_of(record: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """The modules that a command imported when it began the run, from the dict of its config.json.

    They register what the run is made of. Only their names are read here, nothing is imported.

    Args:
        record: as it was read; older ones note no modules.
        source: the file, for the error.

    Raises:
        ValueError: other entries than names such as `my_package.pieces`.
    """
    names = record.get("modules", [])
    check_entry(list(names) if isinstance(names, tuple) else names, list[str], f"{source}: modules")
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{source}: expected names of modules, got {shown(name)}")
    return tuple(names)


def digest_of(record: Mapping[str, Any]) -> str:
    """Tell one run from another: a digest of the settings that decide its course."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def check_there(folder: Path, path: Path) -> None:
    """Raise FileNotFoundError, which names a run's checkpoints, unless one is at `path`."""
    if not path.is_file():
        others = ("config", "final")
        there = ", ".join(sorted(p.stem for p in folder.glob("*.json") if p.stem not in others))
        raise FileNotFoundError(f"{path}: expected a checkpoint ({there or 'none is there'})")


def check_run(folder: Path, facts: Mapping[str, Any], digest: str) -> None:
    """Raise ValueError unless a checkpoint's facts are of the run whose settings have `digest`."""
    if facts.get("run") != digest:
        raise ValueError(
            f"{folder}: expected the configuration of its checkpoint, got a changed config.json"
        )
