"""Weights in one piece of memory: proved on the CPU with cuDNN's order, which is imitated here."""

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sidestep.agents import EnvConfig
from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.agents.environments import make_vector
from sidestep.agents.networks import NetworkConfig
from sidestep.sequence import GRU, LSTM, RNN
from sidestep.sequence.chunks import ALIGNED, chunk_of
from sidestep.sequence.fitting.optimise import (
    Adam,
    DeviceDescent,
    descend,
    flatten_parameters,
    load_adam,
    stored_adam,
)
from sidestep.sequence.layers import cudnn


def imitation(weights: list[Tensor], each: int, mode: str, sizes: tuple[int, ...]) -> Tensor:
    """cuDNN's order: the matrices of all layers, then all biases (zeros where there are none)."""
    assert mode in ("RNN_TANH", "RNN_RELU", "LSTM", "GRU") and each in (2, 4)
    layers = [weights[k : k + each] for k in range(0, len(weights), each)]
    assert len(layers) == sizes[2] * sizes[3]
    order = [w for layer in layers for w in layer[:2]] + [w for layer in layers for w in layer[2:]]
    biases = sum(2 * layer[0].shape[0] for layer in layers)
    size = sum(w.numel() for w in order) + (biases if each == 2 else 0)
    memory, begin = torch.zeros(size, dtype=weights[0].dtype), 0
    for weight in order:
        part = memory[begin : begin + weight.numel()].view_as(weight)
        weight.set_(part.untyped_storage(), begin, weight.shape)
        begin += weight.numel()
    return memory


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Layers believe that cuDNN runs them."""
    monkeypatch.setattr(cudnn, "_runs_on", lambda weight: True)
    monkeypatch.setattr(cudnn, "_flatten", imitation)
    yield


MAKERS: dict[str, Callable[[], Any]] = {
    "rnn": lambda: RNN(3, 5, nonlinearity="relu"),
    "lstm": lambda: LSTM(3, 5, 2, bidirectional=True),
    "gru": lambda: GRU(3, 5, 2),
    "gru, no biases": lambda: GRU(3, 5, 2, bias=False),
}


def is_found(layer: Any) -> bool:
    """torch's own check: the weights lie in cuDNN's order from the storage's beginning on."""
    names = [name for found in layer._names.values() for name in found[: 4 if layer.bias else 2]]
    weights = [getattr(layer, name).detach() for name in names]
    copies = [torch.empty_like(weight) for weight in weights]
    sizes = (3, 5, layer.num_layers, layer.directions)
    memory = imitation(copies, 4 if layer.bias else 2, "GRU", sizes)
    begin, origin = memory.data_ptr(), weights[0].untyped_storage().data_ptr()
    there = [copy.data_ptr() - begin for copy in copies]
    return there == [weight.data_ptr() - origin for weight in weights]


def values(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("name", MAKERS)
def test_weights_stay_in_one_chunk(name: str) -> None:
    """From the beginning, and through all that torch.nn's layers go through."""
    layer = MAKERS[name]()
    x = torch.randn(7, 2, 3)
    before, expected = values(layer), layer(x)[0]
    assert is_found(layer)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.to("cpu")):
        assert is_found(other) and same(values(other), before)
        assert torch.equal(other(x)[0], expected)
    shallow = copy.copy(layer)
    assert shallow.weight_hh_l0.data_ptr() == layer.weight_hh_l0.data_ptr() and is_found(layer)
    assert is_found(copy.deepcopy(layer).double())
    fresh = MAKERS[name]()
    fresh.load_state_dict(layer.state_dict())
    assert is_found(fresh) and same(values(fresh), before)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("name", MAKERS)
def test_weights_are_trained_where_they_lie(name: str) -> None:
    """A step of an optimizer changes what the chunk holds."""
    layer = MAKERS[name]()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.randn(4, 2, 3))[0].sum().backward()
    before = values(layer)
    optimizer.step()
    chunk = chunk_of(layer)
    assert chunk is not None and chunk.fits() and not same(values(layer), before)


def test_layers_that_cudnn_does_not_run_are_left_alone(as_on_a_gpu: None) -> None:
    assert chunk_of(GRU(3, 5, reset_after=False)) is None
    assert chunk_of(LSTM(3, 5, layer_norm=True)) is None
    assert chunk_of(nn.Linear(3, 5)) is None
    pruned = GRU(3, 5)
    del pruned.weight_hh_l0
    pruned.weight_hh_l0 = torch.zeros(15, 5)
    assert chunk_of(pruned) is None
    tied = GRU(5, 5)
    tied.weight_ih_l0 = tied.weight_hh_l0
    assert chunk_of(tied) is None


def test_on_the_cpu_nothing_is_laid() -> None:
    """The chunk is cuDNN's; elsewhere parameters lie as torch made them, and in order in `flat`."""
    layer = LSTM(3, 5, 2)
    assert chunk_of(layer) is None
    flat = flatten_parameters(layer)
    assert flat.numel() == sum(p.numel() for p in layer.parameters())
    assert torch.equal(flat, torch.cat([p.flatten() for p in layer.parameters()]))


