"""Domains to evaluate on: a folder of tagged sentences, read under the names of a sheet.

`train` is what may be retrieved; `dev` or `test` is asked about, every sentence of it, repeated
ones too: a benchmark's score is over all. Knows no model and no score.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from training.sheets import Sheet
from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, guess, read
from wraner.formats.spans import own_id
from wraner.packs import Domain, TaggedExample, check_domain

LEFTOVER = "misc"
"""How data name the type of what fits no other; scores are given with it and without."""


class Split(StrEnum):
    """What is asked about: `dev` for choosing, `test` once a setting is chosen."""

    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class AskedSentence:
    """A sentence to ask about, with its gold entities.

    `id` is the split and the sentence's number in its file, from 1. `also_in` names the split in
    which the same text stands as well (its own: further up), "" for none.
    """

    id: str
    text: str
    gold: tuple[Mention, ...]
    also_in: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that was read, with the sha256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class NerDomain:
    """Definitions, the examples that may be retrieved, and the sentences to ask about.

    `leftover` are the types' names whose label in the data is `LEFTOVER`; `whole` counts the
    sentences of the split, of which `asked` may be a sample.
    """

    name: str
    split: Split
    pack: Domain
    leftover: tuple[str, ...]
    asked: tuple[AskedSentence, ...]
    whole: int
    files: tuple[DataFile, ...]

    def sample(self, size: int, *, seed: int) -> "NerDomain":
        """Return the domain with at most `size` of its sentences, in the order of the file."""
        chosen = random.Random(seed).sample(range(len(self.asked)), min(size, len(self.asked)))
        return replace(self, asked=tuple(self.asked[i] for i in sorted(chosen)))


def read_domain(folder: Path, sheet: Sheet, split: Split) -> NerDomain:
    """Read a domain's `train` and what is asked, and for `test` also `dev`, to find repeats.

    Examples of `train` that are equal in text and entities are one. An id that several others
    share, as sentences of one document may, is no example's: their content names them.

    Raises:
        InvalidInput: a file is missing or cannot be read, or names a type that the sheet lacks.
    """
    splits = ["train", "dev"] if split is Split.TEST else ["train"]
    files = {name: _file(folder, name) for name in [*splits, split]}
    read_before = {name: list(_examples(files[name], sheet.names)) for name in splits}
    pack = Domain(
        description=sheet.description,
        entity_types=sheet.entity_types,
        examples=_different(read_before["train"]),
    )
    check_domain(pack)
    met = {e.text: name for name in reversed(splits) for e in read_before[name]}
    asked = tuple(_asked(_examples(files[split], sheet.names), split, met))
    return NerDomain(
        name=folder.name,
        split=split,
        pack=pack,
        leftover=tuple(t.name for t in sheet.types if t.label == LEFTOVER),
        asked=asked,
        whole=len(asked),
        files=tuple(
            DataFile(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files.values()
        ),
    )


def _different(examples: Sequence[TaggedExample]) -> tuple[TaggedExample, ...]:
    """Return each different example once, without the ids that several share."""
    once = {(e.text, e.entities): e for e in examples}.values()
    times = Counter(e.id for e in once)
    return tuple(
        e if times[e.id] == 1 else TaggedExample(text=e.text, entities=e.entities) for e in once
    )


def _asked(
    examples: Iterator[TaggedExample], split: Split, met: dict[str, str]
) -> Iterator[AskedSentence]:
    for number, example in enumerate(examples, start=1):
        also_in = met.get(example.text, "")
        met.setdefault(example.text, split)
        yield AskedSentence(f"{split}-{number}", example.text, example.entities, also_in)


def _file(folder: Path, split: str) -> Path:
    """Return a split's file: CoNLL's layout as `.txt`, or a format that the ending names."""
    found = sorted(p for p in folder.glob(f"{split}.*") if p.suffix == ".txt" or guess(p))
    if len(found) != 1:
        given = ", ".join(p.name for p in found) or "none"
        raise InvalidInput(
            f"{folder}: expected one file {split}.txt (CoNLL's layout) or {split}.jsonl, was: "
            f"{given}; a domain is a folder with train, dev and test"
        )
    return found[0]


def _examples(path: Path, names: Mapping[str, str]) -> Iterator[TaggedExample]:
    """Yield a file's sentences with their labels renamed as the sheet says."""
    with path.open("rb") as file:
        for example in read(file, guess(path) or Format.CONLL, name=str(path)):
            unknown = sorted({m.label for m in example.entities} - names.keys())
            if unknown:
                raise InvalidInput(
                    f"{path}: expected labels of the sheet ({', '.join(names)}), was: "
                    f"{unknown[0]!r}; add the type to the sheet"
                )
            entities = tuple(Mention(m.start, m.end, names[m.label]) for m in example.entities)
            known = {"id": own_id(example)} if own_id(example) else {}
            yield TaggedExample(text=example.text, entities=entities, **known)
