"""Which tokens of a run look at which, laid out for the machine that computes it.

A CPU takes stretch by stretch, so that it computes little that a mask throws away. An accelerator
waits for many small products longer than it computes: there stretches of like length are padded
and go through one product together. Knows no prompt and no model.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from wraner.attention import rounded_up

_STEP = 16  # padded lengths come in multiples of this


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens ``first`` to ``end`` of a run.

    They see tokens ``seen`` of the run and, of their own, those from ``floors`` (one a token,
    counted within the stretch) up to themselves.
    """

    first: int
    end: int
    seen: tuple[int, int]
    floors: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Masked:
    """A stretch by itself, behind the one before it.

    *Shape:* mask (tokens, tokens seen + tokens), added to the products.
    """

    tokens: int
    seen: tuple[int, int]
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class Bucket:
    """Stretches padded to one length: the run's tokens that ask, and those that they look at.

    *Shape:* rows (stretches, asking), columns (stretches, seen), mask (stretches, 1, asking, seen),
    added to the products. What pads a row may ask, and is asked for by nobody.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class Padded:
    """All stretches of a run in buckets; `places` says where each token of the run stands in them.

    *Shape:* places (tokens), into the buckets' rows one behind the other.
    """

    buckets: tuple[Bucket, ...]
    places: torch.Tensor


Layout = tuple[Masked, ...] | Padded


def laid_out(stretches: Sequence[Stretch], dtype: torch.dtype, device: torch.device) -> Layout:
    """Lay stretches out as suits a device; what is only counted, as on a CPU (see `memory`)."""
    if device.type in ("cpu", "meta"):
        return tuple(Masked(s.tokens, s.seen, _mask(s, dtype)) for s in stretches)
    return padded(stretches, dtype, device)


def padded(stretches: Sequence[Stretch], dtype: torch.dtype, device: torch.device) -> Padded:
    """Put stretches into buckets, each with lengths that differ by less than a factor of two."""
    alike: defaultdict[int, list[Stretch]] = defaultdict(list)
    for stretch in stretches:
        alike[(stretch.tokens - 1).bit_length()].append(stretch)
    tokens = max(s.end for s in stretches)
    places = np.zeros(tokens, dtype=np.int64)
    buckets = []
    start = 0
    for members in alike.values():
        bucket = _bucket(members, tokens, dtype, device)
        for number, s in enumerate(members):
            first = start + number * bucket.rows.shape[1]
            places[s.first : s.end] = range(first, first + s.tokens)
        start += bucket.rows.numel()
        buckets.append(bucket)
    return Padded(tuple(buckets), torch.from_numpy(places).to(device))


def _bucket(
    members: Sequence[Stretch], tokens: int, dtype: torch.dtype, device: torch.device
) -> Bucket:
    before = [s.seen[1] - s.seen[0] for s in members]
    asking = rounded_up(max(s.tokens for s in members), _STEP)
    most = max(b + s.tokens for b, s in zip(before, members, strict=True))
    width = rounded_up(most, _STEP)
    rows, columns = _anything(len(members), asking, tokens), _anything(len(members), width, tokens)
    floors = np.zeros((len(members), asking), dtype=np.int64)
    for i, s in enumerate(members):
        rows[i, : s.tokens] = range(s.first, s.end)
        columns[i, : before[i] + s.tokens] = [*range(*s.seen), *range(s.first, s.end)]
        floors[i, : s.tokens] = s.floors
    # Counted from a stretch's own first token, so that what it sees before is negative.
    own = torch.arange(width, device=device) - torch.tensor(before, device=device)[:, None, None]
    last = torch.arange(asking, device=device)[:, None]
    hidden = (own >= 0) & ((own < _on(floors, device)[:, :, None]) | (own > last))
    mask = torch.zeros(hidden.shape, dtype=dtype, device=device)
    mask.masked_fill_(hidden, float("-inf"))
    return Bucket(_on(rows, device), _on(columns, device), mask[:, None])


def _anything(height: int, width: int, tokens: int) -> np.ndarray:
    """Return numbers of tokens to pad with; were all the same, their gradients would queue."""
    return (np.arange(height * width) % tokens).reshape(height, width)


def _mask(stretch: Stretch, dtype: torch.dtype) -> torch.Tensor:
    """Return a stretch's mask; all see what stands before."""
    before = stretch.seen[1] - stretch.seen[0]
    own = torch.arange(stretch.tokens)
    hidden = (own < torch.tensor(stretch.floors)[:, None]) | (own > own[:, None])
    mask = torch.zeros(stretch.tokens, before + stretch.tokens, dtype=dtype)
    mask[:, before:].masked_fill_(hidden, float("-inf"))
    return mask


def _on(numbers: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(numbers).to(device)
