"""The runs of a `Fitter`: their folder, what resuming them needs, and the fitted module again.

A command's use of it, with `record` a JSON-serialisable dict that holds all settings:

    fitter = Fitter(task, config, folder, facts_of(record))
    with begun(folder, "lm", record):         # only now: what fails before leaves nothing behind
        fitter.run(report)

    with resumed(folder, "lm") as record:     # resuming: the task is made again from the record
        config, tensors, facts = resumption(folder, record, updates)
        fitter = Fitter(task, config, folder, facts_of(record))
        fitter.load_state_dict(tensors, facts)
        fitter.run(report)

    tensors, facts = read_fitted(folder)      # using it
    module = module_of(make, tensors)
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from .checkpoint import latest_checkpoint, load_checkpoint
from .fitter import FittingConfig, load_module
from .folder import check_run, check_there, create_folder, digest_of, read_settings, writing
from .records import build_config, entries, read_record, shown
from .stored import check_course
from .stripped import check_goes_on


def facts_of(record: dict[str, Any]) -> dict[str, Any]:
    """What a `Fitter` writes into its checkpoints: a digest of all that decides the course.

    Args:
        record: of the run; its entry "fitting" holds the fields of `FittingConfig`.
    """
    fitting = {**record["fitting"], "updates": 1}  # how long it lasts does not
    settings = {k: v for k, v in record.items() if k != "modules"}  # nor what they are called now
    return {"run": digest_of({**settings, "fitting": fitting, "kind": None})}


def begin_run(folder: Path, kind: str, record: dict[str, Any], modules: Sequence[str] = ()) -> None:
    """Make the folder with its config.json.

    Args:
        folder: of the run; new or empty.
        kind: which command's run this is, for instance "lm".
        record: all settings; "fitting" holds `asdict` of the `FittingConfig`.
        modules: that a command imported first, which register what the run is made of.

    Raises:
        FileExistsError: the folder is there already and not empty.
    """
    noted = {"modules": list(modules)} if modules else {}
    create_folder(folder, json.dumps({"kind": kind, **record, **noted}, indent=1) + "\n")


@contextmanager
def begun(
    folder: Path, kind: str, record: dict[str, Any], modules: Sequence[str] = ()
) -> Iterator[None]:
    """Begin a run, and be its only writer in this context; see `begin_run`.

    Raises:
        FileExistsError: the folder is there already and not empty.
        BlockingIOError: another process is writing to it.
    """
    with writing(folder, new=True):
        begin_run(folder, kind, record, modules)
        yield


@contextmanager
def resumed(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Be the only writer of a run in this context, which gets its record; see `read_run`.

    Raises:
        FileNotFoundError, ValueError: no run, or not one of this command.
        BlockingIOError: another process is writing to it.
    """
    read_run(folder, kind)  # before a lock is put into what is no run's folder
    check_goes_on(folder)
    with writing(folder):
        yield read_run(folder, kind)


def read_run(folder: Path, kind: str) -> dict[str, Any]:
    """The record that `begin_run` wrote.

    Raises:
        FileNotFoundError: no such folder, or no config.json in it.
        ValueError: not JSON, or a run of another command.
    """
    record = read_settings(folder)
    found = record.pop("kind", "train")
    if found != kind or not isinstance(record.get("fitting"), dict):
        raise ValueError(
            f"{folder}/config.json: expected a run of `sidestep {kind}`, got one of {shown(found)}"
        )
    return record


def resumption(
    folder: Path,
    record: dict[str, Any],
    updates: int | None = None,
    say: Callable[[str], object] = print,
) -> tuple[FittingConfig, dict[str, Tensor], dict[str, Any]]:
    """What resuming needs: the configuration, and the last checkpoint's tensors and facts.

    Args:
        folder: of the run.
        record: from `read_run`.
        updates: fit to so many; None: what the run was begun with.
        say: tells that other updates bend the learning rate.

    Raises:
        FileNotFoundError: no checkpoint.
        ValueError: config.json was changed, the checkpoint is damaged, or nothing is left to do.
    """
    config: FittingConfig = build_config(FittingConfig, record["fitting"], f"{folder}/config.json")
    tensors, facts = _checked(folder, latest_checkpoint(folder), record)
    if updates is not None and updates != config.updates and config.schedule == "cosine":
        say(
            f"The learning rate falls over {updates:,} updates from here, not over "
            f"{config.updates:,}: a run begun with so many would differ."
        )
    config = replace(config, updates=config.updates if updates is None else updates)
    if config.updates <= facts["updates"]:
        raise ValueError(
            f"updates: expected more than the {facts['updates']} already made, got {config.updates}"
        )
    return config, tensors, facts


def _checked(
    folder: Path, path: Path, record: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A checkpoint's tensors and facts, if it is one of this run."""
    tensors, facts = load_checkpoint(path)
    check_course(facts, "updates")
    check_run(folder, facts, facts_of(record)["run"])
    return tensors, facts


def read_fitted(folder: Path, checkpoint: str = "best") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a run's checkpoint.

    Args:
        folder: of the run.
        checkpoint: best (by validation; the last where nothing was validated), last, or a name.

    Raises:
        FileNotFoundError: no run, or no checkpoint.
        ValueError: a damaged one, another run's, or a changed config.json.
    """
    path = folder / f"{checkpoint.removesuffix('.json')}.json"
    if checkpoint == "last" or (checkpoint == "best" and not path.is_file()):
        path = latest_checkpoint(folder)
    check_there(folder, path)
    record = entries(read_record(folder / "config.json"), f"{folder}/config.json", fitting=dict)
    return _checked(folder, path, {k: v for k, v in record.items() if k != "kind"})


def load_fitted(module: nn.Module, folder: Path, checkpoint: str = "best") -> dict[str, Any]:
    """Put a run's weights into `module`, and set it to evaluation.

    Args:
        module: of the run's architecture.
        folder: of the run.
        checkpoint: see `read_fitted`.

    Returns:
        The checkpoint's facts; "updates" among them.

    Raises:
        FileNotFoundError, ValueError: as `read_fitted`, or another architecture's tensors.
    """
    tensors, facts = read_fitted(folder, checkpoint)
    load_module(module, tensors)
    module.eval()
    return facts
