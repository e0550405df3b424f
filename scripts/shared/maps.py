"""How commands read `--level`."""

from pathlib import Path

from sidestep.envs.levels.shipped import find_level, read_level


def level_of(source: str) -> str:
    """The map that `--level` means, as text.

    Args:
        source: a shipped level's name, or the path of a text file, whatever its ending.

    Raises:
        ValueError: neither; a file that cannot be read; or a broken map.
    """
    path = Path(source)
    return str(read_level(path) if path.is_file() else find_level(source))
