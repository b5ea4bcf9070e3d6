"""A small corpus of made-up sentences, its types, and runs on the tiny model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index.encoder import WordVectors
from training import lora, tree_attention
from training.corpus import Corpus, StoreSettings, open_corpus
from training.drawing import Drawing, Supply
from training.loop import Run
from training.packed import Packer
from training.settings import TrainingSettings
from training.sheets import TypeSheet
from training.world import World
from wraner.chat import ChatEncoder
from wraner.chunks import chunk
from wraner.entities import Mention
from wraner.packs import TaggedExample
from wraner.weights import BaseModel

ROOT = Path(__file__).parents[2]
PEOPLE, PLACES = ["Ann", "Bo", "Cem", "Dee"], ["Ulm", "Bonn", "Rome", "Oslo", "Kyiv"]
TYPES = (
    TypeSheet(
        label="PER",
        name="person",
        definition="a human by name",
        paraphrases=("somebody's name",),
        synonyms=("human",),
    ),
    TypeSheet(
        label="LOC",
        name="town",
        definition="a town by name",
        paraphrases=("where people live",),
        synonyms=("city", "place"),
    ),
)


class LetterEncoder:
    """Words as counts of their letters."""

    identity = "letters"
    dimension = 26

    def encode(self, texts: Any) -> list[WordVectors]:
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        vectors = np.zeros((len(chunks), 26), dtype=np.float32)
        for row, c in zip(vectors, chunks, strict=True):
            for letter in c.text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - ord("a")] += 1
            row /= max(float(np.linalg.norm(row)), 1.0)
        return WordVectors(tuple(chunks), vectors)


def sentence(person: str, town: str, verb: str) -> TaggedExample:
    text = f"{person} {verb} {town} again."
    at = text.index(town)
    return TaggedExample(
        text=text,
        entities=(Mention(0, len(person), "person"), Mention(at, at + len(town), "town")),
    )


@pytest.fixture(scope="session")
def sentences() -> list[TaggedExample]:
    verbs = ["visits", "leaves"]
    return [sentence(p, t, v) for p in PEOPLE for t in PLACES for v in verbs]


@pytest.fixture(scope="session")
def corpus(sentences: list[TaggedExample], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return open_corpus(
        "towns",
        sentences,
        LetterEncoder(),
        cache=tmp_path_factory.mktemp("corpora"),
        settings=StoreSettings(smallest=8, largest=20, kept=4),
    )


@pytest.fixture(scope="session")
def hatemoderate() -> Path:
    """The folder of HateModerate."""
    folder = ROOT.parent / "shared" / "data" / "hatemoderate"
    if not folder.is_dir():
        pytest.skip(f"HateModerate is not at {folder}")
    return folder


Begin = Callable[..., Run]


@pytest.fixture
def begin(tiny_base: BaseModel, corpus: Corpus, tmp_path: Path) -> Begin:
    """Return a function that makes a fresh run on the tiny model, as settings say."""

    def fresh(settings: TrainingSettings, world: World | None = None) -> Run:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        loader: Any = AutoModelForCausalLM
        dtype = torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32
        model = loader.from_pretrained(
            tiny_base.path, dtype=dtype, attn_implementation=tree_attention.NAME
        )
        torch.manual_seed(settings.seed)
        targets = tuple(lora.linear_names(model))
        lora.attach(model, lora.LoraShape(8, 16, settings.lora.dropout, targets))
        chat = ChatEncoder(AutoTokenizer.from_pretrained(tiny_base.path))
        drawing = Drawing(
            [Supply(corpus, TYPES, 1.0)],
            chat,
            seed=settings.seed,
            prompts=settings.prompts,
            regularise=settings.regularisers,
        )
        packer = Packer(
            settings.prompts.view,
            shown_weight=settings.prompts.shown_weight,
            end_of_turn=chat.end_of_turn,
            dtype=dtype,
            device=torch.device("cpu"),
        )
        extra = {} if world is None else {"world": world}
        return Run(settings, model, packer, drawing, **extra)

    return fresh
