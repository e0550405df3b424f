"""What an evaluation found, as a record; and a run's last one, final.json in its folder.

`sidestep evaluate --out` writes such records too.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sidestep.agents import EnvConfig
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.log import plain, read_figures
from sidestep.sequence.fitting.records import entries, read_record

NAME = "final.json"
CIRCUMSTANCES = {"seed": int, "greedy": bool, "checkpoint": str, "env": dict, "steps": int}
"""What a record says beside the figures, and of which types."""


def record_of(
    summary: dict[str, Any],
    seed: int,
    steps: int,
    env: EnvConfig,
    greedy: bool = True,
    checkpoint: str = "last",
) -> dict[str, Any]:
    """The record of an evaluation.

    Args:
        summary: of its episodes; an optimum in it may say what it is the mean over.
        seed: of its worlds.
        steps: that the agent had learned from.
        env: in which it played.
        greedy: whether it did not explore.
        checkpoint: from which the agent came.
    """
    over = getattr(summary.get("optimum"), "over", "")
    how = {"seed": seed, "greedy": greedy, "checkpoint": checkpoint, "env": asdict(env)}
    figures = {**summary, **({"optimum_over": over} if over else {})}
    return {**how, "steps": steps, **figures}


def write_final(folder: Path, record: dict[str, Any]) -> None:
    """Write the record of a run's end into its folder."""
    text = json.dumps(plain(record), indent=1, allow_nan=False)
    write_atomically(folder / NAME, f"{text}\n".encode())


def read_final(folder: Path) -> dict[str, Any] | None:
    """Read the record of a run's end; None: the folder has none.

    A run that went on since then has a later checkpoint than it says.

    Raises:
        ValueError: something else than such a record is there.
    """
    path = folder / NAME
    if not path.exists():
        return None
    record = entries(read_record(path), str(path), **CIRCUMSTANCES, episodes=int, return_mean=list)
    told = {k: v for k, v in record.items() if k in (*CIRCUMSTANCES, "optimum_over")}
    figures = {name: value for name, value in record.items() if name not in told}
    return {**told, **read_figures(figures, str(path))}
