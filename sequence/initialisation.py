"""How the weights of a recurrent layer start."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

Init = Literal["orthogonal", "torch"]
INITS = ("orthogonal", "torch")


@torch.no_grad()
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


def embedding_layer(
    symbols: int, size: int, generator: torch.Generator | None = None
) -> nn.Embedding:
    """Normal with deviation 0.1; symbol 0, which is padding, is zero and stays so."""
    if symbols < 2:
        raise ValueError(f"expected at least 2 symbols, got {symbols}")
    weight = 0.1 * torch.randn(symbols, size, generator=generator)
    weight[0] = 0
    return nn.Embedding(symbols, size, padding_idx=0, _weight=weight)


def linear_layer(inputs: int, outputs: int, generator: torch.Generator | None = None) -> nn.Linear:
    """Xavier-uniform weights and zero biases."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        layer.bias.zero_()
    return layer
