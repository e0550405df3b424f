"""Whole episodes end to end in few rows: a batch without padding, for memories that take resets."""

import heapq
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Packing(NamedTuple):
    """Where the steps of B episodes stand in R rows of S steps."""

    source: Tensor
    """(S, R) int64, the step's place t * B + b in the padded batch; 0 where the row is empty."""
    filled: Tensor
    """(S, R) bool, False where the row is empty."""

    def gather(self, x: Tensor) -> Tensor:
        """(T, B, ...) to (S, R, ...); empty places hold some other step."""
        return x.flatten(0, 1)[self.source]

    def scatter(self, y: Tensor, steps: int, batch: int) -> Tensor:
        """(S, R, ...) back to (T, B, ...), 0 at padding.

        Args:
            y: (S, R, ...).
            steps: T.
            batch: B.
        """
        rows = y.new_zeros(steps * batch, *y.shape[2:])
        rows = rows.index_copy(0, self.source[self.filled], y[self.filled])
        return rows.view(steps, batch, *y.shape[2:])


def pack_episodes(lengths: Tensor) -> Packing:
    """Lay episodes of different lengths end to end, in about sum / max rows of about max steps.

    Each episode goes, longest first, to the row that is shortest so far (Graham 1969, LPT). The
    first step of each must carry a reset: rows then never leak from one episode into the next.

    Args:
        lengths: (B,) integers >= 0; episode b stands at t < lengths[b] of a (T, B) batch.

    Returns:
        Its packing; no row is empty, unless all episodes are.
    """
    sizes = lengths.cpu().numpy()
    total, longest, batch = int(sizes.sum()), int(sizes.max(initial=0)), len(sizes)
    rows = -(-total // max(longest, 1)) or 1
    shortest = [(0, row) for row in range(rows)]
    place, begin = np.zeros(batch, dtype=np.int64), np.zeros(batch, dtype=np.int64)
    for lane in np.argsort(-sizes, kind="stable").tolist():
        fill, row = shortest[0]
        place[lane], begin[lane] = row, fill
        heapq.heapreplace(shortest, (fill + int(sizes[lane]), row))
    height = max(fill for fill, _ in shortest)
    lane = np.repeat(np.arange(batch), sizes)
    t = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    source, filled = np.zeros((height, rows), np.int64), np.zeros((height, rows), np.bool_)
    at = (begin[lane] + t, place[lane])
    source[at], filled[at] = t * batch + lane, True
    device = lengths.device
    return Packing(torch.from_numpy(source).to(device), torch.from_numpy(filled).to(device))
