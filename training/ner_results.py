"""Results of asking for entities: what was found in each sentence, beside what stands there.

Everything that scores need is here, so that they can be computed again from a file. Knows no score
and no model.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wraner.entities import Entity, Mention
from wraner.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ShownExample:
    """An example that stood in the prompt, with the types that it carries."""

    id: str
    similarity: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SentenceResult:
    """One sentence with its gold entities and those that were found.

    `neighbours` are best first. `dropped` counts lines of the answer that named nothing in the
    text, `truncated` says that it hit the limit of tokens. `also_in`: see `AskedSentence`.
    """

    id: str
    text: str
    gold: tuple[Mention, ...]
    found: tuple[Entity, ...]
    neighbours: tuple[ShownExample, ...]
    dropped: int
    truncated: bool
    also_in: str


@dataclass(frozen=True)
class DomainResult:
    """What was found in a domain's sentences.

    `types` are the declared names, `leftover` those for what fits no other type. `pack` and `index`
    are the hashes of the definitions with their store and of its index. `whole` counts the
    sentences of the split, of which these may be a sample. `seconds` is wall time, indexing the
    store included.
    """

    domain: str
    split: str
    types: tuple[str, ...]
    leftover: tuple[str, ...]
    sentences: tuple[SentenceResult, ...]
    whole: int
    pack: str
    index: str
    seconds: float


_LINE = TypeAdapter(SentenceResult)


def write_predictions(path: Path, sentences: Iterable[SentenceResult]) -> None:
    """Write sentences' results to a file, one JSON object a line."""
    with path.open("wb") as file:
        file.writelines(_LINE.dump_json(sentence) + b"\n" for sentence in sentences)


def read_predictions(path: Path) -> tuple[SentenceResult, ...]:
    """Read what `write_predictions` wrote.

    Raises:
        InvalidInput: a line is not such a result; names file and line.
    """
    sentences = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                sentences.append(_LINE.validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                raise InvalidInput(
                    f"{path}:{number}: expected a sentence's result, was: a line with a fault in "
                    f"{'/'.join(map(str, first['loc'])) or 'its JSON'} ({first['msg']}); "
                    "evaluate again"
                ) from None
    return tuple(sentences)
