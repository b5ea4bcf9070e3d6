"""A learner: what a retraining trains, the word encoder's tuning or the language model's adapter.

Knows no gate and no shelf.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from training.ner_domains import NerDomain
from training.sources import Source
from wraner.adapters import AdapterManifest, TrainingData
from wraner.metrics import SpanCounts
from wraner.packs import Domain

Examine = Callable[[NerDomain, str], tuple[SpanCounts, ...]]
"""Asks about a domain with an adapter, "" for the base alone; returns each sentence's counts."""


@dataclass(frozen=True)
class Serving:
    """What serves at the start, which is gone on from and compared with.

    `adapter` is its content hash and `folder` where its files lie, "" and None for the base alone.
    `pointed` is what the pointer names, which may be something that does not fit, or nothing ("").
    """

    adapter: str
    folder: Path | None
    pointed: str


@dataclass(frozen=True)
class Taught:
    """A candidate: its files, and how many of the pack's sentences were taught.

    `sources` were replayed; `replayed` says how much of them.
    """

    adapter: Path
    sentences: int
    sources: tuple[Source, ...]
    replayed: tuple[TrainingData, ...]


class Learner(Protocol):
    """Trains candidates, and asks them."""

    @property
    def serving(self) -> Serving:
        """What serves at the start."""
        ...

    @property
    def manifest(self) -> AdapterManifest:
        """A candidate's manifest, as far as it is known before: no data and no figures."""
        ...

    def teach(self, taught: Domain) -> Taught:
        """Train one candidate on a pack.

        Raises:
            InvalidInput: settings, sources or pack do not fit.
            Unavailable: the base is missing or damaged.
        """
        ...

    def examined(self, adapters: Path) -> AbstractContextManager[Examine]:
        """Load what asks with the adapters of a folder, and let it go at the end."""
        ...

    def promote(self, identity: str) -> None:
        """Let a stored candidate serve in place of what serves.

        Raises:
            Stale: something else serves by now.
        """
        ...
