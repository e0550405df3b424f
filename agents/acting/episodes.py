"""What the episodes of many lanes come to: counted tick by tick, and the means over the last."""

from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sidestep.sequence.fitting.stored import Spec, check_tensors, within

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


class Recent:
    """Keeps the last finished episodes, and tells their means."""

    def __init__(self, size: int = 200) -> None:
        """Begin with none."""
        self.episodes = 0
        self.rows: deque[tuple[float, float, float]] = deque(maxlen=size)

    def __repr__(self) -> str:
        """Name the number of episodes and their means."""
        means = "".join(f", {name}={value:.4g}" for name, value in self.summary().items())
        return f"Recent(episodes={self.episodes}{means})"

    def add(self, parts: list[Episodes]) -> None:
        """Take finished episodes in."""
        for part in parts:
            untold = 0.0 if self.tells else np.nan  # an env may tell nothing but successes
            success = np.full(len(part.lane), untold) if part.success is None else part.success
            self.episodes += len(part.lane)
            columns = (part.returns.tolist(), part.length.tolist(), success.astype(float).tolist())
            self.rows.extend(zip(*columns, strict=True))

    @property
    def tells(self) -> bool:
        """Whether the env has told a success or failure yet."""
        return bool(self.rows) and not np.isnan(self.rows[-1][2])

    def summary(self) -> dict[str, float]:
        """Means over the last episodes; success only where the env tells."""
        if not self.rows:
            return {}
        returns, lengths, success = np.array(self.rows).T
        figures = {"return": float(returns.mean()), "length": float(lengths.mean())}
        if self.tells:
            figures["success"] = float(np.nan_to_num(success).mean())
        return figures

    def state_dict(self) -> dict[str, Tensor]:
        """The rows, for a checkpoint."""
        rows = torch.tensor(list(self.rows), dtype=torch.float64).reshape(-1, 3)
        return {"episodes": torch.tensor(self.episodes), "rows": rows}

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Refuse what `load_state_dict` could not take.

        Raises:
            ValueError: a tensor is missing, too many, or of another shape or type.
        """
        own = {"episodes": Spec(torch.int64, ()), "rows": Spec(torch.float64, (None, 3))}
        check_tensors(own, state, "recent.")
        within(state["episodes"], "recent.episodes", 0)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        self.episodes = int(state["episodes"])
        self.rows.clear()
        self.rows.extend((a, b, c) for a, b, c in state["rows"].tolist())
