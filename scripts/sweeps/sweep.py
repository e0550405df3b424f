"""What a sweep is: its flags over those of training, its space, and what makes it this one."""

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, make_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sidestep.agents import RunConfig
from sidestep.agents.environments import name_of
from sidestep.agents.settings import whole
from sidestep.scripts.shared.console import USER_ERRORS
from sidestep.scripts.shared.modules import NAMED
from sidestep.scripts.shared.settings_file import settings_of
from sidestep.scripts.shared.train_flags import options_of, parse_options
from sidestep.sequence.limits import NATURAL, check_fields

from .space import Point, Space, read_space, words_of
from .trial import Plan

EXAMPLES = """\
  sidestep sweep deep-sarsa --space space.toml --trials 50 --jobs 2
  sidestep sweep reinforce --space space.toml --env CartPole-v1 --total-steps 100000 --seeds 4
  sidestep sweep deep-sarsa --space space.toml --storage /shared/s   # the same elsewhere joins"""


@dataclass(frozen=True)
class SweepFlags:
    """Flags of a sweep, beside those of training."""

    space: Path = Path("space.toml")
    """What is looked for: a TOML file with lines such as `learning_rate = {log = [3e-4, 1e-2]}`,
    `discount = {low = 0.9, high = 1.0}`, `rollout_steps = {int = [4, 64], log = true}`,
    `memory = {choices = ["none", "gru"]}`, or a plain value that holds in all trials."""
    storage: Path | None = None
    """The search's folder; runs/sweep-LEARNER-ENV if left out. The same command, here or on another
    machine that shares it, joins the search, or goes on with it."""
    trials: int = 100
    """Settings to try, counted over all processes that join."""
    seeds: int = 3
    """Seeds of a trial, from --seed on: its value is the mean over them, from 4 on the
    interquartile mean, of the regret where the optimum is known and else of the return."""
    jobs: int = 1
    """Processes that this command starts."""
    rungs: int = 5
    """Evaluations of a trial, evenly over its steps, where it may be pruned; the last is its value.
    --evaluate-every and --stop-at-success are for the winner's runs."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """Which trials end at a rung: those worse than the median of others, or by Hyperband."""
    sampler: Literal["tpe", "random"] = "tpe"
    """How settings are chosen: by those that were good, or blindly."""
    sampler_seed: int = 0
    """Of the sampler's random numbers; what it draws depends on the trial's number too."""
    fresh_seeds: int = 5
    """Seeds with which the winner is run again, none of them the search's: these are the result."""

    def __post_init__(self) -> None:
        """Check every number."""
        for name in ("trials", "seeds", "jobs", "rungs", "fresh_seeds"):
            whole(name, getattr(self, name))
        check_fields(self, {"sampler_seed": NATURAL})


class Sweep(NamedTuple):
    """A sweep, ready to be worked on."""

    learner: str
    args: list[str]
    """The words after the learner."""
    options: Any
    """Its flags."""
    space: Space
    folder: Path
    """Its storage."""

    def plan(self, optimum: float | None) -> Plan:
        """What all trials share."""
        training = self.options.training
        told = training.evaluation_seed
        return Plan(
            self.learner,
            tuple(training.seed + number for number in range(self.options.seeds)),
            self.options.rungs,
            training.seed if told is None else told,
            optimum,
        )

    def fresh_seeds(self) -> list[int]:
        """Seeds of the winner's runs, none of which the search has seen."""
        first = self.options.training.seed + self.options.seeds
        return [first + number for number in range(self.options.fresh_seeds)]

    def options_of(self, point: Point) -> Any:
        """The flags of training at a point of the space.

        Raises:
            ValueError, TypeError, OSError, gymnasium.error.Error: settings that do not go together.
        """
        return _parsed(self.learner, [*self.args, *words_of(point)])

    def run_of(self, point: Point) -> RunConfig:
        """The configuration of a run at a point of the space."""
        options = self.options_of(point)
        env, modules = options.env_config(), tuple(NAMED)
        return RunConfig(self.learner, env, options.agent, options.training, modules)

    def settings_of(self, point: Point) -> dict[str, Any]:
        """All settings of training at a point but the seed, by flags' names, the space's first."""
        told = settings_of(self.run_of(point))
        del told["seed"]
        return {"learner": self.learner, **{name: told[name] for name in point}, **told}

    def record(self) -> dict[str, Any]:
        """All that decides what a trial is, as JSON; where and how fast it is made does not."""
        options, plan = self.options, self.plan(None)
        varied = self.space.record()
        agent = {k: v for k, v in asdict(options.agent).items() if k not in varied}
        network = agent["network"]
        agent["network"] = {k: v for k, v in network.items() if k not in varied}
        training = {"total_steps": options.training.total_steps}
        training["evaluation_episodes"] = options.training.evaluation_episodes
        if "num_envs" not in varied:
            training["num_envs"] = options.training.num_envs
        how = {"pruner": options.pruner, "sampler": options.sampler, "rungs": plan.rungs}
        how |= {"sampler_seed": options.sampler_seed, "evaluation_seed": plan.evaluation_seed}
        env = asdict(options.env_config())
        told = {"learner": self.learner, "env": env, "preset": options.preset, "space": varied}
        told |= {"agent": agent, "training": training, "seeds": plan.seeds, **how}
        return json.loads(json.dumps(told))  # type: ignore[no-any-return]


def sweep_of(learner: str, args: list[str], check: bool = True) -> Sweep:
    """Read a sweep's flags and space.

    Args:
        learner: its name.
        args: the words after it.
        check: every end of the space, too.

    Raises:
        OSError, ValueError, TypeError, gymnasium.error.Error: flags or a space that are wrong.
    """
    options = _parsed(learner, args)
    if options.out is not None:
        raise ValueError(f"out: expected none, as all goes into --storage, got {options.out}")
    if options.watch:
        raise ValueError("watch: expected a single run, as of `sidestep train`, got a search")
    space = read_space(options.space, learner)
    for name in space.record():
        flag = name.replace("_", "-")
        if any(word.split("=")[0] in (f"--{flag}", f"--no-{flag}") for word in args):
            raise ValueError(f"{options.space}: expected {name} there or as a flag, got both")
    env = name_of(options.env).split("/")[-1]
    folder = options.storage or Path("runs") / f"sweep-{learner}-{env}"
    sweep = Sweep(learner, args, options, space, folder)
    for name, point in space.corners() if check else []:
        try:
            sweep.options_of(point)
        except USER_ERRORS as error:
            said = str(error)
            told = said.partition(":")[0].removeprefix("--").replace("-", "_")
            where = "" if told in point else f"{name}: "  # which end was tried
            raise ValueError(f"{options.space}: {where}{said}") from error
    return sweep


def _parsed(learner: str, args: list[str]) -> Any:
    """The flags; the env that is made to read them is closed."""
    kind = make_dataclass(
        "SweepOptions",
        [],
        bases=(SweepFlags, options_of(learner)),
        namespace={"__doc__": f"Search for settings of {learner}, which every flag of train sets."},
        frozen=True,
    )
    with ExitStack() as stack:
        options, _ = parse_options(learner, args, stack, (kind, "sweep", EXAMPLES))
    return options
