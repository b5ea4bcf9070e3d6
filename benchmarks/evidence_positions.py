"""How often the evidence of a moderation verdict covers what a reader would point at.

    python -m benchmarks.evidence_positions --data ../shared/data

78 hateful texts of at most 40 words, from those of HateModerate's training file that are kept for
choosing, evenly over policies. In each, one reader marked the *target* (words that say who is
attacked; a pronoun only where nothing else does) and the *insult* (a slur, a verb of violence, or
the words that carry the breach; a slur can be both), before its evidence was looked at. The way
that ships was chosen on the first 50; the others were marked afterwards. `evidence_positions.json`
has the positions under the texts' keys, and no text.

Asked is the retriever alone, of the policy set that ships. Compared are the words that move the
text's vector, those that match the examples' words (the way of encoders that tell no moves), and as
many words at random.
"""

import argparse
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.encoder import WordEncoder, WordVectors
from index.encoders import Encoders, load_encoders
from index.evidence_words import joined
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.weighting import weight
from training.hatemoderate import CollectedText, dev_keys, read_collected
from wraner.chunks import chunk
from wraner.entities import Span
from wraner.errors import InvalidInput
from wraner.pack_folders import read_pack_folder
from wraner.packs import PolicySet, version
from wraner.retrieval import Evidence, PackRef, PolicyEvidence

LONGEST_WORDS, CHOSEN_ON, NEIGHBOURS, DRAWS = 40, 50, 4, 200
_MARKS = Path(__file__).with_suffix(".json")
_ROOT = Path(__file__).parents[1]

Choose = Callable[[Evidence, CollectedText], PolicyEvidence]


@dataclass(frozen=True, slots=True)
class Marked:
    """What a reader marked in the text of that key."""

    key: str
    target: tuple[Span, ...]
    insult: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What evidence covers: of one text 0 or 1 a side, else means.

    `marked` is the share of a text's characters that it marks, `right` the share of those that the
    reader marked too (0 where it marks none).
    """

    target: float
    insult: float
    either: float
    marked: float
    right: float


def read_marks(path: Path = _MARKS) -> tuple[Marked, ...]:
    """Read what the reader marked.

    Raises:
        InvalidInput: an entry has other fields, or a span that is none.
    """
    found = []
    for entry in json.loads(path.read_bytes()):
        if entry.keys() != {"key", "target", "insult"}:
            raise InvalidInput(f"{path}: expected key, target and insult, was: {sorted(entry)}")
        sides = [tuple(Span(start, end) for start, end in entry[n]) for n in ("target", "insult")]
        if not all(spans and all(0 <= s.start < s.end for s in spans) for spans in sides):
            raise InvalidInput(f"{path}: expected spans of both kinds in {entry['key']}")
        found.append(Marked(entry["key"], *sides))
    return tuple(found)


def drawn(texts: Sequence[CollectedText], count: int) -> list[CollectedText]:
    """Return short hateful texts, one of each policy in turn, the same for the same texts."""
    short = [t for t in texts if t.hateful and len(t.text.split()) <= LONGEST_WORDS]
    ordered = sorted(short, key=lambda t: t.key)
    random.Random(0).shuffle(ordered)
    lots: dict[str, list[CollectedText]] = {}
    for text in ordered:
        lots.setdefault(text.policies[0], []).append(text)
    turns = [(turn, policy) for policy, lot in lots.items() for turn in range(len(lot))]
    return [lots[policy][turn] for turn, policy in sorted(turns)[:count]]


def marked_texts(
    texts: Sequence[CollectedText], marks: Sequence[Marked]
) -> list[tuple[CollectedText, Marked]]:
    """Return the drawn texts with what was marked in each.

    Raises:
        InvalidInput: other texts are drawn than were marked.
    """
    found = drawn(texts, len(marks))
    missing = {marked.key for marked in marks} ^ {text.key for text in found}
    if missing:
        raise InvalidInput(
            f"expected the {len(marks)} texts that were marked, was: {len(missing)} keys that only "
            "one side has; give HateModerate's training file as it was published"
        )
    by_key = {marked.key: marked for marked in marks}
    return [(text, by_key[text.key]) for text in found]


def coverage(text: str, found: Sequence[Span], marked: Marked) -> Coverage:
    """Compare the evidence on a text with what the reader marked."""
    shown, target, insult = map(_characters, (found, marked.target, marked.insult))
    return Coverage(
        target=float(bool(shown & target)),
        insult=float(bool(shown & insult)),
        either=float(bool(shown & (target | insult))),
        marked=len(shown) / len(text),
        right=len(shown & (target | insult)) / len(shown) if shown else 0.0,
    )


def at_random(text: str, found: Sequence[Span], marked: Marked) -> Coverage:
    """Return the mean coverage of as many of the text's words as `found` has, at random."""
    chunks = chunk(text)
    words = [number for number, c in enumerate(chunks) if weight(c.text)]
    shown = _characters(found)
    count = sum(chunks[number].start in shown for number in words)
    draw = random.Random(marked.key)
    return _mean(
        [
            coverage(text, joined(chunks, sorted(draw.sample(words, count))), marked)
            for _ in range(DRAWS)
        ]
    )


