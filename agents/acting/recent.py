"""The last finished episodes of training: what the progress bar and the log report."""

from collections import deque

import numpy as np
import torch
from torch import Tensor

from sidestep.agents.acting.batch import Episodes
from sidestep.sequence.fitting.checkpoint import Spec, check_tensors, within


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
