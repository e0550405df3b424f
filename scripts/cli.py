"""The command `sidestep`: finds the sub-command's file in this folder and runs its `main`."""

import os
import sys
from pathlib import Path

from sidestep.scripts.shared.uncompiled import leave_uncompiled, plays_uncompiled
from sidestep.scripts.shared.words import listed, run_named, tell

COMMANDS = {
    "train": "train an agent and leave a run folder",
    "evaluate": "measure trained runs on fresh episodes",
    "table": "the figures of any runs in one table, or as CSV",
    "watch": "see a trained run, or the optimum, act in a window, and why",
    "record": "what watch shows, as a GIF, a film or a picture",
    "examples": "the trained runs that come with the package; pack one of yours",
    "play": "cross the world yourself, with the arrow keys",
    "solve": "the exact optimum of a world: figures, values, policy",
    "levels": "draw and describe the named levels",
    "sweep": "search for settings, by several processes and machines",
    "docs": "build these docs as a site, and show it in a browser",
    "bench": "measure speed and learning, and write results.md",
    "forecast": "foresee a series from its past, beside persistence",
    "lm": "a character language model: train it, let it write, look into its units",
    "translate": "sequence to sequence: train, translate with beams, see the attention",
    "gates": "force the gates of a cell, and see what is forgotten",
    "check": "your own functions of the course's exercises, beside ours",
    "caption": "a picture of a world to a sentence: train, measure, see what words look at",
    "gradients": "draw how gradients fade and grow through recurrent cells",
}


def usage() -> str:
    """The text of `sidestep --help`."""
    return (
        "usage: sidestep COMMAND [options]\n\n"
        f"{listed(COMMANDS)}\n\n"
        "`sidestep COMMAND --help` shows a command's options and examples."
    )


def main(args: list[str] | None = None) -> None:
    """Run one sub-command; exit code 2 when there is none of that name.

    Modules of the present folder can be named, as in `--env my_envs:Maze-v0`. A reader who leaves
    before all is written (`| head -1`) is no error.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last: nothing there stands in for what is installed
    try:
        _main(sys.argv[1:] if args is None else args)
    except KeyboardInterrupt:  # while a command is imported
        print("sidestep: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        _flush()


def _flush() -> None:
    """Write what is left of standard output; at exit Python would complain where nobody reads."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(args: list[str]) -> None:
    if args and args[0] == "--version":
        from importlib.metadata import version

        tell(f"sidestep {version('sidestep')}")
        return
    if plays_uncompiled(args):
        leave_uncompiled()
    run_named("sidestep", args, COMMANDS, "a command", usage(), "sidestep.scripts")


if __name__ == "__main__":
    main()
