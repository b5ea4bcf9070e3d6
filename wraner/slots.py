"""Keys and values of the prompts in work, written in place.

A row is one prompt; its tokens stand in columns. What rows begin with may be shared: it is then
looked at where it lies, and only the columns behind it are the row's own. Rows that run together
need not be equally long: their new tokens are packed one behind the other. Stands in for a
transformers cache (`update`), for any model whose layers call it. Knows no prompt and no grammar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from wraner.attention import COLUMNS, FEW, Few, Seen, Shared, Stretch, rounded_up

_COLUMN_STEP = 2 * COLUMNS
_FEW_STEP = 4
# A beginning shorter than this is copied: a product of its own costs more than it saves.
_SHARED_FROM = 256


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
    """Room for the keys and values of at most `rows` prompts; it grows as it is needed."""

    is_compileable = False  # asked by transformers

    def __init__(self, rows: int) -> None:
        self._layers: list[list[torch.Tensor]] = []
        self._rows = 0  # that there is room for
        self._columns = 0  # of each of these, behind what it shares
        self._begun: list[KeyValues | None] = [None] * rows
        self._packed: _Packed

    def run(self, model: Any, feeds: Sequence[Feed]) -> list[torch.Tensor]:
        """Run tokens of the first rows, one feed a row; remember what they leave.

        Each token sees all columns of its row before it. Returns each feed's logits, shape [keep,
        vocabulary].
        """
        placed = [
            _Placed(f, f.column - (shared.tokens if shared else 0), shared)
            for f, shared in zip(feeds, self._begun[: len(feeds)], strict=True)
        ]
        most = max(p.column + len(p.feed.tokens) for p in placed)
        self.reserve(len(feeds), most)
        self._packed = _Packed(placed, device=model.device, dtype=model.dtype)
        tokens = [i for f in feeds for i in f.tokens]
        tokens += [0] * (len(self._packed.positions) - len(tokens))
        logits: torch.Tensor = model(
            input_ids=torch.tensor([tokens], device=model.device),
            position_ids=self._packed.positions[None],
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
        seen = self._packed.write(layer, self._layers[layer], keys[0], values[0])
        return seen, seen

    def get_seq_length(self, *_: Any) -> int:
        """Return 0: positions are always given (asked by transformers)."""
        return 0

    def read(self, row: int, start: int, end: int) -> KeyValues:
        """Return a copy of a row's own columns."""
        skipped = self._skipped(row)
        keys, values = (
            torch.stack(
                [held[kind][row, :, start - skipped : end - skipped] for held in self._layers]
            )
            for kind in (0, 1)
        )
        return KeyValues(keys, values)

    def begin(self, row: int, block: KeyValues) -> None:
        """Begin a row anew with a block, which other rows may share."""
        shared = own_columns(block, block.tokens) == 0
        self._begun[row] = block if shared else None
        if not shared:
            self.write(row, 0, block)

    def write(self, row: int, start: int, block: KeyValues) -> None:
        """Set a row's own columns from `start` on."""
        start -= self._skipped(row)
        self.reserve(row + 1, start + block.tokens)
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
        self._begun[to] = self._begun[row]
        own = columns - self._skipped(row)
        for pair in self._layers:
            for held in pair:
                held[to, :, :own] = held[row, :, :own]

    def _skipped(self, row: int) -> int:
        """Return how many columns stand before a row's own."""
        begun = self._begun[row]
        return 0 if begun is None else begun.tokens

    def reserve(self, rows: int, columns: int) -> None:
        """Grow so that the first `rows` have so many columns of their own.

        Growing copies all that is there: what is known beforehand is best reserved at once.
        """
        if rows <= self._rows and columns <= self._columns:
            return
        if rows > self._rows:
            self._rows = min(len(self._begun), 2 ** (rows - 1).bit_length())
        self._columns = max(self._columns, rounded_up(columns, _COLUMN_STEP))
        for pair in self._layers:
            for number, held in enumerate(pair):
                grown = held.new_zeros(self._rows, held.shape[1], self._columns, held.shape[3])
                grown[: held.shape[0], :, : held.shape[2]] = held
                pair[number] = grown


def own_columns(beginning: KeyValues, columns: int) -> int:
    """Return how many of a row's columns are its own where it begins with `beginning`."""
    return columns - (beginning.tokens if beginning.tokens >= _SHARED_FROM else 0)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A feed, the first of its row's own columns that it fills, and what stands before those."""

    feed: Feed
    column: int
    shared: KeyValues | None