class WithoutPulls:
    """An encoder that does not tell how words move their text's vector."""

    def __init__(self, encoder: WordEncoder) -> None:
        self.identity, self.dimension = encoder.identity, encoder.dimension
        self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """See `WordEncoder.encode`."""
        return [replace(v, pulls=v.pulls[:, :0]) for v in self._encoder.encode(texts)]


def first(evidence: Evidence, text: CollectedText) -> PolicyEvidence:
    """Return the evidence on the policy that is suggested most."""
    return evidence.policies[0]


def true(evidence: Evidence, text: CollectedText) -> PolicyEvidence:
    """Return the evidence on a policy that the text breaches, the one suggested most."""
    return next(e for e in evidence.policies if e.policy in text.policies)


def table(
    ways: Mapping[str, Sequence[Evidence]], pairs: Sequence[tuple[CollectedText, Marked]]
) -> str:
    """Return the coverage of every way, each above as many words at random."""
    lines = [
        "| policy | words | target | insult | either | characters marked | of them right |",
        "|---|---|---|---|---|---|---|",
    ]
    choices: dict[str, Choose] = {"suggested first": first, "true": true}
    for policy, choose in choices.items():
        for name, evidence in ways.items():
            asked = [
                (text.text, choose(found, text).spans, marked)
                for (text, marked), found in zip(pairs, evidence, strict=True)
            ]
            lines.append(_row(policy, name, [coverage(*a) for a in asked]))
            lines.append(_row(policy, "as many at random", [at_random(*a) for a in asked]))
    return "\n".join(lines)


def _row(policy: str, name: str, found: Sequence[Coverage]) -> str:
    mean = _mean(found)
    values = (mean.target, mean.insult, mean.either, mean.marked, mean.right)
    return " | ".join([f"| {policy} | {name}", *(f"{v:.2f}" for v in values)]) + " |"


def _mean(found: Sequence[Coverage]) -> Coverage:
    count = len(found)
    return Coverage(
        target=sum(c.target for c in found) / count,
        insult=sum(c.insult for c in found) / count,
        either=sum(c.either for c in found) / count,
        marked=sum(c.marked for c in found) / count,
        right=sum(c.right for c in found) / count,
    )


def _characters(spans: Sequence[Span]) -> set[int]:
    return {place for span in spans for place in range(span.start, span.end)}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tuning", type=Path, default=_ROOT / "adapters" / "policies")
    args = parser.parse_args()
    pack = read_pack_folder(_ROOT / "packs" / "hate-speech")
    assert isinstance(pack, PolicySet)
    collected = read_collected(args.data / "hatemoderate" / "hatemoderate_train.csv")
    kept = dev_keys()
    pairs = marked_texts([t for t in collected if t.key in kept], read_marks())
    encoder = load_encoders(None, None, for_policies=args.tuning).policy_sets
    ways = {
        "that move the text": encoder,
        "that match": WithoutPulls(encoder),
    }
    found = {
        name: LocalRetriever(Encoders.same(e), IndexSettings()).evidence_now(
            PackRef(version(pack), inline=pack), [text.text for text, _ in pairs], NEIGHBOURS
        )
        for name, e in ways.items()
    }
    for what, part in (
        ("on which the way was chosen", slice(CHOSEN_ON)),
        ("marked afterwards", slice(CHOSEN_ON, None)),
    ):
        print(f"\n{len(pairs[part])} texts {what}\n")
        print(table({name: evidence[part] for name, evidence in found.items()}, pairs[part]))


if __name__ == "__main__":
    main()
