"""The index's settings: what counts as similar, and how candidates are found.

All of them are part of a generation's identity. Knows no data.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["auto", "flat", "ivf_sq8"]
Aggregation = Literal["forward", "symmetric"]

_WORDS_PER_MATCH = 400
_GROWS_FROM_WORDS = 150_000
_COUNTS = (
    "query_words",
    "probe_words",
    "probe_matches",
    "candidates",
    "evidence_candidates",
    "nprobe",
)


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How texts are compared and candidates found."""

    language: str = "en"
    """The language whose general word frequencies weigh words (a wordfreq code)."""

    min_weight: float = 0.1
    """Lighter words are neither stored nor searched, unless a text has no other."""

    query_words: int = 64
    """A text is compared by this many of its weightiest words."""

    aggregation: Aggregation = "forward"
    """How near a domain's example lies: the weighted mean of the best match in the example of each
    of the text's words (forward), or the average of that and of the reverse (symmetric)."""

    text_share: float = 0.2
    """How much the likeness of whole texts counts for a domain's example, against that of words;
    where the encoder has no vectors of texts, nothing. See training/LOG.md."""

    evidence_aggregation: Aggregation = "symmetric"
    """The same for the examples and the definitions of a policy set."""

    kind: Kind = "auto"
    """How candidates are found in a large segment: flat scores every example exactly; ivf_sq8 is
    a FAISS index; auto decides by size."""

    flat_limit: int = 32_768
    """auto: up to this many word vectors a segment is flat, beyond it ivf_sq8. Quantised at once,
    since candidates are rescored exactly: it costs no recall and saves three quarters of memory."""

    index_weight: float = 0.6
    """FAISS holds the words of at least this weight; of an example without any, all."""

    probe_words: int = 32
    """FAISS is asked about this many of a text's weightiest words."""

    probe_matches: int = 512
    """The matches that FAISS returns for each of them; at least a 400th of its words."""

    candidates: int = 192
    """The examples that are rescored exactly, of those proposed by each segment; where it holds
    more than 150 thousand words, more by the square root."""

    evidence_candidates: int = 1024
    """The same for a policy set, whose every policy wants examples."""

    nprobe: int = 16
    """ivf_sq8: the cells searched for each word."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of at least 1, was: {getattr(self, name)}")
        if not 0 <= self.min_weight < 1:
            raise ValueError(f"expected 0 <= min_weight < 1, was: {self.min_weight}")
        if not 0 <= self.text_share <= 1:
            raise ValueError(f"expected 0 <= text_share <= 1, was: {self.text_share}")

    def digest(self) -> str:
        """Return a hash of all settings."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def storage_digest(self) -> str:
        """Return a hash of the settings that decide what a segment holds."""
        content = [self.language, self.min_weight, self.index_weight]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def probe_matches_for(self, words: int) -> int:
        """Return the matches to ask of a FAISS index of `words` words."""
        return min(words, max(self.probe_matches, words // _WORDS_PER_MATCH))

    def candidates_for(self, words: int) -> int:
        """Return the examples to rescore, of those that an index of `words` words proposes."""
        return int(self.candidates * max(1.0, words / _GROWS_FROM_WORDS) ** 0.5)

    def kind_for(self, words: int) -> Kind:
        """Return the kind of index for a segment of `words` word vectors."""
        if self.kind != "auto":
            return self.kind
        return "flat" if words <= self.flat_limit else "ivf_sq8"
