"""The learners as a library: `DeepSARSA("CartPole-v1").learn(100_000)`, `predict`, `save`, `load`.

Names are Stable-Baselines3's, so that code written for its models, its `evaluate_policy` above all,
runs on these unchanged. What differs: there is no `policy` argument, a `config` holds the settings;
callbacks are functions; and `learn` goes on with the schedules that it began.
"""

import warnings
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray
from torch import Tensor

from sidestep.sequence.fitting.checkpoint import load_checkpoint, save_checkpoint
from sidestep.sequence.fitting.records import build_config, check_entry, entries, shown
from sidestep.sequence.fitting.runs import Progress, Report

from .acting.asked import Hidden, is_single, starts
from .acting.batch import Inputs
from .acting.draws import Draws
from .acting.infos import read_mask
from .acting.policy import undisturbed
from .algorithms.learner import Agent, LearnerConfig
from .algorithms.registry import LEARNERS, presumed_lanes
from .algorithms.registry import preset as known_settings
from .environments import (
    EnvConfig,
    check_action_space,
    check_module_of,
    lanes_for,
    make_vector,
    making,
)
from .reports import reporting
from .runs import device_of, learner_config
from .settings import whole, with_settings
from .training import Trainer, unfinished

MOST_LANES = 2**16
"""Lanes that a save may ask for; an env that is given may have more."""
PREDICTIONS = 3
"""Who asks for random numbers: none of those that have seeds of their own in `training`."""


