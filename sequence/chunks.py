"""Parameters in one piece of memory, in the order that a kernel demands.

A module that has such a kernel tells it by `memory_layout`; `sequence.fitting.optimise` and the
module itself lay its parameters so.
"""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.utils.dlpack import from_dlpack

ALIGNED = 512
"""Bytes at whose multiples a chunk begins inside a larger one, as allocations of their own do."""


class Chunk(NamedTuple):
    """Where parameters lie in their piece of memory."""

    parameters: tuple[nn.Parameter, ...]
    places: tuple[int, ...]
    """Where each begins, in elements."""
    size: int
    """Of all, in elements; there may be gaps, which are 0."""

    def fits(self) -> bool:
        """Whether the parameters lie so already, from the beginning of their storage on."""
        storage = self.parameters[0].untyped_storage()
        width = self.parameters[0].element_size()
        begin = storage.data_ptr()
        return storage.nbytes() >= self.size * width and all(
            parameter.data_ptr() == begin + place * width and parameter.is_contiguous()
            for parameter, place in zip(self.parameters, self.places, strict=True)
        )

    def lay(self, memory: Tensor) -> None:
        """Move the parameters into `memory` (size,), of which they become views.

        They get a storage that begins where `memory` does, whatever larger piece that is a view
        of: cuDNN's check looks for weights from the beginning of their storage on.
        """
        own: Tensor = from_dlpack(memory.detach())  # the same memory, in a storage of its own
        for parameter, place in zip(self.parameters, self.places, strict=True):
            part = own[place : place + parameter.numel()].view_as(parameter)
            part.copy_(parameter.detach())
            parameter.data = part


def chunk_of(module: nn.Module) -> Chunk | None:
    """How the module's own parameters should lie; None where that does not matter."""
    layout: Any = getattr(module, "memory_layout", None)
    chunk: Chunk | None = layout() if callable(layout) else None
    return chunk


def gather(module: nn.Module) -> None:
    """Lay the module's own parameters as its kernel wants them, unless they lie so already."""
    chunk = chunk_of(module)
    if chunk is not None and not chunk.fits():
        chunk.lay(chunk.parameters[0].detach().new_zeros(chunk.size))
