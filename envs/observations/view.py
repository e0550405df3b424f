"""What of the world is shown: how much of it, when, and what is left out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HIDEABLE = ("headings", "phase")
"""Every name that the keyword `hide` knows."""
HIDE_HEADINGS, HIDE_PHASE, EVERY, RADIUS, PHASE_BITS, CLOCK_BITS = range(6)
"""Entries of `View.array()` (int32)."""


class View(NamedTuple):
    """The part of a configuration that observations depend on."""

    period: int
    """Obstacles move on every n-th tick."""
    hide_headings: bool
    hide_phase: bool
    every: int
    """Obstacles are shown on every n-th tick of the episode, the first included."""
    radius: int
    """Cells that `window` shows on each side of the agent."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.hide_headings and not self.hide_phase and self.every == 1

    @property
    def phase_bits(self) -> int:
        """Binary digits of the move phase, 0 where it is hidden."""
        return 0 if self.hide_phase else (self.period - 1).bit_length()

    @property
    def clock_bits(self) -> int:
        """Binary digits of the ticks since obstacles were shown."""
        return (self.every - 1).bit_length()

    def array(self) -> NDArray[np.int32]:
        """The view as the kernels read it."""
        entries = (self.hide_headings, self.hide_phase, self.every, self.radius)
        return np.array([*entries, self.phase_bits, self.clock_bits], dtype=np.int32)
