"""The language model's adapter as a learner: LoRA, judged by the model's own answers.

It starts from the adapter that serves, or afresh. What examines comes injected. Knows no gate.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from index.encoder import WordEncoder
from training import replay
from training.examination import Bench, Examination
from training.learner import Examine, Serving, Taught
from training.preparation import Places
from training.replay import Subject
from training.retrain_settings import RetrainSettings
from training.settings import TrainingSettings
from wraner import promotions, weights
from wraner.adapters import AdapterManifest, Base, Task, find, read_adapter
from wraner.packs import Domain


@dataclass(frozen=True)
class ModelTools:
    """What an adapter's training works with."""

    encoder: WordEncoder
    examination: Examination
    console: Console


class ModelLearner:
    """Implements `training.learner.Learner`. `serving` is a content hash, "" the model alone."""

    def __init__(
        self,
        settings: RetrainSettings,
        places: Places,
        *,
        serving: str,
        replayed: bool,
        tools: ModelTools,
        asked: Sequence[str] = (),
    ) -> None:
        """Find what serves. No replayed sentence is taught that holds a long stretch of `asked`.

        Raises:
            NotFound, Unavailable: the base model or the adapter that serves is missing or damaged,
                or the adapter is of another base.
            InvalidInput: the adapter that serves is of a kind that training does not go on with.
        """
        self._settings, self._places, self._tools = settings, places, tools
        self._asked = tuple(asked)
        self._adapters = places.state / "adapters"
        self._base = weights.resolve(
            settings.model.base, places.state / "models", say=tools.console.log
        )
        folder = find(self._adapters, serving, base_sha256=self._base.sha256) if serving else None
        # Where the base alone serves, the pointer may name an adapter that does not fit it.
        pointed = serving or promotions.current(self._adapters, Task.NER)
        self.serving = Serving(serving, folder, pointed)
        self._training = self._going_on(replayed)

    @property
    def manifest(self) -> AdapterManifest:
        """See `Learner.manifest`."""
        return AdapterManifest(
            task=Task.NER,
            base=Base(name=self._base.name, sha256=self._base.sha256),
            data=(),
            config={"model": self._training.model_dump(mode="json")},
            metrics={},
            created=datetime.now(UTC).date(),
            view=self._training.prompts.view,
            parent=self.serving.adapter,
        )

    def teach(self, taught: Domain) -> Taught:
        """See `Learner.teach`."""
        folder = self.serving.folder
        share = self._settings.pack_share
        subject = Subject(taught, share, self._training, folder, self._asked)
        tools = self._tools
        return replay.teach(subject, self._places, tools.encoder, console=tools.console)

    def examined(self, adapters: Path) -> AbstractContextManager[Examine]:
        """See `Learner.examined`."""
        return self._tools.examination(Bench(self._base, adapters, self._settings.k))

    def promote(self, identity: str) -> None:
        """See `Learner.promote`."""
        promotions.promote(self._adapters, Task.NER, identity, expected=self.serving.pointed)

    def _going_on(self, replayed: bool) -> TrainingSettings:
        """Return the training's settings, as what serves was shaped and prompted."""
        training = self._settings.model
        if not replayed:
            training = replay.without_replay(training)
        if self.serving.folder is None:
            return training
        lora = replay.shaped_like(self.serving.folder, training.lora)
        view = read_adapter(self._adapters, self.serving.adapter).view
        prompts = training.prompts.model_copy(update={"view": view})
        return training.model_copy(update={"lora": lora, "prompts": prompts})
