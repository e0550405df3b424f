"""Weights that are no plain parameters, weights of 16 bits or on meta, and conversion."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from sidestep.sequence import GRU, LSTM, RNN, Attention, make_memory
from sidestep.sequence.layers.recurrent import Recurrent

from ..kinds import DTYPE, KINDS, TORCH, gap, leaves, make, random_state

T, B, D, H = 5, 2, 3, 7
kinds = pytest.mark.parametrize("kind", list(KINDS))
torch_kinds = pytest.mark.parametrize("kind", list(TORCH))
old_norms = pytest.mark.filterwarnings("ignore:`torch.nn.utils:FutureWarning")


def _plain(layer: nn.Module, name: str) -> None:
    value = layer.get_parameter(name).detach().clone()
    delattr(layer, name)
    setattr(layer, name, value)


WAYS: dict[str, Callable[[Any, str], object]] = {
    "weight norm": lambda layer, name: parametrizations.weight_norm(layer, name),
    "spectral norm": lambda layer, name: parametrizations.spectral_norm(layer, name),
    "orthogonal": lambda layer, name: parametrizations.orthogonal(layer, name),
    "older weight norm": lambda layer, name: nn.utils.weight_norm(layer, name),
    "older spectral norm": lambda layer, name: nn.utils.spectral_norm(layer, name),
    "pruned": lambda layer, name: prune.l1_unstructured(layer, name, 0.5),
    "plain": _plain,
}


def plain_twin(layer: Recurrent, kind: str, names: list[str], **options: Any) -> Recurrent:
    """A layer whose parameters are the weights that `layer` has now."""
    twin = make(kind, D, H, **options)
    twin.load_state_dict({name: getattr(layer, name) for name in names})
    return twin


def check_equal(layer: Recurrent, twin: Recurrent) -> None:
    """Forward with and without resets, trace, and step after step give the same."""
    x, reset, start = torch.randn(T, B, D, dtype=DTYPE), torch.rand(T, B) < 0.3, None
    y, end = twin(x, start, reset)
    assert gap(layer(x, start, reset), (y, end)) < 1e-12 and gap(layer(x), twin(x)) < 1e-12
    trace = layer.trace(x, start, reset)
    assert gap((trace.y, trace.state), (y, end)) < 1e-12
    state, outputs = layer.initial_state(B), []
    for t in range(T):
        output, state = layer.step(x[t], state, reset[t])
        outputs.append(output)
    assert gap((torch.stack(outputs), state), (y, end)) < 1e-12


@kinds
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bias": False}, {"layer_norm": True}])
@old_norms
def test_weights_that_are_no_parameters(kind: str, way: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = make(kind, D, H, **options)
    names = [name for name, _ in layer.named_parameters()]
    for name in ("weight_hh_l0", "weight_ih_l0"):
        WAYS[way](layer, name)
    layer.eval()  # or spectral norms move with every look
    assert names != [name for name, _ in layer.named_parameters()]
    layer(torch.randn(T, B, D, dtype=DTYPE))  # what hooks make exists from here on
    check_equal(layer, plain_twin(layer, kind, names, **options))
    y, _ = layer(torch.randn(T, B, D, dtype=DTYPE))
    y.pow(2).sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@kinds
@pytest.mark.parametrize("way", ["older weight norm", "pruned"])
@old_norms
def test_step_and_trace_see_an_update(kind: str, way: str) -> None:
    """Weights that a hook makes before `forward` are those of the last one otherwise."""
    torch.manual_seed(1)
    layer = make(kind, D, H)
    WAYS[way](layer, "weight_hh_l0")
    x, start = torch.randn(1, B, D, dtype=DTYPE), random_state(layer, B)
    layer(x)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    stepped, trace = layer.step(x[0], start), layer.trace(x, start)
    y, end = layer(x, start)
    assert gap(stepped, (y[0], end)) < 1e-12 and gap((trace.y, trace.state), (y, end)) < 1e-12


@kinds
@pytest.mark.parametrize("gone", [["ih"], ["hh"], ["ih", "hh"]])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"layer_norm": True}])
def test_a_bias_that_was_taken_away_is_zero(
    kind: str, gone: list[str], options: dict[str, Any]
) -> None:
    """The other one of the two stays."""
    torch.manual_seed(2)
    layer, twin = make(kind, D, H, **options), make(kind, D, H, **options)
    for side in gone:
        setattr(layer, f"bias_{side}_l0", None)
        twin.get_parameter(f"bias_{side}_l0").data.zero_()
    check_equal(layer, twin)
    x, reset = torch.randn(T, B, D, dtype=DTYPE), torch.rand(T, B) < 0.3
    for one in (layer, twin):
        one(x, None, reset)[0].pow(2).sum().backward()
    for name, parameter in layer.named_parameters():
        assert gap(parameter.grad, twin.get_parameter(name).grad) < 1e-12


@kinds
@pytest.mark.parametrize("gone", ["ih", "hh"])
def test_recurrences_with_one_bias(kind: str, gone: str) -> None:
    torch.manual_seed(2)
    layer, x = make(kind, D, H), torch.randn(T, B, D, dtype=DTYPE)
    start = tuple(leaf.squeeze(0) for leaf in leaves(random_state(layer, B)))
    weights = layer.weights("l0", None)
    zeros = torch.zeros_like(weights.w_hh[:, 0])
    without = layer.run_direction(x, start, weights._replace(**{f"b_{gone}": None}), None)
    with_zeros = layer.run_direction(x, start, weights._replace(**{f"b_{gone}": zeros}), None)
    assert gap(without, with_zeros) < 1e-12


@kinds
@pytest.mark.parametrize("bias", [True, False])
def test_the_replica_of_data_parallel(kind: str, bias: bool) -> None:
    """Its weights are plain attributes that carry the gradient to the original's parameters."""
    torch.manual_seed(2)
    layer = make(kind, D, H, 2, bias=bias)
    replica: Any = layer._replicate_for_data_parallel()
    for name, parameter in layer._parameters.items():  # as torch.nn.parallel.replicate does
        if parameter is None:
            replica._parameters[name] = None
        else:
            setattr(replica, name, parameter * 1)
    check_equal(replica, layer)
    replica(torch.randn(T, B, D, dtype=DTYPE))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@kinds
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(kind: str, way: Callable[[Any], Any]) -> None:
    layer = make(kind, D, H, 2)
    check_equal(way(layer), layer)


