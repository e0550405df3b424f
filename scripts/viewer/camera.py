"""Pictures and films that are saved while one watches."""

from collections.abc import Callable
from pathlib import Path

from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.recording import Film, save_png


class Camera:
    """Saves pictures and films under names that are not there yet.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        """No film is begun."""
        self.folder = folder
        self._film: Film | None = None

    @property
    def is_filming(self) -> bool:
        """Whether a film has begun."""
        return self._film is not None

    def save(self, picture: Pixels, stem: str) -> str:
        """Write a PNG; returns what to say about it."""
        path = self._path(stem, ".png")
        return self._written(path, lambda: save_png(path, picture))

    def start(self, fps: float) -> None:
        """Begin a film."""
        self._film = Film(fps)

    def expose(self, picture: Pixels, hold: bool) -> bool:
        """Take a picture into the film; True once no more fit."""
        assert self._film is not None
        self._film.add(picture, hold)
        return self._film.is_full

    def stop(self, stem: str) -> str:
        """End the film and write it as a GIF; returns what to say about it."""
        assert self._film is not None
        film, self._film = self._film, None
        path = self._path(stem, ".gif")
        return self._written(path, lambda: film.write(path))

    def _written(self, path: Path, write: Callable[[], None]) -> str:
        try:
            write()
        except OSError as error:
            return f"not saved: {error.strerror or error}"
        return f"saved {path}"

    def _path(self, stem: str, suffix: str) -> Path:
        """A name that is not there yet."""
        path, number = self.folder / f"{stem}{suffix}", 1
        while path.exists():
            number += 1
            path = self.folder / f"{stem}-{number}{suffix}"
        return path
