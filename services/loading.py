"""Loading: settings -> the heavy objects, each in the process that will use it.

Imports torch only inside, so that processes that load nothing stay small.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import structlog

from services.following import Followed, FollowingGenerations, FollowingRetriever
from services.gateway import Gateway
from services.logs import log_as_json
from services.ports import PackWriter
from services.settings import Settings
from services.stock import index_version, stock, stock_adapters
from services.tunings import policy_tuning, word_tuning
from services.writer import Generations, Writer
from wraner import weights
from wraner.engine import Engine
from wraner.entity_fusion import FAST, SHIPPED, EntityFusion
from wraner.extract import Extractor
from wraner.moderate import SERVED, Moderator
from wraner.registry import PackStore
from wraner.retrieval import PackRef, Retriever

if TYPE_CHECKING:
    from index.encoders import Encoders
    from index.local import LocalRetriever
    from index.store import GenerationStore
    from index.word_votes import VoteSettings
    from wraner.local import LocalEngine


def set_environment(settings: Settings) -> None:
    """Set what computes and what asks the hub read when they are imported, here and in children."""
    if settings.base_model == settings.encoder == weights.BUNDLED:
        os.environ["HF_HUB_OFFLINE"] = "1"
    # Threads that wait for each other spin for some 10 us before they sleep. libgomp's own, long
    # wait takes the processor from other processes; none at all costs the model a third of its
    # speed.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # A product compiled for one size takes half a megabyte; oneDNN would keep 1024 of them.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "192")


def gateway_of(
    settings: Settings, *, engine: Engine, retriever: Retriever, writer: PackWriter
) -> Gateway:
    """Return the gateway with its two pipelines around an engine and a retriever."""
    for complaint in stock_adapters(settings.state_dir / "adapters", settings.adapters_dir):
        structlog.get_logger("wraner.gateway").warning("adapter refused", error=complaint)
    return Gateway(
        extractor=Extractor(retriever=retriever, engine=engine, fusion=fusion_of(settings)),
        moderator=Moderator(retriever=retriever, engine=engine, settings=SERVED),
        engine=engine,
        retriever=retriever,
        packs=pack_store(settings),
        writer=writer,
        settings=settings,
    )


def fusion_of(settings: Settings) -> EntityFusion:
    """Return how extraction hears the votes."""
    return FAST if settings.votes_alone else SHIPPED


def pack_store(settings: Settings) -> PackStore:
    """Return the store of packs."""
    return PackStore(settings.state_dir / "packs")


def load_base(
    settings: Settings, *, say: Callable[[str], None] = lambda _: None
) -> weights.BaseModel:
    """Find the base model's weights, converted if that is needed."""
    return weights.resolve(settings.base_model, settings.state_dir / "models", say=say)


def load_engine(settings: Settings) -> "LocalEngine":
    """Load the language model."""
    threads = settings.engine_threads or joblib.cpu_count()
    set_environment(settings)
    _set_threads(threads)

    import torch

    torch.set_num_threads(1)  # while loading, see LocalEngine

    from wraner.language_model import LanguageModel, device_at_hand
    from wraner.local import LocalEngine
    from wraner.workers import BatchLimits

    device = device_at_hand()
    adapters = settings.state_dir / "adapters"
    model = LanguageModel(load_base(settings), adapters=adapters, device=device)
    limits = BatchLimits(
        queue_tokens=settings.engine_queue_tokens, cache_bytes=settings.engine_cache_mb * 2**20
    )
    return LocalEngine(model, limits, threads=threads)


def load_engine_logged(settings: Settings) -> "LocalEngine":
    """Load the language model in a process of its own."""
    log_as_json()
    return load_engine(settings)


def load_retriever_logged(settings: Settings) -> FollowingRetriever:
    """Load the retriever in a process whose log says how far it is, and what is damaged."""
    log_as_json()
    log = structlog.get_logger("wraner.loading")
    return load_retriever(
        settings,
        say=lambda words: log.info("loading", said=words),
        complain=lambda words: log.warning("while loading", said=words),
    )


