"""Numbers as pictures for a notebook: coloured squares as PNG, in HTML, without any other package.

Colours are those of `sidestep watch`: of signed numbers red is positive, blue negative, dark zero;
of shares in [0, 1] dark blue is 0 and yellow is 1.
"""

import base64
import functools
import html
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = Literal["signed", "share"]
T = TypeVar("T")
ZERO, POSITIVE, NEGATIVE = (26, 32, 55), (232, 104, 66), (86, 150, 240)
SHARES = ((10, 30, 74), (64, 76, 108), (124, 123, 120), (186, 175, 106), (255, 233, 72))
"""Of 0, 1/4, 1/2, 3/4 and 1; brighter is more, as in cividis."""
SQUARE = (14, 6)
"""Pixels of a number's square, width and height, where there is room."""
WIDEST, HIGHEST = 480, 260


def softly(show: Callable[[T], str | None]) -> Callable[[T], str | None]:
    """Let a notebook fall back to text where a representation fails."""

    @functools.wraps(show)
    def shown(one: T) -> str | None:
        try:
            return show(one)
        except Exception:  # whatever it is, a value that cannot be drawn is no error of its owner's
            return None

    return shown


def coloured(values: NDArray[Any], kind: Kind, most: float = 1.0) -> NDArray[np.uint8]:
    """Colours (..., 3) of numbers (...).

    Args:
        values: NaN counts as 0.
        kind: signed, from -most to most, or share, from 0 to most; beyond that they are clipped.
        most: the number with the full colour.
    """
    share = np.nan_to_num(np.asarray(values, dtype=np.float64)) / max(most, 1e-12)
    if kind == "share":
        at, stops = np.clip(share, 0, 1) * (len(SHARES) - 1), np.array(SHARES, dtype=np.float64)
        channels = [np.interp(at, range(len(stops)), stops[:, k]) for k in range(3)]
        numbers = np.stack(channels, axis=-1)
    else:
        share = np.clip(share, -1, 1)[..., None]
        end = np.where(share > 0, POSITIVE, NEGATIVE)
        numbers = ZERO + (end - np.array(ZERO)) * np.abs(share) ** 0.8
    colours: NDArray[np.uint8] = np.rint(numbers).astype(np.uint8)
    return colours


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) as the bytes of a PNG.

    Source: Portable Network Graphics (W3C, 2003), sections 5 and 9: each row has filter 0.
    """
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], axis=1)

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


def heat(values: NDArray[Any], words: str, kind: Kind = "signed", most: float = 1.0) -> str:
    """Numbers (rows, columns) as an image in HTML, a square each.

    Args:
        values: of any size.
        words: what they are, for who cannot see it.
        kind: as of `coloured`.
        most: likewise.
    """
    rows, columns = values.shape
    data = base64.b64encode(png(coloured(values, kind, most))).decode()
    width = max(24, min(WIDEST, SQUARE[0] * columns))
    height = max(12, min(HIGHEST, SQUARE[1] * rows))
    return (
        f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}" '
        f'style="width: {width}px; height: {height}px; max-width: 100%; '
        'image-rendering: pixelated; vertical-align: top">'
    )


def rows_of(pictures: Mapping[str, str], head: str) -> str:
    """Named pieces of HTML below each other, under a line of words."""
    rows = "".join(
        f'<tr><th style="text-align: left; vertical-align: top">{html.escape(name)}</th>'
        f'<td style="text-align: left">{piece}</td></tr>'
        for name, piece in pictures.items()
    )
    return f"<table><caption>{html.escape(head)}</caption><tbody>{rows}</tbody></table>"
