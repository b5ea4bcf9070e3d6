"""`wraner domains` and `wraner policies`: the stored packs of a kind, listed, shown, changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import pack_views, target, terminal
from cli.counts import counted
from cli.examples import example_commands
from cli.failures import Exit, WrongUse, say
from cli.options import Format, Name, TargetOptions, Yes
from cli.progress import Sent, counting
from cli.shelf import shelf
from cli.signatures import flat
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import Stale
from wraner.client.replies import PackSummary
from wraner.errors import Conflict
from wraner.pack_folders import check_is_free, read_pack_folder, write_new_pack_folder
from wraner.registry import Kind, kind_of

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, metavar="FOLDER")]
NewFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="New, or empty.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of what is stored.")]


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind of pack and its definitions are called."""

    command: str
    pack: str
    definitions: str


_WORDS = {
    Kind.DOMAIN: Words("domains", "domain", "entity types"),
    Kind.POLICY_SET: Words("policies", "policy set", "policies"),
}


def pack_commands(kind: Kind) -> typer.Typer:
    """Return the group of commands for a kind."""
    words = _WORDS[kind]
    named = f"wraner {words.command}"

    def list_packs(where: TargetOptions, format: Format = None) -> int:  # noqa: A002
        packs = target.ask(where, lambda client: shelf(client, kind).list())
        pack_views.show_packs(packs, terminal.layout(format))
        return Exit.REFUSED if packs.damaged else Exit.OK

    def show(name: Name, where: TargetOptions, format: Format = None) -> int:  # noqa: A002
        pack = target.ask(where, lambda client: shelf(client, kind).read(name))
        pack_views.show_pack(pack, terminal.layout(format))
        return Exit.OK

    def add(name: Name, folder: Folder, where: TargetOptions, replace: Replace = False) -> int:
        return _add(kind, Addition(name, folder, replace), where)

    def save(name: Name, folder: NewFolder, where: TargetOptions) -> int:
        return _save(kind, name, folder, where)

    def remove(name: Name, where: TargetOptions, yes: Yes = False) -> int:
        terminal.confirm(f"Remove the {words.pack} {name!r} with all its examples?", yes=yes)
        target.ask(where, lambda client: shelf(client, kind).delete(name))
        say(f"removed {name}")
        return Exit.OK

    group = typer.Typer(no_args_is_help=True, help=f"Stored {words.pack}s and their examples.")
    for word, command, text in (
        ("list", list_packs, f"List what is stored.\n\n{named} list"),
        ("show", show, f"Show a {words.pack}'s {words.definitions}.\n\n{named} show NAME"),
        ("add", add, f"Store a pack folder under a name.\n\n{named} add mine folder/"),
        ("save", save, f"Write what is stored into a new folder.\n\n{named} save mine folder/"),
        ("remove", remove, f"Remove a {words.pack}.\n\n{named} remove mine --yes"),
    ):
        group.command(word, help=text)(flat(command))
    group.add_typer(example_commands(kind, named), name="examples")
    return group


@dataclass(frozen=True, slots=True)
class Addition:
    """A pack folder to be stored under a name."""

    name: str
    folder: Path
    replace: bool


def _add(kind: Kind, addition: Addition, where: TargetOptions) -> int:
    pack = read_pack_folder(addition.folder)
    if kind_of(pack) is not kind:
        other = _WORDS[kind_of(pack)]
        raise WrongUse(f"{addition.folder} is a {other.pack}; use `wraner {other.command} add`")

    async def work(client: AsyncClient) -> PackSummary:
        with counting("examples", len(pack.examples)) as stepped:
            sent = Sent(stepped)
            try:
                return await shelf(client, kind).store(
                    addition.name, pack, replace=addition.replace, counted=sent
                )
            except BaseException:
                sent.admit(addition.name, "repeat with --replace")
                raise

    try:
        done = target.ask(where, work)
    except Stale as error:
        if addition.replace:
            raise
        raise Conflict(
            f"{addition.name!r} is stored already; --replace takes its place, another name "
            f"leaves it ({error})"
        ) from None
    version = done.version[: pack_views.SHORT_VERSION]
    say(f"stored {done.name}: {counted(done.examples, 'example')}, version {version}")
    return Exit.OK


def _save(kind: Kind, name: str, folder: Path, where: TargetOptions) -> int:
    check_is_free(folder)  # before a large pack is read in vain

    about, pack = target.ask(where, lambda client: shelf(client, kind).pack(name))
    write_new_pack_folder(folder, pack)
    version = about.version[: pack_views.SHORT_VERSION]
    say(f"saved {name} to {folder}: {counted(len(pack.examples), 'example')}, version {version}")
    return Exit.OK
