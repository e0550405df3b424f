"""Pictures to files: PNG, GIF, and MP4 where the extra `video` is installed; pages: `page`."""

import io
import os
from collections import deque
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v2 as imageio_v2
import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sidestep.sequence.fitting.checkpoint import write_atomically

Pixels = NDArray[np.uint8]
HELD_SECONDS = 1.0
"""How much longer the last picture of an episode stays."""
COLOURS = 255
"""GIF has room for 256; one is for what did not change."""
SUFFIXES = (".gif", ".mp4", ".png", ".html")
MOST_FRAMES = 900
"""Of a GIF and of a page; a film that goes on after that would not open in a browser."""


class Shot(NamedTuple):
    """A picture of a film."""

    picture: Pixels
    """(H, W, 3)."""
    hold: bool = False
    """It stays `HELD_SECONDS` longer, as the last of an episode."""
    facts: tuple[dict[str, Any], ...] = ()
    """Of each lane, for a page; see `facts_of`."""


class Film:
    """Pictures that become a GIF; kept with palettes, a byte a pixel.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float) -> None:
        """No picture yet."""
        if not fps > 0:
            raise ValueError(f"fps: expected a positive number, got {fps}")
        self.fps = fps
        self._images: list[Image.Image] = []
        self._durations: list[int] = []

    @property
    def is_full(self) -> bool:
        """Whether no more pictures are taken."""
        return len(self._images) >= MOST_FRAMES

    def add(self, picture: Pixels, hold: bool = False) -> None:
        """Take a picture, (H, W, 3); nothing once the film is full.

        Raises:
            ValueError: one of another size than the first.
        """
        if self.is_full:
            return
        image = _with_palette(picture)
        if self._images and image.size != self._images[0].size:
            raise ValueError(
                f"frames: expected one shape, got {self._images[0].size}, {image.size}"
            )
        self._images.append(image)
        self._durations.append(
            max(20, round(100 / self.fps) * 10) + hold * int(1000 * HELD_SECONDS)
        )

    def write(self, path: Path) -> None:
        """Write the GIF, completely or not at all.

        Raises:
            ValueError: no picture was taken.
            OSError: a full or read-only disk.
        """
        if not self._images:
            raise ValueError("frames: expected at least one, got none")
        _write_images(path, self._images, self._durations)


def save_png(path: Path, picture: Pixels) -> None:
    """Write one picture, (H, W, 3), completely or not at all."""
    buffer = io.BytesIO()
    imageio.imwrite(buffer, picture, extension=".png", plugin="pillow", optimize=True)
    write_atomically(path, buffer.getvalue())


def check_target(path: Path) -> None:
    """See that a film can be written there before anything is played.

    Raises:
        ValueError: another suffix, or MP4 without its encoder.
        FileNotFoundError: no such folder.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"out: expected a name ending in {', '.join(SUFFIXES)}, got {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"out: expected a folder that is there, got {path.parent}")
    if path.suffix == ".mp4" and find_spec("imageio_ffmpeg") is None:
        raise ValueError(
            "out: expected imageio-ffmpeg for MP4, which is not installed: "
            "pip install imageio-ffmpeg"
        )


def write_film(path: Path, shots: Iterable[Shot], fps: float) -> int:
    """Write a film by its suffix, completely or not at all; of a PNG the last picture.

    Args:
        path: ends in .gif, .mp4 or .png.
        shots: of one size.
        fps: frames a second.

    Returns:
        How many pictures are in it.

    Raises:
        ValueError: no pictures, or of several sizes.
        OSError: a full or read-only disk.
    """
    if path.suffix == ".mp4":
        return _write_mp4(path, shots, fps)
    if path.suffix == ".png":
        last = deque(shots, maxlen=1)  # the others are not kept
        if not last:
            raise ValueError("frames: expected at least one, got none")
        save_png(path, last[0].picture)
        return 1
    film, count = Film(fps), 0
    for shot in shots:
        film.add(shot.picture, shot.hold)
        count += 1
        if film.is_full:
            break
    film.write(path)
    return count


def _write_mp4(path: Path, shots: Iterable[Shot], fps: float) -> int:
    """H.264, beside the target at first: the encoder writes to a file of its own."""
    name = path.with_name(f".{path.stem}-{os.getpid()}.mp4")
    opened: Any = imageio_v2.get_writer  # its type knows no FFMPEG
    count = 0
    try:
        with opened(
            str(name), format="FFMPEG", fps=fps, codec="libx264", quality=8, macro_block_size=2
        ) as writer:
            for picture, hold, _ in shots:
                even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
                for _ in range(1 + hold * round(fps * HELD_SECONDS)):
                    writer.append_data(even)
                count += 1
        if not count:
            raise ValueError("frames: expected at least one, got none")
        name.replace(path)
    finally:
        name.unlink(missing_ok=True)
    return count


def _write_images(path: Path | str, images: Sequence[Image.Image], durations: list[int]) -> None:
    """Write a GIF of images with palettes; durations in milliseconds."""
    if len(images) == 1:
        durations = durations[:1]
    buffer = io.BytesIO()
    first, *rest = images
    first.save(
        buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, disposal=1
    )  # fmt: skip
    write_atomically(Path(path), buffer.getvalue())


def _with_palette(frame: NDArray[np.uint8]) -> Image.Image:
    """A frame (H, W, 3) in 255 colours of its own: a third of the memory, and GIF's format."""
    return Image.fromarray(frame).quantize(COLOURS, dither=Image.Dither.NONE)
