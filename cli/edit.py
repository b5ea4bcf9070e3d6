"""Editing a pack's examples in the user's editor: a domain's as marked text, else JSON lines.

The pack is sent whole, or where it is too large only the changes, each on top of the one before;
the edited file is kept until all of it is stored. Knows what an example is and nothing of what it
says.
"""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli import target, terminal
from cli.failures import Exit, WrongUse, say
from cli.options import TargetOptions
from cli.shelf import Shelf, pieces_of, shelf
from cli.views import shown_as_is
from wraner.client.problems import Conflict as Taken
from wraner.client.problems import Invalid, Stale
from wraner.client.replies import PackSummary
from wraner.edits import said_by
from wraner.errors import Conflict, InvalidInput
from wraner.formats.marked import marked, render_marked
from wraner.pack_folders import EXAMPLES_FILE, MARKED_ENDING, read_examples
from wraner.packs import Domain, Example, Pack, TaggedExample, as_tagged
from wraner.registry import Kind

_PLACE = re.compile(r"/examples/(\d+)/")


@dataclass(frozen=True, slots=True)
class Read:
    """A pack's definitions and examples at one version."""

    about: PackSummary
    definitions: Pack
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes one list of examples of another, `after`; a changed one is removed and added."""

    removed: tuple[Example, ...]
    added: tuple[Example, ...]
    after: tuple[Example, ...]

    def __str__(self) -> str:
        changed = min(_told(self.added, self.removed), _told(self.removed, self.added))
        counts = (
            (len(self.added) - changed, "new"),
            (changed, "changed"),
            (len(self.removed) - changed, "removed"),
        )
        return ", ".join(f"{count} {word}" for count, word in counts if count)


def _told(some: Sequence[Example], others: Sequence[Example]) -> int:
    """Count those that have the id or, since an id may be a hash of all, the text of another."""
    ids, texts = {e.id for e in others}, {e.text for e in others}
    return sum(e.id in ids or e.text in texts for e in some)


def changes(before: Sequence[Example], after: Sequence[Example]) -> Changes:
    """Return what was changed; the order of examples says nothing."""
    old = {e.id: said_by(e) for e in before}
    new = {e.id: said_by(e) for e in after}
    return Changes(
        removed=tuple(e for e in before if new.get(e.id) != old[e.id]),
        added=tuple(e for e in after if old.get(e.id) != new[e.id]),
        after=tuple(after),
    )


def edit_examples(kind: Kind, name: str, where: TargetOptions, *, yes: bool) -> int:
    """Let the user edit a pack's examples and store the changes.

    Raises:
        WrongUse: there is no editor, or it failed.
        InvalidInput: what was written breaks a rule; the file is kept.
        Conflict: the pack changed meanwhile; the file is kept.
    """
    read = target.ask(where, lambda client: _read(shelf(client, kind), name))
    file = _written(name, read)
    try:
        _edit(file)
        wanted = changes(read.examples, _edited(file, kind, name, read))
        if not (wanted.removed or wanted.added):
            file.unlink()
            say("nothing was changed")
            return Exit.OK
        _show(wanted)
        terminal.confirm(f"Store this in {name!r} ({wanted})?", yes=yes)
        target.ask(where, lambda client: _store(shelf(client, kind), name, read, wanted))
    except Stale as error:
        raise Conflict(
            f"{name!r} was changed by somebody else meanwhile ({error}); {_kept(file, kind, name)}"
        ) from None
    except BaseException:
        if file.exists():
            say(_kept(file, kind, name))
        raise
    file.unlink()
    say(f"{name}: {wanted}")
    return Exit.OK


def _kept(file: Path, kind: Kind, name: str) -> str:
    command = ["env", f"EDITOR=cp {file}", *_group(kind).split(), "examples", "edit", name]
    again = shlex.join(command)
    return f"your examples are kept in {file}; mended there, they are stored by: {again}"


def _group(kind: Kind) -> str:
    return "wraner domains" if kind is Kind.DOMAIN else "wraner policies"


async def _read(packs: Shelf, name: str) -> Read:
    about, examples = await packs.whole(name)
    return Read(about, packs.definitions(about), examples)


async def _store(packs: Shelf, name: str, read: Read, wanted: Changes) -> None:
    """Store what was edited: at once, or where a call cannot carry it, change by change."""
    pack = read.definitions.model_copy(update={"examples": wanted.after})
    try:
        if await packs.rewrite(name, pack, if_match=read.about.version):
            return
    except Invalid as error:
        if not _is_of_another(error, wanted):
            raise
    stored, made = read.about, 0
    new = {e.id: e for e in wanted.added}
    total = len(new.keys() | {e.id for e in wanted.removed})
    try:
        for one in wanted.removed:
            stored = await _replace(packs, name, one, new.pop(one.id, None), stored)
            made += 1
        await packs.extend(name, pieces_of(new.values()), stored)
    except BaseException:
        if made:
            say(f"{made} of {total} changes were stored before this")
        raise


async def _replace(
    packs: Shelf, name: str, old: Example, new: Example | None, stored: PackSummary
) -> PackSummary:
    """Put `new` in the place of `old`, unless the new one would be refused."""
    if new is not None:
        with suppress(Taken):  # all that speaks against it may be the old one
            return await packs.add(name, [new], if_match=stored.version)
    stored = await packs.remove(name, old.id, if_match=stored.version)
    if new is None:
        return stored
    return await packs.add(name, [new], if_match=stored.version)


def _is_of_another(error: Invalid, wanted: Changes) -> bool:
    """Return whether the server refuses an example that nobody changed."""
    found = _PLACE.match(error.pointer)
    return found is not None and wanted.after[int(found[1])] not in wanted.added


def _written(name: str, read: Read) -> Path:
    is_domain = isinstance(read.definitions, Domain)
    ending = MARKED_ENDING if is_domain else Path(EXAMPLES_FILE).suffix
    handle, path = tempfile.mkstemp(prefix=f"wraner-{name}-", suffix=ending)
    with os.fdopen(handle, "wb") as file:
        if is_domain:
            file.writelines(render_marked(map(as_tagged, read.examples)))
        else:
            file.writelines(_line(e).encode() + b"\n" for e in read.examples)
    return Path(path)


def _line(example: Example) -> str:
    """Return an example as its line of the file, without its id."""
    if isinstance(example, TaggedExample):
        return marked(example, example.id)
    return example.model_dump_json()


def _edit(file: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        failed = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except OSError as error:
        raise WrongUse(
            f"the editor {editor!r} cannot be started ({error.strerror}); set EDITOR"
        ) from None
    if failed:
        raise WrongUse(f"the editor {editor!r} ended with {failed}; nothing was changed")


def _edited(file: Path, kind: Kind, name: str, read: Read) -> tuple[Example, ...]:
    """Return the examples that the user left in the file.

    Raises:
        InvalidInput: a line breaks a rule, or nothing is left: rather a slip than a wish, and what
            was stored would be nowhere else.
    """
    examples = read_examples(file, read.definitions)
    if read.examples and not examples:
        group = _group(kind)
        raise InvalidInput(
            f"expected at least one example, was: the file is empty; nothing was changed. To "
            f"remove all examples: `{group} save {name} FOLDER`, empty FOLDER/{EXAMPLES_FILE}, "
            f"then `{group} add {name} FOLDER --replace`"
        )
    return examples


def _show(wanted: Changes) -> None:
    console = terminal.aside()
    for one in wanted.removed:
        console.print(f"- {shown_as_is(_line(one))}", style="red", soft_wrap=True)
    for example in wanted.added:
        console.print(f"+ {shown_as_is(_line(example))}", style="green", soft_wrap=True)
