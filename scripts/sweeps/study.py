"""A sweep's storage: an Optuna study in a journal, from which workers anywhere take trials.

A trial is taken, begun or taken up again, while one lock on the folder is held, so that trials are
counted over all workers and each is at one worker at a time.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from sidestep.sequence.fitting.records import check_entry, shown

from .space import Parameter, Space
from .workers import Worker

NAME, RECORD, WORKER, ATTEMPTS, WHY = "sweep", "sidestep", "worker", "attempts", "why"
"""The study's name, and attributes that it and its trials have."""
MOST_ATTEMPTS = 3
"""Workers that may die over one trial before it counts as failed: it may be what kills them."""
FIRST = b'{"op_code":'
"""How a journal begins."""
LOCKED = "trials"
"""The file whose lock a worker holds that takes a trial."""


class Taken(NamedTuple):
    """A trial that is this worker's."""

    number: int
    stored: dict[str, Any]
    """Its parameters, as the study keeps them."""
    attempt: int
    """1 for a new trial; more where workers have died over it."""


class Busy(NamedTuple):
    """All trials are made or at a worker: wait."""

    running: int


class Study:
    """The study of a sweep.

    Args:
        folder: the storage.
        space: of the settings.
        record: all that decides what a trial is; kept when the study is begun.
        optimum: finds the largest mean return that can be had, or None; called when the study is
            begun, and the value of its trials is the regret, lower is better, or else the return.

    Raises:
        ValueError: another study's storage, or a damaged one.
        OSError: the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        record: dict[str, Any],
        optimum: Callable[[], float | None],
    ) -> None:
        """Begin the study, or join it."""
        self.folder, self.space, self.record, self.rungs = folder, space, record, record["rungs"]
        _check_storage(folder)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        there = begun_with(folder)
        if there is None:
            there = {"record": record, "optimum": optimum()}
            folder.mkdir(parents=True, exist_ok=True)
        self.optimum: float | None = there["optimum"]
        with self._alone():
            mend(journal_of(folder))
            self._storage = opened(folder)
            self.study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="maximize" if self.optimum is None else "minimize",
                load_if_exists=True,
                pruner=pruner_of(record["pruner"], self.rungs),
            )
            if RECORD not in self.study.user_attrs:
                self.study.set_user_attr(RECORD, there)
        self._id = self._storage.get_study_id_from_name(NAME)
        check_same(self.study.user_attrs[RECORD]["record"], record, folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock; one that a kill has left over is free after half a minute."""
        lock = JournalFileOpenLock(str(self.folder / LOCKED))
        lock.acquire()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # it was taken from a process that slept on it
                lock.release()

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    def counts(self) -> Counter[str]:
        """How many trials are in each state: complete, pruned, fail, running."""
        return Counter(trial.state.name.lower() for trial in self.trials())

    def reasons(self) -> list[str]:
        """A line on each way in which trials came to nothing, with how many did."""
        states = (TrialState.FAIL, TrialState.PRUNED)
        told = [t for t in self.trials() if WHY in t.user_attrs and t.state in states]
        found: dict[str, list[int]] = {}
        for trial in told:
            found.setdefault(str(trial.user_attrs[WHY]), []).append(trial.number)
        return [f"Trial {', '.join(map(str, which))}: {why}" for why, which in found.items()]

    def best(self) -> FrozenTrial | None:
        """The complete trial of the best value, the first of equals; None where there is none."""
        complete = [
            t for t in self.trials() if t.state == TrialState.COMPLETE and t.value is not None
        ]
        sign = -1 if self.optimum is None else 1
        return min(complete, key=lambda t: (sign * (t.value or 0.0), t.number), default=None)

    def take(self, worker: Worker, budget: int) -> Taken | Busy | None:
        """Take a trial whose worker has died, or else begin one; None: all are made.

        Args:
            worker: this process.
            budget: trials over all workers.
        """
        with self._alone():
            trials = self.trials()
            for trial in (t for t in trials if t.state == TrialState.RUNNING):
                owner = trial.user_attrs.get(WORKER, "")
                if owner and owner != worker.name and not worker.is_dead(owner):
                    continue
                attempt = int(trial.user_attrs.get(ATTEMPTS, 1)) + bool(owner)
                if attempt <= MOST_ATTEMPTS:
                    return self._given(trial.number, worker, attempt)
                self._note(trial.number, WHY, f"its worker died, {MOST_ATTEMPTS} times")
                self.study.tell(trial.number, state=TrialState.FAIL)
            running = self.counts()["running"]
            if len(trials) >= budget:
                return Busy(running) if running else None
            self._sample_for(len(trials))
            return self._given(self.study.ask().number, worker, 1)

    def _given(self, number: int, worker: Worker, attempt: int) -> Taken:
        """Give a trial to a worker; its parameters are drawn, if that is still to do."""
        self._note(number, WORKER, worker.name)
        self._note(number, ATTEMPTS, attempt)
        self._sample_for(number)
        trial = Trial(self.study, self._trial_id(number))
        stored = {p.name: _suggested(trial, p) for p in self.space.parameters}
        return Taken(number, stored, attempt)

    def _sample_for(self, number: int) -> None:
        self.study.sampler = sampler_of(self.record["sampler"], self.record["sampler_seed"], number)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def _note(self, number: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._trial_id(number), key, value)

    def report(self, trial: Taken, rung: int, value: float) -> bool:
        """Note a trial's value at a rung, 1 to `rungs`.

        Returns:
            Whether to go on; after the last rung there is nothing to stop.
        """
        id_ = self._trial_id(trial.number)
        self._storage.set_trial_intermediate_value(id_, rung, value)
        frozen = self._storage.get_trial(id_)
        return rung == self.rungs or not self.study.pruner.prune(self.study, frozen)

    def complete(self, trial: Taken, value: float, **facts: Any) -> None:
        """Note that a trial came to its end, with facts of it."""
        self._end(trial, TrialState.COMPLETE, value, facts)

    def prune(self, trial: Taken, **facts: Any) -> None:
        """Note that a trial was stopped, since others were better or it came to nothing."""
        self._end(trial, TrialState.PRUNED, None, facts)

    def fail(self, trial: Taken, why: str) -> None:
        """Note that a trial could not be made."""
        self._end(trial, TrialState.FAIL, None, {WHY: why})

    def give_back(self, trial: Taken) -> None:
        """Leave a trial to whoever takes it up next."""
        with suppress(UpdateFinishedTrialError):
            self._note(trial.number, WORKER, "")

    def _end(
        self, trial: Taken, state: TrialState, value: float | None, facts: dict[str, Any]
    ) -> None:
        # Another worker may have ended it, if this process slept for so long that it seemed dead.
        with suppress(UpdateFinishedTrialError):
            for key, fact in facts.items():
                self._note(trial.number, key, fact)
            self.study.tell(trial.number, value, state=state, skip_if_finished=True)


