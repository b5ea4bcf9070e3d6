"""Data sets in the layout of Hugging Face's `datasets`: a column of tokens, a column of tags.

Rows are streamed and become examples as CoNLL's sentences do: tokens joined by single spaces.
Knows no sheet and no other source.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from datasets import load_dataset
from datasets.exceptions import DatasetsError
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from wraner.errors import InvalidInput
from wraner.formats.spans import shortened, tagged
from wraner.formats.tags import TAGS, is_tag, mentions_of
from wraner.formats.tokens import join
from wraner.packs import TaggedExample


class HubDataset(BaseModel):
    """Where a data set lies and which of its columns and splits to read.

    `path` is a folder if it begins with ``./``, ``../`` or ``/``, else an id on the hub.
    `tag_names` are needed where tags are bare numbers. `sentences` is the number of sentences to
    take of each split, from its beginning; without it, all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[StrictStr, Field(min_length=1)]
    configuration: StrictStr | None = None
    revision: StrictStr | None = None
    tokens: StrictStr = "tokens"
    tags: StrictStr = "ner_tags"
    tag_names: tuple[StrictStr, ...] = ()
    train: StrictStr = "train"
    dev: StrictStr | None = None
    test: StrictStr | None = None
    sentences: Annotated[StrictInt, Field(ge=1)] | None = None


def iterate_split(dataset: HubDataset, split: str, *, data_root: Path) -> Iterator[TaggedExample]:
    """Yield a split's sentences; a folder's path starts at `data_root`.

    Raises:
        InvalidInput: the data set cannot be reached or read, or lacks a split or a column, or a
            tag has no name; names the data set and the row.
    """
    where = f"{dataset.path} [{split}]"
    try:
        stream = load_dataset(
            _location(dataset, data_root),
            dataset.configuration,
            split=split,
            revision=dataset.revision,
            streaming=True,
        )
        names = _tag_names(dataset, stream.features or {})
        for number, row in enumerate(islice(stream, dataset.sentences)):
            tokens, tags = row[dataset.tokens], row[dataset.tags]
            yield _example(tokens, tags, names, where=f"{where} row {number}")
    except (OSError, ValueError, DatasetsError) as error:
        raise InvalidInput(
            f"expected a data set with a split {split!r}, was: {dataset.path} ({error}); correct "
            f"path, configuration or split, or the network"
        ) from error


def _location(dataset: HubDataset, data_root: Path) -> str:
    local = dataset.path.startswith(("./", "../", "/"))
    return str((data_root / dataset.path).resolve()) if local else dataset.path


def _tag_names(dataset: HubDataset, features: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of numbered tags, given ones first; none where no names are known."""
    for column in (dataset.tokens, dataset.tags):
        if column not in features:
            raise InvalidInput(
                f"{dataset.path}: expected a column {column!r}, was: {', '.join(features)}; "
                f"set `tokens` and `tags`"
            )
    tag = getattr(features[dataset.tags], "feature", None)
    return dataset.tag_names or tuple(getattr(tag, "names", ()))


def _example(tokens: Any, tags: Any, names: tuple[str, ...], *, where: str) -> TaggedExample:
    rows = isinstance(tokens, list) and isinstance(tags, list)
    if not rows or len(tokens) != len(tags) or not all(isinstance(t, str) for t in tokens):
        raise InvalidInput(
            f"{where}: expected a list of tokens and one of as many tags, was: "
            f"{shortened(tokens)} and {shortened(tags)}; set `tokens` and `tags` or correct the row"
        )
    text, spans = join(tokens)
    return tagged(text, mentions_of(spans, [_named(t, names, where) for t in tags]), where=where)


def _named(tag: object, names: tuple[str, ...], where: str) -> str:
    if isinstance(tag, int):
        if not 0 <= tag < len(names):
            raise InvalidInput(
                f"{where}: expected the number of one of {len(names)} named tags, was: {tag}; "
                f"list all of them, in order, as `tag_names`"
            )
        tag = names[tag]
    if not isinstance(tag, str) or not is_tag(tag):
        raise InvalidInput(f"{where}: expected tags ({TAGS}), was: {tag!r}; set `tags`")
    return tag
