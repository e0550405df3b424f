"""`sidestep bench memory`: where a memory pays, every learner with every memory on three worlds.

Success and regret after training with the default settings, over fresh episodes; on Crossing-v0
also on levels that were never trained on. No timings: runs may share the machine. Beside them
sb3-contrib's RecurrentPPO where installed, with the best settings of `sidestep bench peers`.
"""

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Annotated, Any, ClassVar, NamedTuple

import torch

from sidestep.agents import EnvConfig, TrainingConfig, make_single
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.runs import learner_config
from sidestep.envs import best_memoryless, best_remembering
from sidestep.scripts.benches.peer_models import (
    RECURRENT,
    Settings,
    best_settings,
    peer_trial,
    there,
    told,
)
from sidestep.scripts.benches.records import known_result, write_result
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.benches.trials import (
    ENV,
    FINAL_EPISODES,
    LEARNERS,
    Learners,
    Memories,
    Outcome,
    rounded,
    train_trial,
)
from sidestep.scripts.shared.console import command, console, progress, some_of, table
from sidestep.scripts.shared.optimum import optimum_of
from sidestep.scripts.shared.tables import markdown_table, spread
from sidestep.sequence import MEMORIES
from sidestep.sequence.fitting.records import build_config
from sidestep.sequence.limits import COUNT

EXAMPLES = """\
  sidestep bench memory
  sidestep bench memory --worlds glimpse --learners reinforce --memories none gru --seeds 3"""

TESTS: dict[str, dict[str, EnvConfig]] = {
    "moving-obstacles": {"MovingObstacles-v0": EnvConfig(ENV)},
    "glimpse": {"Glimpse-v0": EnvConfig("sidestep/Glimpse-v0")},
    "crossing": {
        "Crossing-v0, training levels": EnvConfig("sidestep/Crossing-v0"),
        "Crossing-v0, test levels": EnvConfig("sidestep/Crossing-v0", ("split=test",)),
    },
}
"""Where each world's agents are measured; they are trained in the first."""


@dataclass(frozen=True)
class Options(Flags):
    """Measure success and regret of both learners with every memory."""

    worlds: Annotated[tuple[str, ...], some_of(TESTS)] = tuple(TESTS)
    """moving-obstacles, glimpse, crossing."""
    learners: Learners = LEARNERS
    """Which."""
    memories: Memories = tuple(MEMORIES)
    """Which."""
    seeds: int = 10
    """Runs of each on the small worlds."""
    crossing_seeds: int = 5
    """Runs of each on Crossing-v0."""
    total_steps: int | None = None
    """Of every run; the defaults' if left out."""
    processes: int = 1
    """Runs at a time."""
    peers: bool = True
    """Measure sb3-contrib's RecurrentPPO too, where it is installed."""
    peer_seeds: int = 3
    """Runs of it in each world."""
    peer_steps: int = 300_000
    """Of its every run; it makes a hundredth of our steps a second."""
    search: bool = True
    """Find the best policies without a memory and with a perfect one on Glimpse-v0; the former
    takes minutes."""
    reuse: bool = True
    """Take finished runs of the same settings from results/memory.json, and those of
    MovingObstacles-v0 from the results/learning.json of `sidestep bench learning`, instead of
    training them again."""
    limits: ClassVar = {
        "seeds": COUNT, "crossing_seeds": COUNT, "processes": COUNT, "peer_seeds": COUNT,
        "peer_steps": COUNT,
    }  # fmt: skip

    def __post_init__(self) -> None:
        """Check every field."""
        for world in self.worlds:
            if world not in TESTS:
                raise ValueError(f"worlds: expected some of {', '.join(TESTS)}, got {world!r}")
        super().__post_init__()


class Job(NamedTuple):
    """One run."""

    world: str
    learner: str
    memory: str
    seed: int
    total_steps: int | None
    settings: Settings | None = None
    """Of a peer."""

    @property
    def key(self) -> str:
        """Its name in the record."""
        return f"{self.world}, {self.learner}, {self.memory}, {self.seed}"


Outcomes = dict[str, list[Outcome]]
"""For each run's key, an outcome for each of its world's tests."""
UNITS = ("fraction", "steps")
"""In which the length of exploration is given."""
PEER = (RECURRENT, "lstm")
"""Learner and memory of its runs."""
EXACT = {
    "glimpse, best, none": ["best policy found", "none"],
    "glimpse, best, perfect": ["best policy", "perfect"],
}
"""Key and row of what `best_memoryless` and `best_remembering` find."""


