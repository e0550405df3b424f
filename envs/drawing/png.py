"""A picture as the bytes of a PNG."""

import io

import numpy as np
import pygame
from numpy.typing import NDArray


def png(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture (H, W, 3)."""
    height, width, _ = picture.shape
    surface = pygame.image.frombuffer(
        np.ascontiguousarray(picture).tobytes(), (width, height), "RGB"
    )
    buffer = io.BytesIO()
    pygame.image.save(surface, buffer, "picture.png")
    return buffer.getvalue()
