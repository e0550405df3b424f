"""Copies between host and device: the same numbers, in one piece of memory."""

import pytest
import torch
from torch import Tensor

from sidestep.agents.acting import transfer
from sidestep.agents.acting.transfer import download, upload

PARTS = [
    torch.arange(15.0).view(5, 3),
    torch.tensor([True, False, True]),
    torch.arange(7) - 3,
    torch.zeros(0, 2),
    torch.tensor(2.5, dtype=torch.float64),
    torch.ones(3, 2, dtype=torch.bool),
]


class Elsewhere:
    """The CPU under another name, so that copies are made."""

    type = "elsewhere"


def test_on_the_cpu_nothing_is_copied() -> None:
    assert all(a is b for a, b in zip(upload(PARTS, "cpu"), PARTS, strict=True))
    assert all(a is b for a, b in zip(download(PARTS), PARTS, strict=True))


def test_parts_are_packed_and_cut() -> None:
    """Every type and shape comes back, each at a multiple of 16 bytes."""
    places, size = transfer._places(PARTS)
    assert places == [0, 64, 80, 144, 144, 160] and size == 176
    memory = torch.empty(size, dtype=torch.uint8)
    for part, room in zip(PARTS, transfer._cut(memory, PARTS, places), strict=True):
        room.copy_(part)
    for part, found in zip(PARTS, transfer._cut(memory, PARTS, places), strict=True):
        assert found.dtype == part.dtype and torch.equal(found, part)


def test_one_copy_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """To another device go as many bytes as the parts have, at once."""
    sent: list[Tensor] = upload(PARTS, "meta")
    assert [(s.shape, s.dtype) for s in sent] == [(p.shape, p.dtype) for p in PARTS]
    assert len({s._base is None for s in sent}) == 1 and all(s.is_meta for s in sent)
    strided = torch.arange(12.0).view(3, 4).t()
    (there,) = upload([strided], "meta")
    assert there.shape == (4, 3) and there.is_contiguous()
