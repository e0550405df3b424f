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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .optimise import (
    Adam,
    adam_specs,
    descend,
    flatten_parameters,
    load_adam,
    stored_adam,
)
from .records import entries
from .runs import Progress, Report, RunLoop
from .stored import Spec, check_module, check_tensors, under, within
from .task import FittingConfig as FittingConfig
from .task import Loss as Loss
from .task import Task as Task


class Fitter(RunLoop):
    """Fits one task; `run` goes on from wherever it stands.

    Args:
        task: what is fitted.
        config: how.
        folder: of the run; None: nothing is written.
        facts: stored in every checkpoint.
    """

    clock, parts = "updates", ("module.", "optimizer.", "random.", "task.")
    worst = math.inf
    config: FittingConfig

    def __init__(
        self,
        task: Task,
        config: FittingConfig,
        folder: Path | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Make the optimizer; nothing is written before `run`."""
        super().__init__(config, config.validate_every, folder, facts)
        self.task, self.updates = task, 0
        self.flat = flatten_parameters(task.module)
        self.optimizer = Adam([self.flat], lr=config.learning_rate, fused=True)
        self.window = [0.0, 0, 0.0]  # losses, terms and seconds since the log's last line
        with seeded(config.seed):
            self.random = {"cpu": torch.get_rng_state()}
        self.random |= _fresh(self.flat.device, config.seed)

    @property
    def now(self) -> int:
        """Updates that were made."""
        return self.updates

    @property
    def end(self) -> int:
        """Updates to make."""
        return self.config.updates

    def run(self, report: Report | None = None) -> None:
        """Fit until `config.updates`, as `RunLoop.run` says.

        Torch's global generator, which dropout draws from, is lent to the task and given back.
        """
        device = self.flat.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            seed = self.config.seed + self.updates  # of a device where the run was not before
            _set_random_state(_fresh(device, seed) | self.random, device)
            super().run(report)

    def _update(self) -> dict[str, float]:
        rate = self.config.rate(self.updates)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.task.module.train()
        total, terms = self.task.loss(self.updates)
        limit, place = self.config.max_gradient_norm, f"at update {self.updates + 1}"
        norm = descend(total / terms, self.flat, self.optimizer, limit, place)
        self.updates += 1
        self.window[0] += float(total.detach())
        self.window[1] += terms
        return {"gradient_norm": norm, "learning_rate": rate}

    def _observe(self, metrics: dict[str, float], seconds: float) -> Progress:
        self.window[2] += seconds
        loss, speed = self.window[0] / self.window[1], self.window[1] / self.window[2]
        metrics = {"loss": loss, **metrics, f"{self.task.unit}_per_second": speed}
        last = self.now == self.end  # which has a line and a validation, due or not
        if self.logs.due(self.now) or last:
            self._tell(metrics)
            self.window = [0.0, 0, 0.0]
        due = self.evaluations.due(self.now)
        validation = self._validate() if due or last else None
        return Progress(self.now, self.seconds, metrics, validation)

    def _validate(self) -> dict[str, float]:
        """Validate; keep the module if it is the best yet."""
        self.task.module.eval()
        with torch.no_grad():
            figures = self.task.validate()
        if figures:
            self._judge({"validation": figures}, figures["loss"], _module_state(self.task))
        return figures

    def _course(self) -> dict[str, Any]:
        return {"updates": self.updates, "window": self.window}

    def save(self) -> None:
        """Write everything that the future depends on; then remove what is too old."""
        if self.folder is not None:
            self.random = _random_state(self.flat.device)
        super().save()

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint: module, optimizer, generators, the task's own."""
        moments = stored_adam(self.optimizer, self.flat, self.task.module)
        adam = {f"optimizer.{k}": v for k, v in moments.items()}
        random = {f"random.{k}": v for k, v in self.random.items()}
        task = {f"task.{k}": v for k, v in self.task.state_dict().items()}
        return {**_module_state(self.task), **adam, **random, **task}

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        load_module(self.task.module, tensors)
        load_adam(self.optimizer, self.flat, self.task.module, under(tensors, "optimizer."))
        self.task.load_state_dict(under(tensors, "task."))
        self.random = under(tensors, "random.")
        self.updates, self.window = facts["updates"], list(facts["window"])
        self._rewind(facts)
        return True

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        entries(facts, "checkpoint", window=list[float])
        if len(facts["window"]) != 3 or not all(map(math.isfinite, facts["window"])):
            raise ValueError(f"checkpoint: expected window of 3 numbers, got {facts['window']}")
        check_tensors(self.task.module.state_dict(), under(tensors, "module."))
        if any(name.startswith("optimizer.") for name in tensors):
            specs = adam_specs(self.task.module)
            check_tensors(specs, under(tensors, "optimizer."), "optimizer.")
            within(tensors["optimizer.step"], "optimizer.step", 0)
        _check_random(under(tensors, "random."), self.flat.device)
        self.task.check_state(under(tensors, "task."))


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
        torch.default_generator.manual_seed(seed)  # the CPU's alone: no device's is changed
        yield


def _fresh(device: torch.device, seed: int) -> dict[str, Tensor]:
    """The state of a device's generator at `seed`; {} for the CPU."""
    if device.type != "cuda":
        return {}
    return {"cuda": torch.Generator(device).manual_seed(seed).get_state()}


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _check_random(state: dict[str, Tensor], device: torch.device) -> None:
    """Refuse what is not the state of torch's generators."""
    own = {"cpu": Spec(torch.uint8, (None,))}
    own |= {"cuda": own["cpu"]} if "cuda" in state else {}
    check_tensors(own, state, "random.")
    for name in state:
        if name not in ("cpu", device.type):
            continue  # of a device that the run is no longer on
        try:
            torch.Generator(device if name == "cuda" else "cpu").set_state(state[name])
        except (RuntimeError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            words = f"checkpoint tensor 'random.{name}': expected a state, {reason}"
            raise ValueError(words) from None


def _set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
