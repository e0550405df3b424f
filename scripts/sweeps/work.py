"""What a worker does: trials, until none is left."""

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable

import torch

from sidestep.scripts.shared.console import console
from sidestep.scripts.shared.loop_bar import leave, stoppable
from sidestep.scripts.shared.modules import import_named

from .study import Busy, Study, Taken
from .sweep import Sweep, sweep_of
from .trial import Pruned, Stopped, middle, run_trial
from .workers import Worker

PAUSE = 0.5
"""Seconds between two looks at what others do."""
Stop = Callable[[], bool]


def make_trials(
    sweep: Sweep, study: Study, stop: Stop, each: Callable[[], object] = lambda: None
) -> None:
    """Make trials until all are made, over all workers, or until `stop` says so.

    Args:
        sweep: what is searched.
        study: its storage.
        stop: is asked after every update.
        each: is called whenever something has changed.
    """
    torch.set_num_threads(sweep.options.training.threads)
    with Worker(sweep.folder / "workers") as worker:
        while not stop():
            taken = study.take(worker, sweep.options.trials)
            if taken is None:
                break
            if isinstance(taken, Busy):
                time.sleep(PAUSE)
            else:
                _make(sweep, study, taken, stop, each)
            each()


def _make(sweep: Sweep, study: Study, taken: Taken, stop: Stop, each: Callable[[], object]) -> None:
    """Make one trial, and note how it ended: no trial ends the search."""

    def report(rung: int, value: float) -> bool:
        go_on = study.report(taken, rung, value)
        each()
        return go_on

    try:
        options = sweep.options_of(sweep.space.point_of(taken.stored))
        values = run_trial(sweep.plan(study.optimum), options, report, stop)
    except Pruned:
        study.prune(taken)
    except FloatingPointError as error:  # settings to keep away from, as the sampler is to know
        study.prune(taken, why=f"not finite: {error}")
    except (Stopped, KeyboardInterrupt):
        study.give_back(taken)
    except Exception as error:
        study.fail(taken, f"{type(error).__name__}: {' '.join(str(error).split())}")
    else:
        if all(map(math.isfinite, values)):
            study.complete(taken, middle(values), seeds=values)
        else:
            study.prune(taken, why=f"not finite: {values}")


def work_in_process(learner: str, args: list[str], modules: list[str]) -> None:
    """Be one of a command's processes: silent, and gone with the command that started it."""
    console.quiet = True
    for name in modules:
        import_named(name)
    threading.Thread(target=_follow, daemon=True).start()
    with stoppable() as caught:

        def stop() -> bool:
            return bool(caught)

        sweep = sweep_of(learner, args, check=False)
        study = Study(sweep.folder, sweep.space, sweep.record(), lambda: None)
        make_trials(sweep, study, stop)
    leave(caught[0] if caught else None)


def _follow() -> None:
    """Ask this process to stop when the command that started it is gone, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
