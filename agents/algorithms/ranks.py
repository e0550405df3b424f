"""One training over several processes: who has which lanes, and what passes between them.

The lanes of a run are parted into shards, each with an env of its own. A shard is played and
learned from by itself, and what it adds to an update is summed over the shards in their order. So a
run depends on how many shards there are, and not on how many processes share them out.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.distributed import distributed_c10d
from torch.distributed.rendezvous import rendezvous

from sidestep.agents.acting.normalization import RunningMoments

Thing = TypeVar("Thing")

PATIENCE = timedelta(hours=2)
"""How long a process waits for another one: one may play evaluations or write to a slow disk."""


class Lanes(NamedTuple):
    """The lanes of one shard, which are neighbours."""

    first: int
    size: int


class Ranks:
    """The processes of a training, as one of them sees them.

    Args:
        shards: of the run.
        num_envs: lanes over all shards.
        rank: number of this process.
        size: how many processes there are; from 2 on torch.distributed is started.

    Attributes:
        lanes: of each shard; as even as can be.
        own: numbers of this process's shards.

    Raises:
        ValueError: fewer shards than processes, or fewer lanes than shards.
    """

    def __init__(self, shards: int = 1, num_envs: int = 1, rank: int = 0, size: int = 1) -> None:
        """Share out lanes and shards, in order."""
        if shards < size:
            raise ValueError(
                f"shards: expected at least as many as processes, {size}, got {shards}"
            )
        if num_envs < shards:
            raise ValueError(
                f"num_envs: expected at least one lane for each of {shards} shards, got {num_envs}"
            )
        self.shards, self.rank, self.size = shards, rank, size
        self.lanes = shares(num_envs, shards)
        self._shares = [range(r * shards // size, (r + 1) * shards // size) for r in range(size)]
        self.own = self._shares[rank]

    def __repr__(self) -> str:
        """Name the numbers."""
        return f"Ranks(shards={self.shards}, rank={self.rank}, size={self.size})"

    @property
    def own_lanes(self) -> list[Lanes]:
        """The lanes of this process's shards."""
        return [self.lanes[shard] for shard in self.own]

    def gather(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """A tensor from each shard, in order, in every process.

        Args:
            rows: of this process's shards; of one shape and type over all.
        """
        if self.size == 1:
            return list(rows)
        most = max(map(len, self._shares))
        sent = torch.stack([*rows, *[torch.zeros_like(rows[0])] * (most - len(rows))])
        received = [torch.empty_like(sent) for _ in range(self.size)]
        torch.distributed.all_gather(received, sent)
        shares = zip(received, self._shares, strict=True)
        return [row for part, own in shares for row in part[: len(own)].unbind()]

    def summed(self, rows: Sequence[Tensor]) -> Tensor:
        """The sum over all shards, added up in their order; arguments as those of `gather`."""
        total, *others = self.gather(rows)
        for row in others:
            total = total + row
        return total

    def summed_over_ticks(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum over all shards of (T, ...) numbers a tick, whose T may differ.

        Returns:
            (T, ...) with the largest T; what a shard has no ticks for adds nothing.
        """
        if self.shards == 1:
            return parts[0]
        ticks = self.gather([torch.tensor(len(part)) for part in parts])
        longest = int(max(ticks))
        padded = []
        for part in parts:
            padded.append(part.new_zeros(longest, *part.shape[1:]))
            padded[-1][: len(part)] = part
        return self.summed(padded)

    def merged(self, moments: Sequence[RunningMoments]) -> RunningMoments:
        """The moments of all that the shards have counted, merged in their order."""
        total = RunningMoments(tuple(moments[0].mean.shape))
        for packed in self.gather([part.packed() for part in moments]):
            total.merge(RunningMoments.unpacked(packed, tuple(total.mean.shape)))
        return total

    def all_of(self, things: Sequence[Thing]) -> list[Thing]:
        """One thing from each shard, in order, in every process; what is sent is pickled."""
        if self.size == 1:
            return list(things)
        received: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(received, list(things))
        return [thing for share in received for thing in share]

    def to_first(self, things: Sequence[Thing]) -> list[Thing] | None:
        """One thing from each shard, in order, in the first process; None in the others."""
        if self.size == 1:
            return list(things)
        received: list[Any] | None = [None] * self.size if self.rank == 0 else None
        torch.distributed.gather_object(list(things), received)
        return None if received is None else [thing for share in received for thing in share]

    def decided(self, go_on: bool) -> bool:
        """What the first process has decided."""
        if self.size == 1:
            return go_on
        told = torch.tensor(int(go_on))
        torch.distributed.broadcast(told, 0)
        return bool(told)

    def from_first(self, thing: Callable[[], Thing]) -> Thing:
        """What `thing` gives in the first process, in every process."""
        if self.size == 1:
            return thing()
        sent = [thing() if self.rank == 0 else None]
        torch.distributed.broadcast_object_list(sent)
        return sent[0]  # type: ignore[return-value]


def shares(total: int, parts: int) -> list[Lanes]:
    """`total` lanes in so many parts, as even as can be; some are empty where there are few."""
    begins = [part * total // parts for part in range(parts + 1)]
    return [Lanes(a, b - a) for a, b in pairwise(begins)]


ALONE = Ranks()
"""One process, one shard."""


def same_for_all(thing: Callable[[], Thing]) -> Thing:
    """What `thing` gives in the first of torchrun's processes, in every one."""
    return join_ranks(None, launched()[1]).from_first(thing)


def launched() -> tuple[int, int]:
    """This process's number and how many there are, as torchrun says; (0, 1) without it."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def join_ranks(shards: int | None, num_envs: int) -> Ranks:
    """Meet the other processes that torchrun has started, if it has.

    Args:
        shards: of the run; None: as many as there are processes.
        num_envs: lanes over all shards.

    Raises:
        ValueError: fewer shards than processes, or fewer lanes than shards.
    """
    rank, size = launched()
    ranks = Ranks(size if shards is None else shards, num_envs, rank, size)
    if size > 1 and not torch.distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        # torchrun's store outlives a failed attempt: its processes' addresses are still in there
        store, _, _ = next(iter(rendezvous("env://", rank, size)))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        torch.distributed.init_process_group(
            backend,
            timeout=PATIENCE,
            store=distributed_c10d.PrefixStore(f"sidestep/{attempt}", store),
            rank=rank,
            world_size=size,
        )
    return ranks
