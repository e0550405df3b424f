"""Reading a file that somebody else named: a regular one, of a size that is bearable."""

import os
import stat

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """Read a whole regular file of at most `most` bytes; nothing is read of any other.

    A pipe would make the reader wait for ever and a device fill the memory, so both are told by
    their kind before they are opened. Import it wherever the path comes from a user or a file:
    this module needs nothing but the standard library.

    Args:
        path: the file; links are followed.
        most: the largest size in bytes, looked at before anything is read.

    Returns:
        What is in the file.

    Raises:
        OSError: no such file, or one that cannot be read.
        ValueError: no regular file, a larger one, or a path that no file can have; the message
            begins with "expected" and does not name the path.
    """
    try:
        _check(os.stat(path), most)
    except ValueError as error:
        if str(error).startswith("expected"):
            raise
        raise ValueError("expected the path of a file, got one that no file can have") from None
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # not waiting, should it be a pipe by now
        _check(os.fstat(file.fileno()), most)
        content = file.read(most + 1)
    if len(content) > most:  # it grew, or is one of the kernel's, which say that they are empty
        raise ValueError(f"expected at most {most:,} bytes, got more")
    return content


def _check(found: os.stat_result, most: int) -> None:
    """Raise ValueError for what is no regular file, or too large."""
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise ValueError(f"expected a regular file, got {kind}")
    if found.st_size > most:
        raise ValueError(f"expected at most {most:,} bytes, got {found.st_size:,}")
