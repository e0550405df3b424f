"""The folder of any run."""

from pathlib import Path

from .checkpoint import write_atomically
from .lock import check_new


def create_folder(folder: Path, text: str) -> None:
    """Make the folder of any run, with `text` as its config.json.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    check_new(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "config.json", text.encode())
