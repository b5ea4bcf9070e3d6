"""Keys and values that recur from request to request.

A prompt's prefix (task and definitions) is computed once per adapter. Its examples, as far as they
see no others, are computed once behind that prefix and then moved to wherever a prompt has them.
Bounded by bytes, least recently used first out. Knows no queue and no answer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from wraner.chat import EncodedPrompt, Ids
from wraner.rotation import Rotation
from wraner.slots import Feed, KeyValues, Slots


@dataclass(frozen=True, slots=True)
class Key:
    """What a block was computed from; without an example it is the prefix itself."""

    adapter: str
    prefix: Ids
    example: Ids = ()

    @property
    def tokens(self) -> Ids:
        """The tokens of the block itself."""
        return self.example or self.prefix


class Blocks:
    """What attention remembers of prefixes and examples. Safe for several threads, of which two may
    compute the same at once."""

    def __init__(self, rotation: Rotation | None, *, limit_bytes: int) -> None:
        """Without a `rotation` only prompts without examples of their own can begin, see `View`."""
        self._rotation = rotation
        self._limit_bytes = limit_bytes
        self._lock = Lock()
        self._held: OrderedDict[Key, KeyValues] = OrderedDict()
        self.size_bytes = 0

    def missing(self, adapter: str, prompt: EncodedPrompt) -> frozenset[Key]:
        """Return what must be computed before the rest of a prompt can run."""
        with self._lock:
            return frozenset(key for key in self._keys(adapter, prompt) if key not in self._held)

    def begin(
        self,
        model: Any,
        adapter: str,
        prompts: Sequence[EncodedPrompt],
        *,
        batch_tokens: int,
        rows: int,
    ) -> list[tuple[KeyValues, ...]]:
        """Return what is remembered of each prompt, to stand one behind the other.

        What is missing is computed and kept.

        One run of the model sees at most `rows` blocks and `batch_tokens`, at least one block.
        """
        wanted = [list(self._keys(adapter, prompt)) for prompt in prompts]
        with self._lock:
            used = {key: self._held[key] for row in wanted for key in row if key in self._held}
        for examples in (False, True):  # an example needs its prefix
            lacking = {
                key: None
                for row in wanted
                for key in row
                if bool(key.example) == examples and key not in used
            }
            for part in _parts(lacking, batch_tokens=batch_tokens, rows=rows):
                used |= _compute(model, part, used)
        with self._lock:
            used = {key: self._keep(key, block) for key, block in used.items()}
        return [tuple(self._placed([used[key] for key in row])) for row in wanted]

    def _keys(self, adapter: str, prompt: EncodedPrompt) -> Iterator[Key]:
        yield Key(adapter, prompt.prefix)
        for example in prompt.examples:
            yield Key(adapter, prompt.prefix, example)

    def _placed(self, blocks: Sequence[KeyValues]) -> Iterator[KeyValues]:
        """Yield blocks, the examples among them moved from behind the prefix to their places."""
        prefix, *examples = blocks
        yield prefix
        distance = 0
        for block in examples:
            assert self._rotation is not None
            yield self._rotation.move(block, distance)
            distance += block.tokens

    def _keep(self, key: Key, block: KeyValues) -> KeyValues:
        """Return what is held in a block's place: another thread may have been first."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        self._held[key] = block
        self.size_bytes += block.size_bytes
        while self.size_bytes > self._limit_bytes:
            _, dropped = self._held.popitem(last=False)
            self.size_bytes -= dropped.size_bytes
        return block


def _parts(keys: Iterable[Key], *, batch_tokens: int, rows: int) -> list[list[Key]]:
    """Return the keys in runs that stay within the limits."""
    parts: list[list[Key]] = []
    room = 0
    for key in keys:
        if not parts or len(key.tokens) > room or len(parts[-1]) == rows:
            parts.append([])
            room = batch_tokens
        parts[-1].append(key)
        room -= len(key.tokens)
    return parts


def _compute(model: Any, keys: Sequence[Key], known: dict[Key, KeyValues]) -> dict[Key, KeyValues]:
    slots = Slots(len(keys))
    feeds = []
    for row, key in enumerate(keys):
        start = 0
        if key.example:
            prefix = known[Key(key.adapter, key.prefix)]
            slots.begin(row, prefix)
            start = prefix.tokens
        feeds.append(Feed(key.tokens, start))
    slots.run(model, feeds)
    return {
        key: slots.read(row, feed.column, feed.column + len(feed.tokens))
        for row, (key, feed) in enumerate(zip(keys, feeds, strict=True))
    }
