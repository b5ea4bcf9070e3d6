"""Keys and values of the prompts in work, written in place.

A row is one prompt; its tokens stand in columns. Rows that run together need not be equally long:
what a row may see is said by a mask, what it must not see may be garbage. Stands in for a
transformers cache (`update`), for any model whose layers call it. Knows no prompt and no grammar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_COLUMN_STEP = 128


@dataclass(frozen=True, slots=True)
class KeyValues:
    """What attention remembers of some tokens; a pair a layer.

    *Shape:* each of keys and values (kv_heads, tokens, head_dim).
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    @property
    def tokens(self) -> int:
        """How many tokens are remembered."""
        return int(self.layers[0][0].shape[1]) if self.layers else 0

    @property
    def size_bytes(self) -> int:
        """Memory taken."""
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens to run for one row, and the column (and position) of the first of them."""

    tokens: Sequence[int]
    column: int


class Slots:
    """Room for the keys and values of `rows` prompts; columns grow as they are needed."""

    is_compileable = False  # asked by transformers

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._layers: list[list[torch.Tensor]] = []
        self._columns = 0
        self._first = 0
        self._width = 0
        self._place: tuple[torch.Tensor, torch.Tensor] = (torch.empty(0), torch.empty(0))

    def run(self, model: Any, feeds: Sequence[Feed], *, first: int, keep: int) -> torch.Tensor:
        """Run tokens of the rows from row `first` on, one feed a row; remember what they leave.

        Each token sees all columns of its row before it. Returns the logits of each feed's last
        `keep` tokens, shape [feeds, keep, vocabulary].
        """
        longest = max(len(f.tokens) for f in feeds)
        self._reach(max(f.column + len(f.tokens) for f in feeds))
        scratch = self._columns - 1  # where the padding on the left is written; nobody looks there
        pads = [longest - len(f.tokens) for f in feeds]
        ids = [[0] * pad + list(f.tokens) for f, pad in zip(feeds, pads, strict=True)]
        columns = [
            [scratch] * pad + list(range(f.column, f.column + len(f.tokens)))
            for f, pad in zip(feeds, pads, strict=True)
        ]
        device, dtype = model.device, model.dtype
        at = torch.tensor(columns, device=device)
        self._first = first
        self._width = max(f.column + len(f.tokens) for f in feeds)
        rows = torch.arange(first, first + len(feeds), device=device)
        self._place = (rows[:, None].expand_as(at), at)
        seen = torch.where(at == scratch, 0, at)  # padding sees one column
        mask = torch.zeros(len(feeds), 1, longest, self._width, dtype=dtype, device=device)
        mask.masked_fill_(
            torch.arange(self._width, device=device) > seen[:, None, :, None], float("-inf")
        )
        logits: torch.Tensor = model(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=mask,
            position_ids=seen,
            past_key_values=self,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        return logits

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Remember a layer's new keys and values; return all that the rows may look at.

        *Shape:* given (rows, kv_heads, new tokens, head_dim), returned with `width` columns.
        """
        while len(self._layers) <= layer:
            room = [
                torch.zeros(self._rows, t.shape[1], self._columns, t.shape[3], dtype=t.dtype)
                for t in (keys, values)
            ]
            self._layers.append([t.to(keys.device) for t in room])
        rows, columns = self._place
        seen = []
        for held, new in zip(self._layers[layer], (keys, values), strict=True):
            held[rows, :, columns] = new.transpose(1, 2)
            seen.append(held[self._first : self._first + len(new), :, : self._width])
        return seen[0], seen[1]

    def get_seq_length(self, *_: Any) -> int:
        """Return 0: positions are always given (asked by transformers)."""
        return 0

    def read(self, row: int, start: int, end: int) -> KeyValues:
        """Return a copy of a row's columns."""
        return KeyValues(
            tuple(
                (k[row, :, start:end].clone(), v[row, :, start:end].clone())
                for k, v in self._layers
            )
        )

    def write(self, row: int, start: int, block: KeyValues) -> None:
        """Set a row's columns from `start` on."""
        self._reach(start + block.tokens)
        if not self._layers:
            self._layers = [
                [t.new_zeros(self._rows, t.shape[0], self._columns, t.shape[2]) for t in pair]
                for pair in block.layers
            ]
        for held, given in zip(self._layers, block.layers, strict=True):
            for into, part in zip(held, given, strict=True):
                into[row, :, start : start + block.tokens] = part

    def move(self, row: int, to: int, columns: int) -> None:
        """Copy a row's first columns over another row."""
        for pair in self._layers:
            for held in pair:
                held[to, :, :columns] = held[row, :, :columns]

    def _reach(self, columns: int) -> None:
        """Grow so that `columns` and the scratch column fit."""
        if columns < self._columns:
            return
        self._columns = (columns // _COLUMN_STEP + 1) * _COLUMN_STEP
        for pair in self._layers:
            for number, held in enumerate(pair):
                grown = held.new_zeros(*held.shape[:2], self._columns, held.shape[3])
                grown[:, :, : held.shape[2]] = held
                pair[number] = grown
