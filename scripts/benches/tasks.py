"""`sidestep bench tasks`: both learners on what everybody tries first, with the command's defaults.

For each task, learner and memory a run for every seed, as `sidestep train` makes it: the same
settings, lanes and ticks (LunarLander's are the zoo's: `--total-steps 1000000`). Then fresh
episodes, greedy and as it acts while it learns. Runs that are in the record already are not made
again.

What a run learns does not depend on what else the machine does, so several may be made at once;
how fast it learns does, and is measured when all are made, one after the other.
"""

import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Annotated, Any, ClassVar, NamedTuple

import torch

from sidestep.agents import EnvConfig, Progress, RunConfig, Trainer, evaluate
from sidestep.agents.algorithms.presets import PRESETS
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.environments import final_episodes, for_training, lanes_for, make_vector
from sidestep.agents.runs import build_agent
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.benches.records import (
    as_rows,
    from_rows,
    known_result,
    lean,
    timed_result,
    write_result,
)
from sidestep.scripts.benches.skeleton import Flags, shown
from sidestep.scripts.benches.trials import LEARNERS, Learners
from sidestep.scripts.shared.console import command, progress, say, some_of
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.fitting.folder import digest_of
from sidestep.sequence.limits import COUNT, one_of

EXAMPLES = """\
  sidestep bench tasks
  sidestep bench tasks --tasks CartPole-v1 Taxi-v4 --learners reinforce --seeds 3
  sidestep bench tasks --jobs 2
  sidestep bench tasks --tasks MovingObstacles-v0 --preset thorough"""

FEWEST_EPISODES = 500
"""Of a run's end; more where they are short: FrozenLake's mean of 2,000 is uncertain by 0.02."""
WARM, ENOUGH = 1.0, 5.0
"""Seconds of a training before its speed is measured, and at which that ends."""
SIGNS = 16
"""Of a digest of settings that are kept."""
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


