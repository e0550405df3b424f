"""One run: its trainer, its evaluation at the end, and all of it as one job of several."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from gymnasium.vector import VectorEnv

from sidestep.agents import (
    Agent,
    Progress,
    RunConfig,
    Trainer,
    TrainingConfig,
    evaluate,
    make_vector,
)
from sidestep.agents.algorithms.ranks import Ranks
from sidestep.agents.environments import final_episodes, lanes_for
from sidestep.agents.reports import figures_of
from sidestep.agents.runs import Restored, build_agent, read_checkpoint, training_device
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.shared.console import console, warn
from sidestep.scripts.shared.curves import learning_curve, save_figure
from sidestep.scripts.shared.finals import record_of, write_final
from sidestep.scripts.shared.loop_bar import finite
from sidestep.scripts.shared.modules import import_named
from sidestep.scripts.shared.optimum import optimum_later
from sidestep.scripts.shared.repeating import write_command
from sidestep.scripts.shared.tables import evaluation_table
from sidestep.scripts.shared.together import (
    close_evaluation,
    envs_of,
    evaluation_envs,
    local_device,
)
from sidestep.scripts.viewer.episodes import record_episodes
from sidestep.sequence.fitting.checkpoint import remove_leftovers, write_atomically
from sidestep.sequence.fitting.folder import writing
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.stored import Spec, check_tensors, under

from .child import Link

Env = VectorEnv[Any, Any, Any]
TARGET = f"{__name__}:make_run"
"""The function of a job that makes one run of several."""


def ranks_of(training: TrainingConfig) -> Ranks:
    """One process with all shards of a training."""
    return Ranks(training.shards or 1, training.num_envs)


def fresh_trainer(run: RunConfig, folder: Path, env: Env, ranks: Ranks) -> Trainer:
    """The trainer of a run that begins."""
    torch.set_num_threads(run.training.threads)
    device = local_device(training_device(run, env), ranks)
    agent = build_agent(run, run.training.seed, device, env=env)
    warn(agent.unread)
    return make_trainer(agent, env, run, folder, run.identity(), ranks)


def check_lanes(restored: Restored, ranks: Ranks) -> None:
    """Refuse a checkpoint of other lanes than the run's, before an env with these is made.

    Raises:
        ValueError: it is one.
    """
    names = [""] if ranks.shards == 1 else [f"{shard}." for shard in range(ranks.shards)]
    expected = {
        f"collector.{name}action": Spec(torch.int64, (lanes.size,))
        for name, lanes in zip(names, ranks.lanes, strict=True)
    }
    check_tensors(expected, {k: v for k, v in restored.tensors.items() if k in expected})


def restored_trainer(
    restored: Restored, training: TrainingConfig, folder: Path, env: Env, ranks: Ranks
) -> Trainer:
    """The trainer of a run that goes on.

    Args:
        restored: its configuration and checkpoint.
        training: how far it goes on, and where.
        folder: of the run.
        env: with the training's lanes; not closed.
        ranks: the processes that train together.
    """
    run, _, tensors, facts = restored
    torch.set_num_threads(training.threads)
    trained = replace(run, training=training)
    device = local_device(training_device(trained, env), ranks)
    agent = build_agent(run, training.seed, device, under(tensors, "agent."), env)
    warn(agent.unread)
    trainer = make_trainer(agent, env, trained, folder, facts["run"], ranks)
    if not trainer.load_state_dict(tensors, facts):
        console.print("This env cannot restore its state: new episodes begin on fresh seeds.")
    return trainer


def make_trainer(
    agent: Agent, env: Env, run: RunConfig, folder: Path, identity: str, ranks: Ranks
) -> Trainer:
    """The trainer of a run, with evaluation envs of its own.

    Args:
        agent: what learns.
        env: of the run; where it has one shard, the training's.
        run: its configuration.
        folder: which the first process writes.
        identity: which run it is.
        ranks: the processes that train together.
    """
    evaluation = None
    if run.training.evaluate_every:
        lanes = lanes_for(run.training.evaluation_episodes, run.env)
        evaluation = evaluation_envs(run, lanes, ranks)
    envs, facts = envs_of(run, env, ranks), {"run": identity}
    optimum = optimum_later(run.env, env)  # not before there is something to compare with it
    there = folder if ranks.rank == 0 else None
    return Trainer(agent, envs, run.training, evaluation, there, facts, optimum, ranks)


def conclude(
    trainer: Trainer,
    run: RunConfig,
    folder: Path,
    episodes: int | None,
    gif_episodes: int,
    stop: str | None = None,
) -> None:
    """Evaluate on fresh seeds: the table, final.json, curve.png and greedy.gif.

    Args:
        trainer: whose agent is evaluated.
        run: its configuration.
        folder: of the run.
        episodes: how many; None: as many as are usual for the env.
        gif_episodes: of greedy.gif; 0: none.
        stop: the signal that stopped training before its end, of which there is no final.json then.
    """
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
    if not stop:
        write_final(folder, record_of(summary, seed, steps, run.env))
    save_figure(learning_curve(read_log(folder), title, trainer.optimum), folder / "curve.png")
    if gif_episodes:
        record_episodes(trainer.agent, run.env, gif_episodes, folder / "greedy.gif")


def make_run(task: dict[str, Any], link: Link) -> None:
    """Make one run of several, in a process of its own: begun, gone on with, or only concluded.

    Args:
        task: its configuration, folder, and flags on its end.
        link: to the command that began it.
    """
    for name in task["modules"]:
        import_named(name)
    run, folder = RunConfig.from_json(task["run"], "run"), Path(task["folder"])
    env, ranks = make_vector(run.env, run.training.num_envs), ranks_of(run.training)
    with closing(env), writing(folder):
        remove_leftovers(folder)
        if any(folder.glob("checkpoint-*.json")):
            restored = read_checkpoint(folder, modules=[run.env.id.rpartition(":")[0]])
            trainer = restored_trainer(restored, run.training, folder, env, ranks)
        else:
            trainer = fresh_trainer(run, folder, env, ranks)
            write_atomically(folder / "config.json", run.to_json().encode())
            write_command(folder, run, task["typed"], task["more"])
        if not is_over(trainer, folder):
            learn(trainer, folder, link)
        link.saved()
        conclude(trainer, run, folder, task["episodes"], task["gif_episodes"])


def is_over(trainer: Trainer, folder: Path) -> bool:
    """Whether training has come to its end, be it by the success that it was to reach."""
    target, log = trainer.config.stop_at_success, read_log(folder)
    reached = any(
        line["evaluation"].get("success", [0.0])[0] >= target > 0
        for line in log
        if "evaluation" in line
    )
    return reached or trainer.now >= trainer.end


def learn(trainer: Trainer, folder: Path, link: Link) -> None:
    """Train, and tell how it goes.

    Raises:
        SystemExit: it was stopped, with a checkpoint; or a number is not finite.
    """
    evaluation = None

    def report(state: Progress) -> bool:
        nonlocal evaluation
        evaluation = state.evaluation or evaluation
        link.tell(state.steps, figures_of(state._replace(evaluation=evaluation)))
        return not link.stopped

    with finite(folder, "train"):
        trainer.run(report)
    close_evaluation(trainer)
    if link.stopped and not is_over(trainer, folder):
        link.leave()
