"""What a retriever can do for the pipelines: examples and policies that lie near a text.

`index` implements it in-process, `services` across processes. Knows no vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wraner.entities import Span
from wraner.packs import Domain, JudgedExample, PolicySet, TaggedExample
from wraner.word_votes import WordVotes


@dataclass(frozen=True, slots=True)
class PackRef:
    """Which pack to search.

    A stored pack is named by its content hash `version`, resolved once per request so that no
    answer mixes versions; an inline pack travels whole in `inline`.
    """

    version: str
    inline: Domain | PolicySet | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A tagged example near the text, with its similarity (-1..1, higher is nearer)."""

    example: TaggedExample
    similarity: float


@dataclass(frozen=True, slots=True)
class JudgedNeighbour:
    """A judged example near the text, with its similarity (-1..1, higher is nearer)."""

    example: JudgedExample
    similarity: float


@dataclass(frozen=True, slots=True)
class PolicyEvidence:
    """What the index knows of one policy and one text, without any language model.

    `violating` and `complying` hold the nearest examples of each side, best first, and in any case
    those in the text's own words, as `wraner.precedents` compares them; `definition` is the
    similarity of the text to the policy's own words; `leaning` says how much likelier the text is
    among all violating than among all complying examples (natural log; 0 where a side has none),
    and `word_leaning` the same by the likeness of words alone, which holds for policies too that no
    encoder was tuned on. So do `wording` and `case`, the similarity to all that the policy names
    and to the nearest case of it (where it has none, to all), by an untuned encoder, known where
    some policy of the set is of another kind than those that the encoder was tuned on, else 0;
    `kin` is how near the policy lies to these, -1 of one that names what alone is allowed. `spans`
    are the text's words that speak most for a breach.
    """

    policy: str
    violating: tuple[JudgedNeighbour, ...]
    complying: tuple[JudgedNeighbour, ...]
    definition: float
    spans: tuple[Span, ...]
    leaning: float = 0.0
    word_leaning: float = 0.0
    wording: float = 0.0
    case: float = 0.0
    kin: float = 1.0

    @property
    def examples(self) -> tuple[JudgedNeighbour, ...]:
        """Both sides' examples, nearest first, ties by id."""
        return self.nearest(max(len(self.violating), len(self.complying)))

    def nearest(self, a_side: int) -> tuple[JudgedNeighbour, ...]:
        """Return so many examples of each side, nearest first, ties by id."""
        both = [*self.violating[:a_side], *self.complying[:a_side]]
        return tuple(sorted(both, key=lambda n: (-n.similarity, n.example.id)))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The examples near one text, best first, and the generation that they came from.

    `votes` are those of all its examples' words on the text's, where the retriever counts them.
    """

    neighbours: tuple[Neighbour, ...]
    index: str
    votes: WordVotes | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Every policy's evidence for one text, strongest first, and its generation.

    `leaning` is that of `PolicyEvidence`, for breaching anything at all, among so many `examples`.
    """

    policies: tuple[PolicyEvidence, ...]
    index: str
    leaning: float = 0.0
    examples: int = 0


class Retriever(Protocol):
    """Finds examples by the words of a text."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """Return for each text its `k` nearest tagged examples.

        Raises:
            Unavailable: the pack's index is missing or damaged.
        """
        ...

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """Return for each text the evidence on every policy, `k` examples a side.

        Raises:
            Unavailable: the pack's index is missing or damaged.
        """
        ...
