"""`sidestep train`: train an agent and leave a run folder with everything that belongs to it."""

import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from sidestep.agents import (
    LearnerConfig,
    Progress,
    RunConfig,
    Trainer,
    make_vector,
)
from sidestep.agents.algorithms.ranks import join_ranks, launched, same_for_all
from sidestep.agents.algorithms.registry import (
    LEARNERS,
    OTHER_ACTIONS,
)
from sidestep.agents.environments import (
    name_of,
)
from sidestep.agents.reports import figures_of
from sidestep.agents.runs import (
    build_agent,
    create_run,
    read_checkpoint,
    read_config,
    training_device,
)
from sidestep.agents.training import unfinished
from sidestep.scripts.shared.console import (
    guarded,
    parse,
    say,
)
from sidestep.scripts.shared.loop_bar import leave, run_with_bar, stoppable
from sidestep.scripts.shared.modules import NAMED, import_modules, import_noted
from sidestep.scripts.shared.optimum import shown_in
from sidestep.scripts.shared.repeating import note_resumed, write_command
from sidestep.scripts.shared.settings_file import config_flag, read_settings
from sidestep.scripts.shared.together import close_evaluation, follow, one_voice, restarted
from sidestep.scripts.shared.train_flags import EXAMPLES, Env, Options, parse_options
from sidestep.scripts.shared.words import first_word
from sidestep.scripts.studies.jobs import processors
from sidestep.scripts.studies.run import (
    TARGET,
    check_lanes,
    conclude,
    fresh_trainer,
    restored_trainer,
)
from sidestep.scripts.studies.seeds import Study, make_runs, seeds_of
from sidestep.scripts.viewer.live import LiveFeed
from sidestep.sequence.fitting.folder import writing
from sidestep.sequence.fitting.stripped import check_goes_on


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    total_steps: int | None = None
    """Train to so many steps; as far as before if left out. Other steps bend what falls over all of
    them: the learning rate, and exploration as a part of them."""
    device: str | None = None
    """Where to go on, auto or a torch device; where the run was begun if left out."""
    episodes: int | None = None
    """Fresh greedy episodes of the table at the end."""
    gif_episodes: int = 6
    """Greedy episodes of greedy.gif; 0: none."""
    watch: bool = False
    """See the latest policy play in a window of its own; training goes on at its pace."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of an env whose id is `module:id`, or that register what the run is
    made of."""


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    args = sys.argv[1:] if args is None else args
    with one_voice():
        guarded("train", lambda: _main(args))


def _main(args: list[str]) -> None:
    import_modules(args)  # a learner may be among what they register
    file = config_flag(args)
    if file is not None:
        read_settings(file)  # likewise by the modules that it notes
    names = [*LEARNERS, *OTHER_ACTIONS]
    usage = f"usage: sidestep train {{{','.join(names)}}} [options]\n\nExamples:\n{EXAMPLES}"
    word = first_word(args, names, "a learner", usage)
    if word == "resume":
        resume(parse(ResumeOptions, "train resume", args[1:], EXAMPLES))
    elif word is not None:
        begin(word, args[1:])


def begin(learner: str, args: list[str]) -> Path:
    """Read the flags over the preset, and train; returns the run's folder."""
    with ExitStack() as stack:
        options, env = parse_options(learner, args, stack)
        out = options.out
        if restarted() and out is not None and same_for_all(lambda: (out / "config.json").exists()):
            say(f"Started again: {out} goes on from its last checkpoint.")
            resume(ResumeOptions(out, None, None, options.episodes, options.gif_episodes))
            return Path(out)
        how = train if options.seeds is None and options.jobs is None else train_seeds
        return how(learner, options, env, ["train", learner, *args])


def train(learner: str, options: Any, env: Env, typed: Sequence[str] = ()) -> Path:
    """Begin a run in `env`; returns its folder.

    Args:
        learner: its name.
        options: its flags.
        env: with the training's lanes; not closed.
        typed: the words after `sidestep`, for the run's command.txt.
    """
    run, folder = run_of(learner, options)
    ranks = join_ranks(run.training.shards, run.training.num_envs)
    if ranks.shards > 1:
        run = replace(run, training=replace(run.training, shards=ranks.shards))
    trainer = fresh_trainer(run, folder, env, ranks)
    if ranks.rank > 0:
        follow(trainer)
        return folder
    with writing(folder, new=True):  # only now: what fails before leaves nothing behind
        create_run(folder, run)
        write_command(folder, run, typed, ending(options))
        late = unfinished(run.agent, run.training.total_steps)
        if late is not None:
            say(late)
        with feed_of(folder, options.watch) as feed:
            finish(trainer, run, folder, options.episodes, options.gif_episodes, feed)
    return folder


def run_of(learner: str, options: Any) -> tuple[RunConfig, Path]:
    """The configuration and the folder that flags tell."""
    env, modules = options.env_config(), tuple(NAMED)
    run = RunConfig(learner, env, options.agent, options.training, modules)
    return run, options.out or default_folder(learner, options.env)


def ending(options: Any) -> list[str]:
    """The flags on a run's end, which its config.json does not hold."""
    words = [] if options.episodes is None else ["--episodes", str(options.episodes)]
    few = options.gif_episodes
    return words if few == Options.gif_episodes else [*words, "--gif-episodes", str(few)]


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    import_noted(options.run)
    read_config(options.run, options.modules)  # before a lock is put into what is no run's folder
    check_goes_on(options.run)
    with writing(options.run) if launched()[0] == 0 else nullcontext():
        _resume(options)


