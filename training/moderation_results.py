"""Results of moderation: what systems said about rows. Knows no score and no model."""

from dataclasses import dataclass

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Decided:
    """One row as a system decided it; `review` leaves it to a person, which flags nothing."""

    row: int
    score: float
    flagged: bool
    review: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """What one system decided; a row that it never answered is not there.

    `threshold` is the score near which its decision turns, from which confidence is measured.
    `means` says in words when it flags.
    """

    name: str
    means: str
    threshold: float
    decided: tuple[Decided, ...]


@dataclass(frozen=True, slots=True)
class PolicyScore:
    """A policy that was judged, with its score."""

    policy: str
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the pipeline said about one text, which stands in these rows; never the text itself.

    `judged` holds the policies that were judged, best first, `order` the first ten as the
    retriever ranks them. `calibrated` says that scores are probabilities.
    """

    rows: tuple[int, ...]
    score: float
    decision: str
    calibrated: bool
    judged: tuple[PolicyScore, ...]
    order: tuple[str, ...]


_LINE = TypeAdapter(Prediction)


def prediction_line(prediction: Prediction) -> bytes:
    """Return a prediction as a line of JSON."""
    return _LINE.dump_json(prediction) + b"\n"
