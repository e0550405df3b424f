"""Frames to an animated GIF that loops."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sidestep.agents.checkpoint import write_atomically

HELD_SECONDS = 1.0
COLOURS = 255
"""GIF has room for 256; one is for what did not change."""


def write_gif(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    hold: Sequence[int] = (),
) -> None:
    """Write a GIF completely or not at all.

    Args:
        path: in a folder that exists.
        frames: one or more of the same shape, (H, W, 3) uint8.
        fps: frames a second; GIF knows hundredths of a second, and players at least two of them.
        hold: indices of frames that stay `HELD_SECONDS` longer, such as the last of an episode.

    Raises:
        ValueError: no frames, frames that differ in shape, or fps that is not positive.
        OSError: a full or read-only disk; what was at `path` is still there.
    """
    if not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    images = list(_images(frames))
    if not images:
        raise ValueError("frames: expected one shape, got no frames")
    durations = np.full(len(images), max(20, round(100 / fps) * 10), dtype=np.float64)
    durations[list(hold)] += 1000 * HELD_SECONDS
    write_images(path, images, durations.astype(int).tolist())


def write_images(path: Path | str, images: Sequence[Image.Image], durations: list[int]) -> None:
    """Write a GIF of images with palettes; durations in milliseconds."""
    if len(images) == 1:
        durations = durations[:1]
    buffer = io.BytesIO()
    first, *rest = images
    first.save(
        buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, disposal=1
    )  # fmt: skip
    write_atomically(Path(path), buffer.getvalue())


def with_palette(frame: NDArray[np.uint8]) -> Image.Image:
    """A frame (H, W, 3) in 255 colours of its own: a third of the memory, and GIF's format."""
    return Image.fromarray(frame).quantize(COLOURS, dither=Image.Dither.NONE)


def _images(frames: Iterable[NDArray[np.uint8]]) -> Iterator[Image.Image]:
    shapes: set[tuple[int, ...]] = set()
    for frame in frames:
        shapes.add(frame.shape)
        if len(shapes) > 1:
            raise ValueError(f"frames: expected one shape, got {sorted(shapes)}")
        yield with_palette(frame)
