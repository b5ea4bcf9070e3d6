"""Keys and values that recur from request to request, kept by what they were computed from.

A prompt's prefix is computed once per adapter and pack version. Each example is computed once
behind its prefix, seeing the prefix and itself but no other example (parallel context windows,
Ratner et al. 2023): so it can stand in any prompt with that prefix, in any company and order.
Bounded by bytes, least recently used first out. Knows no queue and no answer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from wraner.chat import EncodedPrompt, Ids
from wraner.slots import Feed, KeyValues, Slots

Key = tuple[str, Ids, Ids]
"""Adapter, prefix, example; an empty example means the prefix itself."""


class Blocks:
    """What attention remembers of prefixes and examples."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Key, KeyValues] = OrderedDict()
        self.size_bytes = 0

    def missing(self, adapter: str, prompt: EncodedPrompt) -> list[Key]:
        """Return what must be computed before the prompt's query can run."""
        return [key for key in _keys(adapter, prompt) if key not in self._held]

    def of(
        self, model: Any, adapter: str, prompts: Sequence[EncodedPrompt], *, batch_tokens: int
    ) -> list[list[KeyValues]]:
        """Return each prompt's blocks, prefix first; compute and keep those that are missing."""
        used: dict[Key, KeyValues] = {}
        wanted = [list(_keys(adapter, prompt)) for prompt in prompts]
        for examples in (False, True):  # an example needs its prefix's block
            keys = {key for row in wanted for key in row if bool(key[2]) == examples}
            used |= {key: self._held[key] for key in keys if key in self._held}
            lacking = sorted(keys - used.keys(), key=lambda key: (len(key[1]), len(key[2]), key))
            for part in _packed(lacking, batch_tokens):
                used |= _compute(model, part, used)
        for key, block in used.items():
            self._keep(key, block)
        return [[used[key] for key in row] for row in wanted]

    def _keep(self, key: Key, block: KeyValues) -> None:
        if key in self._held:
            self._held.move_to_end(key)
            return
        self._held[key] = block
        self.size_bytes += block.size_bytes
        while self.size_bytes > self._limit_bytes:
            _, dropped = self._held.popitem(last=False)
            self.size_bytes -= dropped.size_bytes


def _keys(adapter: str, prompt: EncodedPrompt) -> Iterable[Key]:
    yield adapter, prompt.prefix, ()
    for example in prompt.examples:
        yield adapter, prompt.prefix, example


def _packed(keys: Sequence[Key], batch_tokens: int) -> Iterable[Sequence[Key]]:
    """Yield runs of keys whose rows, padded to the longest, stay below `batch_tokens`."""
    part: list[Key] = []
    longest = 0
    for key in keys:
        longest = max(longest, len(key[1]) + len(key[2]))
        if part and longest * (len(part) + 1) > batch_tokens:
            yield part
            part, longest = [], len(key[1]) + len(key[2])
        part.append(key)
    if part:
        yield part


def _compute(model: Any, keys: Sequence[Key], known: dict[Key, KeyValues]) -> dict[Key, KeyValues]:
    slots = Slots(len(keys))
    feeds = []
    for row, (adapter, prefix, example) in enumerate(keys):
        if example:
            slots.write(row, 0, known[(adapter, prefix, ())])
            feeds.append(Feed(example, len(prefix), len(prefix)))
        else:
            feeds.append(Feed(prefix, 0, 0))
    slots.run(model, feeds, first=0, keep=1)
    return {
        key: slots.read(row, f.column, f.column + len(f.tokens))
        for row, (key, f) in enumerate(zip(keys, feeds, strict=True))
    }
