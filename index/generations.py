"""A generation: one version of a pack, indexed; segments minus the entries that are gone.

`build` copies the vectors of every example that the previous generation already held, so an edit
costs what it changes; nothing of the previous one is touched. Knows no folder.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index import segments
from index.encoder import WordEncoder
from index.encoders import Encoders, PackKind, kind_of
from index.segments import Entry, Segment
from index.settings import IndexSettings
from index.similarity import Words, concatenate, words_that_count
from index.wordings import own_words
from wraner.packs import Example, Pack, Policy, PolicySet, example_hash, version

_HELD: dict[PackKind, str] = {"Domain": "generation-3", "PolicySet": "generation-6"}
"""What a generation of a kind holds; changed where that changes, so that it is built anew."""

# Compaction: a part is merged into the new one when it is small, when much of it is gone, or when
# it is at most twice the new one's size; so a pack has few parts and is rarely copied.
_SMALL_PART = 256
_GONE_SHARE = 0.25
_GROWTH = 2

_HELD_TOGETHER = 512
_ENCODED_TOGETHER = 16  # all vectors of a long text take megabytes, until those that count are left
_WITHOUT_EXAMPLES_BYTES = 2**16


@dataclass(frozen=True, eq=False)
class Part:
    """A segment and which of its entries are gone (their row numbers, ascending)."""

    segment: Segment
    gone: tuple[int, ...] = ()

    @cached_property
    def live(self) -> npt.NDArray[np.bool_]:
        """Which entries still count. *Shape:* (n_entries,)."""
        mask = np.ones(len(self.segment.entries), np.bool_)
        mask[list(self.gone)] = False
        return mask

    @property
    def rows(self) -> list[int]:
        """The row numbers of the entries that still count, ascending."""
        rows: list[int] = np.flatnonzero(self.live).tolist()
        return rows

    @property
    def count(self) -> int:
        """The number of entries that still count."""
        return len(self.segment.entries) - len(self.gone)


@dataclass(frozen=True, eq=False)
class Generation:
    """One version of a pack, searchable.

    `version` is the pack's, `identity` also names its encoder and settings. `definitions` holds one
    entry per policy (its id and its own words), `wordings` what `index.wordings` keeps of them; a
    domain has neither. `policies` are in the pack's order.
    """

    identity: str
    version: str
    kind: PackKind
    parts: tuple[Part, ...]
    definitions: Segment | None
    policies: tuple[str, ...]
    wordings: Segment | None = None

    @property
    def count(self) -> int:
        """The number of examples."""
        return sum(part.count for part in self.parts)

    @property
    def all_segments(self) -> tuple[Segment, ...]:
        """Every segment, the definitions' included."""
        own = (s for s in (self.definitions, self.wordings) if s is not None)
        return (*(part.segment for part in self.parts), *own)

    @property
    def memory_bytes(self) -> int:
        """About how much memory the generation takes while it is searched."""
        cost = {"flat": 3.0, "ivf_sq8": 0.7}
        vectors = sum(s.vectors.nbytes * cost.get(s.kind, 3.0) for s in self.all_segments)
        return _WITHOUT_EXAMPLES_BYTES + int(vectors)


def identity_of(
    pack_version: str, kind: PackKind, *, encoders: Encoders, settings: IndexSettings
) -> str:
    """Return the name of the generation of a pack's version under its encoder and settings."""
    held = [_HELD[kind], kind, pack_version, encoders.of(kind).identity, settings.digest()]
    if kind == "PolicySet" and encoders.wordings is not None:
        held.append(encoders.wordings.encoder.identity)
    content = json.dumps(held)
    return hashlib.sha256(content.encode()).hexdigest()


def storage_of(encoder: WordEncoder, settings: IndexSettings) -> str:
    """Return a hash of what decides the vectors that a segment holds."""
    content = json.dumps([encoder.identity, encoder.dimension, settings.storage_digest()])
    return hashlib.sha256(content.encode()).hexdigest()


def build(
    pack: Pack,
    encoders: Encoders,
    settings: IndexSettings,
    previous: Generation | None = None,
) -> Generation:
    """Return the pack's generation; new segments are in memory, kept ones are `previous`'s own.

    `previous` must come from the same encoder and settings.
    """
    pack_version, kind = version(pack), kind_of(pack)
    encoder = encoders.of(kind)
    storage = storage_of(encoder, settings)
    digests = {example.id: example_hash(example) for example in pack.examples}
    kept = _kept(previous, digests)
    known = {part.segment.entries[row].id for part in kept for row in part.rows}
    fresh = _encode_examples([e for e in pack.examples if e.id not in known], encoder, settings)
    parts = _compact(kept, fresh, storage, settings)
    return Generation(
        identity=identity_of(pack_version, kind, encoders=encoders, settings=settings),
        version=pack_version,
        kind=kind,
        parts=parts,
        definitions=_definitions(pack, encoder, settings, storage, previous),
        wordings=_wordings(pack, encoders, settings, previous),
        policies=tuple(p.id for p in pack.policies) if isinstance(pack, PolicySet) else (),
    )


