"""`sidestep bench tasks`: both learners on what everybody tries first, with the command's defaults.

For each task, learner and memory a run for every seed, as `sidestep train` makes it: the same
settings, lanes and ticks (LunarLander's are the zoo's: `--total-steps 1000000`). Then fresh
episodes, greedy and as it acts while it learns. Runs that are in the record already are not made
again.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, NamedTuple

import torch

from sidestep.agents import EnvConfig, RunConfig, Trainer, evaluate
from sidestep.agents.algorithms.presets import PRESETS
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.environments import final_episodes, for_training, lanes_for, make_vector
from sidestep.agents.runs import build_agent
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.benches.skeleton import Flags, known_result, shown, write_result
from sidestep.scripts.benches.trials import LEARNERS, Learners
from sidestep.scripts.shared.console import command, progress, say, some_of
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import COUNT, one_of

EXAMPLES = """\
  sidestep bench tasks
  sidestep bench tasks --tasks CartPole-v1 Taxi-v4 --learners reinforce --seeds 3
  sidestep bench tasks --tasks MovingObstacles-v0 --preset thorough"""

FEWEST_EPISODES = 500
"""Of a run's end: of a hundred the mean on FrozenLake would be uncertain by 0.09."""
KEPT = ("none",)
REMEMBERING = ("gru", "lstm")


class Task(NamedTuple):
    """A row: an env, what agents need there, and what is known of it."""

    env: EnvConfig
    memories: tuple[str, ...] = KEPT
    """That runs are made with."""
    known: str = ""
    """What others report, or the best that is possible, in words."""
    tests: EnvConfig | None = None
    """Where its agents are measured; None: where they were trained."""
    ticks: int | None = None
    """Of a run; None: the preset's."""


def _foreign(
    env_id: str, known: str, memories: tuple[str, ...] = KEPT, ticks: int | None = None
) -> Task:
    return Task(EnvConfig(env_id), memories, known, ticks=ticks)


def _recalling(env_id: str, keyword: str, known: str) -> Task:
    return Task(EnvConfig(env_id, (keyword,)), REMEMBERING, known)


TASKS: dict[str, Task] = {
    "CartPole-v1": _foreign("CartPole-v1", "500 is the most; zoo PPO 500 at 100 k"),
    "Acrobot-v1": _foreign("Acrobot-v1", "zoo A2C -83, PPO -73.5"),
    "Taxi-v4": _foreign("Taxi-v4", "optimum 7.9"),
    "FrozenLake-v1": _foreign("FrozenLake-v1", "optimum 0.74"),
    "CliffWalking-v1": _foreign("CliffWalking-v1", "optimum -13, SARSA's safe path -17"),
    "MountainCar-v0": _foreign("MountainCar-v0", "zoo PPO -110 at 1 M, DQN -101 at 120 k"),
    "LunarLander-v3": _foreign("LunarLander-v3", "zoo PPO 242 at 1 M", ticks=1_000_000),
    "Cue-v0, 10": _recalling("sidestep/Cue-v0", "delay=10", "1 is the most"),
    "Cue-v0, 30": _recalling("sidestep/Cue-v0", "delay=30", "1 is the most"),
    "Cue-v0, 100": _recalling("sidestep/Cue-v0", "delay=100", "1 is the most"),
    "TMaze-v0, 20": _recalling("sidestep/TMaze-v0", "length=20", "4 is the most"),
    "TMaze-v0, 100": _recalling("sidestep/TMaze-v0", "length=100", "4 is the most"),
    "RepeatPreviousEasy": _foreign("popgym:popgym-RepeatPreviousEasy-v0", "POPGym 1.0 at 15 M",
                                   ("gru",)),
    "AutoencodeEasy": _foreign("popgym:popgym-AutoencodeEasy-v0", "POPGym, best -0.29 at 15 M",
                               ("gru",)),
    "DoorKey-5x5": _foreign("minigrid:MiniGrid-DoorKey-5x5-v0", "0.97 is about the most",
                            ("none", "gru")),
    "MemoryS7": _foreign("minigrid:MiniGrid-MemoryS7-v0", "0.98 is about the most", ("gru",)),
    "MovingObstacles-v0": _foreign("sidestep/MovingObstacles-v0", "optimum 0.5996"),
    "Glimpse-v0": _foreign("sidestep/Glimpse-v0", "with a perfect memory 0.5952", REMEMBERING),
    "Crossing-v0": Task(
        EnvConfig("sidestep/Crossing-v0"), ("gru",), "optimum 0.43, all being shown",
        EnvConfig("sidestep/Crossing-v0", ("pool={'count': 1000}", "split=test")),
    ),
}  # fmt: skip
"""Every task by its name in the table."""
NEEDS = {"popgym": "popgym", "minigrid": "minigrid", "LunarLander": "Box2D"}
"""Packages, by a part of the ids that need them."""
COLUMNS = (
    "task", "learner", "memory", "ticks", "s", "greedy: median", "worst", "sampled: median",
    "worst", "success: worst", "known",
)  # fmt: skip