def run(options: Options) -> None:
    """Train and measure everybody, seed by seed; the result is written after each run."""
    finished = _known(options) if options.reuse else {}
    if options.search and "glimpse" in options.worlds and EXACT.keys() - finished.keys():
        console.print("Searching the best policy without a memory ...")
        finished |= _search(TESTS["glimpse"]["Glimpse-v0"])
    jobs = list(_jobs(options))
    missing = [job for job in jobs if job.key not in finished]
    with progress("{task.fields[now]}") as bar:
        task = bar.add_task("memory", total=len(jobs), completed=len(jobs) - len(missing), now="")
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
            for key, outcomes in pool.imap_unordered(_measure, missing):
                finished[key] = outcomes
                bar.update(task, advance=1, now=key)
                _write(options, finished)
    _write(options, finished, all_done=True)
    console.print(table("Where memory pays", *rows_of(options, finished)))


def _jobs(options: Options) -> Iterator[Job]:
    for seed in range(max(options.seeds, options.crossing_seeds)):
        for world, learner, memory in product(options.worlds, options.learners, options.memories):
            if seed < (options.crossing_seeds if world == "crossing" else options.seeds):
                yield Job(world, learner, memory, seed, options.total_steps)
    peer = _peer(options)
    for seed, world in product(range(options.peer_seeds), options.worlds if peer else ()):
        yield Job(world, *PEER, seed, peer["steps"], peer["settings"])


def _peer(options: Options) -> dict[str, Any]:
    """How RecurrentPPO is trained; empty where it is not."""
    if not options.peers or RECURRENT not in there() or not {*options.memories} - {"none"}:
        return {}
    return {"steps": options.peer_steps, "settings": best_settings(options.out, RECURRENT)}


def _measure(job: Job) -> tuple[str, list[Outcome]]:
    torch.set_num_threads(1)
    tests = tuple(TESTS[job.world].values())
    if job.settings is not None:
        steps = job.total_steps or 0
        peer = peer_trial(
            RECURRENT, job.settings, tests[0], job.seed, steps=steps, tests=tests, every=0
        )
        return job.key, peer.outcomes
    trial = train_trial(
        job.learner, job.memory, tests[0], job.seed, job.total_steps, tests, every=0
    )
    return job.key, trial.outcomes


def _search(env: EnvConfig) -> Outcomes:
    world, optimum = make_single(env), optimum_of(env)
    without, perfect = best_memoryless(world, restarts=2), best_remembering(world)
    world.close()
    outcomes = (
        rounded(Outcome(without.success, without.mean_return, optimum)),
        rounded(Outcome(perfect.success, perfect.mean_return, optimum)),
    )
    return {key: [outcome] for key, outcome in zip(EXACT, outcomes, strict=True)}


def _known(options: Options) -> Outcomes:
    """The runs of earlier calls, and of `bench learning`, with the same number of steps."""
    known: Outcomes = {}
    learning, record = (known_result(options.out, name) for name in ("learning", "memory"))
    if learning and options.total_steps is None:
        for name, trials in learning["trials"].items():
            for seed, trial in enumerate(trials):
                if trial["outcomes"]:
                    known[f"moving-obstacles, {name}, {seed}"] = _outcomes(trial["outcomes"])
    if record and record["total_steps"] == options.total_steps:
        stale = _changed(settings_of(record), options.total_steps)
        known |= {
            key: _outcomes(rows)
            for key, rows in record["runs"].items()
            if key.rpartition(", ")[0] not in stale
            and (RECURRENT not in key or record.get("peer") == _peer(options))
        }
    return known


def default_settings() -> dict[str, Any]:
    """What each learner is trained with in each world, with each memory, by the run's name."""
    found = {}
    for world, learner, memory in product(TESTS, LEARNERS, MEMORIES):
        config, training = preset(learner, next(iter(TESTS[world].values())).id, memory)
        settings = {"agent": asdict(config), "training": asdict(training)}
        found[f"{world}, {learner}, {memory}"] = json.loads(json.dumps(settings))
    return found