def _kept(previous: Generation | None, digests: dict[str, str]) -> list[Part]:
    """Return the parts of `previous`, less the entries that the pack no longer holds so."""
    parts = []
    for part in previous.parts if previous else ():
        entries = part.segment.entries
        if part.segment.rows.keys().isdisjoint(digests):
            continue  # told at once, however many it holds
        gone = [
            row
            for row, entry in enumerate(entries)
            if not part.live[row] or digests.get(entry.id) != entry.digest
        ]
        parts.append(Part(part.segment, tuple(gone)))
    return [part for part in parts if part.count]


def _encode_examples(
    examples: Sequence[Example], encoder: WordEncoder, settings: IndexSettings
) -> list[tuple[Entry, Words]]:
    """Return entries and words in ascending order of ids.

    Words lie together, some hundred examples in one array: so their memory is given back in large
    pieces when a segment is made of them.
    """
    pairs: list[tuple[Entry, Words]] = []
    ordered = sorted(examples, key=lambda e: e.id)
    for start in range(0, len(ordered), _HELD_TOGETHER):
        some = ordered[start : start + _HELD_TOGETHER]
        encoded = [
            words_that_count(words, settings)
            for first in range(0, len(some), _ENCODED_TOGETHER)
            for words in encoder.encode([e.text for e in some[first : first + _ENCODED_TOGETHER]])
        ]
        texts = [words.text for words in encoded]
        vectors, weights, offsets = concatenate(encoded)
        borders = pairwise(offsets.tolist())
        for example, text, (first, last) in zip(some, texts, borders, strict=True):
            entry = Entry(example.id, example_hash(example), example.model_dump_json())
            nowhere = np.zeros(0, np.int64)
            words = Words(vectors[first:last], weights[first:last], nowhere, text)
            pairs.append((entry, words))
    return pairs


def _compact(
    kept: Iterable[Part],
    fresh: list[tuple[Entry, Words]],
    storage: str,
    settings: IndexSettings,
) -> tuple[Part, ...]:
    stay: list[Part] = []
    for part in sorted(kept, key=lambda p: p.count):
        much_gone = len(part.gone) > _GONE_SHARE * len(part.segment.entries)
        small = bool(fresh) and part.count <= max(_SMALL_PART, _GROWTH * len(fresh))
        if much_gone or small:
            segment = part.segment
            fresh += [(segment.entries[row], segment.words(row)) for row in part.rows]
        else:
            stay.append(part)
    if fresh:
        stay.append(Part(segments.make(fresh, storage, settings)))
    return tuple(sorted(stay, key=lambda p: p.segment.name))


def _definitions(
    pack: Pack,
    encoder: WordEncoder,
    settings: IndexSettings,
    storage: str,
    previous: Generation | None,
) -> Segment | None:
    if not isinstance(pack, PolicySet):
        return None
    texts = {policy.id: own_words(policy) for policy in pack.policies}
    briefs = {policy.id: in_brief(policy) for policy in pack.policies}
    entries = definition_entries(pack)
    old = previous.definitions if previous else None
    if old and old.holds(entries):
        return old
    words = old.kept(entries) if old else {}
    fresh = [policy for policy in texts if policy not in words]
    encoded = encoder.encode([texts[policy] for policy in fresh])
    has_texts = any(whole.text.size for whole in encoded)
    briefly = encoder.encode([briefs[policy] for policy in fresh]) if has_texts else encoded
    words |= {
        policy: words_that_count(replace(whole, text=brief.text), settings)
        for policy, whole, brief in zip(fresh, encoded, briefly, strict=True)
    }
    return segments.make([(entry, words[entry.id]) for entry in entries], storage, settings)


def definition_entries(pack: PolicySet) -> list[Entry]:
    """Return what names the indexed words of each policy, in the pack's order."""
    return [Entry.of_text(p.id, f"{in_brief(p)}\n{own_words(p)}") for p in pack.policies]


def _wordings(
    pack: Pack, encoders: Encoders, settings: IndexSettings, previous: Generation | None
) -> Segment | None:
    if not isinstance(pack, PolicySet) or encoders.wordings is None:
        return None
    old = previous.wordings if previous else None
    return encoders.wordings.segment(pack, settings, old)


def in_brief(policy: Policy) -> str:
    """Return what a policy is about, without its cases: its vector as a text is made of this."""
    return f"{policy.title}. {policy.definition}"
