"""The loop of a training run: when it logs, evaluates and saves, what it keeps, how it goes on.

`RunLoop` is under every training: the agents' `Trainer` and the sequence models' `Fitter` bring an
update and the tensors that the future depends on, and have the rest of it.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from .checkpoint import remove_checkpoint, remove_leftovers, save_checkpoint
from .folder import writing
from .log import RunLog
from .stored import check_course, check_tensors
from .stripped import check_whole


class Every:
    """Due once each time that `steps` has passed a multiple of `interval`; never for 0."""

    def __init__(self, interval: int, steps: int = 0) -> None:
        """First due at the first multiple after `steps`."""
        self.interval, self.next = interval, 0
        self._pass(steps)

    def __repr__(self) -> str:
        """Name the interval and the next time."""
        return f"Every({self.interval}, next={self.next})"

    def is_due(self, steps: int) -> bool:
        """Whether it is time."""
        return self.interval > 0 and steps >= self.next

    def due(self, steps: int) -> bool:
        """Whether it is time; then the next time is set."""
        if not self.is_due(steps):
            return False
        self._pass(steps)
        return True

    def _pass(self, steps: int) -> None:
        self.next = (steps // self.interval + 1) * self.interval if self.interval else 0


def says_stop(answer: Any) -> bool:
    """Whether a report's answer ends training: only False does."""
    return isinstance(answer, bool | np.bool_) and not answer


class Progress(NamedTuple):
    """How training stands, for a progress bar or a viewer."""

    steps: int
    """Env steps of an agent, updates of a sequence model."""
    seconds: float
    """Spent in updates; evaluation and writing are apart."""
    metrics: dict[str, float]
    """Figures of the last update, and means over the last episodes or updates."""
    evaluation: dict[str, Any] | None
    """The summary of an evaluation that was just made."""


Report = Callable[[Progress], bool | None]
"""Called after every update; returning False ends training early, with a checkpoint. None and all
else goes on."""


