"""From settings to a word encoder that can be tuned: sources read, weights loaded.

Knows no loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from index.bundled import bundled_minilm, hash_file
from index.subwords import SubwordReader
from index.word_model import BASE_WEIGHTS, WordModel, load_encoder
from training.clean_sources import read_clean_sources
from training.sources import Source
from training.word_batches import untuned_vectors
from training.word_episodes import Embed, Episode, Episodes, WordSupply
from training.word_manifest import go_on_from
from training.word_sentences import read_sentences
from training.word_settings import WordSettings
from training.word_tuning import Tunable, tunable
from wraner.adapters import TrainingData
from wraner.errors import InvalidInput, Unavailable

_DEV_EPISODES = 8  # of a source
_FEWEST_SENTENCES = 2  # words are compared with those of other sentences


@dataclass(frozen=True, slots=True)
class PreparedWords:
    """A tuning that can start, with what its manifest names. `dev` is never taught."""

    tuned: Tunable
    episodes: Episodes
    dev: tuple[Episode, ...]
    base_sha256: str
    data: tuple[TrainingData, ...]


def prepare_words(
    settings: WordSettings,
    data: Path,
    *,
    parent: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> PreparedWords:
    """Make a tuning ready, to go on from the one in `parent` where that is given.

    Raises:
        InvalidInput: a source cannot be read, or settings or parent do not fit.
        Unavailable: the encoder is not there or damaged.
    """
    folder = bundled_minilm() if settings.encoder == "bundled" else Path(settings.encoder)
    reader, tuned, untuned = _loaded(folder, settings)
    base_sha256 = hash_file(folder / BASE_WEIGHTS)
    if parent is not None:
        go_on_from(tuned, parent, base_sha256=base_sha256)
    _check_longest(tuned, reader, settings)
    sources = read_clean_sources(settings, data, say)
    supply = partial(_supply, reader=reader, settings=settings, say=say)
    supplies = tuple(supply(s, "train") for s in sources)
    dev = [supply(s, "dev") for s in sources if s.dev]
    return PreparedWords(
        tuned=tuned,
        episodes=Episodes(supplies, settings, untuned=untuned),
        dev=tuple(e for d in dev for e in _dev_episodes(d, settings, untuned=untuned)),
        base_sha256=base_sha256,
        data=tuple(
            TrainingData(name=s.name, terms=s.terms, sentences=len(t.sentences))
            for s, t in zip(sources, supplies, strict=True)
        ),
    )


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
    return reader, tunable(encoder, settings), partial(untuned_vectors, plain)


def _check_longest(tuned: Tunable, reader: SubwordReader, settings: WordSettings) -> None:
    places = int(getattr(tuned.model.encoder.config, "max_position_embeddings", 512))
    most = places - len(reader.before + reader.after)
    if settings.longest_subwords > most:
        raise InvalidInput(
            f"expected longest_subwords of at most {most}, what the encoder has places for, was: "
            f"{settings.longest_subwords}"
        )


def _supply(
    source: Source,
    part: Literal["train", "dev"],
    *,
    reader: SubwordReader,
    settings: WordSettings,
    say: Callable[[str], None],
) -> WordSupply:
    labels = [t.name for t in source.sheet.types]
    examples = source.train if part == "train" else source.dev
    found = read_sentences(examples, labels, reader=reader, settings=settings)
    if len(found) < len(examples):
        say(f"{source.name}: {len(examples) - len(found)} of {part} left out as too long")
    if len(found) < _FEWEST_SENTENCES:
        raise InvalidInput(
            f"expected at least {_FEWEST_SENTENCES} sentences that are not too long in {part} of "
            f"{source.name}, was: {len(found)}; leave the source out or raise longest_words"
        )
    return WordSupply(source.name, found, len(labels), settings.sources[source.name])


def _dev_episodes(
    supply: WordSupply, settings: WordSettings, *, untuned: Embed
) -> tuple[Episode, ...]:
    whole = settings.model_copy(update={"split_types": 0.0})
    episodes = Episodes([supply], whole, untuned=untuned)
    return tuple(episodes.step(number) for number in range(_DEV_EPISODES))
