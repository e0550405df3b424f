"""`sidestep sweep`: search for settings, by several processes and machines over one folder."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.scripts.shared.console import guarded, progress, say
from sidestep.scripts.shared.loop_bar import leave, stoppable
from sidestep.scripts.shared.modules import NAMED, import_modules
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.scripts.shared.settings_file import write_settings
from sidestep.scripts.shared.words import first_word
from sidestep.scripts.sweeps.processes import run_processes
from sidestep.scripts.sweeps.sweep import EXAMPLES, Sweep, sweep_of

if TYPE_CHECKING:
    from sidestep.scripts.sweeps.study import Study


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    args = sys.argv[1:] if args is None else args
    guarded("sweep", lambda: _main(args))


def _main(args: list[str]) -> None:
    import_modules(args)  # a learner may be among what they register
    usage = f"usage: sidestep sweep {{{','.join(LEARNERS)}}} [options]\n\nExamples:\n{EXAMPLES}"
    word = first_word(args, LEARNERS, "a learner", usage)
    if word is None:
        return
    sweep = sweep_of(word, args[1:])
    if importlib.util.find_spec("optuna") is None:
        raise ValueError("sweep: expected Optuna to be installed: pip install optuna")
    search(sweep)


def search(sweep: Sweep) -> None:
    """Make what is left of the trials and of the winner's runs; then report them."""
    from sidestep.scripts.sweeps.study import Study
    from sidestep.scripts.sweeps.work import make_trials, work_in_process

    config = sweep.options.env_config()
    study = Study(sweep.folder, sweep.space, sweep.record(), lambda: optimum_of(config, show=True))
    before = study.counts()
    made = sum(before.values()) - before["running"]
    if made >= sweep.options.trials and not before["running"]:
        say(f"All {made} trials are made: none is added.")
    with stoppable() as caught:
        with _bar(sweep, study) as draw:
            if sweep.options.jobs == 1:
                make_trials(sweep, study, lambda: bool(caught), draw)
            else:
                job = (sweep.learner, sweep.args, list(NAMED))
                run_processes(sweep.options.jobs, work_in_process, job, caught, draw)
        failed = [] if caught else report(sweep, study, caught)
    if caught:
        say(f"Stopped by {caught[0]}; the same command goes on from here.")
        leave(caught[0])
    if failed:
        raise SystemExit(1)


def report(sweep: Sweep, study: "Study", stop: list[str]) -> list[int]:
    """Tell how the trials ended, run the winner on fresh seeds, write its settings and pictures.

    Args:
        sweep: what was searched.
        study: its storage.
        stop: once something is in it, the winner's runs save and end.

    Returns:
        The winner's seeds that failed.

    Raises:
        ValueError: no trial came to its end.
    """
    from sidestep.scripts.sweeps.plots import draw_search
    from sidestep.scripts.sweeps.winner import make_runs, runs_of

    counts, best = study.counts(), study.best()
    said = ", ".join(f"{counts[name]} {word}" for name, word in STATES.items() if counts[name])
    say(f"Trials: {sum(counts.values())} ({said})")
    for why in study.reasons():
        say(why)
    if best is None:
        raise ValueError("trials: expected one that came to its end, got none")
    point = sweep.space.point_of(best.params)
    words = ", ".join(f"{name} {value}" for name, value in point.items())
    say(f"Best: trial {best.number}, {words}; run again on seeds that the search has not seen:")
    path = sweep.folder / "best.toml"
    remark = (
        f"Trial {best.number} of {sweep.folder}: sidestep train {sweep.learner} --config {path}"
    )
    write_settings(path, sweep.settings_of(point), remark)
    failed = make_runs(sweep, runs_of(sweep, best.number, best.params), stop)
    if not stop:
        say("That is the result; what the search saw of its best trial is none.")
        drawn = draw_search(study, sweep.folder)
        say(f"Settings: {path}")
        say(f"Pictures of the search: {', '.join(map(str, drawn))}")
    return failed


STATES = {"complete": "complete", "pruned": "pruned", "fail": "failed", "running": "at work"}


@contextmanager
def _bar(sweep: Sweep, study: "Study") -> Iterator[Callable[[], None]]:
    """A bar over all trials, whoever makes them; it is drawn when the function is called."""
    with progress("{task.fields[figures]}") as bar:
        task = bar.add_task("sweep", total=sweep.options.trials, figures="")

        def draw() -> None:
            counts, best = study.counts(), study.best()
            words = [f"{counts[name]} {word}" for name, word in STATES.items() if counts[name]]
            if best is not None:
                words.append(f"best so far: trial {best.number}")
            made = sum(counts.values()) - counts["running"]
            bar.update(task, completed=made, figures="  ".join(words))

        draw()
        yield draw


if __name__ == "__main__":
    main()
