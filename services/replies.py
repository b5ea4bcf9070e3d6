"""Replies: what the pipelines and the store return -> the contract's responses. Pure mapping."""

from collections.abc import Sequence
from typing import Any

from services import schema
from services.offsets import converter
from services.ports import Written
from wraner.extract import Extraction
from wraner.packs import Domain, PolicySet
from wraner.policies import Citation, PolicyMatch, Verdict
from wraner.registry import Stored


def extraction(text: str, found: Extraction, unit: str) -> schema.Extraction:
    """Return the entities of one text, positions in `unit`."""
    position = converter(text, unit)
    return schema.Extraction(
        entities=[
            schema.Entity(
                start=position(e.start),
                end=position(e.end),
                text=e.text,
                label=e.label,
                score=e.score,
            )
            for e in found.entities
        ],
        neighbours=_cited(found.neighbours),
        coverage=schema.Coverage(
            characters=found.coverage.characters,
            windows=found.coverage.windows,
            truncated=found.coverage.truncated,
        ),
    )


def verdict(found: Verdict) -> schema.Verdict:
    """Return the verdict on one text."""
    return schema.Verdict(
        decision=found.decision,
        flagged=found.flagged,
        score=found.score,
        calibrated=found.calibrated,
        matches=[_match(m) for m in found.matches],
        coverage=schema.JudgedCoverage(
            characters=found.coverage.characters,
            windows=found.coverage.windows,
            truncated=found.coverage.truncated,
            policies_judged=[m.policy for m in found.judged],
            policies_skipped=found.policies_skipped,
        ),
    )


def summary(stored: Stored) -> schema.DomainSummary | schema.PolicySetSummary:
    """Return a stored pack without its examples."""
    common: dict[str, Any] = {
        "name": stored.name,
        "version": stored.version,
        "examples": stored.examples,
        "description": stored.definitions.description,
    }
    if isinstance(stored.definitions, Domain):
        return schema.DomainSummary(**common, entity_types=list(stored.definitions.entity_types))
    assert isinstance(stored.definitions, PolicySet)
    return schema.PolicySetSummary(**common, policies=list(stored.definitions.policies))


def written(done: Written) -> schema.PackSummary:
    """Return a pack after a write."""
    return schema.PackSummary(name=done.name, version=done.version, examples=done.examples)


def _match(match: PolicyMatch) -> schema.PolicyMatch:
    return schema.PolicyMatch(
        policy=match.policy,
        title=match.title,
        tier=match.tier,
        score=match.score,
        neighbours=_cited(match.neighbours),
        evidence=[schema.Span(start=s.start, end=s.end) for s in match.evidence],
    )


def _cited(citations: Sequence[Citation]) -> list[schema.Neighbour]:
    return [schema.Neighbour(id=c.id, similarity=c.similarity) for c in citations]