def load_retriever(
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
    complain: Callable[[str], None] | None = None,
) -> FollowingRetriever:
    """Load the word encoders, index what is not indexed yet, and open the index.

    `complain` hears of what is damaged; without it, `say` does. The retriever follows the word
    tuning that serves.
    """

    def load(tuning: Path | None) -> Retriever:
        return _retriever(settings, tuning, say, complain or say)

    followed = Followed(lambda: word_tuning(settings), load)
    followed.newest()
    return FollowingRetriever(followed, index_missing=partial(_index_missing, settings))


def _retriever(
    settings: Settings,
    tuning: Path | None,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> "LocalRetriever":
    encoders = _encoders(settings, tuning)  # first: FAISS reads the environment when imported

    from index.local import LocalRetriever
    from index.settings import IndexSettings

    generations = _generations(settings, encoders)
    for complaint in _stocked(settings, generations, say):
        complain(complaint)
    root = _index_root(settings)
    return LocalRetriever(encoders, IndexSettings(), root, votes=_votes(tuning))


def _index_missing(settings: Settings, retriever: "LocalRetriever", pack: PackRef) -> None:
    if retriever.lacks(pack):
        packs, state_dir = pack_store(settings), settings.state_dir
        index_version(packs, retriever, pack.version, state_dir=state_dir)


def word_encoders(settings: Settings) -> "Encoders":
    """Load the word encoders that serve, with the threads that this process has.

    Raises:
        Unavailable: weights or tuning are missing, damaged, or do not belong together.
    """
    return encoders_with(settings, word_tuning(settings))


def encoders_with(settings: Settings, tuning: Path | None) -> "Encoders":
    """Load the word encoders with a tuning's folder, None for untuned. Raises as the above."""
    from index.encoders import load_encoders

    folder = None if settings.encoder == weights.BUNDLED else Path(settings.encoder)
    return load_encoders(folder, tuning, for_policies=policy_tuning(settings))


def vote_settings(settings: Settings) -> "VoteSettings":
    """Return how the words of domains vote with the encoder that is chosen."""
    return _votes(word_tuning(settings))


def _votes(tuning: Path | None) -> "VoteSettings":
    from index import word_votes

    return word_votes.UNTUNED if tuning is None else word_votes.VoteSettings()


def stock_packs(settings: Settings, *, say: Callable[[str], None]) -> list[str]:
    """Import and index what is missing, as `load_retriever` does; return the complaints."""
    generations = generations_with(settings, word_tuning(settings))
    return _stocked(settings, generations, say)


def _stocked(
    settings: Settings, generations: "GenerationStore", say: Callable[[str], None]
) -> list[str]:
    return stock(
        pack_store(settings),
        generations,
        settings.packs_dir,
        say=say,
        superseded_for_s=settings.limits.superseded_for_s,
    )


def generations_with(settings: Settings, tuning: Path | None) -> "GenerationStore":
    """Load the word encoders with a tuning's folder, and open the indexes that belong to them.

    Raises:
        Unavailable: weights or tuning are missing, damaged, or do not belong together.
    """
    return _generations(settings, _encoders(settings, tuning))


def load_writer(settings: Settings) -> Writer:
    """Return a writer that loads the word encoders when something is first written."""

    def load(tuning: Path | None) -> Generations:
        return generations_with(settings, tuning)

    generations = FollowingGenerations(Followed(lambda: word_tuning(settings), load))
    return Writer(
        packs=pack_store(settings),
        generations=generations,
        limits=settings.limits,
        state_dir=settings.state_dir,
    )


def _encoders(settings: Settings, tuning: Path | None) -> "Encoders":
    set_environment(settings)
    _set_threads(settings.retriever_threads)
    return encoders_with(settings, tuning)


def _set_threads(count: int) -> None:
    """Set how many threads this process computes with, before it imports what computes.

    OpenMP reads the variable, which Ray has set to 1, once; what torch is told afterwards reaches
    only some of its threads.
    """
    os.environ["OMP_NUM_THREADS"] = str(count)

    import torch

    torch.set_num_threads(count)


def _generations(settings: Settings, encoders: "Encoders") -> "GenerationStore":
    from index.settings import IndexSettings
    from index.store import GenerationStore

    return GenerationStore(_index_root(settings), encoders, IndexSettings())


def _index_root(settings: Settings) -> Path:
    return settings.state_dir / "index"
