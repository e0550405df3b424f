"""Fitting a model to sequences: what all sequence commands share.

A command brings a `Task`: the module, its next loss, its validation, and whatever else the future
depends on (the place in the data, generators, a carried state). The `Fitter` does the rest, the
same for all: learning rate, gradient, clipping, optimizer, log, validation, checkpoints, exact
resume.

    task = MyTask(module, batches)                     # module on its device, made under `seeded`
    fitter = Fitter(task, FittingConfig(updates=500), folder, facts)
    fitter.run(report)                                 # goes on from wherever it stands

Resuming is exact on a CPU, bit for bit: weights, optimizer, schedule, the random numbers of
dropout, the task's own state, and the log. On an accelerator it is as exact as its kernels are.
`fitted.py` has a run's folder and loading.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .checkpoint import (
    Spec,
    check_course,
    check_module,
    check_tensors,
    remove_checkpoint,
    remove_leftovers,
    save_checkpoint,
    under,
    within,
)
from .lock import writing
from .log import RunLog
from .optimise import ADAM, descend, flatten_parameters
from .records import entries
from .runs import Every, says_stop
from .task import FittingConfig as FittingConfig
from .task import Loss as Loss
from .task import Task as Task


class FitProgress(NamedTuple):
    """How fitting stands, for a progress bar."""

    updates: int
    seconds: float
    """Spent in updates; validation and writing are apart."""
    metrics: dict[str, float]
    """gradient_norm and learning_rate; loss and UNIT_per_second since the log's last line."""
    validation: dict[str, float] | None
    """What `validate` has just said."""


Report = Callable[[FitProgress], bool | None]
"""Called after every update; returning False ends fitting early, with a checkpoint. None and all
else goes on."""


