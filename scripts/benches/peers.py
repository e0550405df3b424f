"""`sidestep bench peers`: a small search for the settings that peers learn the default world with.

`bench learning` and `bench throughput` show every peer with its defaults and with the best of this.
Of each peer come first its defaults and what is known to be good, then draws from a written-down
space by a fixed seed. Each is trained once, until 99 % greedy success or for so many seconds; the
best of these are trained on two more seeds, and the best of their medians is chosen.
"""

import json
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import torch

from sidestep.agents import EnvConfig
from sidestep.scripts.benches.learning_curves import LEVELS
from sidestep.scripts.benches.peer_models import (
    DEFAULTS,
    NUM_ENVS,
    PEERS,
    SEARCHED,
    Settings,
    peer_trial,
    there,
    told,
)
from sidestep.scripts.benches.records import timed_result, write_result
from sidestep.scripts.benches.skeleton import Flags, shown
from sidestep.scripts.benches.trials import ENV, Trial
from sidestep.scripts.shared.console import command, progress, say, some_of
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.limits import COUNT, NATURAL, POSITIVE

EXAMPLES = """\
  sidestep bench peers
  sidestep bench peers --peers PPO --trials 6 --seconds 10 --out trial"""
NEVER = float("inf")
MORE_SEEDS = (1, 2)
"""Of those that are trained again."""
LAST = 3
"""Evaluations whose mean tells apart what never got to a level."""
COLUMNS = (
    "peer", "settings", "s to 95 %", "s to 99 %", "steps to 99 %", "success in the end", "seeds",
)  # fmt: skip


@dataclass(frozen=True)
class Options(Flags):
    """Search settings of Stable-Baselines3's learners on the default world."""

    peers: Annotated[tuple[str, ...], some_of(PEERS)] = tuple(PEERS)
    """Which; those whose package is missing are left out."""
    trials: int = 16
    """Settings of each peer that are tried, its defaults and the known ones among them."""
    seconds: float = 30.0
    """Of training in each, at most."""
    finalists: int = 3
    """That are trained on two more seeds."""
    seed: int = 0
    """Of the draws."""
    reuse: bool = True
    """Take trainings of as many seconds, made at this commit, from results/peers.json."""
    limits: ClassVar = {
        "trials": COUNT, "seconds": POSITIVE, "finalists": COUNT, "seed": NATURAL,
    }  # fmt: skip

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        for name in self.peers:
            if name not in PEERS:
                raise ValueError(f"peers: expected some of {', '.join(PEERS)}, got {name!r}")
        if not set(self.peers) & set(there()):
            missing = sorted({PEERS[name].package.replace("_", "-") for name in self.peers})
            raise ValueError(f"peers: expected {' or '.join(missing)} installed, got neither")


class Tried(NamedTuple):
    """One training of a peer, as the record has it."""

    settings: Settings
    seed: int
    s95: float | None
    s99: float | None
    """Seconds to 95 and to 99 %; None: not in time."""
    steps99: int | None
    steps: int
    success: float
    """Mean of the last evaluations."""


def run(options: Options) -> None:
    """Search for each peer; the result is written after each training."""
    torch.set_num_threads(1)
    known = timed_result(options, "peers") if options.reuse else {}
    found: dict[str, list[Tried]] = {}
    names = [name for name in there() if name in options.peers]
    with progress("{task.fields[now]}") as bar:
        rounds = options.trials + options.finalists * len(MORE_SEEDS)
        line = bar.add_task("peers", total=rounds * len(names), now="")
        for name in names:
            earlier = _earlier(known, name, options)
            found[name] = []
            for settings, seed in _rounds(name, options, found[name]):
                bar.update(line, now=f"{name}, {told(settings)}"[:60])
                one = earlier.get(_key(settings, seed)) or _train(name, settings, seed, options)
                found[name].append(one)
                _write(options, found)
                bar.advance(line)
    rows = rows_of(found)
    told_apart = COLUMNS.index("settings")  # too long for a terminal's column
    shown(
        "The peers' settings",
        [name for number, name in enumerate(COLUMNS) if number != told_apart],
        [[cell for number, cell in enumerate(row) if number != told_apart] for row in rows],
    )
    for row in rows:
        say(f"{row[0]}: {row[told_apart]}")
    _write(options, found, finished=True)


def _rounds(name: str, options: Options, found: list[Tried]) -> Iterator[tuple[Settings, int]]:
    """What is to be trained next: all settings once, then the best of what was found again."""
    for settings in tried_settings(name, options.trials, options.seed):
        yield settings, 0
    for settings in ranked(found)[: options.finalists]:
        for seed in MORE_SEEDS:
            yield settings, seed