class _Packed:
    """Feeds one behind the other: which token stands where.

    Attributes:
        positions: the position of each token, and of some behind them that are of no feed: as
            many as round their number up.
        kept: the tokens whose logits are wanted.
    """

    def __init__(
        self, placed: Sequence[_Placed], *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._placed = placed
        lengths = [len(p.feed.tokens) for p in placed]
        self._ends = list(accumulate(lengths))
        at = [i for length in lengths for i in range(length)]
        row = [number for number, length in enumerate(lengths) for _ in range(length)]
        positions = [placed[r].feed.column + i for r, i in zip(row, at, strict=True)]
        positions += [0] * (_run_size(len(at)) - len(at))
        kept = [
            i for p, e in zip(placed, self._ends, strict=True) for i in range(e - p.feed.keep, e)
        ]
        self.positions, self.kept = (torch.tensor(n, device=device) for n in (positions, kept))
        # How many rows, and tokens, go together as few.
        self._few = next((n for n, length in enumerate(lengths) if length > FEW), len(placed))
        self._few_tokens = sum(lengths[: self._few])
        columns = [placed[r].column + i for r, i in zip(row, at, strict=True)]
        self._row, self._at, self._columns = (
            torch.tensor(numbers[: self._few_tokens], device=device)
            for numbers in (row, at, columns)
        )
        self._mask = self._few_mask(lengths[: self._few], dtype) if self._few else None
        self._sharing = self._groups(device)

    def _few_mask(self, lengths: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """Return the mask of the rows with few tokens; padding sees its row's first column."""
        width = max(p.column + n for p, n in zip(self._placed, lengths, strict=False))
        width = rounded_up(width, COLUMNS)
        most = rounded_up(max(lengths), _FEW_STEP)
        last = torch.zeros(len(lengths), most, dtype=torch.long, device=self._row.device)
        last[self._row, self._at] = self._columns
        mask = torch.zeros(*last.shape, width, dtype=dtype, device=last.device)
        hidden = torch.arange(width, device=last.device) > last[:, :, None]
        return mask.masked_fill_(hidden, float("-inf"))

    def _groups(self, device: torch.device) -> list[tuple[torch.Tensor | None, KeyValues]]:
        """Return what rows with few tokens share, with the numbers of these rows."""
        groups: dict[int, list[int]] = {}
        for number, placed in enumerate(self._placed[: self._few]):
            if placed.shared is not None:
                groups.setdefault(id(placed.shared), []).append(number)
        found = []
        for numbers in groups.values():
            shared = self._placed[numbers[0]].shared
            assert shared is not None
            every = len(numbers) == self._few
            found.append((None if every else torch.tensor(numbers, device=device), shared))
        return found

    def write(
        self, layer: int, held: Sequence[torch.Tensor], keys: torch.Tensor, values: torch.Tensor
    ) -> Seen:
        """Set new columns of `held` keys and values; *shape:* given (kv_heads, tokens, d)."""
        few, stretches = None, []
        if self._mask is not None:
            seen = [h[: self._few, :, : self._mask.shape[2]] for h in held]
            for into, new in zip(seen, (keys, values), strict=True):
                into[self._row, :, self._columns] = new[:, : self._few_tokens].transpose(0, 1)
            shared = [Shared(rows, s.keys[layer], s.values[layer]) for rows, s in self._sharing]
            few = Few(self._row, self._at, self._mask, shared, *seen)
        for number in range(self._few, len(self._placed)):
            placed, end = self._placed[number], self._ends[number]
            length = len(placed.feed.tokens)
            columns = placed.column + length
            own = [h[number][None] for h in held]
            for into, new in zip(own, (keys, values), strict=True):
                into[0, :, placed.column : columns] = new[:, end - length : end]
            s = placed.shared
            shared = [] if s is None else [Shared(None, s.keys[layer], s.values[layer])]
            stretches.append(Stretch(end - length, length, columns, shared, *own))
        return Seen(few, stretches)


def _run_size(tokens: int) -> int:
    """Return `tokens` rounded up by less than a sixteenth."""
    return rounded_up(tokens, 2 ** max(0, tokens.bit_length() - 5))
