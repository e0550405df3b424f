"""Where a level lies in a picture."""

from typing import NamedTuple

from sidestep.envs.levels.level import Level

CELL_SIDES = (80, 64, 48, 32, 16, 8, 4)
"""Cells in pixels; all sides of a default picture are multiples of 16, as video encoders like."""
BOARD_SIDE = 640
"""Default pictures of maps up to 160 cells a side are no larger, margins aside."""
MARGIN = 16
HEADER = 48
LEAST_WIDTH = 304
"""The header's text needs so many pixels."""


class Layout(NamedTuple):
    """Where a level lies in a picture."""

    width: int
    height: int
    cell: int
    """Side of a cell in pixels."""
    left: int
    top: int
    header: int
    """Height of the strip with the counters; 0 for none."""

    @classmethod
    def default(cls, level: Level) -> "Layout":
        """The layout of `frame(scene)`; the same for every scene of a level."""
        longest = max(level.width, level.height)
        cell = next((c for c in CELL_SIDES if c * longest <= BOARD_SIDE), CELL_SIDES[-1])
        width = max(level.width * cell, LEAST_WIDTH)
        left = MARGIN + (width - level.width * cell) // 2
        height = HEADER + level.height * cell + MARGIN
        return cls(width + 2 * MARGIN, height, cell, left, HEADER, HEADER)

    @classmethod
    def inside(
        cls, level: Level, width: int, height: int, margin: int = MARGIN, header: int = HEADER
    ) -> "Layout":
        """The level as large as a picture of `width` x `height` allows, in its middle."""
        room = (width - 2 * margin, height - margin - max(header, margin))
        cell = max(2, min(room[0] // level.width, room[1] // level.height) // 2 * 2)
        top = max(header, margin) + max(0, room[1] - cell * level.height) // 2
        return cls(width, height, cell, (width - cell * level.width) // 2, top, header)

    def corner(self, x: float, y: float) -> tuple[int, int]:
        """The pixel (from the left, from the top) of the upper left corner of cell x, y."""
        return round(self.left + x * self.cell), round(self.top + y * self.cell)
