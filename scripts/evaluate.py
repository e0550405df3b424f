"""`sidestep evaluate`: measure trained runs on fresh episodes, from their checkpoints alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.agents import EnvConfig, evaluate, make_vector
from sidestep.agents.environments import check_spaces, final_episodes, lanes_for, making
from sidestep.agents.runs import read_checkpoint, restore_agent
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.shared.comparison import comparison_figure, comparison_table
from sidestep.scripts.shared.console import check_folder, command, console, say, warn
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.finals import record_of
from sidestep.scripts.shared.groups import Evaluated, notes_on
from sidestep.scripts.shared.modules import import_noted
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.scripts.shared.tables import evaluation_table
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.log import plain, read_log

EXAMPLES = """\
  sidestep evaluate runs/gru
  sidestep evaluate runs/gru --episodes 1000 --seed 1 --sampled
  sidestep evaluate runs/crossing --env-kwargs split=test
  sidestep evaluate runs/gru-0 runs/gru-1 runs/none-0 --figure comparison.png"""


@dataclass(frozen=True)
class Options:
    """Play fresh episodes with a trained agent and show the table of the training's end again."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The run's folder; of several, one table and their learning curves."""
    episodes: int | None = None
    """How many; 10,000, or 100 for foreign envs."""
    seed: int | None = None
    """Of the worlds; the table of the training's end if left out."""
    sampled: bool = False
    """Act with the exploration of the training's end instead of greedily."""
    checkpoint: str = "last"
    """last, best, or the name of one in the folder."""
    device: str = "cpu"
    """Where the network runs, wherever it was trained: a torch device, or auto, the CPU."""
    out: Path | None = None
    """Also write the figures to this JSON file."""
    env: str | None = None
    """Another env than that of the training, if its observations and actions are the same."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value: beside those of the training, and instead of those of
    their name."""
    figure: Path | None = None
    """Where the curves of several runs go, a .png, .svg or .pdf; curves.png if left out."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of an env whose id is `module:id`, or that register what the run is
    made of."""

    def __post_init__(self) -> None:
        """Check that there is a run."""
        if not self.runs:
            raise ValueError("runs: expected at least one run's folder, got none")
        folders = [folder.resolve() for folder in self.runs]
        for number, folder in enumerate(folders):
            if folder in folders[:number]:
                raise ValueError(f"runs: expected each once, got {self.runs[number]} again")
        if self.figure is not None and len(folders) == 1:
            raise ValueError("figure: expected several runs, whose curves it shows, got one")
        check_picture(self.figure, "figure")


def run(options: Options) -> None:
    """Evaluate every run; show one table, and for several runs their learning curves."""
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    check_folder(options.figure, "figure")
    runs = [_evaluated(folder, options) for folder in options.runs]
    if len(runs) == 1:
        folder, config, summary = runs[0]
        how = "with exploration" if options.sampled else "greedy"
        title = (
            f"{folder} ({config.learner}, {how}, seed {summary['seed']}{place(options, [summary])})"
        )
        console.print(evaluation_table(title, summary))
    else:
        console.print(comparison_table(runs, place(options, [summary for _, _, summary in runs])))
        for line in notes_on(runs):
            say(line)
        path = options.figure or Path("curves.png")
        save_figure(comparison_figure(runs), path)
        say(f"Learning curves: {path}")
    if options.out is not None:
        records = [{"run": str(folder), **summary} for folder, _, summary in runs]
        text = json.dumps(plain(records), indent=1, allow_nan=False)
        write_atomically(options.out, f"{text}\n".encode())


def place(options: Options, summaries: list[dict[str, Any]]) -> str:
    """In which envs agents were evaluated, where flags say so: `, in CartPole-v1`."""
    if options.env is None and not options.env_kwargs:
        return ""
    envs = dict.fromkeys(EnvConfig(**summary["env"]).in_words() for summary in summaries)
    return f", in {' and '.join(envs)}"


def _evaluated(folder: Path, options: Options) -> Evaluated:
    """Play a run's episodes."""
    path = None
    if options.checkpoint != "last":
        path = folder / f"{options.checkpoint.removesuffix('.json')}.json"
    import_noted(folder)
    run = read_checkpoint(folder, path, options.modules)
    config, episodes = run.config, options.episodes
    where = config.env.elsewhere(options.env, options.env_kwargs)
    if episodes is None:
        episodes = final_episodes(where)
    seed = stream_seed(config.training.seed, FINAL) if options.seed is None else options.seed
    with making(f"env {where.id}"):
        env = make_vector(where, lanes_for(episodes, where))
    try:
        agent = restore_agent(run, env if where == config.env else None, options.device)
        if where != config.env:
            known = agent.observation_space, agent.action_space
            warn(check_spaces(env, *known, where.in_words()))
        tells = where.id == config.env.id and any("success" in line for line in read_log(folder))
        result = evaluate(agent, env, episodes, seed, not options.sampled, tells)
    finally:
        env.close()
    optimum = optimum_of(where, show=True)
    how = not options.sampled, options.checkpoint
    record = record_of(result.summary(optimum), seed, agent.steps, where, *how)
    return folder, config, record


main = command("evaluate", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