def _resume(options: ResumeOptions) -> None:
    folder = options.run
    restored = same_for_all(lambda: read_checkpoint(folder, modules=options.modules))
    run, last, _, facts = restored
    training = run.training
    ranks = join_ranks(training.shards or 1, training.num_envs)
    check_lanes(restored, ranks)
    before = facts.get("total_steps") or training.total_steps
    asked = before if options.total_steps is None else options.total_steps
    training = replace(training, total_steps=asked, device=options.device or training.device)
    if training.total_steps <= facts["steps"] and has_ended(folder, last):
        raise ValueError(
            f"total_steps: expected more than the {facts['steps']} already made, "
            f"got {training.total_steps}"
        )
    for sentence in bent(run.agent, before, training.total_steps, facts["steps"]):
        say(sentence)
    with closing(make_vector(run.env, training.num_envs)) as env:
        trainer = restored_trainer(restored, training, folder, env, ranks)
        if ranks.rank > 0:
            follow(trainer)
            return
        if asked != before:
            words = ["--total-steps", str(asked), *ending(options)]
            note_resumed(folder, facts["steps"], words)
        with feed_of(folder, options.watch) as feed:
            finish(trainer, run, folder, options.episodes, options.gif_episodes, feed)


def bent(config: LearnerConfig, before: int, now: int, steps: int) -> list[str]:
    """A sentence for every schedule that goes on otherwise, training ending at `now` steps."""
    told, old, new = [], config.exploration_steps(before), config.exploration_steps(now)
    if now != before and config.final_learning_rate is not None:
        told.append(
            f"The learning rate falls over {now:,} steps from here, not over {before:,}: a run "
            "begun with so many would differ."
        )
    if old != new and steps < max(old, new):
        told.append(f"Exploration falls over {new:,} steps from here, not over {old:,}.")
    late = unfinished(config, now)
    return told if late is None else [*told, late]


def has_ended(folder: Path, last: Path) -> bool:
    """Whether the curve, drawn when training is over, is there: not so if it was killed before."""
    curve = folder / "curve.png"
    return curve.exists() and curve.stat().st_mtime_ns >= last.stat().st_mtime_ns


def feed_of(folder: Path, watch: bool) -> AbstractContextManager[LiveFeed | None]:
    """The window of `--watch`, or none."""
    try:
        return LiveFeed(folder) if watch else nullcontext()
    except OSError as error:
        say(f"No window: {error.strerror or error}; training goes on.")
        return nullcontext()


def finish(
    trainer: Trainer,
    run: RunConfig,
    folder: Path,
    episodes: int | None,
    gif_episodes: int,
    feed: LiveFeed | None = None,
) -> None:
    """Train with a progress bar; then what `conclude` leaves."""

    def offer(state: Progress) -> None:
        over = state.steps >= trainer.config.total_steps
        words = feed.offer(trainer.agent, last=over) if feed is not None else None
        if words is not None:
            say(words)

    try:
        name = trainer.agent.name
        stop = run_with_bar(trainer, "train", figures_of, name, each=offer, within=shown_in)
    finally:
        close_evaluation(trainer)
    conclude(trainer, run, folder, episodes, gif_episodes, stop)
    say(f"Run folder: {folder}")
    leave(stop)


def train_seeds(learner: str, options: Any, env: Env, typed: Sequence[str]) -> Path:
    """Make a run for each of `--seeds`, several at once; returns the folder of all.

    Args:
        learner: its name.
        options: its flags.
        env: with the training's lanes; not closed.
        typed: the words after `sidestep`.

    Raises:
        ValueError: flags that do not go together, or runs of another configuration in the folder.
        SystemExit: a run failed, or a signal stopped all.
    """
    seeds, at_once = checked_seeds(options, typed)
    run, folder = run_of(learner, options)
    build_agent(run, seeds[0], training_device(run, env), env=env)  # what fails is told once
    late = unfinished(run.agent, run.training.total_steps)
    if late is not None:
        say(late)
    study = Study(run, seeds, folder, options.episodes, options.gif_episodes)
    task = {"modules": list(NAMED), "typed": list(typed), "more": ending(options)}
    with stoppable() as stop:
        failed = make_runs(study, TARGET, at_once, task, stop)
    if stop:
        again = list(typed) if options.out else [*typed, "--out", str(folder)]
        say(f"Stopped by {stop[0]}; `{shlex.join(['sidestep', *again])}` goes on from here.")
        leave(stop[0])
    if failed:
        raise SystemExit(1)
    return folder


def checked_seeds(options: Any, typed: Sequence[str]) -> tuple[list[int], int]:
    """The seeds, and how many runs are made at once.

    Raises:
        ValueError: flags that do not go together, or are out of range.
    """
    if options.seeds is None:
        raise ValueError(f"jobs: expected --seeds beside it, got --jobs {options.jobs} alone")
    seeds, processes = seeds_of(options.seeds), launched()[1]
    if processes > 1:
        raise ValueError(f"seeds: expected one process, which starts others, got {processes}")
    if any(word.partition("=")[0] == "--seed" for word in typed):
        raise ValueError("seeds: expected them alone, got --seed beside --seeds")
    if options.watch:
        raise ValueError("seeds: expected no window beside them, got --watch")
    jobs = processors() if options.jobs is None else options.jobs
    if jobs < 1:
        raise ValueError(f"jobs: expected at least 1, got {jobs}")
    return seeds, min(jobs, len(seeds))


def default_folder(learner: str, env_id: str) -> Path:
    """runs/LEARNER-ENV-TIME."""
    name = name_of(env_id).split("/")[-1]
    return Path("runs") / f"{learner}-{name}-{time.strftime('%Y%m%d-%H%M%S')}"


if __name__ == "__main__":
    main()
