"""The workers of a run, as the loop sees them: how many, which one this is, and a sum over all.

Knows no cluster: who starts the workers has set up torch.distributed before.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import distributed

T = TypeVar("T")


class World(Protocol):
    """All workers of a run."""

    @property
    def rank(self) -> int:
        """This worker's number, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its sum over all workers."""
        ...


class Alone:
    """One worker."""

    rank = 0
    size = 1

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Leave the tensors as they are."""


class Group:
    """The workers of torch.distributed's default group."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sum all tensors in one message."""
        flat = torch.cat([t.detach().reshape(-1).float() for t in tensors])
        distributed.all_reduce(flat)
        parts = torch.split(flat, [t.numel() for t in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def share_out(items: Sequence[T], sizes: Sequence[int], world: World) -> list[T]:
    """Return this worker's part: large items first, each to whom has least so far."""
    loads = [0] * world.size
    own: list[T] = []
    for number in sorted(range(len(items)), key=lambda i: (-sizes[i], i)):
        worker = loads.index(min(loads))
        loads[worker] += sizes[number]
        if worker == world.rank:
            own.append(items[number])
    return own
