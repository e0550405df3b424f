"""`sidestep bench house`: how far a reader walks through the code, and how its rooms stand.

Three walks are taken in processes of their own, and every file is counted of which a function was
called; imports are read from the code. Nothing here is a timing: the same code gives the same
numbers.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sidestep.scripts.benches.house_plan import PACKAGES, Plan
from sidestep.scripts.benches.records import write_result
from sidestep.scripts.benches.skeleton import Flags, by_turns, shown
from sidestep.scripts.shared.console import command, console

EXAMPLES = """\
  sidestep bench house
  sidestep bench house --out docs
  sidestep bench house --tree ../another-checkout"""

ROOT = Path(__file__).resolve().parents[2]
WALKER = Path(__file__).with_name("house_walk.py")
WALKS = {"train": ("train", "update"), "layer": ("layer",), "frame": ("frame",)}
"""By the walker's name, what it counts."""
ROWS: dict[str, tuple[str, int, int]] = {
    "train files": ("`sidestep train deep-sarsa` to the first optimizer step: files", 47, 25),
    "train lines": ("lines in them", 7406, 3500),
    "update files": ("of it one update, collecting and learning: files", 23, 12),
    "layer files": ("`GRU.forward` with resets: files", 8, 4),
    "layer lines": ("lines in them", 1275, 900),
    "frame files": ("one tick and frame of `sidestep watch`: files", 44, 25),
    "circles": ("circles of files", 3, 0),
    "arrows up": ("imports that run back up between rooms", 3, 0),
    "floors envs": ("floors of rooms in envs", 14, 6),
    "floors agents": ("in agents", 7, 6),
    "floors sequence": ("in sequence", 6, 5),
    "lines scripts": ("lines in scripts", 12104, 9300),
    "lines": ("lines in all packages", 28194, 24500),
}
"""What is counted, its number at commit 1dfe272 as `--tree` counts it, and the aim."""


@dataclass(frozen=True)
class Options(Flags):
    """Count files on the way of an action, a sequence and a frame, and how rooms stand."""

    tree: Path | None = None
    """The checkout to be measured; that of this code if left out."""

    def __post_init__(self) -> None:
        """Check the tree too."""
        super().__post_init__()
        tree = self.tree or ROOT
        missing = [name for name in PACKAGES if not (tree / name / "__init__.py").is_file()]
        if missing:
            raise ValueError(
                f"tree: expected a checkout with {', '.join(PACKAGES)}, got {tree} without "
                f"{', '.join(missing)}"
            )


def run(options: Options) -> None:
    """Walk and read; print the table and write it."""
    tree = options.tree or ROOT
    plan = Plan(tree)
    walks: dict[str, list[dict[str, Any]]] = {}
    taken = by_turns("house", {name: partial(walked, tree, name) for name in WALKS})
    for (found,) in taken.values():
        walks |= found
    numbers = {**counted(walks), **stands(plan)}
    columns = ["counted", "at 1dfe272", "now", "aim"]
    rows = shown("The house", columns, [printed(name, numbers[name]) for name in ROWS])
    for circle in plan.circles():
        console.print(f"circle: {', '.join(circle)}")
    record = {"numbers": numbers, "circles": plan.circles(), "walks": walks}
    write_result(options, "house", record, _markdown(rows, walks), page="architecture.md")


def walked(tree: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """Take one walk through a checkout.

    Args:
        tree: the checkout.
        name: a key of WALKS.

    Returns:
        For each of its counts the files, in the order in which they are entered: `file`, `lines`,
        and `compiled` where only compiled functions ran.

    Raises:
        RuntimeError: the program ended early; its last words are told.
    """
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "path" / "sidestep"  # found before what is installed
        package.mkdir(parents=True)
        for part in PACKAGES:
            (package / part).symlink_to((tree / part).resolve(), target_is_directory=True)
        settings = {
            "PYTHONPATH": str(package.parent),
            "NUMBA_DISABLE_JIT": "1",
            "SDL_VIDEODRIVER": "dummy",
            "COLUMNS": "200",
        }
        words = [sys.executable, "-W", "ignore", str(WALKER), str(tree.resolve()), name, "out.json"]
        done = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"the walk {name!r} ended early: {said[-1] if said else 'silently'}")
        found = json.loads((Path(folder) / "out.json").read_text(encoding="utf-8"))
    return {part: found[part] for part in WALKS[name]}


def counted(walks: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """Files and lines of every walk."""
    numbers = {}
    for name, files in walks.items():
        numbers[f"{name} files"] = len(files)
        numbers[f"{name} lines"] = sum(row["lines"] for row in files)
        numbers[f"{name} compiled"] = sum(row["compiled"] for row in files)
    return numbers


def stands(plan: Plan) -> dict[str, int]:
    """The numbers of a plan: circles, arrows up, floors and lines."""
    return {
        "circles": len(plan.circles()),
        "arrows up": plan.arrows_up(),
        **{f"floors {name}": plan.floors(name) for name in ("envs", "agents", "sequence")},
        "lines scripts": plan.lines("scripts"),
        "lines": plan.lines(),
    }


def printed(name: str, number: int) -> list[str]:
    """A row as text."""
    words, before, aim = ROWS[name]
    return [words, f"{before:,}", f"{number:,}", f"{aim:,}"]


def _markdown(rows: str, walks: dict[str, list[dict[str, Any]]]) -> str:
    only = {name: sum(row["compiled"] for row in files) for name, files in walks.items()}
    return f"""\
{rows}

A file is on a walk when a function of it is called there: bodies of modules and classes do not
count, nor what runs while they are imported, nor methods that Python writes (a dataclass's
`__init__`). Lines are those of the whole files, comments and empty ones included. Compiled rules
are counted, run as plain Python: {only["train"]} files of the first walk, {only["update"]} of the
update and {only["frame"]} of the frame hold nothing else that is called. The frame is the second of
a run without memory, with the panels that `sidestep watch` opens with: one tick, one picture.

Circles are files that import each other in a loop, imports for types and inside functions included.
A room is a folder directly in a package with all that is below it, or a single file there; back up
run the fewest imports that would have to go for all rooms to stand in one order; floors are rooms
in the longest chain of imports, the package's face left out."""


main = command("bench house", Options, run, EXAMPLES)
