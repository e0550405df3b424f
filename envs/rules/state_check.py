"""Whether a state that is handed in can be one of this world: the kernels do not check it."""

import numpy as np
from numpy.typing import NDArray

from .tick import BEGIN_HX, BEGIN_HY, FIRST, HEIGHT, LEFT, PHASE, WANDERS, WIDTH, X

Cells = NDArray[np.int16]


def check_places(
    state: NDArray[np.int16],
    level_of: NDArray[np.int32],
    tables: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]],
    period: int,
) -> None:
    """Raise ValueError for rows that no tick can produce.

    Args:
        state: (rows, N) as `World.state`.
        level_of: (N,) the number of each lane's level.
        tables: sites (L, 6), tracks (L, K, 9) and walls (L, H, W) of the world.
        period: obstacles move on every n-th tick.
    """
    sites, tracks, walls = tables
    if np.any((level_of < 0) | (level_of >= len(sites))):
        raise ValueError(f"state: expected levels 0 to {len(sites) - 1}")
    own = tracks[level_of].transpose(1, 2, 0)  # (K, 9, N)
    bodies = state[FIRST:].reshape(len(own), 4, len(level_of))
    boxes = np.zeros((len(own) + 1, 4, len(level_of)), dtype=np.int64)  # the agent's, and theirs
    boxes[:, 2:] = sites[level_of][:, [WIDTH, HEIGHT]].T - 1
    np.copyto(boxes[1:], own[:, LEFT : LEFT + 4], where=own[:, WANDERS, None] == 0)
    cells = np.concatenate((state[None, X : X + 2], bodies[:, :2]))
    check_cells(cells, boxes, walls, level_of)
    check_headings(bodies[:, 2:], own[:, BEGIN_HX : BEGIN_HY + 1])
    phase = state[PHASE]
    if np.any((phase < 0) | (phase >= period)):
        raise ValueError(f"state: expected phases below {period}")


def check_cells(
    cells: Cells, boxes: NDArray[np.int64], walls: NDArray[np.bool_], level_of: NDArray[np.int32]
) -> None:
    """Raise ValueError for a cell outside of its box or in a wall; the first are the agent's.

    Args:
        cells: (K + 1, 2, N).
        boxes: (K + 1, 4, N) left, top, right and bottom.
        walls: (L, H, W).
        level_of: (N,).
    """
    x, y = cells[:, 0], cells[:, 1]
    outside = (cells < boxes[:, :2]) | (cells > boxes[:, 2:])
    if outside.any():
        k, _, lane = np.argwhere(outside)[0]
        left, top, right, bottom = boxes[k, :, lane].tolist()
        raise ValueError(
            f"state: expected {_name(k)} in columns {left} to {right} and rows {top} to {bottom}, "
            "got one outside"
        )
    walled = walls[level_of, y, x]
    if walled.any():
        k, lane = np.argwhere(walled)[0]
        column, row = cells[k, :, lane].tolist()
        raise ValueError(
            f"state: expected {_name(k)} outside of walls, got column {column}, row {row}"
        )


def _name(k: int) -> str:
    return f"obstacle {k - 1}" if k else "agent"


def check_headings(headings: Cells, known: NDArray[np.int32]) -> None:
    """Raise ValueError for a heading (K, 2, N) that is neither the known one nor its opposite."""
    wrong = (headings != known).any(axis=1) & (headings != -known).any(axis=1)
    if wrong.any():
        k, lane = np.argwhere(wrong)[0]
        hx, hy = known[k, :, lane].tolist()
        expected = f"{(hx, hy)} or {(-hx, -hy)}" if hx or hy else "(0, 0)"
        got = tuple(headings[k, :, lane].tolist())
        raise ValueError(f"state: expected the heading of obstacle {k} to be {expected}, got {got}")
