"""Agents on a device, which the meta device and the device's way of stepping stand in for here."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sidestep.agents import Trainer
from sidestep.agents.acting.batch import Rollout, map_inputs
from sidestep.agents.algorithms import reinforce
from sidestep.sequence.fitting.optimise import DeviceDescent
from sidestep.sequence.fitting.stored import under
from sidestep.sequence.layers.operator import Resets
from sidestep.sequence.state import map_state

from .test_training import CASES, SARSA, make_trainer

MEMORIES = ("none", "rnn", "lstm", "gru", "attention")


def moved(trainer: Trainer) -> Trainer:
    """The trainer with its agent's network, and the vector of it, on another device."""
    trainer.agent.network.to("meta")
    trainer.agent.flat = torch.nn.Parameter(trainer.agent.flat.to("meta"))
    trainer.agent.device = torch.device("meta")
    return trainer


def devices(state: Any) -> set[str]:
    """Of all tensors in a tuple of tuples."""
    if isinstance(state, Tensor):
        return {state.device.type}
    return set().union(*(devices(part) for part in state if part is not None))


@pytest.mark.parametrize(("learner", "_", "options"), [CASES[1], CASES[4], CASES[3]])
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter:UserWarning")
def test_a_restored_run_is_where_the_network_is(
    learner: str, _: str, options: dict[str, Any], memory: str
) -> None:
    before = make_trainer(learner, memory, options, total_steps=150)
    before.run()
    tensors = before.state_dict()
    after = moved(make_trainer(learner, memory, options, total_steps=300))
    agent, collector = after.agent, after.collector
    agent.load_state_dict(under(tensors, "agent."))
    collector.load_state_dict(under(tensors, "collector."))

    assert devices(collector.inputs) == {"meta"}
    assert devices(collector.state) <= {"meta"} and devices(collector.next_state) <= {"meta"}
    assert (memory == "none") == (collector.state == ())
    adam = agent.optimizer.state[agent.flat]
    assert set(adam) and devices(tuple(adam.values())) == {"meta"}
    if options.get("baseline") == "time":
        assert agent.time_mean.is_meta  # type: ignore[attr-defined]

    if agent.whole_episodes:
        return  # lanes that have ended are left out of the memory
    output, state = agent.network.step(collector.inputs, collector.next_state)
    assert devices((output, state)) == {"meta"}
    sequence = map_inputs(collector.inputs, lambda leaf: leaf.unsqueeze(0).expand(3, *leaf.shape))
    output, _end = agent.network(sequence, collector.state)
    assert output.is_meta and output.shape[:2] == (3, 4)


@pytest.mark.parametrize("memory", MEMORIES[1:])
def test_a_memory_on_the_cpu_is_refused_elsewhere(memory: str) -> None:
    """What the test above would not see otherwise: the meta device is as strict as another."""
    trainer = make_trainer("deep-sarsa", memory, {})
    state = trainer.agent.initial_state(4)
    inputs = map_inputs(trainer.collector.inputs, lambda leaf: leaf.to("meta"))
    with pytest.raises(ValueError, match="on meta as x, got cpu"):
        moved(trainer).agent.network.step(inputs, state)


class Waits(TorchDispatchMode):
    """Counts what makes the host wait for a device: numbers read, shapes that depend on them.

    And numbers that are brought to it, as `where` does, which alone cannot take them as they are.
    """

    names = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        places = [i for i in args[1] if i is not None] if name == "index" else []
        numbers = name == "where" and any(part.dim() == 0 for part in args[1:])
        if name in self.names or numbers or any(place.dtype == torch.bool for place in places):
            self.seen.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("memory", ["none", "lstm", "attention"])
