"""`wraner export`: tagged examples as other tools read them. Knows no format."""

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli import target, terminal
from cli.counts import counted
from cli.failures import Exit, WrongUse, say
from cli.options import FileFormat, PackOptions, TargetOptions, format_of
from cli.shelf import shelf
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import NotFound
from wraner.formats.choice import write
from wraner.pack_folders import EXAMPLES_FILE, read_pack_folder
from wraner.packs import Domain, Example, TaggedExample, as_tagged
from wraner.registry import Kind


def export_examples(
    kept: PackOptions,
    where: TargetOptions,
    format: FileFormat = None,  # noqa: A002
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Left out: standard output."),
    ] = None,
) -> int:
    """Write tagged examples as other tools read them.

    wraner export --domain news --format conll --output train.conll
    """
    kept.check()
    chosen = format_of(format, output)
    examples = _examples(kept, where)
    if output is None:
        write(examples, terminal.lines_out(), chosen)
        terminal.lines_out().flush()
        return Exit.OK
    with _whole(output) as file:
        write(examples, file, chosen)
    say(f"wrote {counted(len(examples), 'example')} to {output}")
    return Exit.OK


def _examples(kept: PackOptions, where: TargetOptions) -> Sequence[TaggedExample]:
    if kept.folder is not None:
        pack = read_pack_folder(kept.folder)
        if not isinstance(pack, Domain):
            raise WrongUse(
                f"expected a domain, was: {kept.folder}, a policy set; what its texts breach and "
                f"keep no other tool's format holds: take its {EXAMPLES_FILE} as it is"
            )
        return pack.examples
    return [as_tagged(e) for e in target.ask(where, lambda client: _stored(client, kept.domain))]


async def _stored(client: AsyncClient, name: str) -> Sequence[Example]:
    try:
        _, found = await shelf(client, Kind.DOMAIN).examples(name)
    except NotFound:
        with suppress(NotFound):
            await shelf(client, Kind.POLICY_SET).read(name)
            raise WrongUse(
                f"expected a domain, was: {name!r}, a policy set; `wraner policies save {name} "
                f"FOLDER` writes its folder, `wraner policies examples list {name} --format jsonl` "
                f"its examples"
            ) from None
        raise
    return found


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` once it is written whole, with its mode.

    What is no file, such as a pipe, is written into.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, mode)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
