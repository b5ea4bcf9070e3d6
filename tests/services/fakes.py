"""Stand-ins for the engine and the index: quick, without weights, and told to fail at will."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.gateway import Gateway
from services.settings import Limits, Settings
from services.writer import Writer
from wraner.engine import Answer, Engine, GenerateRequest, Line, ModelInfo, ScoreRequest, Scores
from wraner.entities import Span
from wraner.errors import Unavailable
from wraner.extract import Extractor
from wraner.fusion import Fusion
from wraner.moderate import Moderator, ModeratorSettings
from wraner.packs import Pack, PolicySet, version
from wraner.registry import PackStore
from wraner.retrieval import (
    Evidence,
    JudgedNeighbour,
    Neighbour,
    Neighbours,
    PackRef,
    PolicyEvidence,
)

JUDGE_ALONE = Fusion(judge=1.0, margin=0.0, bias=0.0)


class FakeEngine:
    """Takes every word with a capital for an entity of the first label; finds "bad" texts bad."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.error: Exception | None = None
        self.cancelled = 0

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        await self._work()
        return [self._answer(r) for r in requests]

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        await self._work()
        odds = [(-0.1, -3.0) if "bad" in r.prompt.text else (-3.0, -0.1) for r in requests]
        return [Scores(o, len(r.prompt.examples)) for o, r in zip(odds, requests, strict=True)]

    async def info(self) -> ModelInfo:
        if self.error:
            raise self.error
        return ModelInfo("fake@0", ())

    async def _work(self) -> None:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error

    def _answer(self, request: GenerateRequest) -> Answer:
        words = [
            request.spec.flat.flat[start:end]
            for start, end in zip(
                request.spec.flat.flat_starts, request.spec.flat.flat_ends, strict=True
            )
        ]
        lines = tuple(Line(f"{request.spec.labels[0]}: {w}", 0.9) for w in words if w[0].isupper())
        return Answer(lines, len(request.prompt.examples), False)


class FakeIndex:
    """Both sides of the index, in memory; every example is equally near."""

    def __init__(self) -> None:
        self.packs: dict[str, Pack] = {}
        self.error: Exception | None = None

    def build(self, pack: Pack, previous_version: str | None = None) -> None:
        if self.error:
            raise self.error
        self.packs[version(pack)] = pack

    def open(self, pack_version: str) -> Any:
        return self._open(PackRef(pack_version))

    def drop(self, pack_version: str) -> None:
        self.packs.pop(pack_version, None)

    def versions(self, *, older_than_s: float) -> set[str]:
        return set(self.packs)

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        found = tuple(Neighbour(e, 0.5) for e in self._open(pack).examples[:k])  # type: ignore
        return [Neighbours(found, f"index-{pack.version}") for _ in texts]

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        policy_set = self._open(pack)
        assert isinstance(policy_set, PolicySet)
        policies = tuple(
            PolicyEvidence(
                p.id,
                tuple(JudgedNeighbour(e, 0.5) for e in policy_set.examples if p.id in e.violates),
                (),
                0.5,
                (Span(0, 1),),
            )
            for p in policy_set.policies
        )
        return [Evidence(policies, f"index-{pack.version}") for _ in texts]

    def _open(self, pack: PackRef) -> Any:
        if pack.inline is not None:
            return pack.inline
        if pack.version not in self.packs:
            raise Unavailable(f"no index of {pack.version}")
        return self.packs[pack.version]


def make_gateway(
    state: Path,
    *,
    engine: Engine | None = None,
    index: FakeIndex | None = None,
    limits: Limits | None = None,
    gateway_queue: int = 256,
    fusion: Fusion = JUDGE_ALONE,
) -> Gateway:
    """Put a gateway together over fakes and a real store in `state`."""
    engine, index, limits = engine or FakeEngine(), index or FakeIndex(), limits or Limits()
    packs = PackStore(state)
    return Gateway(
        extractor=Extractor(retriever=index, engine=engine),
        moderator=Moderator(
            retriever=index,
            engine=engine,
            settings=ModeratorSettings(fusion=fusion),
        ),
        engine=engine,
        retriever=index,
        packs=packs,
        writer=Writer(packs=packs, generations=index, limits=limits, state_dir=state),
        settings=Settings(state_dir=state, limits=limits, gateway_queue=gateway_queue),
    )