class Algorithm:
    """A learner with its env.

    Args:
        env: a Gymnasium id, an `EnvConfig`, or a vector env with any autoreset mode.
        config: settings; fields that it was not given are the preset's, not the class's defaults.
        preset: default, textbook or thorough; by the env's traits, see `preset`.
        num_envs: lanes, where `env` is not a vector env already; None: the preset's.
        total_timesteps: env ticks of the whole training, over which the learning rate and
            exploration fall, in however many calls of `learn`; None: those of the first call.
        seed: of parameters, exploration and worlds.
        device: auto (what is faster) or a torch device.
        verbose: 0 is silent; from 1 on `learn` prints a line now and then.
        settings: fields of the learner's configuration or of its network's by name, over those of
            `config`: `DeepSARSA("CartPole-v1", learning_rate=1e-3, memory="gru")`.

    Raises:
        TypeError, ValueError, gymnasium.error.Error: no such env, or one that cannot be learned.
    """

    learner: ClassVar[str]

    def __init__(
        self,
        env: str | EnvConfig | VectorEnv[Any, Any, Any],
        config: LearnerConfig | None = None,
        *,
        num_envs: int | None = None,
        total_timesteps: int | None = None,
        seed: int = 0,
        device: str = "auto",
        verbose: int = 0,
        preset: str = "default",
        **settings: Any,
    ) -> None:
        """Make the env and the agent."""
        row = LEARNERS[self.learner]
        if config is not None and not isinstance(config, row.config):
            raise TypeError(
                f"config: expected a {row.config.__name__}, got one of type {type(config).__name__}"
            )
        if total_timesteps is not None:
            total_timesteps = whole("total_timesteps", total_timesteps)
        self.env_config = EnvConfig(env) if isinstance(env, str) else env
        if not isinstance(self.env_config, EnvConfig | VectorEnv):
            raise TypeError(
                "env: expected an id, an EnvConfig or a gymnasium.vector.VectorEnv, got "
                f"{type(env).__name__}; put a single env into SyncVectorEnv([lambda: env])"
            )
        asked = with_settings(row.config() if config is None else config, settings)
        memory = asked.network.memory
        if isinstance(self.env_config, VectorEnv):
            self.env = self.env_config
            check_action_space(self.env.single_action_space)
        else:
            lanes = presumed_lanes(self.learner, self.env_config, memory, preset)
            lanes = lanes if num_envs is None else whole("num_envs", num_envs)
            self.env = make_vector(self.env_config, lanes)
        known, training = known_settings(self.learner, self.env, memory, preset)
        self.training = replace(training, num_envs=self.env.num_envs, seed=seed)
        spaces = self.env.single_observation_space, self.env.single_action_space
        laid = asked.over(known)
        there = device_of(device, lambda: row.agent.work(*spaces, laid, self.env.num_envs))
        self.agent: Agent = row.agent(*spaces, laid, seed, there)
        if self.agent.unread is not None:
            warnings.warn(self.agent.unread, stacklevel=2)
        self._drawn = Draws((seed, PREDICTIONS))
        self.verbose = verbose
        self.total_timesteps: int | None = None
        self.evaluations: list[dict[str, Any]] = []
        """The summaries of all evaluations of `learn`, each with the `steps` before it."""
        self._trainer: Trainer | None = None
        self._asked = 0  # by `learn`, since the schedules began
        if total_timesteps is not None:
            self._state_total(total_timesteps)

    def __repr__(self) -> str:
        """Name the env, the memory, and how far it is."""
        config = self.env_config
        env = config.id if isinstance(config, EnvConfig) else type(config).__name__
        memory, seed = self.agent.config.network.memory, self.training.seed
        return (
            f"{type(self).__name__}({env!r}, memory={memory!r}, num_envs={self.env.num_envs}, "
            f"seed={seed}, num_timesteps={self.num_timesteps})"
        )

    @property
    def num_timesteps(self) -> int:
        """Env ticks learned from."""
        return self.agent.steps

    def learn(
        self,
        total_timesteps: int,
        callback: Report | None = None,
        *,
        log_interval: int | None = 10,
        reset_num_timesteps: bool = False,
        progress_bar: bool = False,
        evaluate_every: int = 0,
        evaluation_episodes: int = 100,
        evaluation_env: VectorEnv[Any, Any, Any] | None = None,
        evaluation_seed: int | None = None,
    ) -> Self:
        """Train for `total_timesteps` further env ticks, or a few more: updates are whole.

        The learning rate and exploration fall over the total that was stated when this object was
        made, else over the ticks of the first call; after that they stay at their end.

        Args:
            total_timesteps: over all lanes.
            callback: called after every update with a `Progress`; returning False stops, and
                nothing else does.
            log_interval: updates between two lines, where `verbose` is 1 or more; None: no lines.
            reset_num_timesteps: count from 0 again, and begin the schedules anew over this call.
            progress_bar: draw one on the standard error.
            evaluate_every: env ticks between greedy evaluations, which `Progress.evaluation` then
                holds; 0: none.
            evaluation_episodes: of each.
            evaluation_env: where they are played; None: an env of the same kind, which is not there
                where this object was given a vector env.
            evaluation_seed: of their worlds; None: it follows from this object's seed.

        Returns:
            This object; its `evaluations` tell what was measured on the way.

        Raises:
            TypeError: a callback that is no function.
            ValueError: numbers below 1; no env to evaluate in; or most of the ticks come after the
                stated total, from where the learning rate is 0.
            FloatingPointError: a loss that is not finite; the parameters are the last good ones.
        """
        asked = whole("total_timesteps", total_timesteps)
        lines = 0 if log_interval is None else whole("log_interval", log_interval)
        if callback is not None and not callable(callback):
            raise TypeError(
                "callback: expected a function of a Progress, "
                f"got an object of {type(callback).__name__}"
            )
        check, owned = self._evaluation_env(evaluate_every, evaluation_episodes, evaluation_env)
        try:
            config = replace(
                self.training,
                total_steps=self._begin(asked, reset_num_timesteps),
                evaluate_every=evaluate_every,
                evaluation_episodes=evaluation_episodes,
                evaluation_seed=evaluation_seed,
            )
            if self._trainer is None:
                self._trainer = Trainer(self.agent, self.env, config)
            self._trainer.go_on(config, self.total_timesteps, check)
            begin = self.agent.steps
            bar = config.total_steps if progress_bar else 0
            if reset_num_timesteps:
                self.evaluations.clear()
            with reporting(callback, begin, lines if self.verbose else 0, bar) as report:

                def noting(progress: Progress) -> bool | None:
                    if progress.evaluation is not None:
                        self.evaluations.append({"steps": progress.steps, **progress.evaluation})
                    return report(progress)

                self._trainer.run(noting)
        finally:
            if owned and check is not None:
                check.close()
        return self

    def _begin(self, asked: int, anew: bool) -> int:
        """Count from 0 where `anew`, and state the total where none is stated.

        Returns:
            The steps at which to stop: updates end a little later than asked, but calls that ask
            for the stated total altogether end with it.
        """
        steps, total = 0 if anew else self.agent.steps, self.total_timesteps
        if anew or total is None:
            total = steps + asked
        altogether = asked + (0 if anew else self._asked)
        end = steps + asked if altogether > total else min(steps + asked, total)
        beyond = end - max(total, steps)
        if self.agent.config.final_learning_rate == 0 and 2 * beyond > asked:
            raise ValueError(
                f"total_timesteps: expected most of them before {total}, the stated total, from "
                f"where the learning rate is 0, got {asked} after {steps}; state the whole "
                "training's total_timesteps when the model is made, or begin the schedules anew "
                "with reset_num_timesteps=True"
            )
        late = unfinished(self.agent.config, total)
        if late is not None and total != self.total_timesteps:
            warnings.warn(late, stacklevel=3)
        if anew and self._trainer is None and self.agent.steps:  # on worlds that are new to it
            self._trainer = Trainer(self.agent, self.env, self.training)
        if self.verbose and steps >= total:
            print(f"Rate and exploration stay at their end: {total:,} steps were stated.")
        self.agent.steps, self._asked = steps, altogether
        self._state_total(total)
        return max(end, 1)

    def _state_total(self, total: int) -> None:
        self.total_timesteps = total
        self.agent.schedule(total)

    def _evaluation_env(
        self, every: int, episodes: int, env: VectorEnv[Any, Any, Any] | None
    ) -> tuple[VectorEnv[Any, Any, Any] | None, bool]:
        """Where to evaluate, if at all, and whether that is to be closed afterwards."""
        if every == 0:
            return None, False
        whole("evaluate_every", every), whole("evaluation_episodes", episodes)
        if env is not None:
            own = self.env.single_observation_space, self.env.single_action_space
            if (env.single_observation_space, env.single_action_space) != own:
                raise ValueError(
                    f"evaluation_env: expected one with the model's spaces, {own[0]} and {own[1]}, "
                    f"got {env.single_observation_space} and {env.single_action_space}"
                )
            return env, False
        if not isinstance(self.env_config, EnvConfig):
            raise ValueError(
                "evaluate_every: expected evaluation_env= beside it, as the model has a vector env "
                "of its own, got none"
            )
        lanes = lanes_for(episodes, self.env_config)
        return make_vector(self.env_config, lanes), True

    def predict(
        self,
        observation: Any,
        state: Hidden | None = None,
        episode_start: NDArray[np.bool_] | bool | None = None,
        deterministic: bool = False,
        action_masks: Any = None,
    ) -> tuple[NDArray[np.int64], Hidden]:
        """Actions for one observation or a batch of them.

        Args:
            observation: of the env's space, or a batch (B, ...) of such.
            state: what the last call returned; None at the beginning.
            episode_start: (B,) bool, or one for all, True where the memory is to be cleared; it is
                everywhere where `state` is None.
            deterministic: without exploration.
            action_masks: (B, A), or (A,) for one observation, True where an action is allowed;
                None: all are, as in rows that allow nothing. The name is sb3-contrib's.

        Returns:
            (B,) int64 actions (() for one observation), and the state for the next call.

        Raises:
            ValueError: the agent takes its last reward as an input, which this call cannot give;
                or arguments of other shapes, or observations that are not finite.
        """
        if self.agent.config.network.last_reward:
            raise ValueError("predict: expected an agent without last_reward, got one with it")
        space = self.agent.observation_space
        single = is_single(space, observation)
        if single:
            empty: Any = create_empty_array(space, 1)
            observation = concatenate(space, [observation], empty)
        self._drawn.tick += 1
        with undisturbed(self.agent, self._drawn):
            encoded = self.agent.encoder(observation, self.agent.device)
            lanes, device = len(encoded), self.agent.device
            start = starts(lanes, state, episode_start)
            if lanes == 1 and action_masks is not None and np.ndim(action_masks) == 1:
                action_masks = [action_masks]
            mask = read_mask({"action_mask": action_masks}, lanes, self.agent.num_actions)
            if state is None:
                state = (self.agent.initial_state(lanes), np.zeros(lanes, dtype=np.int64))
            inputs = Inputs(
                encoded,
                torch.from_numpy(start).to(device),
                torch.from_numpy(state[1]).to(device),
                torch.zeros(lanes, device=device),
                None if mask is None else torch.from_numpy(mask).to(device),
            )
            actions, memory = self.agent.act(inputs, state[0], deterministic)
        return (actions[0] if single else actions), (memory, actions.copy())

    def save(self, path: str | Path) -> None:
        """Write the agent to `path`.json and a safetensors file beside it, atomically."""
        path = Path(path)
        env = asdict(self.env_config) if isinstance(self.env_config, EnvConfig) else None
        facts: dict[str, Any] = {
            "learner": self.learner,
            "env": env,
            "agent": asdict(self.agent.config),
            "seed": self.training.seed,
            "num_envs": self.env.num_envs,
            "total_timesteps": self.total_timesteps,
        }
        name = path.name.removesuffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path.parent, name, self.agent.state_dict(), facts)

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: str | EnvConfig | VectorEnv[Any, Any, Any] | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> Self:
        """Read what `save` wrote; learning can go on, on new worlds.

        Args:
            path: as given to `save`.
            env: needed where the saved agent was trained in a vector env without an id, or in one
                of a `module:id` that is not imported: a file imports no modules.
            device: auto (what is faster) or a torch device.
            verbose: as for a new one.

        Raises:
            FileNotFoundError, ValueError: missing, damaged, another learner's, or no env.
        """
        path = Path(path)
        path = path if path.suffix == ".json" else path.with_name(f"{path.name}.json")
        tensors, facts = load_checkpoint(path)
        if facts.get("learner") != cls.learner:
            raise ValueError(f"{path}: expected {cls.learner}, got {facts.get('learner')!s:.60}")
        kinds = {"env": dict | None, "agent": dict, "seed": int, "num_envs": int}
        entries(facts, str(path), **kinds)
        if not (0 <= facts["seed"] < 2**63 and 1 <= facts["num_envs"] <= MOST_LANES):
            raise ValueError(
                f"{path}: expected a seed from 0 on and 1 to {MOST_LANES} lanes, "
                f"got {shown(facts['seed'])} and {shown(facts['num_envs'])}"
            )
        total = facts.get("total_timesteps")
        check_entry(total, int | None, f"{path}: total_timesteps")
        if total is not None and not 0 <= total < 2**63:
            raise ValueError(f"{path}: expected total_timesteps from 0 on, got {shown(total)}")
        config = learner_config(cls.learner, facts["agent"], str(path))
        if isinstance(env, VectorEnv):
            return cls._restored(env, env, config, tensors, facts, device, verbose)
        if env is not None:
            made = EnvConfig(env) if isinstance(env, str) else env
            one = make_vector(made, 1)
        elif facts["env"] is None:
            raise ValueError(f"{path}: expected env=, it was trained in an env without an id")
        else:
            made = build_config(EnvConfig, facts["env"], str(path))
            check_module_of(made, str(path))
            with making(f"{path}: env {made.id}"):
                one = make_vector(made, 1)
        with closing(one):
            return cls._restored(made, one, config, tensors, facts, device, verbose)

    @classmethod
    def _restored(
        cls,
        env: EnvConfig | VectorEnv[Any, Any, Any],
        one: VectorEnv[Any, Any, Any],
        config: LearnerConfig,
        tensors: dict[str, Tensor],
        facts: dict[str, Any],
        device: str,
        verbose: int,
    ) -> Self:
        """The object of a save whose entries are checked; its tensors are checked here.

        Against `one`, an env of the same kind: before there are as many lanes as the save says.
        """
        actions = one.single_action_space
        check_action_space(actions)
        learner = LEARNERS[cls.learner].agent
        learner.check_architecture(one.single_observation_space, actions, config, tensors)
        lanes, seed = facts["num_envs"], facts["seed"]
        config = replace(config)  # all its fields are given: none is a preset's
        algorithm = cls(env, config, num_envs=lanes, seed=seed, device=device, verbose=verbose)
        try:
            algorithm.agent.load_state_dict(tensors)
        except ValueError:
            if algorithm.env is not env:
                algorithm.env.close()
            raise
        total = facts.get("total_timesteps")
        if total is not None:
            algorithm._state_total(total)
        algorithm._asked = algorithm.num_timesteps
        return algorithm


class DeepSARSA(Algorithm):
    """Deep SARSA as a library; see `Algorithm` and `DeepSarsaConfig`."""

    learner = "deep-sarsa"


class REINFORCE(Algorithm):
    """REINFORCE as a library; see `Algorithm` and `ReinforceConfig`."""

    learner = "reinforce"
