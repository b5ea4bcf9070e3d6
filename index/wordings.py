"""How near a text lies to what policies say, by an encoder that was tuned on none of them.

Of each policy, all words that say what it names make one vector, and each case of that another:
breaches, or what an allow-list allows. A tuning for policy sets knows less than that of policies of
another kind than its own; of which kind one is, its words tell too. Knows no examples.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from index import segments
from index.encoder import Floats, SentenceEncoder, unit_rows
from index.segments import Entry, Segment
from index.settings import IndexSettings
from index.similarity import Words, from_grid, to_grid
from wraner.errors import Unavailable
from wraner.fusion import KIN
from wraner.packs import Policy, PolicySet

_ALLOWED = "allowed "  # in the ids of what allow-lists name
_OPPOSITE = -1.0  # the kin of allow-lists: tunings know what is a breach alone
HOME = "home.json"
"""The file of a tuning for policy sets that holds where its policies lie: their mean direction."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a text lies to one policy, see `wraner.retrieval.PolicyEvidence`."""

    wording: float
    case: float
    kin: float


@dataclass(frozen=True, slots=True, eq=False)
class PolicyReader:
    """Reads policies' words and texts whole.

    `home` is that of the tuning for policy sets, (dimension,), or None where it does not say: all
    policies are then of its kind.
    """

    encoder: SentenceEncoder
    home: Floats | None = None

    def segment(
        self, pack: PolicySet, settings: IndexSettings, previous: Segment | None = None
    ) -> Segment:
        """Return the vectors of policies' words: `previous` where nothing was written anew."""
        texts = {_entry(p, n): text for p in pack.policies for n, text in enumerate(_written(p))}
        entries = [Entry.of_text(name, text) for name, text in texts.items()]
        if previous and previous.holds(entries):
            return previous
        words = previous.kept(entries) if previous else {}
        fresh = [name for name in texts if name not in words]
        vectors = to_grid(self.encoder.sentences([texts[name] for name in fresh]))
        nothing = np.zeros((0, 1), np.int16), np.zeros(0, np.float32), np.zeros(0, np.int64)
        words |= {name: Words(*nothing, row) for name, row in zip(fresh, vectors, strict=True)}
        pairs = [(entry, words[entry.id]) for entry in entries]
        return segments.make(pairs, f"wordings {self.encoder.identity}", settings)

    def nearness(
        self, segment: Segment, policies: Sequence[str], texts: Sequence[str]
    ) -> list[dict[str, Nearness]]:
        """Return how near each text lies to each policy.

        Texts are read only where a policy is of another kind than the tuning's, as allow-lists are:
        nobody asks elsewhere, and wording and case are 0.
        """
        forbidden = {policy: _rows(segment, policy) for policy in policies}
        rows = {p: own or _rows(segment, p, _ALLOWED) for p, own in forbidden.items()}
        kin = {
            policy: self._kin(segment, own[0]) if own else _OPPOSITE
            for policy, own in forbidden.items()
        }
        if all(k >= KIN for k in kin.values()):
            return [{policy: Nearness(0.0, 0.0, k) for policy, k in kin.items()}] * len(texts)
        everything = np.arange(len(segment.entries))
        found = []
        for sentence in to_grid(self.encoder.sentences(texts)):
            near = segment.likeness(everything, sentence)
            found.append({p: _nearness(near, rows[p], kin[p]) for p in policies})
        return found

    def _kin(self, segment: Segment, row: int) -> float:
        return 1.0 if self.home is None else float(from_grid(segment.texts[row]) @ self.home)


def _rows(segment: Segment, policy: str, kind: str = "") -> list[int]:
    """Return the rows of all that a policy names, and of its cases; none if it is of other kind."""
    found = (segment.rows.get(f"{policy}\n{kind}{number}") for number in count())
    return [row for row in takewhile(lambda row: row is not None, found) if row is not None]


def _nearness(near: Floats, rows: Sequence[int], kin: float) -> Nearness:
    wording, *cases = (float(near[row]) for row in rows)
    return Nearness(wording, max(cases, default=wording), kin)


def own_words(policy: Policy) -> str:
    """Return the words in which a policy says what it names, a line each."""
    return "\n".join([policy.title, policy.definition, *policy.named])


def home_of(policies: Sequence[Policy], encoder: SentenceEncoder) -> Floats:
    """Return the mean direction of policies' words. *Shape:* (dimension,)."""
    vectors = encoder.sentences([own_words(p) for p in policies])
    home: Floats = unit_rows(vectors.mean(axis=0, keepdims=True))[0]
    return home


def write_home(home: Floats, tuning: Path) -> None:
    """Write a mean direction into the folder of a tuning."""
    (tuning / HOME).write_text(f"{json.dumps([round(float(x), 4) for x in home])}\n")


def read_home(tuning: Path, dimension: int) -> Floats | None:
    """Return the mean direction of a tuning's policies, (dimension,), None where it has none.

    Raises:
        Unavailable: it is damaged, or of another encoder.
    """
    if not (tuning / HOME).is_file():
        return None
    try:
        home = np.array(json.loads((tuning / HOME).read_bytes()), np.float32)
        if home.shape != (dimension,):
            raise ValueError(f"shape {home.shape}")
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable(
            f"expected a list of {dimension} numbers in {tuning / HOME}, was: {error}; restore "
            "that file, or remove it: all policies then count as of the tuning's kind"
        ) from error
    return home


def _written(policy: Policy) -> Iterator[str]:
    yield own_words(policy)
    yield from policy.named


def _entry(policy: Policy, number: int) -> str:
    return f"{policy.id}\n{_ALLOWED if policy.is_allow_list else ''}{number}"
