"""Every table to which something can be registered, put back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.envs.observations.table import OBSERVATIONS
from sidestep.scripts.shared.modules import NAMED
from sidestep.scripts.viewer.panels.registry import PANELS
from sidestep.sequence.memory.table import KINDS

TABLES: tuple[dict[str, Any], ...] = (OBSERVATIONS, KINDS, LEARNERS)


@contextmanager
def kept() -> Iterator[None]:
    """Afterwards every table is as it was before."""
    before = [dict(table) for table in TABLES]
    panels, named = list(PANELS), list(NAMED)
    try:
        yield
    finally:
        for table, rows in zip(TABLES, before, strict=True):
            table.clear()
            table.update(rows)
        PANELS[:], NAMED[:] = panels, named
