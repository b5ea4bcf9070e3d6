"""Small results to score, written by hand."""

from training.ner_results import DomainResult, SentenceResult, ShownExample
from training.ner_summary import Fact, Provenance
from wraner.entities import Entity, Mention

PROVENANCE = Provenance(
    "wraner evaluate ner --data <data>",
    "2026-01-02 03:04 UTC",
    (Fact("adapter", "a|b"),),
    (Fact("model", "m@0"),),
)


def sentence(
    text: str,
    gold: list[tuple[int, int, str]],
    found: list[tuple[int, int, str]],
    *,
    shown: tuple[tuple[str, ...], ...] = (),
    **fields: object,
) -> SentenceResult:
    """Return a result; `shown` are the types of each retrieved example."""
    plain = {"id": "dev-1", "dropped": 0, "truncated": False, "also_in": ""}
    return SentenceResult(
        text=text,
        gold=tuple(Mention(*m) for m in gold),
        found=tuple(Entity(s, e, text[s:e], label, 0.5) for s, e, label in found),
        neighbours=tuple(ShownExample(f"n{i}", 0.5, labels) for i, labels in enumerate(shown)),
        **{**plain, **fields},  # type: ignore[arg-type]
    )


def result(*sentences: SentenceResult, domain: str = "trips") -> DomainResult:
    """Return a domain's result with the types city, person and rest, the last for leftovers."""
    types = ("city", "person", "rest")
    return DomainResult(
        domain, "dev", types, ("rest",), sentences, len(sentences), "p" * 64, "i" * 64, 2.0
    )
