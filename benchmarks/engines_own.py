"""wraner's engine as `benchmarks.engines` asks it: the served classes in a process of their own.

Hands out the very prompts that it was asked, as token ids, for the others to answer. Uses the
public interface alone, so a prompt's parts and the engine's memory stay its own business.
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks.engines_packs import Measured, measured_packs, with_policies
from benchmarks.engines_watched import LeavingOut, Recorder
from benchmarks.rivals.asking import Task as Asked
from benchmarks.rivals.asking import begin_alike, serve
from benchmarks.rounds import measure
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.store import GenerationStore
from services.loading import vote_settings, word_encoders
from services.settings import read_settings
from services.stock import stock_adapters
from wraner import promotions, weights
from wraner.adapters import Task
from wraner.engine import Answer, ScoreRequest
from wraner.entity_fusion import FAST, SHIPPED
from wraner.extract import Extractor, ExtractTask
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.moderate import SERVED, ModerateTask, Moderator
from wraner.packs import PolicySet, version
from wraner.prompts import NO, YES, Prompt, render_judgement
from wraner.retrieval import PackRef, Retriever
from wraner.workers import BatchLimits

K = 5
_EVERY_OTHER = 2


class Own:
    """What `benchmarks.engines` may ask of wraner; every answer is plain JSON, times in seconds."""

    def __init__(
        self,
        model: LanguageModel,
        engine: LocalEngine,
        retriever: Retriever,
        measured: Measured,
        *,
        index: Callable[[PolicySet], Any],
        adapter: str = "",
    ) -> None:
        """`index` makes a policy set searchable for `retriever`; `adapter` extracts."""
        self._model = model
        self._engine = Recorder(engine)
        self._measured = measured
        self._index = index
        self._indexed: set[str] = set()
        self._adapter = adapter
        self._extractors = {
            False: Extractor(retriever=retriever, engine=self._engine, fusion=SHIPPED),
            True: Extractor(retriever=retriever, engine=self._engine, fusion=FAST),
        }
        self._moderator = Moderator(retriever=retriever, engine=self._engine, settings=SERVED)

    def verbs(self) -> dict[str, Callable[..., Any]]:
        """Return what may be asked, by name."""
        return {
            "about": lambda: f"torch {torch.__version__}, transformers {transformers.__version__}",
            "folder": lambda: str(self._model.base.path.absolute()),
            "texts": lambda: list(self._measured.messages),
            "labels": lambda: list(self._measured.labels),
            "extract": self.extract,
            "moderate": self.moderate,
            "tasks": self.tasks,
            "judgements": self.judgements,
            "unseen": self.unseen,
            "prefill": self.prefill,
            "decode": self.decode,
            "policies": self.policies,
            "prefix_bytes": self.prefix_bytes,
        }

    def extract(self, texts: int, at_once: int, votes: bool = False) -> list[float]:
        """Extract from the first `texts`; return the round's seconds, then each request's.

        With `votes` they answer alone where they can; else the model does beside them, as served.
        """

        async def extracted(text: str) -> None:
            await self._extracted(text, votes=votes)

        return self._run(self._measured.messages[:texts], extracted, at_once)

    def moderate(self, texts: int, at_once: int, exhaustive: bool) -> list[float]:
        """Moderate the first `texts`; return as `extract` does."""
        packed = self._measured.policies

        async def judged(text: str) -> None:
            await self._judged(packed, text, exhaustive=exhaustive)

        return self._run(self._measured.posts[:texts], judged, at_once)

    def tasks(self, texts: list[int]) -> list[Asked]:
        """Return the prompts of those texts, with the lengths of wraner's own answers."""
        self._engine.written.clear()
        for number in texts:
            asyncio.run(self._extracted(self._measured.messages[number]))
        return [
            Asked(self._ids(request.prompt), self._answer_tokens(answer))
            for request, answer in self._engine.written
        ]

    def judgements(self, text: int, exhaustive: bool) -> list[Asked]:
        """Return the prompts that judge a text."""
        self._engine.scored.clear()
        judged = self._judged(
            self._measured.policies, self._measured.posts[text], exhaustive=exhaustive
        )
        asyncio.run(judged)
        return [Asked(self._ids(request.prompt), 0) for request in self._engine.scored]

    def unseen(self, prompts: int, words: int, seed: int) -> list[Asked]:
        """Return prompts of words in a random order, other ones for every `seed`."""
        return [Asked(self._ids(p), 0) for p in self._unseen(prompts, words, seed)]

    def prefill(self, prompts: int, words: int, seed: int, at_once: int) -> list[float]:
        """Read prompts that were never seen; return their tokens, then the seconds."""
        asked = self._unseen(prompts, words, seed)
        requests = [ScoreRequest(prompt, (YES, NO)) for prompt in asked]
        tokens = sum(len(self._ids(prompt)) for prompt in asked)
        return [tokens, self._timed(self._engine.score, requests, at_once)]

    def _unseen(self, prompts: int, words: int, seed: int) -> list[Prompt]:
        known = " ".join(self._measured.messages).split()
        draw = random.Random(seed)
        return [Prompt(" ".join(draw.choices(known, k=words)), (), "x") for _ in range(prompts)]

    def decode(self, texts: int, at_once: int) -> list[float]:
        """Write answers, then only read the same prompts: answer tokens, seconds of either."""
        self._engine.written.clear()
        self._run(self._measured.messages[:texts], self._extracted, 1)
        written = list(self._engine.written)
        requests = [request for request, _ in written]
        tokens = sum(self._answer_tokens(answer) for _, answer in written)
        write_s = self._timed(self._engine.generate, requests, at_once)
        reads = [ScoreRequest(request.prompt, (YES, NO)) for request in requests]
        return [tokens, write_s, self._timed(self._engine.score, reads, at_once)]

    def policies(self, count: int, exhaustive: bool, texts: int, only: list[int]) -> list[float]:
        """Moderate by `count` policies, of them `only` those from one number to another if given.

        Without `only` other texts go before, uncounted, so that what recurs is remembered. Returns
        the seconds and how many judgements there were.
        """
        pack = with_policies(self._measured.policies, count)
        if version(pack) not in self._indexed:
            self._index(pack)
            self._indexed.add(version(pack))
        chosen = tuple(p.id for p in pack.policies[slice(*only)]) if only else ()
        posts = self._measured.posts

        async def judged(text: str) -> None:
            await self._judged(pack, text, exhaustive=exhaustive, policies=chosen)

        if not only:
            self._run(posts[1::_EVERY_OTHER][:texts], judged, 1)
        self._engine.scored.clear()
        took = self._run(posts[::_EVERY_OTHER][:texts], judged, 1)
        return [took[0], len(self._engine.scored)]

    def prefix_bytes(self, count: int) -> list[int]:
        """Return the bytes of keys and values of so many policies' prefixes, and the cache's."""
        config = self._model.model.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        width = self._model.model.dtype.itemsize * head * config.num_key_value_heads
        tokens = 0
        for policy in with_policies(self._measured.policies, count).policies:
            first, other = (self._ids(render_judgement(policy, [], text)) for text in ("a", "b"))
            tokens += begin_alike(first, other)
        return [2 * config.num_hidden_layers * width * tokens, BatchLimits().cache_bytes]

    async def _extracted(self, text: str, *, votes: bool = False) -> None:
        domain, labels = self._measured.domain, self._measured.labels
        ref = PackRef(version(domain))
        task = ExtractTask(domain, ref, (text,), labels=labels, k=K, adapter=self._adapter)
        await self._extractors[votes].extract(task)

    async def _judged(
        self, pack: PolicySet, text: str, *, exhaustive: bool, policies: tuple[str, ...] = ()
    ) -> None:
        task = ModerateTask(
            pack, PackRef(version(pack)), (text,), policies=policies, exhaustive=exhaustive
        )
        await self._moderator.moderate(task)

    def _ids(self, prompt: Prompt) -> tuple[int, ...]:
        return tuple(self._model.chat.encode(prompt, max_tokens=self._model.context_tokens).ids)

    def _answer_tokens(self, answer: Answer) -> int:
        """Return how many tokens an answer has, with the one that ends it."""
        lines = [line.text for line in answer.lines] or ["none"]
        return len(self._model.chat.text_ids("".join(f"{line}\n" for line in lines))) + 1

    def _run(
        self, texts: Sequence[str], ask: Callable[[str], Awaitable[None]], at_once: int
    ) -> list[float]:
        seconds, taken = asyncio.run(measure(ask, texts[::-1], at_once))
        return [seconds, *taken]

    def _timed(
        self, verb: Callable[[Sequence[Any]], Awaitable[Any]], requests: list[Any], at_once: int
    ) -> float:
        async def ask(request: Any) -> None:
            await verb([request])

        seconds, _ = asyncio.run(measure(ask, requests[::-1], at_once))
        return seconds


def main() -> None:
    """Load as the service does, and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)  # while loading, see LocalEngine
    measured = measured_packs(Path("packs"))
    encoders, settings = word_encoders(read_settings()), IndexSettings()
    votes = vote_settings(read_settings())
    base = weights.resolve(weights.BUNDLED, asked.state / "models")
    with tempfile.TemporaryDirectory() as scratch:
        generations = GenerationStore(Path(scratch), encoders, settings)
        generations.build(measured.domain)
        generations.build(measured.policies)
        adapters = Path(scratch) / "adapters"
        stock_adapters(adapters, Path("adapters"))
        model = LanguageModel(base, adapters=adapters)
        local = LocalRetriever(encoders, settings, Path(scratch), votes=votes)
        retriever = LeavingOut(local, measured.own_ids)
        engine = LocalEngine(model, threads=asked.threads)
        adapter = promotions.current(adapters, Task.NER)
        own = Own(model, engine, retriever, measured, index=generations.build, adapter=adapter)
        serve(own.verbs())
        engine.close()


if __name__ == "__main__":
    main()
