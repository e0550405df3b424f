"""`sidestep train`: train an agent and leave a run folder with everything that belongs to it."""

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.agents import (
    Agent,
    LearnerConfig,
    Progress,
    RunConfig,
    Trainer,
    evaluate,
    make_vector,
)
from sidestep.agents.algorithms.registry import (
    LEARNERS,
    OTHER_ACTIONS,
)
from sidestep.agents.environments import (
    final_episodes,
    lanes_for,
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
from sidestep.agents.training import FINAL, stream_seed, unfinished
from sidestep.scripts.shared.console import (
    console,
    guarded,
    parse,
    say,
    warn,
)
from sidestep.scripts.shared.curves import learning_curve, save_figure
from sidestep.scripts.shared.loop_bar import leave, run_with_bar
from sidestep.scripts.shared.modules import NAMED, import_modules, import_noted
from sidestep.scripts.shared.optimum import optimum_later, shown_in
from sidestep.scripts.shared.repeating import note_resumed, write_command
from sidestep.scripts.shared.settings_file import config_flag, read_settings
from sidestep.scripts.shared.tables import evaluation_table
from sidestep.scripts.shared.train_flags import EXAMPLES, Env, Options, parse_options
from sidestep.scripts.shared.words import first_word
from sidestep.scripts.viewer.episodes import record_episodes
from sidestep.scripts.viewer.live import LiveFeed
from sidestep.sequence.fitting.folder import writing
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.stored import Spec, check_tensors, under


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
        return train(learner, options, env, ["train", learner, *args])


def train(learner: str, options: Any, env: Env, typed: Sequence[str] = ()) -> Path:
    """Begin a run in `env`; returns its folder.

    Args:
        learner: its name.
        options: its flags.
        env: with the training's lanes; not closed.
        typed: the words after `sidestep`, for the run's command.txt.
    """
    training = options.training
    torch.set_num_threads(training.threads)
    run = RunConfig(learner, options.env_config(), options.agent, training, tuple(NAMED))
    folder = options.out or default_folder(learner, options.env)
    agent = build_agent(run, training.seed, training_device(run, env), env=env)
    warn(agent.unread)
    trainer = make_trainer(agent, env, run, folder, run.identity())
    with writing(folder, new=True):  # only now: what fails before leaves nothing behind
        create_run(folder, run)
        write_command(folder, run, typed, ending(options))
        late = unfinished(run.agent, training.total_steps)
        if late is not None:
            say(late)
        with feed_of(folder, options.watch) as feed:
            finish(trainer, run, folder, options.episodes, options.gif_episodes, feed)
    return folder


def ending(options: Any) -> list[str]:
    """The flags on a run's end, which its config.json does not hold."""
    words = [] if options.episodes is None else ["--episodes", str(options.episodes)]
    few = options.gif_episodes
    return words if few == Options.gif_episodes else [*words, "--gif-episodes", str(few)]


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    import_noted(options.run)
    read_config(options.run, options.modules)  # before a lock is put into what is no run's folder
    with writing(options.run):
        _resume(options)


def _resume(options: ResumeOptions) -> None:
    folder = options.run
    run, last, tensors, facts = read_checkpoint(folder, modules=options.modules)
    training = run.training
    check_tensors(
        {"collector.action": Spec(torch.int64, (training.num_envs,))},
        {k: v for k, v in tensors.items() if k == "collector.action"},
    )
    before = facts.get("total_steps") or training.total_steps
    asked = before if options.total_steps is None else options.total_steps
    training = replace(training, total_steps=asked, device=options.device or training.device)
    if training.total_steps <= facts["steps"] and has_ended(folder, last):
        raise ValueError(
            f"total_steps: expected more than the {facts['steps']} already made, "
            f"got {training.total_steps}"
        )
    for words in bent(run.agent, before, training.total_steps, facts["steps"]):
        say(words)
    torch.set_num_threads(training.threads)
    env = make_vector(run.env, training.num_envs)
    try:
        trained = replace(run, training=training)
        device = training_device(trained, env)
        agent = build_agent(run, training.seed, device, under(tensors, "agent."), env)
        warn(agent.unread)
        trainer = make_trainer(agent, env, trained, folder, facts["run"])
        if not trainer.load_state_dict(tensors, facts):
            console.print("This env cannot restore its state: new episodes begin on fresh seeds.")
        if asked != before:
            words = ["--total-steps", str(asked), *ending(options)]
            note_resumed(folder, facts["steps"], words)
        with feed_of(folder, options.watch) as feed:
            finish(trainer, run, folder, options.episodes, options.gif_episodes, feed)
    finally:
        env.close()


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


def make_trainer(agent: Agent, env: Any, run: RunConfig, folder: Path, identity: str) -> Trainer:
    """The trainer of a run, with an evaluation env of its own; `identity`: which run it is."""
    evaluation_env = None
    if run.training.evaluate_every:
        lanes = lanes_for(run.training.evaluation_episodes, run.env)
        evaluation_env = make_vector(run.env, lanes)
    facts = {"run": identity}
    optimum = optimum_later(run.env, env)  # not before there is something to compare with it
    return Trainer(agent, env, run.training, evaluation_env, folder, facts, optimum)


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
    """Train with a progress bar; then the table, curve.png and greedy.gif."""

    def offer(state: Progress) -> None:
        over = state.steps >= trainer.config.total_steps
        words = feed.offer(trainer.agent, last=over) if feed is not None else None
        if words is not None:
            say(words)

    try:
        name = trainer.agent.name
        stop = run_with_bar(trainer, "train", figures_of, name, each=offer, within=shown_in)
    finally:
        if trainer.evaluation_env is not None:
            trainer.evaluation_env.close()
    if episodes is None:
        episodes = final_episodes(run.env)
    if stop:
        episodes = min(episodes, 500)
    steps, seconds = trainer.agent.steps, trainer.seconds
    console.print(
        f"{steps:,} steps in {seconds:.1f} s of training, {steps / max(seconds, 1e-9):,.0f} steps/s"
    )
    test_env = make_vector(run.env, lanes_for(episodes, run.env))
    try:
        seed = stream_seed(run.training.seed, FINAL)
        tells = trainer.recent.tells
        result = evaluate(trainer.agent, test_env, episodes, seed, tells=tells)
        summary = result.summary(trainer.optimum)
    finally:
        test_env.close()
    console.print(evaluation_table(f"{trainer.agent.name}, greedy, fresh seeds", summary))
    title = f"{trainer.agent.name} on {run.env.id}, seed {run.training.seed}"
    save_figure(learning_curve(read_log(folder), title, trainer.optimum), folder / "curve.png")
    if gif_episodes:
        record_episodes(trainer.agent, run.env, gif_episodes, folder / "greedy.gif")
    say(f"Run folder: {folder}")
    leave(stop)


def default_folder(learner: str, env_id: str) -> Path:
    """runs/LEARNER-ENV-TIME."""
    name = name_of(env_id).split("/")[-1]
    return Path("runs") / f"{learner}-{name}-{time.strftime('%Y%m%d-%H%M%S')}"


if __name__ == "__main__":
    main()
