"""What the episodes of many lanes come to: returns, lengths, and how they ended."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batch import Episodes
from .infos import read_flags


class EpisodeCount:
    """Adds up ticks, lane by lane, and keeps the episodes that ended."""

    def __init__(self, lanes: int) -> None:
        """Nothing played yet."""
        self.lanes = lanes
        self.finished: list[Episodes] = []
        self.begin()

    def begin(self) -> None:
        """Every lane begins an episode; what was not over is not counted."""
        self.total, self.length = np.zeros(self.lanes), np.zeros(self.lanes, dtype=np.int64)

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
            reward: as the env gave it; 0 where not `valid`.
            ended: the episode's last tick.
            truncated: by a time limit.
            valid: False where the lane only restarted, or is played by rote.
            facts: the info of the tick, or `final_info`: `is_success` and `is_collision` count.

        Raises:
            ValueError: an `is_success` or `is_collision` that is not one truth value a lane.
        """
        self.total += reward
        self.length += valid
        if not ended.any():
            return
        lanes = np.flatnonzero(ended)
        self.finished.append(
            Episodes(
                lanes,
                self.total[lanes],
                self.length[lanes],
                truncated[lanes],
                read_flags(facts, "is_success", lanes, self.lanes),
                read_flags(facts, "is_collision", lanes, self.lanes),
            )
        )
        self.total[lanes], self.length[lanes] = 0.0, 0

    def drain(self) -> list[Episodes]:
        """The episodes finished since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def state_dict(self) -> dict[str, Tensor]:
        """What is carried from tick to tick."""
        return {
            "total": torch.from_numpy(self.total.copy()),
            "length": torch.from_numpy(self.length.copy()),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict()`."""
        self.total, self.length = state["total"].numpy().copy(), state["length"].numpy().copy()