def journal_of(folder: Path) -> Path:
    """The file that holds all of a study."""
    return folder / "journal.log"


def opened(folder: Path) -> JournalStorage:
    """The storage in a folder.

    Raises:
        ValueError: a damaged one.
    """
    path = journal_of(folder)
    try:
        return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
    except Exception as error:  # whatever Optuna does with what it did not write
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"{path}: expected a journal of Optuna's, got {said}") from None


def begun_with(folder: Path) -> dict[str, Any] | None:
    """What the study in a folder was begun with; None where none is.

    Raises:
        ValueError: a journal of something else, or a damaged one.
    """
    if not journal_of(folder).exists():
        return None
    mend(journal_of(folder))
    storage = opened(folder)
    studies = {study.study_name: study for study in storage.get_all_studies()}
    if studies and NAME not in studies:
        raise ValueError(f"storage: expected a sweep's, got {folder} with {shown([*studies])}")
    told = studies[NAME].user_attrs.get(RECORD) if studies else None
    if told is None:
        return None
    source = f"{journal_of(folder)}: {RECORD}"
    check_entry(told, dict[str, Any], source)
    check_entry(told.get("record"), dict[str, Any], f"{source}: record")
    check_entry(told.get("optimum"), float | None, f"{source}: optimum")
    return dict(told)


def mend(path: Path) -> None:
    """Cut off a journal's last line where a full disk or a kill has left half of it.

    Raises:
        ValueError: it is no journal; it stays as it is.
    """
    if not path.is_file():
        return
    lock = JournalFileOpenLock(str(path))
    lock.acquire()
    try:
        with path.open("rb+") as file:
            data = file.read()
            if not data.startswith(FIRST[: len(data)]):
                raise ValueError(f"{path}: expected a journal of Optuna's, got {shown(data[:40])}")
            begin = data.rstrip(b"\n").rfind(b"\n") + 1
            if data and not (data.endswith(b"\n") and _is_json(data[begin:])):
                file.truncate(begin)
    finally:
        lock.release()


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _check_storage(folder: Path) -> None:
    """Raise unless the folder is new, empty, or a sweep's."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"storage: expected a folder, got the file {folder}")
    held = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    others = [name for name in held if not name.startswith(LOCKED)]  # others may just begin it
    if others and journal_of(folder).name not in others:
        raise FileExistsError(
            f"storage: expected a new folder or one of a sweep, got {folder} with {others[0]}"
        )


def check_same(there: Any, here: dict[str, Any], folder: Path) -> None:
    """Raise ValueError unless a storage holds the study that is asked for.

    Args:
        there: the record that the study was begun with.
        here: that of this command.
        folder: the storage, for the error.
    """
    known, asked = _flat(there), _flat(here)
    for name in sorted(known.keys() | asked.keys(), key=_importance):
        if known.get(name) != asked.get(name):
            said = [shown(side[name]) if name in side else "none" for side in (known, asked)]
            raise ValueError(
                f"storage: expected {name} {said[0]}, as in the study that {folder} "
                f"holds, got {said[1]}; another --storage begins another study"
            )


def _importance(name: str) -> tuple[bool, bool, str]:
    """Learner and env first."""
    return name != "learner", not name.startswith("env"), name


def _flat(record: Any, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        path = f"{prefix}.{name}" if prefix else name
        flat |= _flat(value, path) if isinstance(value, dict) and value else {path: value}
    return flat


def sampler_of(name: str, seed: int, number: int) -> BaseSampler:
    """The sampler of one trial: what it draws depends on its number, and not on who asks."""
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(seed=drawn) if name == "tpe" else RandomSampler(seed=drawn)


def pruner_of(name: str, rungs: int) -> BasePruner:
    """The pruner of a study whose trials have so many rungs."""
    if name == "median":
        return MedianPruner(n_startup_trials=5)
    if name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=rungs)
    return NopPruner()


def _suggested(trial: Trial, parameter: Parameter) -> Any:
    """A parameter's value in a trial: drawn now, or before if its worker has died since."""
    name, low, high = parameter.name, parameter.low, parameter.high
    match parameter.kind:
        case "choices":
            return trial.suggest_categorical(name, parameter.labels)
        case "int" | "log-int":
            return trial.suggest_int(name, int(low), int(high), log=parameter.kind == "log-int")
    return trial.suggest_float(name, low, high, log=parameter.kind == "log")