class Fitter:
    """Fits one task; `run` goes on from wherever it stands.

    Args:
        task: what is fitted.
        config: how.
        folder: of the run; None: nothing is written.
        facts: stored in every checkpoint.
    """

    def __init__(
        self,
        task: Task,
        config: FittingConfig,
        folder: Path | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Make the optimizer; nothing is written before `run`."""
        self.task, self.config, self.folder, self.facts = task, config, folder, facts or {}
        self.flat = flatten_parameters(task.module)
        self.optimizer = torch.optim.Adam([self.flat], lr=config.learning_rate, fused=True)
        self.log = RunLog(folder, config.tensorboard)
        self.updates, self.seconds, self.best = 0, 0.0, math.inf
        self.window = [0.0, 0, 0.0]  # losses, terms and seconds since the log's last line
        self.logs, self.validations = Every(config.log_every), Every(config.validate_every)
        self.checkpoints = Every(config.checkpoint_every)
        self.written: list[Path] = []
        with seeded(config.seed):
            self.random = _random_state(self.flat.device)

    def run(self, report: Report | None = None) -> None:
        """Fit until `config.updates`, or until `report` returns False; then write a checkpoint.

        Torch's global generator, which dropout draws from, is lent to the task and given back.

        Raises:
            FloatingPointError: a loss that is not finite; the last checkpoint stays as it was.
            OSError: the disk is full or read-only; likewise; or another process writes there.
        """
        with writing(self.folder):
            self._run(report)

    def _run(self, report: Report | None) -> None:
        go_on, device = True, self.flat.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            _set_random_state(self.random, device)
            if not self.written:
                self.save()
            while go_on and self.updates < self.config.updates:
                metrics = self._update()
                last = self.updates == self.config.updates
                if self.logs.due(self.updates) or last:
                    self._write(metrics)
                due = self.validations.due(self.updates)
                validation = self._validate() if due or last else None
                if self.checkpoints.due(self.updates):
                    self.save()
                if report is not None:
                    state = FitProgress(self.updates, self.seconds, metrics, validation)
                    go_on = not says_stop(report(state))
            self.save()
        self.log.close()

    def _update(self) -> dict[str, float]:
        """One optimizer step; only this is timed."""
        start = time.perf_counter()
        rate = self.config.rate(self.updates)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.task.module.train()
        total, terms = self.task.loss(self.updates)
        limit, place = self.config.max_gradient_norm, f"at update {self.updates + 1}"
        norm = descend(total / terms, self.flat, self.optimizer, limit, place)
        self.updates += 1
        seconds = time.perf_counter() - start
        self.seconds += seconds
        here = (float(total.detach()), terms, seconds)
        self.window = [a + b for a, b in zip(self.window, here, strict=True)]
        loss = self.window[0] / self.window[1]
        speed = {f"{self.task.unit}_per_second": self.window[1] / self.window[2]}
        return {"loss": loss, "gradient_norm": norm, "learning_rate": rate, **speed}

    def _write(self, metrics: dict[str, float]) -> None:
        self.log.write({"steps": self.updates, "seconds": self.seconds, **metrics})
        self.window = [0.0, 0, 0.0]

    def _validate(self) -> dict[str, float]:
        """Validate; keep the module if it is the best yet."""
        self.task.module.eval()
        with torch.no_grad():
            figures = self.task.validate()
        if not figures:
            return figures
        self.log.write({"steps": self.updates, "seconds": self.seconds, "validation": figures})
        if figures["loss"] < self.best:
            self.best = figures["loss"]
            if self.folder is not None:
                save_checkpoint(self.folder, "best", _module_state(self.task), self._facts())
        return figures

    def _facts(self) -> dict[str, Any]:
        return {
            **self.facts,
            "updates": self.updates,
            "seconds": self.seconds,
            "best": self.best if math.isfinite(self.best) else None,
            "window": self.window,
            "log_position": self.log.position(),
            "next": [self.logs.next, self.validations.next, self.checkpoints.next],
        }

    def save(self) -> None:
        """Write everything that the future depends on; then remove what is too old."""
        if self.folder is None:
            return
        self.random = _random_state(self.flat.device)
        name = f"checkpoint-{self.updates:012d}"
        path = save_checkpoint(self.folder, name, self.state_dict(), self._facts())
        if path not in self.written:
            self.written.append(path)
        while len(self.written) > self.config.keep_checkpoints:
            remove_checkpoint(self.written.pop(0))

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint: module, optimizer, generators, the task's own."""
        adam = {f"optimizer.{k}": v for k, v in self.optimizer.state[self.flat].items()}
        random = {f"random.{k}": v for k, v in self.random.items()}
        task = {f"task.{k}": v for k, v in self.task.state_dict().items()}
        return {**_module_state(self.task), **adam, **random, **task}

    def load_state_dict(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ValueError: tensors or facts that no such fitting writes; nothing was changed.
        """
        self._check(tensors, facts)
        with writing(self.folder):
            self._restore(tensors, facts)

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        load_module(self.task.module, tensors)
        adam = {k: v.to(self.flat.device).clone() for k, v in under(tensors, "optimizer.").items()}
        self.optimizer.state[self.flat] = adam
        self.task.load_state_dict(under(tensors, "task."))
        self.random = under(tensors, "random.")
        self.updates, self.seconds, best = facts["updates"], facts["seconds"], facts["best"]
        self.best = math.inf if best is None else best
        self.window = list(facts["window"])
        self.logs.next, self.validations.next, self.checkpoints.next = facts["next"]
        self.log.rewind(facts["log_position"])
        if self.folder is not None:
            remove_leftovers(self.folder)
            self.written = sorted(self.folder.glob("checkpoint-*.json"))

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Refuse a checkpoint that `load_state_dict` could not take."""
        check_course(facts, "updates")
        self.log.position()
        entries(facts, "checkpoint", window=list[float])
        if len(facts["window"]) != 3 or not all(map(math.isfinite, facts["window"])):
            raise ValueError(f"checkpoint: expected window of 3 numbers, got {facts['window']}")
        check_tensors(self.task.module.state_dict(), under(tensors, "module."))
        if any(name.startswith("optimizer.") for name in tensors):
            own = {k: Spec(self.flat.dtype, tuple(self.flat.shape)) for k in ADAM}
            own["step"] = Spec(torch.float32, ())
            check_tensors(own, under(tensors, "optimizer."), "optimizer.")
            within(tensors["optimizer.step"], "optimizer.step", 0)
        _check_random(under(tensors, "random."))
        self.task.check_state(under(tensors, "task."))
        parts = ("module.", "optimizer.", "random.", "task.")
        check_tensors({}, {k: v for k, v in tensors.items() if not k.startswith(parts)})


def load_module(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put a checkpoint's weights into `module`.

    Raises:
        ValueError: tensors of another architecture; nothing was changed.
    """
    weights = under(tensors, "module.")
    check_tensors(module.state_dict(), weights)
    module.load_state_dict(weights)


def module_of(make: Callable[[], nn.Module], tensors: dict[str, Tensor], layers: int = 1) -> Any:
    """A module with a checkpoint's weights, set to evaluation.

    Args:
        make: it, with any weights.
        tensors: of the checkpoint.
        layers: that it has; a number that the file cannot hold is refused.

    Raises:
        ValueError: tensors of another architecture, before memory is taken for the module.
    """
    check_fits(make, tensors, layers)
    with seeded(0):
        module = make()
    load_module(module, tensors)
    return module.eval()


def check_fits(make: Callable[[], nn.Module], tensors: dict[str, Tensor], layers: int = 1) -> None:
    """Raise ValueError where `module_of` would, and make nothing."""
    weights = under(tensors, "module.")
    if layers > len(weights):
        raise ValueError(f"checkpoint: expected {layers} layers, got {len(weights)} tensors")
    check_module(make, weights, "module.")


def _module_state(task: Task) -> dict[str, Tensor]:
    return {f"module.{k}": v for k, v in task.module.state_dict().items()}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generator at `seed`, as weights are drawn from it; afterwards as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _check_random(state: dict[str, Tensor]) -> None:
    """Refuse what is not the state of torch's generators."""
    own = {"cpu": Spec(torch.uint8, (None,))}
    own |= {"cuda": own["cpu"]} if "cuda" in state else {}
    check_tensors(own, state, "random.")
    try:
        torch.Generator().set_state(state["cpu"])
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"checkpoint tensor 'random.cpu': expected a state, {reason}") from None


def _set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
