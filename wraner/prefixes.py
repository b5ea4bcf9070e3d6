"""Keys and values of prompts' prefixes, kept from request to request.

A prefix (task and definitions) is the same for every text of a pack version, so it is computed once
per adapter. Bounded by bytes, least recently used first out. Knows no queue and no answer.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from wraner.chat import Ids
from wraner.slots import Feed, KeyValues, Slots


class Prefixes:
    """What attention remembers of prefixes."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[tuple[str, Ids], KeyValues] = OrderedDict()
        self.size_bytes = 0

    def holds(self, adapter: str, prefix: Ids) -> bool:
        """Return whether a prefix need not be computed."""
        return (adapter, prefix) in self._held

    def of(
        self, model: Any, adapter: str, prefixes: Sequence[Ids], *, batch_tokens: int
    ) -> list[KeyValues]:
        """Return each prefix's keys and values; compute and keep those that are missing.

        One run of the model sees at most `batch_tokens`, unless one prefix alone is longer.
        """
        used = {p: self._held[adapter, p] for p in prefixes if (adapter, p) in self._held}
        missing = sorted({p for p in prefixes if p not in used}, key=lambda p: (len(p), p))
        for part in _packed(missing, batch_tokens):
            used |= _compute(model, part)
        for prefix, block in used.items():
            self._keep((adapter, prefix), block)
        return [used[prefix] for prefix in prefixes]

    def _keep(self, key: tuple[str, Ids], block: KeyValues) -> None:
        if key in self._held:
            self._held.move_to_end(key)
            return
        self._held[key] = block
        self.size_bytes += block.size_bytes
        while self.size_bytes > self._limit_bytes:
            _, dropped = self._held.popitem(last=False)
            self.size_bytes -= dropped.size_bytes


def _packed(prefixes: Sequence[Ids], batch_tokens: int) -> list[list[Ids]]:
    """Return runs of prefixes, given shortest first, whose padded rows stay within the limit."""
    parts: list[list[Ids]] = []
    for prefix in prefixes:
        if not parts or len(prefix) * (len(parts[-1]) + 1) > batch_tokens:
            parts.append([])
        parts[-1].append(prefix)
    return parts


def _compute(model: Any, prefixes: Sequence[Ids]) -> dict[Ids, KeyValues]:
    slots = Slots(len(prefixes))
    slots.run(model, [Feed(prefix, 0) for prefix in prefixes], first=0)
    return {prefix: slots.read(row, 0, len(prefix)) for row, prefix in enumerate(prefixes)}
