"""A source's sentences with neighbours and doubts, cached on disk and read through a memory map.

The corpus is dealt into stores of different sizes, as large as the packs that people have, and a
sentence's neighbours come from its own store, by the same word index that serves: never the
sentence itself, never a duplicate of it, letter case and marks aside. In one large store neighbours
would be nearer than they ever are in use, and a model would learn to copy them; for the same reason
runs give an encoder without the tuning that serves, which was taught these very sentences. The same
pass tells how far the others of its store doubt a sentence's tags, see `doubts`. Knows no prompt
and no tokens.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value

from index.encoder import WordEncoder, WordVectors
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.word_votes import UNTUNED
from training.doubts import doubts
from training.sentences import COLUMNS, example_of, row_of, write_rows
from wraner.chunks import chunk
from wraner.packs import Domain, EntityType, TaggedExample, check_domain
from wraner.retrieval import Neighbours, PackRef

_ROWS = "rows.arrow"
_FORMAT = 4  # of the files; another one is built anew
_FEATURES = Features(
    {
        **COLUMNS,
        "neighbours": List(Value("int32")),
        "store": List(Value("int32")),
        "same": List(Value("int32")),
        "doubt": Value("float32"),
    }
)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How a corpus is dealt into stores."""

    smallest: int = 60
    """Sentences of the smallest store."""
    largest: int = 1000
    """Sentences of the largest; sizes are drawn evenly on a logarithmic scale."""
    kept: int = 12
    """So many neighbours of a sentence are kept, best first."""
    sentences: int | None = None
    """At most so many sentences are dealt; the others are left out."""
    longest_words: int = 96
    """Longer sentences are left out: serving cuts windows of so many words."""
    seed: int = 0
    """Which sentence falls into which store."""


class Corpus:
    """Sentences by number, each with the numbers of its neighbours."""

    def __init__(self, name: str, rows: Dataset) -> None:
        self.name = name
        self._rows = rows
        self._doubts: list[float] = rows["doubt"][:]

    def __len__(self) -> int:
        return len(self._rows)

    def example(self, number: int) -> TaggedExample:
        """Return a sentence with its entities."""
        return example_of(self._rows[number])

    def neighbours(self, number: int) -> list[int]:
        """Return the sentences nearest to one in its store, nearest first."""
        return list(self._rows[number]["neighbours"])

    def store(self, number: int) -> list[int]:
        """Return first and one past the last sentence of the store that one stands in."""
        return list(self._rows[number]["store"])

    def same(self, number: int) -> list[int]:
        """Return the sentences of its store with the same words as one, itself among them."""
        return list(self._rows[number]["same"])

    def doubts(self, number: int) -> dict[int, float]:
        """Return how far the sentences of the store that one stands in are doubted, see `doubts`.

        It tells which of them are doubted more than others, no more.
        """
        start, end = self.store(number)
        return dict(enumerate(self._doubts[start:end], start))


def open_corpus(
    name: str,
    examples: Sequence[TaggedExample],
    encoder: WordEncoder,
    *,
    cache: Path,
    settings: StoreSettings,
    say: Callable[[str], None] = lambda _: None,
) -> Corpus:
    """Return the corpus of some sentences; it is indexed once and then read from `cache`."""
    folder = cache / f"{name}-{_key(examples, encoder, settings)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".indexing-"))
        try:
            write_rows(_rows(name, examples, encoder, settings, say), _FEATURES, scratch / _ROWS)
            _keep(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Corpus(name, Dataset.from_file(str(folder / _ROWS)))


def _keep(scratch: Path, folder: Path) -> None:
    try:
        os.replace(scratch, folder)
    except OSError:
        if not folder.is_dir():  # else another was faster
            raise


def _rows(
    name: str,
    examples: Sequence[TaggedExample],
    encoder: WordEncoder,
    settings: StoreSettings,
    say: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    short = [i for i, e in enumerate(examples) if len(chunk(e.text)) <= settings.longest_words]
    if long := len(examples) - len(short):
        say(f"{name}: {long} left out as longer than {settings.longest_words} words")
    rng = np.random.default_rng(settings.seed)
    dealt = [short[i] for i in rng.permutation(len(short))[: settings.sentences]]
    for start, end in _stores(len(dealt), settings, rng):
        say(f"{name}: finding the neighbours of {end:,} of {len(dealt):,} sentences")
        members = [examples[i] for i in dealt[start:end]]
        same = _same_words(members)
        found = _neighbours(members, encoder, settings.kept, same)
        numbers = {e.id: number for number, e in enumerate(members, start)}
        votes = [n.votes for n in found if n.votes is not None]
        doubted = doubts(members, votes, IndexSettings())
        for example, near, equal, doubt in zip(members, found, same, doubted, strict=True):
            yield {
                **row_of(example),
                "neighbours": [numbers[n.example.id] for n in near.neighbours],
                "store": [start, end],
                "same": [start + i for i in equal],
                "doubt": doubt,
            }


def _stores(
    sentences: int, settings: StoreSettings, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield the borders of the stores; the last takes what would be too small for one."""
    low, high = np.log(settings.smallest), np.log(settings.largest)
    start = 0
    while start < sentences:
        end = start + round(float(np.exp(rng.uniform(low, high))))
        if sentences - end < settings.smallest:
            end = sentences
        yield start, end
        start = end


def _neighbours(
    members: Sequence[TaggedExample],
    encoder: WordEncoder,
    kept: int,
    same: Sequence[Sequence[int]],
) -> list[Neighbours]:
    """Return what the others of a store, but for its duplicates, say of each sentence."""
    labels = sorted({m.label for e in members for m in e.entities}) or ["none"]
    pack = Domain(
        description="a store",
        entity_types=tuple(EntityType(name=label) for label in labels),
        examples=tuple(members),
    )
    check_domain(pack)
    encoders = Encoders.same(_Remembering(encoder))
    return LocalRetriever(encoders, IndexSettings(), votes=UNTUNED).neighbours_now(
        PackRef("", inline=pack),
        [e.text for e in members],
        kept,
        exclude=[[members[i].id for i in equal] for equal in same],
    )


def _same_words(members: Sequence[TaggedExample]) -> list[list[int]]:
    """Return for each sentence the places of those with the same words, its own among them."""
    keys = [_words(e.text) for e in members]
    same: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        same.setdefault(key, []).append(place)
    return [same[key] for key in keys]


def _words(text: str) -> str:
    """Return a text's words, letter case folded; a text of marks alone as it is."""
    words = (c.text.casefold() for c in chunk(text) if any(map(str.isalnum, c.text)))
    return " ".join(words) or text


class _Remembering:
    """An encoder that is asked twice for each text, as example and as query, and reads it once."""

    def __init__(self, encoder: WordEncoder) -> None:
        self.identity, self.dimension = encoder.identity, encoder.dimension
        self._encoder = encoder
        self._known: dict[str, WordVectors] = {}

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """See `WordEncoder.encode`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return [self._known[text] for text in texts]


def _key(examples: Sequence[TaggedExample], encoder: WordEncoder, settings: StoreSettings) -> str:
    digest = hashlib.sha256()
    index = [IndexSettings().digest(), asdict(UNTUNED)]
    head = [_FORMAT, encoder.identity, *index, asdict(settings)]
    digest.update(json.dumps(head).encode())
    for example in examples:
        digest.update(example.model_dump_json().encode())
    return digest.hexdigest()[:16]
