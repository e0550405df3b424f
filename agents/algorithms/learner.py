"""What every learner is: a network, an optimizer, random numbers, and `act`."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from gymnasium import spaces
from torch import Tensor

from sidestep.agents.acting.batch import Inputs, Rollout
from sidestep.agents.acting.choosing import Actions, Mask, Scores
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.encoding import ObservationEncoder, check_picture
from sidestep.agents.acting.normalization import RunningMoments
from sidestep.agents.acting.transfer import download
from sidestep.agents.algorithms.dense.passes import Passes
from sidestep.agents.networks import Network
from sidestep.agents.settings import TrainingConfig
from sidestep.sequence import State
from sidestep.sequence.devices import Work
from sidestep.sequence.fitting.optimise import (
    Adam,
    DeviceDescent,
    adam_specs,
    descend,
    flatten_parameters,
    gradient_of,
    load_adam,
    step_along,
    stored_adam,
)
from sidestep.sequence.fitting.stored import Spec, check_module, check_tensors, under, within

from .parts import Part, gather_gradient
from .ranks import ALONE, Ranks
from .settings import LearnerConfig as LearnerConfig

if TYPE_CHECKING:
    from sidestep.agents.acting.collector import Collector

Metrics = dict[str, float]

LEARNING = ("optimizer.", "tick", "time_mean", "exploring", "first_ends")
"""How the names begin of what acting does not need."""


def discrete(space: spaces.Space[Any]) -> spaces.Discrete:
    """The action space, which is Discrete.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(space, spaces.Discrete):
        raise TypeError(f"action space: expected Discrete, got {space}")
    return space


def encoder_of(space: spaces.Space[Any], config: LearnerConfig) -> ObservationEncoder:
    """The encoder of a learner's observations.

    Raises:
        TypeError: a space that cannot be learned from, or that leaves open what is to be convolved.
    """
    network = config.network
    if network.channels:
        check_picture(space, network.channels_axis)
    normalize = config.normalize_observations
    return ObservationEncoder(space, normalize, network.channels_axis, network.codes)


