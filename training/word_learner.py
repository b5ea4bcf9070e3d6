"""The word encoder's tuning as a learner: judged by the votes of tagged words, no model asked.

It starts from the tuning that serves, or from the encoder alone. A candidate is kept under all that
decides about it, so that what was stopped goes on behind the last that is whole. How a tuning comes
to serve is injected. Knows no gate.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from rich.console import Console

from index.bundled import NAME, hash_file
from index.encoders import Encoders
from index.word_model import BASE_WEIGHTS
from training.claims import claimed
from training.clean_sources import read_clean_sources
from training.learner import Examine, Serving, Taught
from training.preparation import Places
from training.retrain_settings import RetrainSettings
from training.sources import Source
from training.vote_examination import votes_examined
from training.word_manifest import read_word_manifest
from training.word_preparation import PreparedWords, TaughtPack, encoder_folder, prepare_words
from training.word_run import WordRun, run_tuning
from training.word_settings import WordSettings
from wraner.adapters import WEIGHTS, AdapterManifest, Base, Task, TrainingData
from wraner.packs import Domain, version

Promote = Callable[[str, str], None]
"""Lets a stored tuning serve where the pointer still names the second hash; raises Stale."""


@dataclass(frozen=True)
class WordTools:
    """What a tuning works with. `encoders_with` loads the word encoders with a tuning's folder."""

    encoders_with: Callable[[Path | None], Encoders]
    promote: Promote
    console: Console


class WordLearner:
    """Implements `training.learner.Learner`."""

    def __init__(
        self,
        settings: RetrainSettings,
        places: Places,
        *,
        serving: Serving,
        replayed: bool,
        tools: WordTools,
        asked: Sequence[str] = (),
    ) -> None:
        """Find the encoder. No replayed sentence is taught that holds a long stretch of `asked`.

        Raises:
            Unavailable: it is missing or damaged.
        """
        self.serving = serving
        self._share, self._places, self._tools = settings.pack_share, places, tools
        self._asked = tuple(asked)
        alone = settings.words.model_copy(update={"sources": {}, "held_out": ()})
        self._words: WordSettings = settings.words if replayed else alone
        self._base_sha256 = hash_file(encoder_folder(self._words) / BASE_WEIGHTS)

    @property
    def manifest(self) -> AdapterManifest:
        """See `Learner.manifest`."""
        encoder = self._words.encoder
        return AdapterManifest(
            task=Task.WORDS,
            base=Base(
                name=NAME if encoder == "bundled" else Path(encoder).name, sha256=self._base_sha256
            ),
            data=(),
            config={"words": self._words.model_dump(mode="json")},
            metrics={},
            created=datetime.now(UTC).date(),
            parent=self.serving.adapter,
        )

    def teach(self, taught: Domain) -> Taught:
        """See `Learner.teach`."""
        folder = self._places.state / "training" / "retraining" / self._identity(taught)
        tuning = folder / "tuning"
        with claimed(folder):
            if (tuning / WEIGHTS).is_file():
                self._tools.console.log(f"what was tuned before is taken from {tuning}")
            else:
                self._tune(taught, folder, tuning)
        own, *others = read_word_manifest(tuning).data
        return Taught(tuning, own.sentences, self._sources, tuple(others))

    def examined(self, adapters: Path) -> AbstractContextManager[Examine]:
        """See `Learner.examined`."""
        tools = self._tools
        return votes_examined(adapters, tools.encoders_with, console=tools.console)

    def promote(self, identity: str) -> None:
        """See `Learner.promote`."""
        self._tools.promote(identity, self.serving.pointed)

    @cached_property
    def _sources(self) -> tuple[Source, ...]:
        """The sources, read once, without dev: candidates are judged by their answers."""
        log = self._tools.console.log
        found = read_clean_sources(self._words, self._places.data, log, asked=self._asked)
        return tuple(replace(source, dev=()) for source in found)

    @cached_property
    def _read(self) -> str:
        """A hash of what the sources teach."""
        taught = hashlib.sha256()
        for source in self._sources:
            taught.update(source.sheet.model_dump_json().encode())
            for example in source.train:
                taught.update(example.model_dump_json().encode())
        return taught.hexdigest()

    def _tune(self, taught: Domain, folder: Path, tuning: Path) -> None:
        console = self._tools.console
        pack = TaughtPack("the pack", taught, self._share)
        prepared = prepare_words(
            self._words, self._sources, parent=self.serving.folder, pack=pack, say=console.log
        )
        named = replace(prepared, data=(_own(taught, prepared), *prepared.data))
        parent = self.serving.folder
        above = "" if parent is None else hash_file(parent / WEIGHTS)
        run_tuning(WordRun(named, self._words, above, folder, tuning), console=console)

    def _identity(self, taught: Domain) -> str:
        """Return a hash of all that decides about a tuning."""
        serving = self.serving.adapter
        given = [self._words.model_dump_json(), self._share, version(taught), serving, self._read]
        return hashlib.sha256(json.dumps([self._base_sha256, *given]).encode()).hexdigest()[:16]


def _own(taught: Domain, prepared: PreparedWords) -> TrainingData:
    return TrainingData(
        name=f"pack@{version(taught)[:16]}", terms="", sentences=prepared.pack_sentences
    )
