"""What the episodes of many lanes come to: returns, lengths, and how they ended."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .types import Episodes


class EpisodeCount:
    """Adds up ticks, lane by lane, and keeps the episodes that ended."""

    def __init__(self, lanes: int) -> None:
        """Nothing played yet."""
        self.lanes = lanes
        self.finished: list[Episodes] = []
        self.last: list[Episodes] = []  # of the last tick
        self.begin()

    def begin(self) -> None:
        """Every lane begins an episode; what was not over is not counted."""
        self.total, self.length = np.zeros(self.lanes), np.zeros(self.lanes, dtype=np.int64)
        self._keep_all()

    def add(
        self,
        reward: NDArray[Any],
        ended: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        valid: NDArray[np.bool_],
        facts: dict[str, Any],
    ) -> None:
        """A tick; (lanes,) each.

        Args:
            reward: as the env gave it.
            ended: the episode's last tick.
            truncated: by a time limit.
            valid: False where the lane only restarted.
            facts: the info of the tick, or `final_info`: `is_success` and `is_collision` count.
        """
        self._keep_all()
        self.total += reward * valid
        self.length += valid
        if not ended.any():
            return
        success, collision = facts.get("is_success"), facts.get("is_collision")
        lanes = np.flatnonzero(ended)
        self.last = [
            Episodes(
                lanes,
                self.total[lanes],
                self.length[lanes],
                truncated[lanes],
                None if success is None else success[lanes],
                None if collision is None else collision[lanes],
            )
        ]
        self.total[lanes], self.length[lanes] = 0.0, 0

    def keep_last(self, lanes: NDArray[np.bool_]) -> None:
        """Forget the episodes that ended in the last tick, but for these lanes (lanes,)."""
        self.last = [episodes.select(lanes[episodes.lane]) for episodes in self.last]

    def drain(self) -> list[Episodes]:
        """The episodes finished since the last call."""
        self._keep_all()
        finished, self.finished = self.finished, []
        return finished

    def _keep_all(self) -> None:
        self.finished += self.last
        self.last = []

    def state_dict(self) -> dict[str, Tensor]:
        """What is carried from tick to tick."""
        return {
            "total": torch.from_numpy(self.total.copy()),
            "length": torch.from_numpy(self.length.copy()),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`."""
        self.total, self.length = state["total"].numpy().copy(), state["length"].numpy().copy()