class Agent(ABC):
    """A learner for one observation and action space.

    Args:
        observation_space: of one env.
        action_space: Discrete, of one env.
        config: the learner's configuration.
        seed: of the parameters and of the exploration; no global random state is left changed.
        device: where the network lives.

    Raises:
        TypeError: a space that cannot be learned from.
    """

    name: str

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: LearnerConfig,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Make network and optimizer."""
        self.observation_space, self.action_space = observation_space, discrete(action_space)
        self.config, self.seed, self.device = config, seed, torch.device(device)
        self.encoder = encoder_of(observation_space, config)
        self.reward_moments = RunningMoments(())
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: no device's is changed
            self.network = self.make_network().to(self.device)
        self.flat = flatten_parameters(self.network)
        self.passes = Passes(self.network, self.flat)
        self.optimizer = Adam([self.flat], lr=config.learning_rate, eps=1e-5, fused=True)
        self._unread = DeviceDescent.of(self.flat, self.optimizer)
        self.random = Draws(seed)
        self.ranks: Ranks = ALONE
        """The processes that train it together."""
        self.draws: tuple[Draws, ...] = (self.random,)
        """The random numbers of the shards that this process has."""
        self.learned: int | None = None
        """Env steps of the last update over all shards; None: its `update` does not tell."""
        self.steps = 0
        """Env ticks learned from; the clock of every schedule."""
        self.total_steps = TrainingConfig.total_steps
        """Env ticks of the whole training, to which every schedule belongs; see `schedule`."""

    def __repr__(self) -> str:
        """Name shapes, memory, size, and how far it is."""
        return (
            f"{type(self).__name__}(observation={self.encoder.shape}, actions={self.num_actions}, "
            f"memory={self.config.network.memory!r}, "
            f"parameters={sum(p.numel() for p in self.network.parameters()):,}, "
            f"steps={self.steps:,})"
        )

    @classmethod
    def check_architecture(
        cls,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: LearnerConfig,
        state: dict[str, Tensor],
    ) -> None:
        """Refuse another agent's tensors before memory is taken for this one.

        Args:
            observation_space: of one env.
            action_space: of one env.
            config: the learner's configuration.
            state: a stored `state_dict()`.

        Raises:
            ValueError: its network is another one.
            TypeError: a space that cannot be learned from.
        """
        weights, network = under(state, "network."), config.network
        layers = network.memory_layers if network.remembers else 0
        if max(layers, len(network.hidden_sizes), len(network.channels)) > len(weights) + 2:
            raise ValueError(f"checkpoint: expected {layers} layers of memory, got fewer tensors")
        bare = cls._bare(observation_space, action_space, config)
        check_module(bare.make_network, weights, "network.")

    @classmethod
    def work(
        cls,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: LearnerConfig,
        lanes: int,
    ) -> Work:
        """What a tick of so many lanes computes, by which `auto` chooses a device."""
        bare = cls._bare(observation_space, action_space, config)
        with torch.device("meta"):
            return Work(lanes * bare.make_network().products, "tick")

    @classmethod
    def _bare(
        cls,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: LearnerConfig,
    ) -> Self:
        """An agent that can make its network, and has none."""
        bare = cls.__new__(cls)
        bare.config, bare.observation_space = config, observation_space
        bare.action_space = discrete(action_space)
        bare.encoder = encoder_of(observation_space, config)
        return bare

    @property
    def unread(self) -> str | None:
        """What of the observations is not learned from, in a sentence; None: nothing."""
        parts = ", ".join(self.encoder.left_out)
        return f"Text in observations is left out: {parts}." if parts else None

    @property
    def learns_from_shards(self) -> bool:
        """Whether `update` takes the rollouts of further shards after the first."""
        kinds = [p.kind for p in inspect.signature(self.update).parameters.values()]
        return inspect.Parameter.VAR_POSITIONAL in kinds

    @property
    def whole_episodes(self) -> bool:
        """Whether `collect` plays whole episodes, each lane until its own is over."""
        return False

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the parameters views of one vector again: a deep copy or a pickle parts them."""
        self.__dict__.update(state)
        parted = self.flat
        if next(self.network.parameters()).data_ptr() == parted.data_ptr():
            return  # a shallow copy, which shares both
        self.flat = flatten_parameters(self.network)
        self.optimizer.param_groups[0]["params"] = [self.flat]
        if parted in self.optimizer.state:
            self.optimizer.state[self.flat] = self.optimizer.state.pop(parted)
        self.passes = Passes(self.network, self.flat)
        self._unread = DeviceDescent.of(self.flat, self.optimizer)

    @property
    def num_actions(self) -> int:
        """A."""
        return int(self.action_space.n)

    @property
    def reward_scale(self) -> float:
        """Factor on the rewards that it is shown and learns from."""
        return self.scale_by(self.reward_moments)

    def scale_by(self, moments: RunningMoments) -> float:
        """Factor on the rewards where `moments` are those of their discounted returns."""
        scale = self.config.reward_scale
        return scale / float(moments.deviation()) if self.config.normalize_rewards else scale

    @property
    def reward_limit(self) -> float | None:
        """Size to which scaled rewards are cut; None: they are not."""
        return self.config.reward_limit

    @abstractmethod
    def make_network(self) -> Network:
        """The network with this learner's head."""

    @abstractmethod
    def choose(self, output: Scores, mask: Mask | None, greedy: bool) -> Actions:
        """Actions (B,) from the network's output (B, outputs)."""

    @abstractmethod
    def values(self, output: Tensor, mask: Tensor | None) -> Tensor:
        """The learner's values (...) of the observations behind `output` (..., outputs)."""

    @abstractmethod
    def scores(self, output: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
        """What speaks for each action, (..., A), and whether these are probabilities.

        Args:
            output: (..., outputs) of the network.
            mask: (..., A) bool, the allowed actions; None: all. Others have a probability of 0, or
                a value of -inf.
        """

    @abstractmethod
    def value(self, output: Tensor, mask: Tensor | None) -> Tensor | None:
        """What the learner expects of the situation when it acts greedily, or by its policy, (...).

        In the scale that it learned from; None where nothing has learned it. Arguments as those of
        `scores`.
        """

    @abstractmethod
    def update(self, rollout: Rollout) -> Metrics:
        """Learn from a rollout; figures for the log."""

    def begin(self, collector: "Collector", seed: int) -> None:
        """Begin the first episodes of a training."""
        collector.begin(seed)

    def collect(self, collector: "Collector") -> Rollout:
        """What the next update learns from."""
        return collector.rollout(self.config.rollout_steps)

    def initial_state(self, batch: int) -> State:
        """The cleared state of `batch` lanes."""
        return self.network.initial_state(batch)

    @torch.no_grad()
    def act(self, inputs: Inputs, state: State, greedy: bool = False) -> tuple[Actions, State]:
        """Choose actions.

        Args:
            inputs: one tick (B, ...); where `reset` is True the state is cleared first.
            state: what `act` returned before, or `initial_state`.
            greedy: without exploration.

        Returns:
            (B,) int64 actions, and the next state.
        """
        output, state = self.passes.step(inputs, state)
        if not output.is_cpu:  # all that the choice may look at, in one copy
            known = {k: v for k, v in inputs._asdict().items() if v is not None and k != "obs"}
            output, *here = download([output, *known.values()])
            inputs = inputs._replace(**dict(zip(known, here, strict=True)))
        mask = None if inputs.mask is None else inputs.mask.numpy()
        return self.draw(output.numpy(), mask, greedy, inputs), state

    def draw(self, output: Scores, mask: Mask | None, greedy: bool, inputs: Inputs) -> Actions:
        """Choose actions (B,), by more than the network's output where a learner needs more.

        Args:
            output: (B, outputs) of the network.
            mask: (B, A) bool, the allowed actions; None: all.
            greedy: without exploration.
            inputs: (B, ...) that the network was given; all but `obs` on the CPU.
        """
        del inputs
        return self.choose(output, mask, greedy)

    @torch.no_grad()
    def peek(self, inputs: Inputs, state: State) -> Tensor:
        """The values (B,) of observations that end an episode; the state goes nowhere."""
        output, _ = self.passes.step(inputs, state)
        return self.values(output, inputs.mask)

    def descend(self, loss: Tensor) -> float:
        """One step down the gradient of `loss`; returns the gradient's norm before clipping.

        Raises:
            FloatingPointError: a loss or gradient that is not finite; the parameters are unchanged.
        """
        limit, place = self.config.max_gradient_norm, f"after {self.steps} steps"
        return descend(loss, self.flat, self.optimizer, limit, place)

    def step_down(self, parts: Iterable[Part]) -> Mapping[str, Tensor | float]:
        """One step down the gradient of the losses' sum over their counts' sum, over all shards.

        What the shards of other processes add comes from there. It does not wait for a device;
        `read` must follow.

        Args:
            parts: of this process's shards; each is let go of before the next is asked for.

        Returns:
            The loss, the `gradient_norm` before clipping, and the sums: `count` and the figures.

        Raises:
            FloatingPointError: as `descend` does, unless the network lives on a device.
        """
        if self.ranks.shards == 1:
            (part,) = parts
            loss = part.loss / part.divisor.clamp(min=1)
            sums = {"count": part.divisor, **part.figures}
            if part.gradient is None:
                gradient_of(loss, self.flat)
            else:
                part.gradient.div_(part.divisor.clamp(min=1))
            loss = loss.detach()
        else:
            loss, sums = gather_gradient(parts, self.flat, self.ranks)
        limit = self.config.max_gradient_norm
        norm: Tensor | float
        if self._unread is None:
            place = f"after {self.steps} steps"
            norm = step_along(loss, self.flat, self.optimizer, limit, place)
        else:
            norm = self._unread.step_along(loss, limit)
        return {"loss": loss, "gradient_norm": norm, **sums}

    def read(self, figures: Mapping[str, Tensor | float]) -> Metrics:
        """Bring an update's figures to the host, in one copy: the end of every update.

        Args:
            figures: numbers, or tensors () that nobody has waited for.

        Raises:
            FloatingPointError: as `descend` does; the parameters are those of the last good step.
        """
        if self._unread is None:
            return {k: v.item() if isinstance(v, Tensor) else v for k, v in figures.items()}
        return self._unread.read(figures, f"after {self.steps} steps")

    def schedule(self, total_steps: int) -> None:
        """State how long training is, and set the learning rate for the present `steps`.

        Args:
            total_steps: of the whole training, what lies behind included.
        """
        self.total_steps = total_steps
        last = self.config.final_learning_rate
        if last is not None:
            first, part = self.config.learning_rate, min(self.steps / total_steps, 1.0)
            for group in self.optimizer.param_groups:
                group["lr"] = first + (last - first) * part

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that learning changes, as plain tensors."""
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        adam = stored_adam(self.optimizer, self.flat, self.network)
        state |= {f"optimizer.{k}": v for k, v in adam.items()}
        state |= {f"obs_moments.{k}": v for k, v in self.encoder.moments.state_dict().items()}
        state |= {f"reward_moments.{k}": v for k, v in self.reward_moments.state_dict().items()}
        if len(self.encoder.largest):
            state["obs_largest"] = self.encoder.largest
        state["tick"] = torch.tensor(self.random.tick)
        state["steps"] = torch.tensor(self.steps)
        return state

    def check_state(self, state: dict[str, Tensor], learning: bool = True) -> None:
        """Refuse what `load_state_dict` could not take.

        Raises:
            ValueError: a tensor is missing, too many, of another shape or type, or says what no
                learning can lead to.
        """
        state = _of_today(state)
        own = self._stored(any(name.startswith("optimizer.") for name in state))
        if not learning:
            own = {k: v for k, v in own.items() if not k.startswith(LEARNING)}
            state = {k: v for k, v in state.items() if not k.startswith(LEARNING)}
        check_tensors(own, state)
        for name in ("obs_moments", "reward_moments"):
            for part, least in (("count", 0.0), ("mean", None), ("square", 0.0)):
                within(state[f"{name}.{part}"], f"{name}.{part}", least)
        if "obs_largest" in own:
            within(state["obs_largest"], "obs_largest", 0.0, 255.0)
        for name in ("steps", "tick", "optimizer.step"):
            if name in state:
                within(state[name], name, 0.0)

    def _stored(self, optimized: bool) -> dict[str, Tensor | Spec]:
        """What a stored state holds, by name; `optimized`: the optimizer has made a step."""
        own: dict[str, Tensor | Spec] = {
            k: v for k, v in Agent.state_dict(self).items() if not k.startswith("optimizer.")
        }
        if optimized:
            own |= {f"optimizer.{k}": spec for k, spec in adam_specs(self.network).items()}
        return own

    def load_state_dict(self, state: dict[str, Tensor], learning: bool = True) -> None:
        """Restore `state_dict()`; without `learning` only what acting needs.

        Raises:
            ValueError: `check_state` refuses it; nothing was changed.
        """
        self.check_state(state, learning)
        state = _of_today(state)
        self.network.load_state_dict(under(state, "network."))
        for name, moments in (("obs", self.encoder.moments), ("reward", self.reward_moments)):
            moments.load_state_dict(under(state, f"{name}_moments."))
        if "obs_largest" in state:
            self.encoder.largest = state["obs_largest"].clone()
        self.steps = int(state["steps"])
        if learning:
            self.random.tick = int(state["tick"])
            load_adam(self.optimizer, self.flat, self.network, under(state, "optimizer."))


def _of_today(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """An agent's state as it is written today: earlier ones hold a stream's state for the tick."""
    if "random" not in state or "tick" in state:
        return state
    kept = {name: tensor for name, tensor in state.items() if name != "random"}
    return {**kept, "tick": state["steps"]} if "steps" in state else kept
