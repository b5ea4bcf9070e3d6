"""From settings and sources to a word encoder that can be tuned: sentences read, weights loaded.

Knows no loop and no file of sentences.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from index.bundled import bundled_minilm, hash_file
from index.subwords import SubwordReader
from index.word_model import BASE_WEIGHTS, WordModel, load_encoder
from training.sources import Source
from training.word_batches import untuned_vectors
from training.word_episodes import Embed, Episode, Episodes, WordSupply
from training.word_manifest import go_on_from
from training.word_sentences import read_sentences
from training.word_settings import WordSettings
from training.word_tuning import Tunable, tunable
from wraner.adapters import TrainingData
from wraner.errors import InvalidInput, Unavailable
from wraner.packs import Domain, TaggedExample

_DEV_EPISODES = 8  # of a source
_FEWEST_SENTENCES = 2  # words are compared with those of other sentences


@dataclass(frozen=True, slots=True)
class TaughtPack:
    """A pack that is taught beside the sources, and its share of the steps."""

    name: str
    pack: Domain
    share: float


@dataclass(frozen=True, slots=True)
class PreparedWords:
    """A tuning that can start, with what its manifest names. `dev` is never taught.

    `data` are the sources; `pack_sentences` counts what the pack gives.
    """

    tuned: Tunable
    episodes: Episodes
    dev: tuple[Episode, ...]
    base_sha256: str
    data: tuple[TrainingData, ...]
    pack_sentences: int


def prepare_words(
    settings: WordSettings,
    sources: Sequence[Source],
    *,
    parent: Path | None = None,
    pack: TaughtPack | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedWords:
    """Make a tuning ready, to go on from the one in `parent` where that is given.

    Raises:
        InvalidInput: a source or the pack has too few sentences, or settings or parent do not fit.
        Unavailable: the encoder is not there or damaged.
    """
    folder = encoder_folder(settings)
    reader, tuned, untuned = _loaded(folder, settings)
    base_sha256 = hash_file(folder / BASE_WEIGHTS)
    if parent is not None:
        go_on_from(tuned, parent, base_sha256=base_sha256)
    check_longest(tuned, reader, settings.longest_subwords)
    supply = partial(_supply, reader=reader, settings=settings, say=say)
    supplies = [supply(_of_source(s, "train", s.train, settings)) for s in sources]
    dev = [supply(_of_source(s, "dev", s.dev, settings)) for s in sources if s.dev]
    own = [supply(_of_pack(pack, sources, settings))] if pack is not None else []
    return PreparedWords(
        tuned=tuned,
        episodes=Episodes([*own, *supplies], settings, untuned=untuned),
        dev=tuple(e for d in dev for e in _dev_episodes(d, settings, untuned=untuned)),
        base_sha256=base_sha256,
        data=tuple(
            TrainingData(name=s.name, terms=s.terms, sentences=len(t.sentences))
            for s, t in zip(sources, supplies, strict=True)
        ),
        pack_sentences=sum(len(supply.sentences) for supply in own),
    )


def encoder_folder(settings: WordSettings) -> Path:
    """Return where the encoder that is tuned lies.

    Raises:
        Unavailable: it is the bundled one, which is missing or damaged.
    """
    return bundled_minilm() if settings.encoder == "bundled" else Path(settings.encoder)


def _loaded(folder: Path, settings: WordSettings) -> tuple[SubwordReader, Tunable, Embed]:
    try:
        reader = SubwordReader(folder)
        plain = WordModel(load_encoder(folder, settings.split_layer))
        encoder: Any = load_encoder(folder, settings.layer)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unavailable(
            f"the word encoder in {folder} cannot be loaded: {reason}; correct encoder, layer or "
            "split_layer"
        ) from error
    tuned = tunable(encoder, rank=settings.rank, alpha=settings.alpha, seed=settings.seed)
    return reader, tuned, partial(untuned_vectors, plain)


def check_longest(tuned: Tunable, reader: SubwordReader, longest_subwords: int) -> None:
    """Refuse to read longer texts than the encoder has places for.

    Raises:
        InvalidInput: `longest_subwords` are more.
    """
    places = int(getattr(tuned.model.encoder.config, "max_position_embeddings", 512))
    most = places - len(reader.before + reader.after)
    if longest_subwords > most:
        raise InvalidInput(
            f"expected longest_subwords of at most {most}, what the encoder has places for, was: "
            f"{longest_subwords}"
        )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Sentences that may be drawn, where they are from, and how often."""

    name: str
    place: str
    examples: Sequence[TaggedExample]
    labels: Sequence[str]
    weight: float


def _of_source(
    source: Source, part: str, examples: Sequence[TaggedExample], settings: WordSettings
) -> _Drawn:
    labels = [t.name for t in source.sheet.types]
    place = f"{part} of {source.name}"
    return _Drawn(source.name, place, examples, labels, settings.sources[source.name])


def _of_pack(pack: TaughtPack, sources: Sequence[Source], settings: WordSettings) -> _Drawn:
    """Return the pack's examples; their weight makes up their share beside the sources."""
    others = sum(settings.sources[source.name] for source in sources)
    weight = pack.share / (1 - pack.share) * others if others else 1.0
    return _Drawn(pack.name, pack.name, pack.pack.examples, pack.pack.labels, weight)


def _supply(
    drawn: _Drawn,
    *,
    reader: SubwordReader,
    settings: WordSettings,
    say: Callable[[str], None],
) -> WordSupply:
    found = read_sentences(drawn.examples, drawn.labels, reader=reader, settings=settings)
    if len(found) < len(drawn.examples):
        say(f"{drawn.place}: {len(drawn.examples) - len(found)} left out as too long")
    if len(found) < _FEWEST_SENTENCES:
        few = len(drawn.examples) < _FEWEST_SENTENCES
        remedy = "add some" if few else "add some, or raise longest_words and longest_subwords"
        raise InvalidInput(
            f"expected at least {_FEWEST_SENTENCES} sentences that are not too long in "
            f"{drawn.place}, was: {len(found)} of {len(drawn.examples)}; leave it out, or {remedy}"
        )
    return WordSupply(drawn.name, found, len(drawn.labels), drawn.weight)


def _dev_episodes(
    supply: WordSupply, settings: WordSettings, *, untuned: Embed
) -> tuple[Episode, ...]:
    whole = settings.model_copy(update={"split_types": 0.0})
    episodes = Episodes([supply], whole, untuned=untuned)
    return tuple(episodes.step(number) for number in range(_DEV_EPISODES))