@kinds
def test_the_parametrised_are_drawn_anew(kind: str) -> None:
    layer = make(kind, D, H, init="orthogonal")
    parametrizations.weight_norm(layer, "weight_hh_l0")
    layer.reset_parameters(torch.Generator().manual_seed(5))
    fresh = make(kind, D, H, init="orthogonal")
    fresh.reset_parameters(torch.Generator().manual_seed(5))
    assert gap(layer.weight_hh_l0, fresh.weight_hh_l0) < 1e-12
    _plain(layer, "weight_ih_l0")
    with pytest.raises(RuntimeError, match="expected weight_ih_l0 to be a parameter"):
        layer.reset_parameters()


@pytest.mark.parametrize("way", [way for way in WAYS if way != "plain"])
@old_norms
def test_attention_with_weights_that_are_no_parameters(way: str) -> None:
    torch.manual_seed(3)
    layer = Attention(D, D, "additive", dtype=DTYPE)
    twin, window = copy.deepcopy(layer), make_memory("attention", input_size=D, hidden_size=H)
    names = [name for name, _ in layer.named_parameters()]
    for name in names:
        WAYS[way](layer, name)
    layer.eval()
    layer.project(torch.randn(T, B, D, dtype=DTYPE))
    for name in names:
        twin.get_parameter(name).data = getattr(layer, name).detach()
    memory, query = torch.randn(T, B, D, dtype=DTYPE), torch.randn(B, D, dtype=DTYPE)
    ours, theirs = layer(query, layer.project(memory)), twin(query, twin.project(memory))
    assert gap(ours.context, theirs.context) < 1e-12
    WAYS[way](window, "embed_weight")
    window.eval()
    x = torch.randn(T, B, D)
    y, end = window(x)
    state, outputs = window.initial_state(B), []
    for t in range(T):
        output, state = window.step(x[t], state)
        outputs.append(output)
    assert gap((torch.stack(outputs), state), (y, end)) < 1e-6


