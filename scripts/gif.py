"""Frames to an animated GIF that loops."""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from sidestep.agents.checkpoint import write_atomically

HELD_SECONDS = 1.0


def write_gif(
    path: Path | str,
    frames: Sequence[NDArray[np.uint8]],
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
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(f"frames: expected one shape, got {sorted(shapes) or 'no frames'}")
    if not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    durations = np.full(len(frames), max(20, round(100 / fps) * 10), dtype=np.float64)
    durations[list(hold)] += 1000 * HELD_SECONDS
    data = imageio.imwrite(
        "<bytes>",
        np.stack(frames),
        extension=".gif",
        plugin="pillow",
        duration=durations.tolist() if len(frames) > 1 else float(durations[0]),
        loop=0,
    )
    write_atomically(Path(path), data)
