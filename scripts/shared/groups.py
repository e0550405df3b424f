"""Which runs belong together: equal but for their seed, and trained to the same end."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from sidestep.agents import RunConfig
from sidestep.agents.environments import MOST_TICKS, spec_of

Evaluated = tuple[Path, RunConfig, dict[str, Any]]
"""A run's folder, its configuration, and the summary of its evaluation."""


class Group(NamedTuple):
    """Runs that are samples of one and the same thing: equal but for their seed."""

    name: str
    """What they are, and what makes them another group's; of a run alone its folder too."""
    members: list[Evaluated]


def groups_of(runs: list[Evaluated]) -> list[Group]:
    """Put runs together whose whole configuration is the same but for the seed.

    Runs that were not trained as long as their configuration says, or whose optimum differs, are
    others. Runs of equal seeds repeat one another: they stay alone.
    """
    found: dict[str, list[Evaluated]] = {}
    for run in runs:
        found.setdefault(json.dumps(_settings(run), sort_keys=True), []).append(run)
    names = _names([members[0] for members in found.values()])
    groups = []
    for name, members in zip(names, found.values(), strict=True):
        seeds = [config.training.seed for _, config, _ in members]
        if len(set(seeds)) == len(seeds):
            groups.append(Group(name, members))
        else:
            groups += [Group(f"{name}, {run[0]}", [run]) for run in members]
    return groups


def notes_on(runs: list[Evaluated]) -> list[str]:
    """A line on each pair of settings or seeds that keeps runs apart which look like one group."""
    lines, kinds = [], [kind_of(config) for _, config, _ in runs]
    for kind in dict.fromkeys(kinds):
        alike = [run for run, name in zip(runs, kinds, strict=True) if name == kind]
        settings = [_settings(run) for run in alike]
        for name in _differing(settings):
            values: dict[str, list[str]] = {}
            for (folder, _, _), setting in zip(alike, settings, strict=True):
                values.setdefault(_shown(name, setting[name]), []).append(str(folder))
            told = "; ".join(f"{value} in {', '.join(where)}" for value, where in values.items())
            lines.append(f"Not pooled: {kind}: {told}")
        seeds: dict[tuple[str, int], list[str]] = {}
        for (folder, config, _), setting in zip(alike, settings, strict=True):
            key = json.dumps(setting, sort_keys=True), config.training.seed
            seeds.setdefault(key, []).append(str(folder))
        for (_, seed), where in seeds.items():
            if len(where) > 1:
                told = f"{', '.join(where)} have one seed, {seed}, and one configuration"
                lines.append(f"Not pooled: {told}: they are not independent")
    return lines


def kind_of(config: RunConfig) -> str:
    """What a run is, in words: learner, memory and env."""
    network = config.agent.network
    name = f"{config.learner}, {network.memory}" if network.remembers else config.learner
    return f"{name}, {config.env.id.split('/')[-1]}"


def _settings(run: Evaluated) -> dict[str, Any]:
    """All that decides what a run is a sample of, by name."""
    _, config, summary = run
    settings = flat_settings(config)
    steps = summary.get("steps") if summary.get("checkpoint", "last") == "last" else None
    settings["steps"] = None if steps is None or _is_as_long(config, steps) else steps
    settings["optimum"] = summary.get("optimum")
    return settings


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Every setting of a run but its seed, by name: `agent.learning_rate`."""
    settings = _flat(json.loads(config.to_json()))
    del settings["training.seed"]
    settings.pop("modules", None)  # what they are called
    keywords = sorted(config.env.keywords().items())  # in any order, and 0.5 however written
    settings["env.kwargs"] = [f"{name}={value}" for name, value in keywords]
    return settings


def settings_that_differ(runs: list[Evaluated]) -> dict[str, list[Any]]:
    """The settings in which runs differ, learner and env left out: for each a value a run.

    Args:
        runs: that may be of several learners; a setting that a learner does not have is None.
    """
    settings = [flat_settings(config) for _, config, _ in runs]
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for own in settings for name in own):
        known = [own[name] for own in settings if name in own]
        if name not in ("learner", "env.id") and any(value != known[0] for value in known):
            found[name] = [own.get(name) for own in settings]
    return found


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            settings |= _flat(value, f"{prefix}{name}.")
        else:
            settings[prefix + name] = value
    return settings


def _is_as_long(config: RunConfig, steps: int) -> bool:
    """Whether training ended where the configuration says, or in the update that passed it."""
    training, agent = config.training, config.agent
    if training.stop_at_success and steps <= training.total_steps:
        return True
    ticks = agent.rollout_steps
    if getattr(agent, "batch", "rollout") == "episodes":
        told = config.env.max_episode_steps, spec_of(config.env).max_episode_steps
        ticks = next((limit for limit in told if limit), MOST_TICKS)
    return 0 <= steps - training.total_steps < training.num_envs * ticks


def _names(runs: list[Evaluated]) -> list[str]:
    """What each run is; where two are of one kind, with the settings in which they differ."""
    kinds, settings = [kind_of(config) for _, config, _ in runs], [_settings(run) for run in runs]
    names = []
    for kind, own in zip(kinds, settings, strict=True):
        alike = [other for name, other in zip(kinds, settings, strict=True) if name == kind]
        names.append(", ".join([kind, *(_shown(name, own[name]) for name in _differing(alike))]))
    return names


def _differing(settings: list[dict[str, Any]]) -> list[str]:
    """The names whose values are not the same in all."""
    return [name for name in settings[0] if any(s.get(name) != settings[0][name] for s in settings)]


def _shown(name: str, value: Any) -> str:
    """A setting in few words: `total_steps 30,000`."""
    if name == "env.kwargs":
        return " ".join(value) or "no env kwargs"
    if name == "steps" and value is None:
        return "trained to its end"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"
    return f"{name.split('.')[-1]} {text}"
