"""Which files a walk through the code enters: a program of its own, started by `bench house`.

    python house_walk.py CHECKOUT train|layer|frame OUT.json

It imports nothing of the checkout but public faces and the command line, so that it can walk
through an older one too. Compiled rules run as plain Python here: they would not be seen otherwise.
"""

import contextlib
import importlib
import inspect
import json
import os
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

STAYS = "collect"
"""The learner's method with which an update begins."""
SEED = ["--seed", "0"]
FEW = ["--num-envs", "16"]
"""Lanes: interpreted rules are slow, and more lanes call nothing else."""
RUN = [
    *FEW,
    "--total-steps",
    "256",
    "--evaluate-every",
    "0",
    "--episodes",
    "16",
    "--gif-episodes",
    "0",
]
"""Of the shortest training that leaves something to watch."""


class ThereError(BaseException):
    """The walk has come to its end; no handler of the code that is walked through catches it."""


class Walk:
    """What was called since `start`, by file: give `see` to `sys.setprofile`.

    A function counts with its file when its body runs. Modules' and classes' bodies do not count,
    nor what they call while they are imported; nor does this file.

    Args:
        root: the folder whose files count.
        kernels: the code of compiled functions; a file in which no other ran is told apart.
    """

    def __init__(self, root: Path, kernels: set[CodeType] | None = None) -> None:
        """Begin with nothing."""
        self.root = f"{root.resolve()}{os.sep}"
        self.kernels: set[CodeType] = set() if kernels is None else kernels
        self._places: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """Forget what was called before."""
        self._seen: set[CodeType] = set()
        self.functions: dict[str, set[CodeType]] = {}

    def place(self, file: str) -> str:
        """The file's path from the root; empty where it is outside."""
        found = self._places.get(file)
        if found is None:
            real = os.path.realpath(file)
            inside = real.startswith(self.root) and real != os.path.realpath(__file__)
            found = self._places[file] = real.removeprefix(self.root) if inside else ""
        return found

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        """Take in one event of the profiler."""
        code = frame.f_code
        if event != "call" or code in self._seen or not code.co_flags & inspect.CO_OPTIMIZED:
            return
        place = self.place(code.co_filename)
        if place and self._is_imported(frame.f_back):
            return
        self._seen.add(code)
        if place:
            self.functions.setdefault(place, set()).add(code)

    def _is_imported(self, frame: FrameType | None) -> bool:
        """Whether a module's body is at work below."""
        while frame is not None:
            if frame.f_code.co_name == "<module>" and self.place(frame.f_code.co_filename):
                return True
            frame = frame.f_back
        return False

    def files(self) -> list[dict[str, Any]]:
        """Every file that was entered, in that order, with its lines."""
        rows = []
        for place, codes in self.functions.items():
            lines = Path(self.root, place).read_text(encoding="utf-8").count("\n")
            only = codes <= self.kernels
            rows.append({"file": Path(place).as_posix(), "lines": lines, "compiled": only})
        return rows


def interpret() -> set[CodeType]:
    """Make numba leave functions as they are; returns the code of those that it was given."""
    import numba

    kernels: set[CodeType] = set()

    def keep(function: Any) -> Any:
        kernels.add(function.__code__)
        return function

    def njit(*functions: Any, **_: Any) -> Any:
        return keep(*functions) if functions else keep

    numba.njit = njit
    return kernels


def command(*words: str) -> None:
    """Run `sidestep WORDS`, as the installed command does: benches stand below it."""
    sys.argv = ["sidestep", *words]
    importlib.import_module("sidestep.scripts.cli").main()


def train(walk: Walk) -> dict[str, Any]:
    """From `sidestep train deep-sarsa` to the first step of the optimizer, and the update in it."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    before: dict[str, set[CodeType]] = {}

    def see(frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if (
            event == "call"
            and not before
            and code.co_name == STAYS
            and walk.place(code.co_filename)
        ):
            before.update(walk.functions)
            walk.start()
        walk.see(frame, event, arg)

    def there(*_: Any) -> None:
        sys.setprofile(None)
        raise ThereError

    register_optimizer_step_post_hook(there)
    sys.setprofile(see)
    with contextlib.suppress(ThereError):
        command("train", "deep-sarsa", "--out", "run", *SEED, *FEW)
    if not before:
        raise SystemExit(f"expected an update that begins with {STAYS}(), got none")
    update = walk.files()
    later, walk.functions = walk.functions, before
    for place, codes in later.items():
        walk.functions[place] = walk.functions.get(place, set()) | codes
    return {"train": walk.files(), "update": update}


def layer(walk: Walk) -> dict[str, Any]:
    """One `GRU.forward` over a sequence with resets."""
    import torch

    from sidestep.sequence import GRU

    gru, x, reset = GRU(3, 5), torch.zeros(7, 2, 3), torch.zeros(7, 2, dtype=torch.bool)
    reset[4, 1] = True
    sys.setprofile(walk.see)
    gru(x, None, reset)
    sys.setprofile(None)
    return {"layer": walk.files()}


def frame(walk: Walk) -> dict[str, Any]:
    """One tick of `sidestep watch` and its picture: the second, when all is loaded.

    The clock says that a second is over at each turn, so that each brings a tick and a picture.
    """
    command("train", "deep-sarsa", "--out", "run", *SEED, *FEW, *RUN)
    import pygame

    class Clock:
        def tick(self, *_: Any) -> int:
            return 1000

    pygame.time.Clock = Clock  # type: ignore[misc, assignment]
    pictures = 0

    def see(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal pictures
        if event == "c_call" and arg.__name__ == "flip":
            pictures += 1
            if pictures == 2:
                walk.start()
            elif pictures == 3:
                raise ThereError
        walk.see(frame, event, arg)

    sys.setprofile(see)
    with contextlib.suppress(ThereError):
        command("watch", "run", "--fps", "5", *SEED)
    return {"frame": walk.files()}


WALKS = {"train": train, "layer": layer, "frame": frame}


def main(root: str, name: str, out: str) -> None:
    """Take one walk, and write its files as JSON."""
    walk = Walk(Path(root), interpret())
    Path(out).write_text(json.dumps(WALKS[name](walk)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
