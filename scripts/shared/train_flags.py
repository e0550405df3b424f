"""The flags of `sidestep train LEARNER`: over a file's settings, over a preset."""

import argparse
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, Literal, cast

import tyro
from gymnasium.vector import VectorEnv

from sidestep.agents import EnvConfig, NetworkConfig, TrainingConfig, make_vector
from sidestep.agents.algorithms.registry import LEARNERS, PLAIN, preset, presumed_lanes
from sidestep.agents.environments import Vectorization, for_training
from sidestep.scripts.shared.console import USER_ERRORS, parse
from sidestep.scripts.shared.settings_file import config_flag, read_settings, words_of
from sidestep.sequence.fitting.records import shown

Env = VectorEnv[Any, Any, Any]

EXAMPLES = """\
  sidestep train deep-sarsa
  sidestep train deep-sarsa --memory gru --seed 1 --out runs/gru
  sidestep train reinforce --watch
  sidestep train reinforce --env CartPole-v1
  sidestep train deep-sarsa --config runs/gru/config.json --seed 2
  sidestep train deep-sarsa --seeds 10 --jobs 4 --out runs/ten
  sidestep train resume runs/gru --total-steps 3000000"""


@dataclass(frozen=True)
class Options:
    """Flags that every learner has."""

    env: str = "sidestep/MovingObstacles-v0"
    """A Gymnasium id with discrete actions; module:id imports the module first."""
    env_kwargs: tuple[str, ...] = ()
    """Keywords of the env, as name=value. Unless they name a pool, Crossing-v0 has 8,000 levels."""
    preset: Literal["default", "textbook", "thorough"] = "default"
    """Whose settings hold where no flag says otherwise: default, what solves most tasks soonest;
    textbook, the rules as textbooks have them; thorough, a long run that comes nearest to the
    optimum. The env's traits and the memory decide the rest."""
    config: Path | None = None
    """Settings from a file, beneath the other flags and above the preset: a run's config.json, or
    TOML with flags by their names, as learning_rate = 1e-3."""
    max_episode_steps: int | None = None
    """Time limit in ticks; if left out the env's own, or 10,000 where it has none."""
    vectorization: Vectorization = "auto"
    """How its lanes are stepped; auto: native where the env has it, else sync."""
    out: Path | None = None
    """The run's folder, which must be new; runs/LEARNER-ENV-TIME if left out."""
    episodes: int | None = None
    """Fresh greedy episodes of the table at the end; 10,000, or 100 for foreign envs."""
    gif_episodes: int = 6
    """Greedy episodes of greedy.gif; 0: none."""
    watch: bool = False
    """See the latest policy play in a window of its own; training goes on at its pace."""
    modules: tuple[str, ...] = ()
    """Modules to import first: what they register can be named by the other flags."""
    seeds: str | None = None
    """Make a run for each of several seeds, in OUT/seed-0 and so on: a count as 10, a list as
    0,3,7, a range as 20-29, both ends included. The same command again makes what is missing."""
    jobs: int | None = None
    """How many of them are made at the same time; as many as there are processors if left out."""
    training: tyro.conf.OmitArgPrefixes[TrainingConfig] = field(default_factory=TrainingConfig)

    def env_config(self) -> EnvConfig:
        """The env's part of the flags."""
        limit = self.max_episode_steps
        return for_training(EnvConfig(self.env, self.env_kwargs, limit, self.vectorization))


def options_of(learner: str) -> Any:
    """The dataclass of a learner's flags: those that every learner has, and its configuration's."""
    row = LEARNERS[learner]
    config, flags_of = row.config, cast(Any, tyro.conf.OmitArgPrefixes)
    return make_dataclass(
        f"{config.__name__}Options",
        [("agent", flags_of[config], field(default_factory=config))],
        bases=(Options,),
        namespace={"__doc__": row.words or f"Train {learner}."},
        frozen=True,
    )


def parse_options(
    learner: str, args: list[str], stack: ExitStack, more: tuple[type[Any], str, str] | None = None
) -> tuple[Any, Env]:
    """The flags, over the preset of learner, env and memory; and the env, which presets look at.

    Settings of the file that `--config` names are like flags before those that are typed.

    Args:
        learner: its name.
        args: the words after it.
        stack: closes the env in the end.
        more: of another command that has all these flags: its dataclass over `options_of(learner)`,
            its word, and its examples.

    Raises:
        OSError, ValueError: as of `read_settings` and `words_of`; and wrong flags.
    """
    kind, word, examples = more or (options_of(learner), "train", EXAMPLES)
    configured = words_of_file(learner, args)
    typed, args = args, [*configured, *args]
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--env", default=Options.env)
    first.add_argument("--env-kwargs", nargs="*", default=())
    first.add_argument("--max-episode-steps", default="")
    first.add_argument("--vectorization", default=Options.vectorization)
    first.add_argument("--memory", default=NetworkConfig.memory)
    first.add_argument("--num-envs", default="")
    first.add_argument("--preset", default=Options.preset)
    known, _ = first.parse_known_args(args)
    env: Env | None = None
    refused = None
    try:
        limit = int(known.max_episode_steps) if known.max_episode_steps.isdigit() else None
        config = EnvConfig(known.env, tuple(known.env_kwargs), limit, known.vectorization)
        config = for_training(config)
        lanes = presumed_lanes(learner, config, known.memory, known.preset)
        lanes = int(known.num_envs) if known.num_envs.isdigit() else lanes
        env = stack.enter_context(closing(make_vector(config, lanes)))
        agent, training = preset(learner, env, known.memory, known.preset)
    except USER_ERRORS as error:  # the parser below says so by the flag's name, if it is one's
        refused = error
        agent, training = preset(learner, PLAIN)
    default = kind(env=known.env, agent=agent, training=training)
    try:
        options = parse(kind, f"{word} {learner}", args, examples, default=default)
    except ValueError as error:
        raise ValueError(f"{_file_of(error, configured, typed)}{error}") from None
    if env is None or refused is not None:
        raise refused or RuntimeError("no env was made")
    if (options.env_config(), options.training.num_envs) != (config, env.num_envs):
        env = make_vector(options.env_config(), options.training.num_envs)
        stack.enter_context(closing(env))
    return options, env


def words_of_file(learner: str, args: list[str]) -> list[str]:
    """The settings of the file that `--config` names, as flags; none without it.

    Args:
        learner: its name.
        args: the words after it.

    Raises:
        OSError, ValueError: as of `read_settings` and `words_of`; or settings of another learner.
    """
    file = config_flag(args)
    if file is None:
        return []
    settings = read_settings(file)
    of = settings.pop("learner", learner)
    if of != learner:
        raise ValueError(f"{file}: expected settings of {learner}, got those of {shown(of)}")
    others = {name: options_of(name) for name in LEARNERS if name != learner}
    return words_of(settings, options_of(learner), str(file), others)


def _file_of(error: ValueError, configured: list[str], typed: list[str]) -> str:
    """The file's name and a colon, where it holds the setting that an error begins with."""
    name, colon, _ = str(error).partition(":")
    flag = f"--{name.removeprefix('--').replace('_', '-')}"
    told = any(word.partition("=")[0].replace("_", "-") == flag for word in typed)
    return f"{config_flag(typed)}: " if colon and flag in configured and not told else ""
