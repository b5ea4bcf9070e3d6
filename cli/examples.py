"""`wraner domains examples` and `wraner policies examples`: a stored pack's examples."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cli import pack_views, target, terminal
from cli.counts import counted
from cli.edit import edit_examples
from cli.failures import Exit, say
from cli.options import Format, Name, TargetOptions, Yes
from cli.progress import Sent
from cli.shelf import pieces_of, shelf
from cli.signatures import flat
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import PackSummary
from wraner.errors import InvalidInput
from wraner.formats.choice import Format as FileFormat
from wraner.formats.choice import read, read_judged
from wraner.pack_folders import MARKED_ENDING, is_marked, iterate_examples, on_line
from wraner.packs import Example, check_examples
from wraner.registry import Kind

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...")]


_OR_MARKED = {Kind.DOMAIN: f", or marked text in a {MARKED_ENDING} file", Kind.POLICY_SET: ""}


def example_commands(kind: Kind, named: str) -> typer.Typer:
    """Return the group of commands for the examples of a kind; `named`: how it is called."""

    def list_examples(name: Name, where: TargetOptions, format: Format = None) -> int:  # noqa: A002
        _, found = target.ask(where, lambda client: shelf(client, kind).examples(name))
        pack_views.show_examples(found, terminal.layout(format))
        return Exit.OK

    def add(name: Name, file: File, where: TargetOptions) -> int:
        return _add(kind, name, file, where)

    def remove(name: Name, ids: Ids, where: TargetOptions, yes: Yes = False) -> int:
        return _remove(kind, name, ids, where, yes=yes)

    def edit(name: Name, where: TargetOptions, yes: Yes = False) -> int:
        return edit_examples(kind, name, where, yes=yes)

    own = f"{named} examples"
    group = typer.Typer(no_args_is_help=True, help="The examples of one of them.")
    for word, command, text in (
        ("list", list_examples, f"List examples.\n\n{own} list NAME"),
        (
            "add",
            add,
            f"Add examples from a file, one JSON object a line{_OR_MARKED[kind]}.\n\n"
            f"{own} add NAME a.jsonl",
        ),
        ("remove", remove, f"Remove examples.\n\n{own} remove NAME late-parcel-01"),
        ("edit", edit, f"Change examples in $EDITOR.\n\n{own} edit NAME"),
    ):
        group.command(word, help=text)(flat(command))
    return group


def read_examples(kind: Kind, file: Path) -> tuple[Example, ...]:
    """Read a file of examples: JSON lines, or of a domain marked text.

    Raises:
        InvalidInput: naming the file and the line.
    """
    with file.open("rb") as lines:
        if kind is Kind.DOMAIN:
            format_ = FileFormat.MARKED if is_marked(file) else FileFormat.JSONL
            return tuple(read(lines, format_, name=str(file)))
        return tuple(read_judged(lines, name=str(file)))


def _add(kind: Kind, name: str, file: Path, where: TargetOptions) -> int:
    examples = read_examples(kind, file)

    async def work(client: AsyncClient) -> tuple[int, PackSummary]:
        packs = shelf(client, kind)
        before = await packs.read(name)
        definitions = packs.definitions(before)
        try:
            check_examples(definitions, examples)
        except InvalidInput as error:
            number = int(error.pointer.split("/")[2])
            line, _ = next(islice(iterate_examples(file, definitions), number, None))
            raise on_line(file, line, error) from None
        return before.examples, await packs.extend(name, pieces_of(examples), before, counted=sent)

    sent = Sent(lambda _: None)
    try:
        before, done = target.ask(where, work)
    except BaseException:
        sent.admit(name, "add the file again, those are held already")
        raise
    added = done.examples - before
    held = len(examples) - added
    say(f"{name}: {added} added, {held} held already; {counted(done.examples, 'example')} now")
    return Exit.OK


def _remove(kind: Kind, name: str, ids: list[str], where: TargetOptions, *, yes: bool) -> int:
    terminal.confirm(f"Remove {len(ids)} of the examples of {name!r}?", yes=yes)

    async def work(client: AsyncClient) -> None:
        packs = shelf(client, kind)
        for one in ids:
            done = await packs.remove(name, one)
            say(f"removed {one}; {counted(done.examples, 'example')} left")

    target.ask(where, work)
    return Exit.OK
