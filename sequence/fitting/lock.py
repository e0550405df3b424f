"""One writer for each folder: two processes in one run would mix its log and its checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

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
