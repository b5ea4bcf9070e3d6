"""`wraner import`: tagged examples of other tools into a stored domain or a pack folder.

A file is read twice: first whole, so that nothing is stored of one that breaks a rule, then in
pieces. Knows no format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import target
from cli.counts import counted
from cli.failures import Exit, WrongUse, say
from cli.options import FileFormat, PackOptions, TargetOptions, format_of
from cli.progress import Sent, counting
from cli.shelf import Shelf, pieces_of, shelf
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import NotFound
from wraner.client.replies import PackSummary
from wraner.edits import said_by
from wraner.entities import check_mentions
from wraner.errors import Conflict, InvalidInput
from wraner.formats.choice import Format, read
from wraner.pack_folders import check_is_free, write_new_pack_folder
from wraner.packs import Domain, EntityType, TaggedExample, check_domain
from wraner.registry import Kind

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds: distinct examples, repetitions, labels in the order of their coming.

    No label means that nothing is tagged anywhere.
    """

    file: Path
    format: Format
    count: int
    repeated: int
    labels: tuple[str, ...]

    def examples(self) -> Iterator[TaggedExample]:
        """Read the distinct examples again."""
        seen: set[str] = set()
        for example in _read(self.file, self.format):
            if example.id not in seen:
                seen.add(example.id)
                yield example


def import_examples(
    file: File,
    kept: PackOptions,
    where: TargetOptions,
    format: FileFormat = None,  # noqa: A002
) -> int:
    """Read tagged examples into a stored domain or a new pack folder.

    wraner import train.conll --domain news

    wraner import tasks.json --format label-studio --folder packs/news
    """
    kept.check()
    surveyed = _survey(file, format_of(format, file))
    if kept.folder is not None:
        _write_folder(kept.folder, surveyed)
        return Exit.OK

    async def work(client: AsyncClient) -> None:
        await _store(shelf(client, Kind.DOMAIN), kept.domain, surveyed)

    target.ask(where, work)
    return Exit.OK


def _read(file: Path, format: Format) -> Iterator[TaggedExample]:  # noqa: A002
    with file.open("rb") as content:
        yield from read(content, format, name=str(file))


def _survey(file: Path, format: Format) -> Survey:  # noqa: A002
    """Read a file to its end.

    Raises:
        WrongUse: it can be read but once.
        InvalidInput: it breaks a rule of its format, or an entity does not fit its text.
        Conflict: two examples of the same id differ.
    """
    if not file.is_file():
        raise WrongUse(f"expected a file, which can be read twice, was: {file}; save it first")
    contents: dict[str, str] = {}
    labels: dict[str, None] = {}
    repeated = 0
    for example in _read(file, format):
        _check_entities(file, example)
        content = said_by(example)
        if contents.setdefault(example.id, content) != content:
            raise Conflict(f"{file}: two examples with the id {example.id!r} differ; rename one")
        labels.update(dict.fromkeys(mention.label for mention in example.entities))
        repeated += 1
    return Survey(file, format, len(contents), repeated - len(contents), tuple(labels))


def _check_entities(file: Path, example: TaggedExample) -> None:
    labels = {mention.label for mention in example.entities}
    try:
        check_mentions(example.text, example.entities, labels)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: in {example.text[:60]!r}: {error.message}") from None


def _write_folder(folder: Path, surveyed: Survey) -> None:
    """Write a new pack folder; it appears whole or not at all."""
    check_is_free(folder)
    pack = _new_domain(surveyed).model_copy(update={"examples": tuple(surveyed.examples())})
    check_domain(pack)
    write_new_pack_folder(folder, pack)
    say(f"wrote {folder}: {_size(surveyed)}; {_undefined(surveyed)}")


async def _store(packs: Shelf, name: str, surveyed: Survey) -> None:
    with counting("examples", surveyed.count) as stepped:
        pieces = pieces_of(surveyed.examples())
        try:
            stored = await packs.read(name)
        except NotFound:
            before, made = 0, _new_domain(surveyed)
            stored = await packs.put(name, made, if_none_match=True)
            say(f"{name} was not stored before; {_undefined(surveyed)}")
        else:
            before = stored.examples
            _check_labels(surveyed, stored)
            if not surveyed.labels:
                say("no example has an entity: each teaches that there is nothing to find")
        sent = Sent(stepped)
        try:
            done = await packs.extend(name, pieces, stored, counted=sent)
        except BaseException:
            sent.admit(name, "the same command goes on from there")
            raise
    held = surveyed.count - (done.examples - before)
    also = f", {held} of them held already" if held else ""
    say(f"{name}: {_size(surveyed)}{also}; {counted(done.examples, 'example')} now")


def _new_domain(surveyed: Survey) -> Domain:
    if not surveyed.labels:
        raise InvalidInput(
            f"{surveyed.file}: no example has an entity, so no entity type is known; store a "
            f"domain with entity types first"
        )
    return Domain(entity_types=tuple(EntityType(name=label) for label in surveyed.labels))


def _check_labels(surveyed: Survey, stored: PackSummary) -> None:
    known = {one.name for one in stored.entity_types}
    if missing := [label for label in surveyed.labels if label not in known]:
        raise InvalidInput(
            f"{surveyed.file}: {', '.join(missing)}: no entity type of {stored.name!r}, which has "
            f"{', '.join(sorted(known))}; declare what is missing, or import under another name"
        )


def _size(surveyed: Survey) -> str:
    size = counted(surveyed.count, "example")
    if not surveyed.repeated:
        return size
    return f"{size} ({counted(surveyed.repeated, 'repetition')} left out)"


def _undefined(surveyed: Survey) -> str:
    return f"its entity types have no definitions yet: {', '.join(surveyed.labels)}"
