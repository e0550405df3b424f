"""A run's command.txt: the words that began it, and the commands that repeat it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from sidestep.agents import RunConfig
from sidestep.agents.environments import OWN
from sidestep.sequence.fitting.checkpoint import write_atomically

NAME = "command.txt"


def write_command(folder: Path, run: RunConfig, typed: Sequence[str], more: Sequence[str]) -> None:
    """Write which command repeats a run into its folder; a shell can run the file.

    Its settings are those of config.json, whatever presets are by then.

    Args:
        folder: of the run, with its config.json.
        run: its configuration.
        typed: the words after `sidestep` that began it; none: nobody knows them.
        more: further flags, which config.json does not hold.
    """
    begun = f"# Begun by: {shlex.join(['sidestep', *typed])}\n" if typed else ""
    module = run.env.id.rpartition(":")[0]
    named = ["--modules", module] if module not in ("", OWN, *run.modules) else []
    words = ["sidestep", "train", run.learner, "--config", str(folder / "config.json")]
    words += [*named, *more, "--out", _again(folder)]
    text = f"{begun}# Repeated, bit for bit on the same machine, by:\n{shlex.join(words)}\n"
    write_atomically(folder / NAME, text.encode())


def note_resumed(folder: Path, steps: int, words: Sequence[str]) -> None:
    """Add that a run went on under other flags; of a run without a command.txt nothing is noted.

    Args:
        folder: of the run.
        steps: that it had made by then.
        words: the flags.
    """
    path = folder / NAME
    if path.is_file():
        command = shlex.join(["sidestep", "train", "resume", _again(folder), *words])
        text = f"{path.read_text()}# After {steps} steps it went on by:\n{command}\n"
        write_atomically(path, text.encode())


def _again(folder: Path) -> str:
    return f"{folder}-again"
