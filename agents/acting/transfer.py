"""Between the host, where worlds and choices are, and the device of the network: in one copy.

A copy costs about as much as a small network's whole tick, however little it carries, and an
ordinary one waits for all that the device still has to do. So what goes together is packed into
one piece of pinned memory, and the device is waited for only where the host needs its answer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

ROOM = 16
"""Bytes at whose multiples each part begins, whatever its type."""


def upload(parts: Sequence[Tensor], device: torch.device | str) -> list[Tensor]:
    """Bring tensors of the host to `device`, in one copy that nobody waits for.

    They share one piece of memory there. For the CPU they come back as they are.
    """
    device = torch.device(device)
    if device.type == "cpu":
        return list(parts)
    places, size = _places(parts)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    for part, room in zip(parts, _cut(host, parts, places), strict=True):
        room.copy_(part)
    return _cut(host.to(device, non_blocking=True), parts, places)


def download(parts: Sequence[Tensor]) -> list[Tensor]:
    """Bring tensors of one device to the host in one copy, and wait for it.

    Those of the CPU come back as they are.
    """
    if all(part.is_cpu for part in parts):
        return list(parts)
    device = parts[0].device
    places, size = _places(parts)
    there = torch.empty(size, dtype=torch.uint8, device=device)
    for part, room in zip(parts, _cut(there, parts, places), strict=True):
        room.copy_(part)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    host.copy_(there, non_blocking=True)
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    return _cut(host, parts, places)


def _places(parts: Sequence[Tensor]) -> tuple[list[int], int]:
    """Where each part begins, in bytes, and the size of all."""
    places, size = [], 0
    for part in parts:
        places.append(size)
        size += -(-part.nbytes // ROOM) * ROOM
    return places, size


def _cut(memory: Tensor, parts: Sequence[Tensor], places: list[int]) -> list[Tensor]:
    """The views of `memory` (bytes,) that hold the parts."""
    return [
        memory[place : place + part.nbytes].view(part.dtype).view(part.shape)
        for part, place in zip(parts, places, strict=True)
    ]