def tried_settings(name: str, trials: int, seed: int) -> list[Settings]:
    """The settings that a search tries: defaults, known ones, draws; the same for a seed.

    Args:
        name: of PEERS.
        trials: how many; fewer where the space has no more.
        seed: of the draws.
    """
    peer, draws = PEERS[name], random.Random(f"{name}, {seed}")
    tried: list[Settings] = [{}, *peer.known][:trials]
    for _ in range(1000):
        if len(tried) == trials:
            break
        drawn = {key: draws.choice(values) for key, values in peer.space.items()}
        if "n_steps" in drawn and "batch_size" in drawn:  # no more than a rollout has
            drawn["batch_size"] = min(drawn["batch_size"], drawn["n_steps"] * NUM_ENVS)
        if drawn not in tried:
            tried.append(drawn)
    return tried


def _train(name: str, settings: Settings, seed: int, options: Options) -> Tried:
    trial = peer_trial(name, settings, EnvConfig(ENV), seed, options.seconds, enough=LEVELS[-1])
    return tried(settings, seed, trial)


def tried(settings: Settings, seed: int, trial: Trial) -> Tried:
    """What the record has of a training."""
    s95, s99 = (trial.reached(level) for level in LEVELS)
    last = statistics.mean(p.success for p in trial.curve[-LAST:])
    return Tried(
        settings,
        seed,
        None if s95 is None else round(s95, 3),
        None if s99 is None else round(s99, 3),
        trial.reached_steps(LEVELS[-1]),
        trial.steps,
        round(last, 4),
    )


def ranked(found: list[Tried]) -> list[Settings]:
    """Settings from the best: by seconds to 99 %, then to 95 %, then by success; medians of seeds.

    Those that were trained on more seeds come before all others.
    """
    groups = _by_settings(found)
    most = max((len(runs) for runs in groups.values()), default=0)
    full = [key for key in groups if len(groups[key]) == most]
    order = sorted(full, key=lambda key: _worth(groups[key]))
    return [groups[key][0].settings for key in order]


def _by_settings(found: list[Tried]) -> dict[str, list[Tried]]:
    groups: dict[str, list[Tried]] = {}
    for one in found:
        groups.setdefault(json.dumps(one.settings), []).append(one)
    return groups


def _worth(runs: list[Tried]) -> tuple[float, float, float]:
    """What is compared, smaller being better."""
    return (
        statistics.median([NEVER if run.s99 is None else run.s99 for run in runs]),
        statistics.median([NEVER if run.s95 is None else run.s95 for run in runs]),
        -statistics.median([run.success for run in runs]),
    )


def _key(settings: Settings, seed: int) -> str:
    return json.dumps([settings, seed])


def _earlier(known: dict[str, Any], name: str, options: Options) -> dict[str, Tried]:
    """Trainings of an earlier call with as many seconds, by settings and seed."""
    if known.get("seconds") != options.seconds:
        return {}
    runs = [Tried(*row) for row in known["peers"].get(name, {}).get("tried", [])]
    return {_key(run.settings, run.seed): run for run in runs}


def rows_of(found: dict[str, list[Tried]]) -> list[list[str]]:
    """Two rows a peer: with its defaults, and with the best that was found."""
    rows = []
    for name, tries in found.items():
        groups = _by_settings(tries)
        for how, settings in ((DEFAULTS, {}), (SEARCHED, ranked(tries)[0])):
            runs = groups[json.dumps(settings)]
            s99, s95, success = _worth(runs)
            steps = statistics.median([NEVER if r.steps99 is None else r.steps99 for r in runs])
            row = [f"{name}, {how}", told(settings) if settings else "-"]
            row += ["never" if s == NEVER else f"{s:.1f}" for s in (s95, s99)]
            row += ["never" if steps == NEVER else f"{steps / 1000:,.0f} k", f"{-success:.1%}"]
            rows.append([*row, str(len(runs))])
    return rows


def _write(options: Options, found: dict[str, list[Tried]], finished: bool = False) -> None:
    record = {
        "env": ENV,
        "seconds": options.seconds,
        "fields": Tried._fields,
        "peers": {
            name: {"best": ranked(tries)[0], "space": PEERS[name].space,
                   "tried": [list(one) for one in tries]}
            for name, tries in found.items()
        },
    }  # fmt: skip
    page = f"""## The peers' settings

Learners of Stable-Baselines3 and sb3-contrib on `{ENV}`, {NUM_ENVS} envs in one array, one thread:
{options.trials} settings of each, its defaults and known ones among them, the others drawn by seed
{options.seed} from the space that the record holds. Each is trained for {options.seconds:g} s at
most, or until {LEVELS[-1]:.0%}; the best {options.finalists} are trained on
{len(MORE_SEEDS)} more seeds, and the best median of seconds to 99 %, then to 95 %, then of success
is what `bench learning` and `bench throughput` show beside the defaults.

{markdown_table(COLUMNS, rows_of(found))}"""
    write_result(options, "peers", record, page, finished=finished)


main = command("bench peers", Options, run, EXAMPLES)
