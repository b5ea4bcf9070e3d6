"""Keys and values of the prompts in work, written in place.

A row is one prompt; its tokens stand in columns. Rows that run together need not be equally long:
their new tokens are packed one behind the other, without padding. Stands in for a transformers
cache (`update`), for any model whose layers call it. Knows no prompt and no grammar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from wraner.attention import FEW, Few, Seen, Stretch

_COLUMN_STEP = 128


@dataclass(frozen=True, slots=True)
class KeyValues:
    """What attention remembers of some tokens.

    *Shape:* keys and values (layers, kv_heads, tokens, head_dim).
    """

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def tokens(self) -> int:
        """How many tokens are remembered."""
        return int(self.keys.shape[2])

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return self.keys.nbytes + self.values.nbytes


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens to run for one row, and the column (and position) of the first of them.

    The logits of the last `keep` tokens are wanted.
    """

    tokens: Sequence[int]
    column: int
    keep: int = 1


class Slots:
    """Room for the keys and values of `rows` prompts; columns grow as they are needed."""

    is_compileable = False  # asked by transformers

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._layers: list[list[torch.Tensor]] = []
        self._columns = 0
        self._packed: _Packed

    def run(self, model: Any, feeds: Sequence[Feed], *, first: int) -> list[torch.Tensor]:
        """Run tokens of the rows from row `first` on, one feed a row; remember what they leave.

        Each token sees all columns of its row before it. Returns each feed's logits, shape [keep,
        vocabulary].
        """
        self._reach(max(f.column + len(f.tokens) for f in feeds))
        self._packed = _Packed(feeds, first, device=model.device, dtype=model.dtype)
        logits: torch.Tensor = model(
            input_ids=torch.tensor([[i for f in feeds for i in f.tokens]], device=model.device),
            position_ids=self._packed.columns[None],
            # transformers makes no mask of its own where it is given one of four dimensions
            attention_mask=torch.empty(1, 1, 1, 1),
            past_key_values=self,
            use_cache=True,
            logits_to_keep=self._packed.kept,
        ).logits
        return list(torch.split(logits[0], [f.keep for f in feeds]))

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[Seen, Seen]:
        """Remember a layer's new keys and values; return what the rows may look at.

        *Shape:* given (1, kv_heads, all feeds' tokens, head_dim).
        """
        while len(self._layers) <= layer:
            shapes = ((self._rows, t.shape[1], self._columns, t.shape[3]) for t in (keys, values))
            self._layers.append([keys.new_zeros(shape) for shape in shapes])
        held = self._layers[layer]
        seen = self._packed.write(held, keys[0], values[0])
        return seen, seen

    def get_seq_length(self, *_: Any) -> int:
        """Return 0: positions are always given (asked by transformers)."""
        return 0

    def read(self, row: int, start: int, end: int) -> KeyValues:
        """Return a copy of a row's columns."""
        keys, values = (
            torch.stack([held[kind][row, :, start:end] for held in self._layers]) for kind in (0, 1)
        )
        return KeyValues(keys, values)

    def write(self, row: int, start: int, block: KeyValues) -> None:
        """Set a row's columns from `start` on."""
        self._reach(start + block.tokens)
        if not self._layers:
            self._layers = [
                [t.new_zeros(self._rows, t.shape[0], self._columns, t.shape[2]) for t in pair]
                for pair in zip(block.keys, block.values, strict=True)
            ]
        for held, *given in zip(self._layers, block.keys, block.values, strict=True):
            for into, part in zip(held, given, strict=True):
                into[row, :, start : start + block.tokens] = part

    def move(self, row: int, to: int, columns: int) -> None:
        """Copy a row's first columns over another row."""
        for pair in self._layers:
            for held in pair:
                held[to, :, :columns] = held[row, :, :columns]

    def _reach(self, columns: int) -> None:
        """Grow so that `columns` fit."""
        if columns <= self._columns:
            return
        self._columns = -(-columns // _COLUMN_STEP) * _COLUMN_STEP
        for pair in self._layers:
            for number, held in enumerate(pair):
                grown = held.new_zeros(*held.shape[:2], self._columns, held.shape[3])
                grown[:, :, : held.shape[2]] = held
                pair[number] = grown


class _Packed:
    """Feeds one behind the other: which token stands where.

    Attributes:
        columns: the column of each token, which is its position.
        kept: the tokens whose logits are wanted.
    """

    def __init__(
        self, feeds: Sequence[Feed], first: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._feeds = feeds
        self._first = first
        lengths = [len(f.tokens) for f in feeds]
        self._ends = list(accumulate(lengths))
        at = [i for length in lengths for i in range(length)]
        row = [number for number, length in enumerate(lengths) for _ in range(length)]
        columns = [feeds[r].column + i for r, i in zip(row, at, strict=True)]
        kept = [
            i for f, end in zip(feeds, self._ends, strict=True) for i in range(end - f.keep, end)
        ]
        self.columns, self.kept = (torch.tensor(n, device=device) for n in (columns, kept))
        # How many rows, and tokens, go together as few.
        self._few = next((n for n, length in enumerate(lengths) if length > FEW), len(feeds))
        self._few_tokens = sum(lengths[: self._few])
        self._row, self._at = (
            torch.tensor(numbers[: self._few_tokens], device=device) for numbers in (row, at)
        )
        self._mask = self._few_mask(lengths[: self._few], dtype) if self._few else None

    def _few_mask(self, lengths: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """Return the mask of the rows with few tokens; padding sees its row's first column."""
        width = max(f.column + n for f, n in zip(self._feeds, lengths, strict=False))
        last = torch.zeros(len(lengths), max(lengths), dtype=torch.long, device=self._row.device)
        last[self._row, self._at] = self.columns[: self._few_tokens]
        mask = torch.zeros(*last.shape, width, dtype=dtype, device=last.device)
        hidden = torch.arange(width, device=last.device) > last[:, :, None]
        return mask.masked_fill_(hidden, float("-inf"))[:, None]

    def write(self, held: Sequence[torch.Tensor], keys: torch.Tensor, values: torch.Tensor) -> Seen:
        """Set new columns of `held` keys and values; *shape:* given (kv_heads, tokens, d)."""
        few, stretches = None, []
        if self._mask is not None:
            rows = slice(self._first, self._first + self._few)
            seen = [h[rows, :, : self._mask.shape[3]] for h in held]
            for into, new in zip(seen, (keys, values), strict=True):
                tokens = new[:, : self._few_tokens].transpose(0, 1)
                into[self._row, :, self.columns[: self._few_tokens]] = tokens
            few = Few(self._row, self._at, self._mask, *seen)
        for number in range(self._few, len(self._feeds)):
            feed, end = self._feeds[number], self._ends[number]
            length = len(feed.tokens)
            own = [h[self._first + number, :, : feed.column + length] for h in held]
            for into, new in zip(own, (keys, values), strict=True):
                into[:, feed.column :] = new[:, end - length : end]
            stretches.append(Stretch(end - length, length, *own))
        return Seen(few, stretches)
