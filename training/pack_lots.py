"""A domain's examples in lots: what is taught, and what is asked to see whether it was worth it.

With test sentences there is one lot; without, the examples are cut into folds, and each lot teaches
and retrieves all folds but the one that it asks about. Nothing is taught that shares 8 words in a
row with what is asked. Knows no model and no adapter.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.corpus import StoreSettings
from training.leaks import HeldOut
from training.ner_domains import AskedSentence, NerDomain, Split
from training.sheets import TypeSheet
from training.sources import Source
from wraner.chunks import chunk
from wraner.errors import InvalidInput
from wraner.packs import Domain, TaggedExample

_SEED = 0  # of what is asked: it stays the same, so that retrainings can be compared


@dataclass(frozen=True)
class Lot:
    """What one training is taught and what it is then asked.

    `leaks` counts the examples that are not taught for what is asked, `long` those that are longer
    than training reads.
    """

    taught: Domain
    asked: NerDomain
    leaks: int
    long: int


def lot_with_test(name: str, pack: Domain, test: Sequence[TaggedExample]) -> Lot:
    """Return the lot that teaches the pack and asks about test sentences.

    Raises:
        InvalidInput: nothing is left to teach.
    """
    return _lot(name, pack, test)


def fold_lots(name: str, pack: Domain, folds: int) -> tuple[Lot, ...]:
    """Return a lot for each fold of the pack's examples.

    Raises:
        InvalidInput: there are too few examples.
    """
    examples = list(pack.examples)
    if len(examples) < 2 * folds:
        raise InvalidInput(
            f"expected at least {2 * folds} examples for {folds} folds, was: {len(examples)} in "
            f"{name}; add examples, or name test sentences: --test FILE"
        )
    random.Random(_SEED).shuffle(examples)
    parts = [examples[start::folds] for start in range(folds)]
    return tuple(
        _lot(name, _with(pack, [e for other in parts if other is not part for e in other]), part)
        for part in parts
    )


def teachable(name: str, pack: Domain) -> Domain:
    """Return the pack with the examples that training reads: no longer than a window.

    Raises:
        InvalidInput: there is none.
    """
    longest = StoreSettings().longest_words
    kept = [e for e in pack.examples if len(chunk(e.text)) <= longest]
    if not kept:
        raise InvalidInput(
            f"expected examples of up to {longest} words in {name} that share no long stretch with "
            f"what is asked, was: none of {len(pack.examples)}; add examples"
        )
    return _with(pack, kept)


def types_of(pack: Domain) -> tuple[TypeSheet, ...]:
    """Return the pack's types as a corpus names them; a definition may be empty, as in the pack."""
    return tuple(
        TypeSheet.model_construct(label=t.name, name=t.name, definition=t.definition)
        for t in pack.entity_types
    )


def asked_domain(name: str, store: Domain, asked: Sequence[TaggedExample]) -> NerDomain:
    """Return sentences to ask about, with the examples that may be retrieved for them."""
    sentences = tuple(AskedSentence(e.id, e.text, e.entities, "") for e in asked)
    return NerDomain(
        name=name,
        split=Split.TEST,
        pack=store,
        leftover=(),
        asked=sentences,
        whole=len(sentences),
        files=(),
    )


def source_domain(source: Source, *, sentences: int, examples: int) -> NerDomain:
    """Return a fixed sample of a source's test sentences, and of its examples to retrieve."""
    draw = random.Random(_SEED)
    store = draw.sample(source.train, min(examples, len(source.train)))
    asked = draw.sample(source.test, min(sentences, len(source.test)))
    pack = Domain(
        description=source.sheet.description,
        entity_types=source.sheet.entity_types,
        examples=tuple(store),
    )
    return asked_domain(source.name, pack, asked)


def _lot(name: str, store: Domain, asked: Sequence[TaggedExample]) -> Lot:
    held_out = HeldOut(e.text for e in asked)
    kept = [e for e in store.examples if not held_out.leaks(e.text)]
    taught = teachable(name, _with(store, kept))
    leaks = len(store.examples) - len(kept)
    return Lot(taught, asked_domain(name, store, asked), leaks, len(kept) - len(taught.examples))


def _with(pack: Domain, examples: Sequence[TaggedExample]) -> Domain:
    return pack.model_copy(update={"examples": tuple(examples)})
