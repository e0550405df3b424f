"""When things are due in a run, and what stops it."""

from typing import Any

import numpy as np


def says_stop(answer: Any) -> bool:
    """Whether a report's answer ends training: only False does."""
    return isinstance(answer, bool | np.bool_) and not answer


class Every:
    """Due once each time that `steps` has passed a multiple of `interval`; never for 0."""

    def __init__(self, interval: int, steps: int = 0) -> None:
        """First due at the first multiple after `steps`."""
        self.interval, self.next = interval, 0
        self._pass(steps)

    def __repr__(self) -> str:
        """Name the interval and the next time."""
        return f"Every({self.interval}, next={self.next})"

    def due(self, steps: int) -> bool:
        """Whether it is time; then the next time is set."""
        if self.interval == 0 or steps < self.next:
            return False
        self._pass(steps)
        return True

    def _pass(self, steps: int) -> None:
        self.next = (steps // self.interval + 1) * self.interval if self.interval else 0