@dataclass(frozen=True)
class Options(Flags):
    """Train and measure both learners on every task, with the defaults of `sidestep train`."""

    tasks: Annotated[tuple[str, ...], some_of(TASKS)] = tuple(TASKS)
    """Which; those whose package is missing are left out, with a word."""
    learners: Learners = LEARNERS
    """Which."""
    seeds: int = 5
    """Runs of each."""
    preset: str = "default"
    """Whose settings: default, textbook or thorough."""
    total_steps: int | None = None
    """Of every run; if left out the preset's, or what others trained for (LunarLander: 1 M)."""
    reuse: bool = True
    """Take finished runs of the same settings from results/tasks.json."""
    limits: ClassVar = {"seeds": COUNT, "preset": one_of(*PRESETS), "total_steps": COUNT}

    def __post_init__(self) -> None:
        """Check every field."""
        for task in self.tasks:
            if task not in TASKS:
                raise ValueError(f"tasks: expected some of {', '.join(TASKS)}, got {task!r}")
        super().__post_init__()


class Job(NamedTuple):
    """One run."""

    task: str
    learner: str
    memory: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in the record."""
        return ", ".join(map(str, self))


def run(options: Options) -> None:
    """Make every run that is missing; the result is written after each."""
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    known = known_result(options.out, "tasks").get("runs", {}) if options.reuse else {}
    jobs = list(_jobs(options))
    with progress("{task.fields[now]}") as bar:
        line = bar.add_task("tasks", total=len(jobs), now="")
        for job in jobs:
            bar.update(line, now=job.key)
            config = config_of(job, options)
            earlier = known.get(job.key)
            if earlier is not None and earlier["settings"] == config.identity():
                found[job.key] = earlier
            else:
                found[job.key] = measured(config, TASKS[job.task].tests)
                _write(options, {**known, **found})
            bar.advance(line)
    shown("Returns on fresh episodes", COLUMNS, _rows(found))
    _write(options, {**known, **found})


def _jobs(options: Options) -> Iterator[Job]:
    """Every run, seed by seed; tasks whose package is missing are named and left out."""
    there = []
    for name in options.tasks:
        env_id = TASKS[name].env.id
        missing = [p for part, p in NEEDS.items() if part in env_id and find_spec(p) is None]
        if missing:
            say(f"{name}: left out, {missing[0]} is not installed")
        else:
            there.append(name)
    for seed in range(options.seeds):
        for name in there:
            for learner in options.learners:
                for memory in TASKS[name].memories:
                    yield Job(name, learner, memory, seed)


def config_of(job: Job, options: Options) -> RunConfig:
    """The configuration of the run that `sidestep train` would make."""
    task = TASKS[job.task]
    env = for_training(task.env)
    agent, training = preset(job.learner, env, job.memory, options.preset)
    total = options.total_steps or task.ticks or training.total_steps
    training = replace(training, total_steps=total, seed=job.seed, evaluate_every=0)
    return RunConfig(job.learner, env, agent, training)


def measured(config: RunConfig, tests: EnvConfig | None) -> dict[str, Any]:
    """Train, and play fresh episodes: seconds of training, ticks, and what came of them."""
    training, where = config.training, tests or config.env
    env = make_vector(config.env, training.num_envs)
    trainer = Trainer(build_agent(config, training.seed, env=env), env, training)
    trainer.run()
    env.close()
    episodes = max(FEWEST_EPISODES, final_episodes(where) // 10)
    test, seed = make_vector(where, lanes_for(episodes, where)), stream_seed(training.seed, FINAL)
    plays = {
        name: evaluate(trainer.agent, test, episodes, seed, name == "greedy").summary()
        for name in ("greedy", "sampled")
    }
    test.close()
    return {
        "settings": config.identity(),
        "seconds": round(trainer.seconds, 2),
        "steps": trainer.agent.steps,
        "optimum": optimum_of(where),
        **{name: play["return_mean"][0] for name, play in plays.items()},
        "success": plays["greedy"].get("success", [None])[0],
        "length": plays["greedy"]["length_mean"],
    }


def _rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for each task, learner and memory: medians and worst seeds."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for key, row in found.items():
        *words, learner, memory, _ = key.split(", ")
        groups.setdefault((", ".join(words), learner, memory), []).append(row)
    rows = []
    for (task, learner, memory), runs in groups.items():
        middle = {
            name: statistics.median(run[name] for run in runs)
            for name in ("steps", "seconds", "greedy", "sampled")
        }
        worst = {name: min(run[name] for run in runs) for name in ("greedy", "sampled")}
        reached = [run["success"] for run in runs if run["success"] is not None]
        rows.append(
            [task, learner, memory, f"{middle['steps']:,.0f}", f"{middle['seconds']:.0f}"]
            + [f"{part[name]:.3g}" for name in ("greedy", "sampled") for part in (middle, worst)]
            + [f"{min(reached):.1%}" if reached else "-", TASKS[task].known]
        )
    return sorted(rows, key=lambda row: (list(TASKS).index(row[0]), row[1], row[2]))


def _write(options: Options, found: dict[str, dict[str, Any]]) -> None:
    table = markdown_table(COLUMNS, _rows(found))
    write_result(
        options.out,
        "tasks",
        {"preset": options.preset, "runs": found},
        f"""## What everybody tries first

The command's own defaults (`--preset {options.preset}`), {options.seeds} seeds each; means of fresh
episodes, greedy and with the exploration that is left at the end. Seconds are of training, on one
thread.

{table}""",
    )


main = command("bench tasks", Options, run, EXAMPLES)