@pytest.mark.parametrize("target", ["sarsa", "expected"])
def test_an_update_waits_only_at_its_end(
    monkeypatch: pytest.MonkeyPatch, memory: str, target: str
) -> None:
    """Deep SARSA on a device, played here on the CPU: one reading of all figures, at the end."""
    trainer = make_trainer("deep-sarsa", memory, {"target": target, "minibatches": 3})
    agent: Any = trainer.agent
    rollout = agent.collect(trainer.collector)
    agent._unread = DeviceDescent(agent.flat, agent.optimizer)
    monkeypatch.setattr(Resets, "__init__", no_reading)
    readings, read = [], agent._unread.read

    def counted(*words: Any) -> Any:
        readings.append(waits.seen.copy())
        return read(*words)

    monkeypatch.setattr(agent._unread, "read", counted)
    with Waits() as waits:
        metrics = agent.update(rollout)
    assert readings == [[]] and set(metrics) == {"loss", "gradient_norm", "value", "epsilon"}
    assert all(type(figure) is float for figure in metrics.values())


def no_reading(resets: Any, reset: Tensor | None, steps: int) -> None:
    """`Resets` as kernels of a GPU have them: they look at every row's flag themselves."""
    resets.rows = () if reset is None else reset.unsqueeze(-1).unbind(0)
    resets.any = [reset is not None] * steps


def test_what_counts_as_waiting() -> None:
    """The counter sees all that the test above is about."""
    x = torch.arange(4.0)
    with Waits() as waits:
        float(x.sum()), x[x > 1], x.nonzero(), bool(x.any()), x[torch.tensor([0, 1])]
        torch.where(x > 1, x, 0.0), torch.where(x > 1, x, -x)
    reading = "_local_scalar_dense"
    assert waits.seen == [reading, "index", "nonzero", reading, "where"]


@pytest.mark.parametrize(("learner", "_", "options"), CASES)
@pytest.mark.parametrize("memory", ["none", "gru"])
def test_a_device_learns_what_the_cpu_learns(
    learner: str, _: str, options: dict[str, Any], memory: str
) -> None:
    """Whole trainings by the device's way of stepping, on the CPU: the same, but for rounding."""
    ends = []
    for waits in (True, False):
        trainer = make_trainer(learner, memory, options, total_steps=300)
        agent = trainer.agent
        if not waits:
            agent._unread = DeviceDescent(agent.flat, agent.optimizer)
        trainer.run()
        ends.append(agent.flat.detach().clone())
    assert torch.allclose(*ends, atol=1e-5)


def test_a_device_refuses_a_loss_that_is_not_finite() -> None:
    """As the CPU does: the parameters are the last good ones."""
    trainer = make_trainer("deep-sarsa", "none", {"minibatches": 2})
    agent = trainer.agent
    agent._unread = DeviceDescent(agent.flat, agent.optimizer)
    rollout = agent.collect(trainer.collector)
    before = agent.flat.detach().clone()
    rollout.reward[0] = float("inf")
    with pytest.raises(FloatingPointError, match="expected a finite loss and gradient, got loss"):
        agent.update(rollout)
    assert torch.equal(agent.flat.detach(), before)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_an_update_mixes_no_devices_and_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, learner: str, memory: str
) -> None:
    """An update of rollouts, and a tick's network, on a device that has no numbers to read."""
    options = SARSA if learner == "deep-sarsa" else {"batch": "rollout", "baseline": "value"}
    here = make_trainer(learner, memory, options)
    rollout = here.agent.collect(here.collector)
    spaces = here.env.single_observation_space, here.env.single_action_space
    agent: Any = type(here.agent)(*spaces, here.agent.config, 0, "meta")  # type: ignore[call-arg]
    monkeypatch.setattr(agent.optimizer, "step", lambda: None)  # there is none on this device
    monkeypatch.setattr(agent, "read", lambda figures: dict.fromkeys(figures, 0.5))
    monkeypatch.setattr(reinforce, "explained_variance", lambda *tensors: 0.0)

    def there(x: Tensor) -> Tensor:
        return x.to("meta")

    columns = [there(part) for part in rollout[1:-1]]
    state = map_state(there, rollout.state)
    moved = Rollout._make([map_inputs(rollout.inputs, there), *columns, state])
    assert set(agent.update(moved)) >= {"loss", "gradient_norm"}
    tick = map_inputs(moved.inputs, lambda x: x[0])
    output, state = agent.network.step(tick, agent.initial_state(4))
    assert agent.values(output, None).is_meta and devices((output, state)) == {"meta"}