MADE: dict[str, Callable[..., nn.Module]] = {
    **{kind: lambda make=make, **options: make(D, H, **options) for kind, make in KINDS.items()},
    "stacked": lambda **options: LSTM(D, H, 2, bidirectional=True, **options),
    "normalised": lambda **options: GRU(D, H, layer_norm=True, **options),
    "as torch draws": lambda **options: GRU(D, H, init="torch", **options),
    "window": lambda **options: make_memory("attention", input_size=D, hidden_size=H, **options),
    "attention": lambda **options: Attention(D, H, "additive", window="predictive", **options),
}
made = pytest.mark.parametrize("name", list(MADE))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@made
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_made_in_16_bits(name: str, dtype: torch.dtype) -> None:
    """The draws of float32, rounded; and the layer computes and learns."""
    layer, single = (MADE[name](dtype=d, generator=seeded()) for d in (dtype, torch.float32))
    for ours, theirs in zip(layer.parameters(), single.parameters(), strict=True):
        assert ours.dtype == dtype and torch.equal(ours, theirs.to(dtype))
    assert all(parameter.any() for parameter in layer.parameters() if parameter.ndim > 1)
    if isinstance(layer, Attention):
        return
    torch.manual_seed(5)
    single.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, D)
    y, _ = layer(x.to(dtype))
    assert y.dtype == dtype and gap(y.float(), single(x)[0]) < 0.03
    y.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == dtype for p in layer.parameters())


@made
def test_made_on_meta(name: str) -> None:
    layer: Any = MADE[name](device="meta", generator=seeded())
    with torch.device("meta"):
        inside = MADE[name]()
    assert all(p.is_meta for p in [*layer.parameters(), *inside.parameters()])
    if not isinstance(layer, Attention):
        y, end = layer(torch.empty(T, B, D, device="meta"))
        reset = torch.empty(T, B, device="meta", dtype=torch.bool)
        lengths = torch.empty(B, device="meta", dtype=torch.int64)
        again, _ = layer(torch.empty(T, B, D, device="meta"), end, reset, lengths)
        assert y.is_meta and y.shape == again.shape == (T, B, layer.output_size)
    layer.to_empty(device="cpu")
    layer.reset_parameters(seeded())
    for ours, theirs in zip(
        layer.parameters(), MADE[name](generator=seeded()).parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


@made
def test_other_dtypes_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"expected a floating dtype, got torch\.int64"):
        MADE[name](dtype=torch.int64)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_made_without_a_start(kind: Any) -> None:
    """torch's own way by meta and `to_empty`, which reads the signature."""
    layer = nn.utils.skip_init(kind, D, H, 2, dtype=DTYPE)
    assert all(p.device.type == "cpu" and p.dtype == DTYPE for p in layer.parameters())


@torch_kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_conversion_keeps_all_but_the_names(kind: str, dtype: torch.dtype, training: bool) -> None:
    """Values, dtype, device, mode, and which parameters are frozen; nothing is shared or drawn."""
    options = {"nonlinearity": "relu"} if kind == "relu" else {}
    twin = getattr(nn, TORCH[kind])(D, H, 2, bidirectional=True, dtype=dtype, **options)
    twin.train(training)
    frozen = {"weight_hh_l0", "bias_ih_l1_reverse"}
    for name, parameter in twin.named_parameters():
        parameter.requires_grad_(name not in frozen)
    drawn = torch.get_rng_state()
    layer = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[TORCH[kind]].from_torch(twin)
    back = layer.to_torch()
    assert torch.equal(drawn, torch.get_rng_state())
    for copied in (layer, back):
        assert copied.training == training
        for name, parameter in copied.named_parameters():
            theirs = twin.get_parameter(name)
            assert torch.equal(parameter, theirs) and parameter.dtype == dtype
            assert parameter.requires_grad == (name not in frozen)
            assert parameter.data_ptr() != theirs.data_ptr()
    meta = layer.to("meta")
    assert all(p.is_meta for p in type(layer).from_torch(meta.to_torch()).parameters())


@pytest.mark.parametrize("way", [way for way in WAYS if way != "plain"])
@old_norms
def test_conversion_takes_the_values_of_weights_that_are_no_parameters(way: str) -> None:
    torch.manual_seed(6)
    twin = nn.LSTM(D, H, dtype=DTYPE)
    WAYS[way](twin, "weight_hh_l0")
    twin.eval()
    layer = LSTM.from_torch(twin)
    x = torch.randn(T, B, D, dtype=DTYPE)
    assert gap(layer(x), twin(x)) < 1e-12
    assert layer.get_parameter("weight_hh_l0").requires_grad


def test_another_layer_is_not_converted() -> None:
    with pytest.raises(TypeError, match=r"expected a torch\.nn\S*\.LSTM, got torch\.nn\S*\.GRU"):
        LSTM.from_torch(nn.GRU(D, H))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got torch\.nn\S*\.GRUCell"):
        GRU.from_torch(nn.GRUCell(D, H))  # type: ignore[arg-type]
