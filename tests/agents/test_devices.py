"""What is restored goes to the device of the network, which the meta device stands in for here."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.agents import Trainer
from sidestep.agents.acting.batch import map_inputs
from sidestep.sequence.fitting.stored import under

from .test_training import CASES, make_trainer

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