def as_changes(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as the record has them: of each learner the first whole, of all what differs."""
    whole: dict[str, Any] = {}
    changes = {}
    for name, mine in settings.items():
        base = whole.setdefault(name.split(", ")[1], mine)
        changes[name] = {
            part: {key: value for key, value in mine[part].items() if value != base[part][key]}
            for part in mine
        }
    return {"whole": whole, "settings": changes}


def settings_of(record: dict[str, Any]) -> dict[str, Any]:
    """The settings of every run of a record, whole; earlier versions wrote them so."""
    found = {}
    for name, changes in record.get("settings", {}).items():
        base = record.get("whole", {}).get(name.split(", ")[1], {})
        found[name] = {part: base.get(part, {}) | changes[part] for part in changes}
    return found


def _changed(known: dict[str, Any], total_steps: int | None) -> set[str]:
    """Whose runs of `total_steps` were made with other settings than today's."""
    return {
        name
        for name, now in default_settings().items()
        if name not in known
        or _course(name, known[name], total_steps) != _course(name, now, total_steps)
    }


def _course(name: str, settings: dict[str, Any], total_steps: int | None) -> Any:
    """What decides the course of a run: its settings, with exploration in steps."""
    _, learner, _ = name.split(", ")
    try:
        config = learner_config(learner, settings["agent"], name)
        training = build_config(TrainingConfig, settings["training"], name)
    except ValueError:  # of another version
        return settings
    schedule = {f"{what}_{unit}": None for what in ("epsilon", "entropy") for unit in UNITS}
    explores = config.exploration_steps(total_steps or training.total_steps)
    told = {"channels_axis": None, "codes": None}  # which these worlds say themselves
    network = asdict(config.network) | told
    return asdict(config) | schedule | {"network": network}, explores, training


def _outcomes(rows: list[list[float]]) -> list[Outcome]:
    return [Outcome(*row) for row in rows]


def rows_of(options: Options, finished: Outcomes) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table: for every world, learner and memory, over seeds."""
    columns = ["world", "learner", "memory", "seeds", "success", "worst seed", "regret"]
    rows = []
    for world in options.worlds:
        for number, name in enumerate(TESTS[world]):
            for learner, memory in [*product(options.learners, options.memories), PEER]:
                keys = [k for k in finished if k.startswith(f"{world}, {learner}, {memory}, ")]
                if keys:
                    figures = _figures([finished[key][number] for key in keys])
                    rows.append([name, learner, memory, str(len(keys)), *figures])
        for key, names in EXACT.items():
            if world == "glimpse" and key in finished:
                success, regret = finished[key][0].success, finished[key][0].regret
                rows.append(["Glimpse-v0", *names, "-", f"{success:.1%}", "-", f"{regret:.3f}"])
    return columns, rows


def _figures(outcomes: list[Outcome]) -> list[str]:
    success = [o.success for o in outcomes]
    regrets = [o.regret for o in outcomes if o.regret is not None]
    regret = spread(regrets, ".3f") if regrets else "-"
    return [spread(success, ".1%"), f"{min(success):.1%}", regret]


def _words(options: Options) -> str:
    """What is to be known of RecurrentPPO."""
    peer = _peer(options)
    if not peer:
        return ""
    return (
        f" RecurrentPPO of sb3-contrib has 16 envs, {peer['steps']:,} steps and the best settings "
        f"of `sidestep bench peers` on the default world: `{told(peer['settings'])}`."
    )


def _write(options: Options, finished: Outcomes, all_done: bool = False) -> None:
    record = {
        "total_steps": options.total_steps,
        **as_changes(default_settings()),
        "fields": Outcome._fields,
        "peer": _peer(options),
        "runs": {key: [list(o) for o in finished[key]] for key in sorted(finished)},
    }
    page = f"""## Where memory pays

Greedy success and regret after training with the default settings, over {FINAL_EPISODES:,} fresh
episodes of each run: mean over seeds and half its 95 % interval (Student's t), and the worst seed.
The regret is the exact optimum minus the mean return; the optimum sees everything, so on worlds
that hide things no agent can have regret 0. On Crossing-v0 agents train on 64 levels and are
measured on these and on 64 others. On Glimpse-v0 the best policy with a perfect memory of all
that it was shown is exact (`best_remembering`); the best without a memory is what a local search
over exact values finds (`best_memoryless`). Both are means over all starts.{_words(options)}

{markdown_table(*rows_of(options, finished))}"""
    write_result(options, "memory", record, page, finished=all_done)


main = command("bench memory", Options, run, EXAMPLES)
