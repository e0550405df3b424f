"""How weights start, and how they are kept as hooks want them."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Init = Literal["orthogonal", "torch"]
INITS = ("orthogonal", "torch")


def draw(
    weight: Tensor, generator: torch.Generator | None, fill: Callable[[Tensor], object]
) -> None:
    """Fill a parameter where random numbers can be drawn for it.

    That is on the generator's device (the weights of a seed are the same on every device), and in
    float32 for dtypes of 16 bits. A meta tensor has no numbers and stays as it is.

    Args:
        weight: filled in place.
        generator: the source of randomness; None takes the global one of the weight's device.
        fill: fills a tensor like `weight` in place.
    """
    if weight.is_meta:
        return
    device = weight.device if generator is None else generator.device
    dtype = torch.float32 if weight.itemsize < 4 else weight.dtype
    with torch.no_grad():
        if (device, dtype) == (weight.device, weight.dtype):
            fill(weight)
        else:
            drawn = torch.empty(weight.shape, device=device, dtype=dtype)
            fill(drawn)
            weight.copy_(drawn)


def initialise(
    name: str,
    weight: Tensor,
    gates: int,
    init: Init,
    forget_gate: int | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Fill one parameter of a recurrent layer in place.

    "torch" draws everything from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn does. "orthogonal" takes,
    gate by gate, an orthogonal matrix from state to gate and Glorot's uniform from input to gate;
    biases are zero, but the forget gate's add up to 1, so that the cell remembers at first.

    Args:
        name: torch.nn's name of the parameter; `weight_hh`, `bias_ih` and so on are recognised.
        weight: (gates * H, ...) parameter.
        gates: blocks of H rows in it.
        init: "orthogonal" or "torch".
        forget_gate: the block of the LSTM's forget gate, None for other cells.
        generator: the source of randomness; None takes torch's global one.

    Source: Saxe et al. (2014), arXiv 1312.6120 (orthogonal); Glorot & Bengio (2010), eq. 16;
    Jozefowicz et al. (2015), section 2.2 (forget bias 1).
    """

    def fill(weight: Tensor) -> None:
        _fill(name, weight, gates, init, forget_gate, generator)

    draw(weight, generator, fill)


def _fill(
    name: str,
    weight: Tensor,
    gates: int,
    init: Init,
    forget_gate: int | None,
    generator: torch.Generator | None,
) -> None:
    """Do what `initialise` says."""
    if name.startswith("norm"):
        weight.fill_(1)
    elif init == "torch":
        bound = 1 / math.sqrt(weight.shape[0] // gates)
        weight.uniform_(-bound, bound, generator=generator)
    elif name.startswith("bias"):
        weight.zero_()
        if forget_gate is not None and name.startswith("bias_ih"):
            weight.view(gates, -1)[forget_gate] = 1
    else:
        for block in weight.chunk(gates):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(block, generator=generator)
            else:
                nn.init.xavier_uniform_(block, generator=generator)


def remember_for(
    layer: nn.Module,
    gates: int,
    span_gates: Iterable[tuple[int, int]],
    span: int,
    generator: torch.Generator | None = None,
) -> None:
    """Set gates so that units keep what they hold for 1 to `span` steps at first, each its own.

    The bias of what keeps is log u, that of what lets in -log u, u drawn from U(1, span).

    Args:
        layer: with torch.nn's names; biases of every layer and direction are set.
        gates: blocks of H entries in a bias.
        span_gates: number of the block and sign of each gate; () for a layer that has none.
        span: in steps, at least 2.
        generator: the source of randomness; None takes torch's global one.

    Source: Tallec & Ollivier (2018), arXiv 1804.11188, section 3.
    """
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            blocks = bias.detach().view(gates, -1)
            u = torch.empty(blocks.shape[1]).uniform_(1, span, generator=generator)
            for number, sign in span_gates:
                blocks[number] = sign * u.log()


def reinitialise(module: nn.Module, names: Iterable[str], *options: Any) -> None:
    """Draw parameters of a recurrent layer anew, those that are made by a parametrisation too.

    Args:
        module: the layer.
        names: of its parameters; what is None there is left out.
        options: of `initialise` from `gates` on.

    Raises:
        RuntimeError: one of them is a plain tensor, or made by a hook.
    """
    for name in names:
        weight = module._parameters.get(name)
        if weight is not None:
            initialise(name, weight, *options)
        elif is_parametrized(module, name):
            drawn = torch.empty_like(getattr(module, name))
            initialise(name, drawn, *options)
            setattr(module, name, drawn)  # by the parametrisation's inverse
        elif getattr(module, name) is not None:
            raise RuntimeError(f"expected {name} to be a parameter to draw, got a plain tensor")


_HOOKS = (BasePruningMethod, WeightNorm, SpectralNorm)


def refresh(module: nn.Module) -> None:
    """Let pruning and torch's older norms of weights act, whose hooks run before `forward` only.

    Every other method that reads weights calls this first: they would be those of the last
    `forward`.
    """
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, _HOOKS):
            hook(module, ())


def embedding_layer(
    symbols: int, size: int, generator: torch.Generator | None = None
) -> nn.Embedding:
    """Normal with deviation 0.1; symbol 0, which is padding, is zero and stays so."""
    if symbols < 2:
        raise ValueError(f"expected at least 2 symbols, got {symbols}")
    weight = torch.empty(symbols, size)

    def fill(weight: Tensor) -> None:
        weight.normal_(generator=generator).mul_(0.1)[0] = 0

    draw(weight, generator, fill)
    return nn.Embedding(symbols, size, padding_idx=0, _weight=weight)


def linear_layer(inputs: int, outputs: int, generator: torch.Generator | None = None) -> nn.Linear:
    """Xavier-uniform weights and zero biases."""
    layer = nn.Linear(inputs, outputs, device="meta")
    layer = layer.to_empty(device=torch.get_default_device())
    draw(layer.weight, generator, lambda w: nn.init.xavier_uniform_(w, generator=generator))
    draw(layer.bias, None, Tensor.zero_)
    return layer
