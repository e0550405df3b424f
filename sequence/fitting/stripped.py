"""A run made small: what acting needs of it, without what only training goes on with."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from .folder import create_folder, read_settings
from .records import read_record

ACTING_ONLY = "acting_only"
"""The entry of a checkpoint's facts that says so."""
MODELS = ("agent.", "module.")
"""How the names of tensors begin that acting may need: an agent's, and a sequence model's."""
OPTIMIZER = "agent.optimizer."
TEXTS = ("metrics.jsonl", "final.json", "command.txt")
"""What of a run's folder is kept beside its configuration and one checkpoint."""
MOST_LINES = 100
"""Of a log that is copied, beside those of evaluations and validations."""
MEASURED = (b'"evaluation"', b'"validation"')
OF_THE_FILE = ("format", "tensors", "bytes", "sha256", "digest")
"""Entries that every checkpoint is given when it is written."""


def is_for_acting(name: str) -> bool:
    """Whether a tensor of this name may be needed by a model that learns no more."""
    return name.startswith(MODELS) and not name.startswith(OPTIMIZER)


def strip_run(run: Path, out: Path) -> Path:
    """Copy a run without what only training needs; every command that shows runs reads the copy.

    Of a sequence model the best checkpoint by validation is kept, where there is one; else, and of
    an agent, the last. Pictures, samples and older checkpoints stay behind,
    and most lines of a long log.

    Args:
        run: its folder, which is only read.
        out: the copy's folder, which must be new.

    Returns:
        The path of the copy's checkpoint.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        FileExistsError: `out` is there already and not empty.
        ValueError: a damaged checkpoint, or no text in what is to be copied.
    """
    best = run / "best.json"
    of_an_agent = "kind" not in read_settings(run)
    path = best if best.is_file() and not of_an_agent else latest_checkpoint(run)
    tensors, record = load_checkpoint(path)
    texts = {name: (run / name).read_bytes() for name in TEXTS if (run / name).is_file()}
    create_folder(out, (run / "config.json").read_text(encoding="utf-8"))
    for name, text in texts.items():
        (out / name).write_bytes(thinned(text) if name.endswith(".jsonl") else text)
    kept = {name: tensor for name, tensor in tensors.items() if is_for_acting(name)}
    facts = {name: value for name, value in record.items() if name not in OF_THE_FILE}
    return save_checkpoint(out, path.stem, kept, {**facts, ACTING_ONLY: True})


def thinned(log: bytes) -> bytes:
    """Keep of a log all lines on what was measured, and of the others up to `MOST_LINES`, evenly.

    Args:
        log: of `metrics.jsonl`.
    """
    lines = log.splitlines(keepends=True)
    others = [n for n, line in enumerate(lines) if not any(word in line for word in MEASURED)]
    step = -(-len(others) // MOST_LINES)
    left_out = {n for place, n in enumerate(others) if step and place % step}
    return b"".join(line for n, line in enumerate(lines) if n not in left_out)


def check_whole(facts: Mapping[str, Any], source: str) -> None:
    """Refuse to train on from a checkpoint that was stripped.

    Args:
        facts: of the checkpoint.
        source: the run, for the error.

    Raises:
        ValueError: it was.
    """
    if facts.get(ACTING_ONLY):
        raise ValueError(
            f"{source}: expected a run with all that training goes on from, got one that is for "
            "watching only; its command.txt or config.json says how to train it anew"
        )


def check_goes_on(folder: Path) -> None:
    """Refuse to go on with a run whose checkpoint was stripped, before anything is written.

    One that is not there or cannot be read is told later, by what reads all of it.

    Raises:
        ValueError: it was.
    """
    facts: dict[str, Any] = {}
    there = sorted(folder.glob("checkpoint-*.json")) or sorted(folder.glob("best.json"))
    with suppress(OSError, ValueError):
        facts = read_record(there[-1]) if there else {}
    check_whole(facts, str(folder))