class Three(nn.Module):
    """Two layers that cuDNN runs between parameters that it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)
        self.first = LSTM(3, 5, 2)
        self.second = GRU(5, 7, bias=False)
        self.outer = nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outer(self.second(self.first(self.inner(x))[0])[0])
        return y


Moments = dict[str, Tensor]


def fitted(steps: int, seen: Moments | None = None) -> tuple[Any, Moments]:
    """A network after some steps of Adam from the same weights; and what Adam stores then."""
    torch.manual_seed(0)
    network = Three()
    data = torch.randn(6, 2, 4)
    flat = flatten_parameters(network)
    optimizer = Adam([flat], lr=0.01, fused=True)
    if seen is not None:
        load_adam(optimizer, flat, network, seen)
    for _ in range(steps):
        descend(network(data).square().mean(), flat, optimizer, 1.0, "")
    return network, stored_adam(optimizer, flat, network)


def test_agents_vector_and_cudnns_chunks_are_one(as_on_a_gpu: None) -> None:
    """Every chunk is where torch looks for it, inside the vector that Adam steps on."""
    network = Three()
    before = values(network)
    flat = flatten_parameters(network)
    assert same(values(network), before)
    for layer in (network.first, network.second):
        assert is_found(layer)
        assert (layer.weight_ih_l0.data_ptr() - flat.data_ptr()) % ALIGNED == 0
    with torch.no_grad():
        flat.add_(1.0)
    assert same(values(network), [value + 1 for value in before])
    assert flat.grad is not None
    network(torch.randn(3, 2, 4)).sum().backward()
    reached = sum(int((p.grad != 0).sum()) for p in network.parameters() if p.grad is not None)
    assert int((flat.grad != 0).sum()) == reached > 0


def test_training_and_its_checkpoint_are_the_same_in_every_layout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for rounding, and each layout goes on from what the other stored."""
    plain, stored = fitted(4)
    halfway = fitted(2)[1]
    monkeypatch.setattr(cudnn, "_runs_on", lambda weight: True)
    monkeypatch.setattr(cudnn, "_flatten", imitation)
    laid, kept = fitted(4)
    assert is_found(laid.first) and is_found(laid.second)
    pairs = zip(values(plain), values(laid), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)
    assert stored.keys() == kept.keys() == {"step", "exp_avg", "exp_avg_sq"}
    for name, value in stored.items():
        assert value.shape == kept[name].shape
        assert torch.allclose(value, kept[name], rtol=1e-4, atol=1e-7), name
    there = fitted(0, halfway)[1]
    assert all(torch.equal(halfway[name], there[name]) for name in halfway)


def test_a_copied_agent_has_its_chunk(as_on_a_gpu: None) -> None:
    """Deep copies of agents step on a vector of their own, laid out likewise."""
    row = LEARNERS["deep-sarsa"]
    config = row.config(network=NetworkConfig(memory="lstm"))
    env = make_vector(EnvConfig(), 2)
    agent = row.agent(env.single_observation_space, env.single_action_space, config, 0)
    env.close()
    for other in (copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        layer = other.network.memory
        chunk = chunk_of(layer)
        assert chunk is not None and chunk.fits()
        with torch.no_grad():
            other.flat.zero_()
        assert not layer.weight_hh_l0.any()
        assert agent.network.memory.weight_hh_l0.any()
    assert f"parameters={sum(p.numel() for p in agent.network.parameters()):,}," in repr(agent)


def made() -> tuple[nn.Parameter, Adam, nn.Module]:
    torch.manual_seed(1)
    network = nn.Linear(5, 3)
    flat = flatten_parameters(network)
    return flat, Adam([flat], lr=0.1, fused=True), network


def test_steps_that_are_not_waited_for_are_the_same_steps() -> None:
    """As `descend`: norms, losses and parameters, where the gradient is cut and where it is not."""
    ends = []
    for waits in (True, False):
        flat, optimizer, network = made()
        unread, told = DeviceDescent(flat, optimizer), []
        for limit in (0.01, 100.0, 1.0):
            loss = network(torch.arange(10.0).view(2, 5)).square().sum()
            if waits:
                told.append((descend(loss, flat, optimizer, limit, ""), loss.item()))
            else:
                norm = unread.descend(loss, limit)
                told.append(tuple(unread.read({"norm": norm, "loss": loss}, "").values()))
        ends.append((flat.detach().clone(), told))
    assert torch.allclose(ends[0][0], ends[1][0], atol=1e-7)
    assert torch.allclose(torch.tensor(ends[0][1]), torch.tensor(ends[1][1]))
    assert DeviceDescent.of(flat, optimizer) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_all_later_steps(bad: float) -> None:
    """The parameters are those of the last good step; the error tells the first bad loss."""
    flat, optimizer, network = made()
    unread = DeviceDescent(flat, optimizer)
    data = torch.arange(10.0).view(2, 5)
    unread.descend(network(data).sum(), 1.0)
    good, step = flat.detach().clone(), optimizer.state[flat]["step"].clone()
    unread.descend(network(data).sum() * bad, 1.0)
    unread.descend(network(data).sum(), 1.0)
    with pytest.raises(FloatingPointError, match=f"got loss (-?{bad}|nan), norm nan after 7 steps"):
        unread.read({}, "after 7 steps")
    assert torch.equal(flat.detach(), good) and torch.equal(optimizer.state[flat]["step"], step)
    unread.descend(network(data).sum(), 1.0)
    assert unread.read({"one": 1.0}, "") == {"one": 1.0} and not torch.equal(flat.detach(), good)
