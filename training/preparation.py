"""From settings to a run that can start: sources, corpora and weights.

Knows no loop and no cluster.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from index.contextual import ContextualEncoder
from index.encoder import WordEncoder
from index.encoders import DOMAIN_LAYER
from training import lora, tree_attention
from training.clean_sources import read_clean_sources
from training.communities import Communities, shipped_communities
from training.corpus import Corpus, StoreSettings, open_corpus
from training.drawing import Drawing, Supply
from training.judged_neighbours import NeighbourFinder
from training.judged_texts import JudgedTexts, read_judged_texts
from training.judgement_drawing import JudgementDrawing
from training.loop import Run
from training.packed import Packer
from training.settings import (
    JudgementSettings,
    LoraSettings,
    PromptSettings,
    TrainingSettings,
)
from training.sources import Source
from training.world import Alone, World
from wraner import weights
from wraner.adapters import CONFIG, Task, TrainingData, read_adapter
from wraner.chat import ChatEncoder
from wraner.errors import InvalidInput
from wraner.language_model import dtype_of
from wraner.packs import TaggedExample
from wraner.weights import BaseModel

_DEV_SENTENCES = 500  # of a source: its loss is measured on a few hundred lessons

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie on disk. `data` is what the sources' paths start at."""

    state: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run with what its manifest names; `corpora` are those of the sources, in their order.

    `judged` is what a judge is taught by, which has no sources.
    """

    run: Run
    base: BaseModel
    shape: lora.LoraShape
    sources: tuple[Source, ...]
    corpora: tuple[Corpus, ...]
    chat: ChatEncoder
    judged: tuple[TrainingData, ...] = ()


def prepare(
    settings: TrainingSettings,
    places: Places,
    *,
    world: World | None = None,
    say: Say = lambda _: None,
    device: str = "cpu",
    asked: Sequence[str] = (),
) -> Prepared:
    """Make a run ready; what takes long is kept in `places.state` and said.

    `asked` are texts that will be asked about: no source teaches them, see `read_clean_sources`.

    Raises:
        InvalidInput: a source is not configured or cannot be read, or the settings do not fit.
        Unavailable: the base model is not there.
    """
    base = weights.resolve(settings.base, places.state / "models", say=say)
    if settings.judgements is not None:
        return _judge(
            settings, settings.judgements, places, base, world=world, say=say, device=device
        )
    sources = read_clean_sources(settings, places.data, say, asked=asked)
    encoder = ContextualEncoder(layer=DOMAIN_LAYER)
    opened = partial(open_store, encoder, places, say)
    supply = partial(supply_of, settings=settings)
    train = [supply(s, opened(s.name, s.train, settings.most_sentences)) for s in sources]
    dev = [supply(s, opened(f"{s.name}-dev", s.dev, _DEV_SENTENCES)) for s in sources if s.dev]
    tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
    chat = ChatEncoder(tokenizer)
    model, shape = adapted_model(settings, base, device=device)
    run = Run(
        settings=settings,
        model=model,
        packer=packer_of(settings.prompts, chat, model=model),
        drawing=drawing_of(train, chat, settings=settings),
        dev=drawing_of(dev, chat, settings=settings) if dev else None,
        world=world or Alone(),
    )
    return Prepared(run, base, shape, sources, tuple(one.corpus for one in train), chat)


def _judge(
    settings: TrainingSettings,
    judgements: JudgementSettings,
    places: Places,
    base: BaseModel,
    *,
    world: World | None,
    say: Say,
    device: str,
) -> Prepared:
    judged = read_judged_texts(judgements.texts, places.data)
    tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
    chat = ChatEncoder(tokenizer)
    model, shape = adapted_model(settings, base, device=device)

    communities = shipped_communities() if judgements.rules else None
    finder = None
    if any(judgements.examples[1:]):
        finder = NeighbourFinder(places.state / "training" / "vectors", say)
    of_communities = finder.of_communities(communities) if finder and communities else {}

    def drawn(texts: JudgedTexts, rules: Communities | None = None) -> JudgementDrawing:
        return JudgementDrawing(
            texts,
            chat,
            seed=settings.seed,
            settings=judgements,
            neighbours=finder.of_texts(texts, own=bool(judgements.own)) if finder else None,
            communities=rules,
            of_communities=of_communities,
        )

    run = Run(
        settings=settings,
        model=model,
        packer=packer_of(settings.prompts, chat, model=model),
        drawing=drawn(judged, communities),
        dev=drawn(judged.asked_of_dev) if judged.dev else None,
        world=world or Alone(),
    )
    data = judged.data if judgements.own else judged.data[:1]
    if communities is not None:
        data = (*data, communities.data)
    return Prepared(run, base, shape, (), (), chat, data)


def adapted_model(
    settings: TrainingSettings, base: BaseModel, *, device: str = "cpu"
) -> tuple[Any, lora.LoraShape]:
    """Load the base model and put an adapter on it; the seed decides how a fresh one begins.

    Raises:
        InvalidInput: the adapter to start from is of another task, base model or shape.
        NotFound, Unavailable: it is not there, or damaged.
    """
    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(
        base.path,
        dtype=dtype_of(settings.dtype, device),
        attn_implementation=tree_attention.NAME,
    )
    shape = _shape(settings.lora, model)
    torch.manual_seed(settings.seed)
    lora.attach(model, shape)
    if settings.start is not None:
        _start_from(settings.start, model, base, shape, task=settings.task)
    return model.to(device), shape


def _start_from(
    folder: Path, model: Any, base: BaseModel, shape: lora.LoraShape, *, task: Task
) -> None:
    manifest = read_adapter(folder.parent, folder.name)
    if manifest.task != task:
        raise InvalidInput(
            f"expected an adapter for {task} to start from, was: {folder.name[:12]}, which is one "
            f"for {manifest.task}; name another adapter, or a config of its task"
        )
    if manifest.base.sha256 != base.sha256:
        raise InvalidInput(
            f"expected an adapter of {base.name} to start from, was: {folder.name[:12]}, which is "
            f"one of {manifest.base.name}; train the config's base, or name another adapter"
        )
    alpha = json.loads((folder / CONFIG).read_bytes())["lora_alpha"]
    if alpha != shape.alpha:  # the same factors would weigh otherwise
        raise InvalidInput(
            f"expected an adapter of alpha {shape.alpha} to start from, was: {folder.name[:12]}, "
            f"of alpha {alpha}; set the config's lora: alpha, or name another adapter"
        )
    lora.load(model, folder)


def _shape(settings: LoraSettings, model: Any) -> lora.LoraShape:
    targets = settings.targets or tuple(lora.linear_names(model))
    return lora.LoraShape(settings.rank, settings.alpha, settings.dropout, targets)


def open_store(
    encoder: WordEncoder,
    places: Places,
    say: Say,
    name: str,
    examples: Sequence[TaggedExample],
    sentences: int | None,
) -> Corpus:
    """Open the corpus of some sentences, at most so many, in the cache that all trainings share."""
    cache = places.state / "training" / "corpora"
    settings = StoreSettings(sentences=sentences)
    return open_corpus(name, examples, encoder, cache=cache, settings=settings, say=say)


def supply_of(source: Source, corpus: Corpus, settings: TrainingSettings) -> Supply:
    """Return how sentences of a source are drawn.

    Raises:
        InvalidInput: there is none, for each was too long.
    """
    if not len(corpus):
        raise InvalidInput(
            f"expected sentences of at most {StoreSettings().longest_words} words in "
            f"{corpus.name}, was: none; cut its texts into sentences, or leave it out"
        )
    return Supply(corpus, source.sheet.types, settings.sources[source.name])


def drawing_of(
    supplies: Sequence[Supply], chat: ChatEncoder, *, settings: TrainingSettings
) -> Drawing:
    """Return what draws from some corpora as the settings say."""
    return Drawing(
        supplies,
        chat,
        seed=settings.seed,
        prompts=settings.prompts,
        regularise=settings.regularisers,
    )


def packer_of(prompts: PromptSettings, chat: ChatEncoder, *, model: Any) -> Packer:
    """Return what packs lessons for a model, where it lies."""
    return Packer(
        prompts.view,
        shown_weight=prompts.shown_weight,
        end_of_turn=chat.end_of_turn,
        dtype=model.dtype,
        device=model.device,
    )
