"""The weights of a layer as cuDNN wants them, so that it neither warns nor copies in every call."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.sequence.chunks import Chunk


def cudnn_chunk(
    held: Mapping[str, nn.Parameter | None],
    names: Sequence[str],
    mode: str | None,
    sizes: tuple[int, ...],
) -> Chunk | None:
    """Where cuDNN looks for the weights of all layers and directions.

    Args:
        held: a module's parameters, by name.
        names: of those that cuDNN reads, in torch.nn's order.
        mode: torch's word for the cell: RNN_TANH, RNN_RELU, LSTM or GRU; None: cuDNN has no such.
        sizes: of input and state, how many layers, and directions.

    Returns:
        None where cuDNN does not run: off a GPU, or one of them is no plain parameter, is missing,
        is of another dtype, or stands for two.
    """
    if mode is None:
        return None
    weights: list[nn.Parameter] = []
    for name in names:
        weight = held.get(name)
        if weight is None or type(weight) is not nn.Parameter or not _runs_on(weight):
            return None
        weights.append(weight)
    if len({(weight.device, weight.dtype) for weight in weights}) > 1:
        return None
    if len({weight.data_ptr() for weight in weights}) < len(weights):
        return None
    copies = [torch.empty_like(weight) for weight in weights]  # to learn the order from
    memory = _flatten(copies, 4 if any("bias" in name for name in names) else 2, mode, sizes)
    begin, width = memory.data_ptr(), memory.element_size()
    places = tuple((copy.data_ptr() - begin) // width for copy in copies)
    return Chunk(tuple(weights), places, memory.numel())


def _runs_on(weight: Tensor) -> bool:
    """Whether cuDNN takes it."""
    acceptable: Any = torch.backends.cudnn.is_acceptable
    return weight.is_cuda and bool(acceptable(weight))


def _flatten(weights: list[Tensor], each: int, mode: str, sizes: tuple[int, ...]) -> Tensor:
    """Move `weights` into one piece of memory as torch.nn's layers do, and return that.

    `each`: weights of a layer and direction. Source: torch.nn.RNNBase.flatten_parameters.
    """
    from torch.backends.cudnn import rnn

    inputs, hidden, layers, directions = sizes
    number_of: Any = rnn.get_cudnn_mode
    with torch.no_grad(), torch.cuda.device(weights[0].device):
        memory: Tensor = torch._cudnn_rnn_flatten_weight(
            weights,
            each,
            inputs,
            number_of(mode),
            hidden,
            0,
            layers,
            False,
            directions == 2,
        )
    return memory