def _recalling(
    env_id: str, keyword: str, known: str, memories: tuple[str, ...] = REMEMBERING
) -> Task:
    return Task(EnvConfig(env_id, (keyword,)), memories, known)


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
    "TMaze-v0, 20": _recalling("sidestep/TMaze-v0", "length=20", "4 is the most", ("gru",)),
    "TMaze-v0, 100": _recalling("sidestep/TMaze-v0", "length=100", "4 is the most", ("gru",)),
    "RepeatPreviousEasy": _foreign("popgym:popgym-RepeatPreviousEasy-v0", "POPGym 1.0 at 15 M",
                                   ("gru",)),
    "AutoencodeEasy": _foreign("popgym:popgym-AutoencodeEasy-v0", "POPGym, best -0.29 at 15 M",
                               ("gru",)),
    "DoorKey-5x5": _foreign("minigrid:MiniGrid-DoorKey-5x5-v0", "0.97 is about the most",
                            ("none", "gru")),
    "MemoryS7": _foreign("minigrid:MiniGrid-MemoryS7-v0", "0.98 is about the most", ("gru",)),
    "MovingObstacles-v0": _foreign("sidestep/MovingObstacles-v0", "optimum 0.5996"),
    "Glimpse-v0": _foreign("sidestep/Glimpse-v0", "with a perfect memory 0.5952", ("gru",)),
    "Crossing-v0": Task(
        EnvConfig("sidestep/Crossing-v0"), ("gru",), "optimum 0.43, all being shown",
        EnvConfig("sidestep/Crossing-v0", ("pool={'count': 1000}", "split=test")),
    ),
}  # fmt: skip
"""Every task by its name in the table."""
NEEDS = {"popgym": "popgym", "minigrid": "minigrid", "LunarLander": "Box2D"}
"""Packages, by a part of the ids that need them."""
COLUMNS = (
    "task", "learner", "memory", "seeds", "ticks", "s", "greedy: median", "worst",
    "sampled: median", "worst", "success: worst", "known",
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
    jobs: int = 1
    """Runs at once, each in a process of its own; speeds are measured after them, one at a time."""
    speeds: bool = True
    """Measure env steps a second; without it the table has the seconds that are known already."""
    limits: ClassVar = {
        "seeds": COUNT, "preset": one_of(*PRESETS), "total_steps": COUNT, "jobs": COUNT,
    }  # fmt: skip

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

    @property
    def row(self) -> str:
        """The name of its row, in which all seeds are."""
        return ", ".join(self[:3])


def run(options: Options) -> None:
    """Make every run that is missing, then measure speeds; the result is written after each."""
    torch.set_num_threads(1)
    known = known_result(options.out, "tasks") if options.reuse else {}
    timed = timed_result(options, "tasks") if options.reuse else {}
    record = {"runs": from_rows(known), "speeds": dict(timed.get("speeds", {}))}
    jobs = list(_jobs(options))
    plans = {job: config_of(job, options) for job in jobs}

    def missing(part: str, name: str, config: RunConfig) -> bool:
        return bool(record[part].get(name, {}).get("settings", "")[:SIGNS] != digest(config))

    to_make = {job: plan for job, plan in plans.items() if missing("runs", job.key, plan)}
    with progress("{task.fields[now]}") as bar:
        line = bar.add_task("tasks", total=len(jobs), completed=len(jobs) - len(to_make), now="")
        for job, found in _made(to_make, options.jobs):
            del found["seconds"]  # others may have run beside it
            record["runs"][job.key] = found
            _write(options, record)
            bar.update(line, advance=1, now=job.key)
        rows = {job.row: plan for job, plan in plans.items() if job.seed == 0}
        to_time = {row: plan for row, plan in rows.items() if missing("speeds", row, plan)}
        line = bar.add_task("speeds", total=len(to_time), now="", visible=options.speeds)
        for row, plan in to_time.items() if options.speeds else ():
            bar.update(line, now=row)
            record["speeds"][row] = {"settings": digest(plan), "speed": speed(plan)}
            _write(options, record)
            bar.advance(line)
    mine = {"runs": {job.key: record["runs"][job.key] for job in jobs}, "speeds": record["speeds"]}
    shown("Returns on fresh episodes", COLUMNS, _rows(mine))
    _write(options, record, finished=True)


def _made(plans: dict[Job, RunConfig], at_once: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Make runs, as many at once as asked for; each as soon as it has ended."""
    if at_once == 1:
        for job, plan in plans.items():
            yield job, measured(plan, TASKS[job.task].tests)
        return
    with ProcessPoolExecutor(at_once, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        try:
            waiting = {
                pool.submit(measured, plan, TASKS[job.task].tests): job
                for job, plan in plans.items()
            }
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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


def digest(config: RunConfig) -> str:
    """What tells runs of other settings, or of another length, apart."""
    total = config.training.total_steps  # which a run's identity leaves out
    return digest_of({"identity": config.identity(), "total_steps": total})[:SIGNS]


def measured(config: RunConfig, tests: EnvConfig | None) -> Any:
    """Train, and play fresh episodes: seconds of training, ticks, and what came of them."""
    training, where = config.training, tests or config.env
    env = make_vector(config.env, training.num_envs)
    trainer = Trainer(build_agent(config, training.seed, env=env), env, training)
    trainer.run()
    env.close()
    episodes = max(FEWEST_EPISODES, final_episodes(where) // 5)
    test, seed = make_vector(where, lanes_for(episodes, where)), stream_seed(training.seed, FINAL)
    plays = {
        name: evaluate(trainer.agent, test, episodes, seed, name == "greedy").summary()
        for name in ("greedy", "sampled")
    }
    test.close()
    return lean(  # as it will be in the record, from which the table is made
        {
            "settings": digest(config),
            "seconds": round(trainer.seconds, 2),
            "steps": trainer.agent.steps,
            "optimum": optimum_of(where),
            **{name: play["return_mean"][0] for name, play in plays.items()},
            "success": plays["greedy"].get("success", [None])[0],
            "length": plays["greedy"]["length_mean"],
        }
    )


def speed(config: RunConfig) -> float:
    """Env steps a second, of a training's first seconds; evaluation is not in them."""
    env = make_vector(config.env, config.training.num_envs)
    trainer = Trainer(build_agent(config, config.training.seed, env=env), env, config.training)
    warm: list[tuple[int, float]] = []

    def report(state: Progress) -> bool:
        if state.seconds >= WARM and not warm:
            warm.append((state.steps, state.seconds))
        return state.seconds < ENOUGH

    trainer.run(report)
    env.close()
    steps, seconds = trainer.agent.steps, trainer.seconds
    begin, since = warm[0] if warm and seconds >= ENOUGH else (0, 0.0)  # a short run as a whole
    return round((steps - begin) / (seconds - since), 1)


def _rows(record: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for each task, learner and memory: medians and worst seeds."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, run in record["runs"].items():
        groups.setdefault(key.rpartition(", ")[0], []).append(run)
    rows = []
    for name, runs in groups.items():
        task, learner, memory = name.rsplit(", ", 2)
        middle = {
            column: statistics.median(run[column] for run in runs)
            for column in ("steps", "greedy", "sampled")
        }
        worst = {column: min(run[column] for run in runs) for column in ("greedy", "sampled")}
        reached = [run["success"] for run in runs if run["success"] is not None]
        speed = record["speeds"].get(name, {}).get("speed")
        rows.append(
            [task, learner, memory, str(len(runs)), f"{middle['steps']:,.0f}"]
            + [f"{middle['steps'] / speed:.0f}" if speed else "-"]
            + [
                f"{part[column]:.3g}"
                for column in ("greedy", "sampled")
                for part in (middle, worst)
            ]
            + [f"{min(reached):.1%}" if reached else "-", TASKS[task].known]
        )
    return sorted(rows, key=lambda row: (list(TASKS).index(row[0]), row[1], row[2]))


def _write(options: Options, record: dict[str, dict[str, Any]], finished: bool = False) -> None:
    table = markdown_table(COLUMNS, _rows(record))
    write_result(
        options,
        "tasks",
        {"preset": options.preset, "speeds": record["speeds"], **as_rows(record["runs"])},
        f"""## What everybody tries first

The command's own defaults (`--preset {options.preset}`); means of fresh episodes, greedy and with
the exploration that is left at the end, medians and worst of the seeds. Seconds are the ticks by
the speed of a training's first {ENOUGH:.0f} seconds, on one thread and with nothing else running.

{table}""",
        finished=finished,
    )


main = command("bench tasks", Options, run, EXAMPLES)