class RunLoop(ABC):
    """A training that goes on from wherever it stands, in a folder of its own.

    Args:
        config: with log_every, checkpoint_every, keep_checkpoints and tensorboard.
        evaluate_every: between evaluations; 0: none.
        folder: of the run; None: nothing is written.
        facts: stored in every checkpoint.
    """

    clock: ClassVar[str]
    """What time is counted in: its name among a checkpoint's facts."""
    parts: ClassVar[tuple[str, ...]]
    """How the names of a checkpoint's tensors begin."""
    worst: ClassVar[float] = -math.inf
    """The score that every other is better than; inf where low ones are good."""
    config: Any

    def __init__(
        self, config: Any, evaluate_every: int, folder: Path | None, facts: dict[str, Any] | None
    ) -> None:
        """Begin the clock; nothing is written before `run`."""
        self.config, self.folder, self.facts = config, folder, facts or {}
        self.log = RunLog(folder, config.tensorboard)
        self.seconds, self.best = 0.0, self.worst
        self.logs, self.evaluations = Every(config.log_every), Every(evaluate_every)
        self.checkpoints = Every(config.checkpoint_every)
        self.written: list[Path] = []
        self.saved = False
        """Whether there is a checkpoint."""
        self.untold: dict[str, Any] | None = None
        """The last update's line, if it is not in the log but should end it."""

    @property
    @abstractmethod
    def now(self) -> int:
        """How far it is, in units of `clock`."""

    @property
    @abstractmethod
    def end(self) -> int:
        """Where it is over, in units of `clock`."""

    @abstractmethod
    def _update(self) -> dict[str, float]:
        """Learn once and move `now` on; only this is timed. Returns figures for the log."""

    @abstractmethod
    def _observe(self, metrics: dict[str, float], seconds: float) -> Progress:
        """Write a line if it is due after an update of so many seconds, evaluate if that is."""

    def _is_enough(self, evaluation: dict[str, Any] | None) -> bool:
        """Whether it is over before `end`."""
        del evaluation
        return False

    def _agree(self, go_on: bool) -> bool:
        """What is decided, where several processes train together."""
        return go_on

    @abstractmethod
    def _course(self) -> dict[str, Any]:
        """How far it is, for a checkpoint's facts; `clock` among them."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""

    @abstractmethod
    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Raise ValueError for a checkpoint that `_restore` could not take."""

    @abstractmethod
    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        """Take a checked checkpoint, and `_rewind`; returns whether everything was restored."""

    def run(self, report: Report | None = None) -> None:
        """Train until `end`, or until `report` returns False; then write a checkpoint.

        Anything else that it returns, None too, goes on.

        Raises:
            FloatingPointError: a loss, a reward or an observation that is not finite; the last
                checkpoint stays as it was.
            OSError: the disk is full or read-only; likewise; or another process writes there.
        """
        with writing(self.folder):
            go_on = True
            if not self.saved:
                self.save()
            while go_on and self.now < self.end:
                start = time.perf_counter()
                metrics = self._update()
                seconds = time.perf_counter() - start
                self.seconds += seconds
                progress = self._observe(metrics, seconds)
                if self.checkpoints.due(self.now):
                    self.save()
                go_on = not self._is_enough(progress.evaluation)
                if report is not None:
                    go_on = not says_stop(report(progress)) and go_on
                go_on = self._agree(go_on)
            self.save()
            untold, self.untold = self.untold, None
            if untold is not None:  # after the checkpoint: a resumed run has a line of its own
                self._tell(untold)
            self.log.close()

    def _tell(self, figures: dict[str, Any]) -> None:
        """Write a line of the log, at the present time."""
        self.log.write({"steps": self.now, "seconds": self.seconds, **figures})

    def _judge(self, evaluation: dict[str, Any], score: float, tensors: dict[str, Tensor]) -> None:
        """Write an evaluation into the log; keep the tensors if its score is the best yet."""
        self._tell(evaluation)
        if score < self.best if self.worst > 0 else score > self.best:
            self.best = score
            if self.folder is not None:
                save_checkpoint(self.folder, "best", tensors, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            **self.facts,
            **self._course(),
            "seconds": self.seconds,
            "best": self.best if math.isfinite(self.best) else None,
            "log_position": self.log.position(),
            "next": [self.logs.next, self.evaluations.next, self.checkpoints.next],
        }

    def save(self) -> None:
        """Write everything that the future depends on; then remove what is too old."""
        self.saved = True
        if self.folder is None:
            return
        name = f"checkpoint-{self.now:012d}"
        path = save_checkpoint(self.folder, name, self.state_dict(), self._facts())
        if path not in self.written:
            self.written.append(path)
        while len(self.written) > self.config.keep_checkpoints:
            remove_checkpoint(self.written.pop(0))

    def load_state_dict(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        """Go on from a checkpoint.

        Returns:
            Whether everything was restored; if not, worlds begin new episodes on fresh seeds.

        Raises:
            ValueError: tensors or facts that no such training writes; nothing was changed.
            BlockingIOError: another process writes to the folder; likewise.
        """
        check_whole(facts, str(self.folder))
        check_course(facts, self.clock)
        self.log.position()
        self._check(tensors, facts)
        check_tensors({}, {k: v for k, v in tensors.items() if not k.startswith(self.parts)})
        with writing(self.folder):
            return self._restore(tensors, facts)

    def _rewind(self, facts: dict[str, Any]) -> None:
        """Set clock, due times and log as a checkpoint has them, and remove what a kill left."""
        self.seconds, best = facts["seconds"], facts["best"]
        self.best = self.worst if best is None else best
        self.logs.next, self.evaluations.next, self.checkpoints.next = facts["next"]
        self.log.rewind(facts["log_position"])
        self.saved = True
        if self.folder is not None:
            remove_leftovers(self.folder)
            self.written = sorted(self.folder.glob("checkpoint-*.json"))
