"""Packs as folders that people read and write: `pack.yaml` and `examples.jsonl`.

`pack.yaml` holds the kind and the definitions, `examples.jsonl` (and an optional `test.jsonl`) one
example a line; a domain's may be marked text instead, in `examples.txt` (and `test.txt`). What is
wrong in a file is refused with the file's name and line. Knows no store, no version and no index.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from wraner.errors import Conflict, InvalidInput
from wraner.formats.jsonl import parse_line, render_lines
from wraner.formats.lines import Line, decode_lines
from wraner.formats.marked import looks_marked, read_marked
from wraner.packs import (
    Domain,
    Example,
    JudgedExample,
    Pack,
    PolicySet,
    TaggedExample,
    check_examples,
    check_pack,
    definitions_of,
)
from wraner.whole_folders import to_disk
from wraner.yaml_files import at_line, dump_mapping, load_mapping

DEFINITIONS_FILE = "pack.yaml"
EXAMPLES_FILE = "examples.jsonl"
MARKED_ENDING = ".txt"

_KINDS: dict[str, type[Domain] | type[PolicySet]] = {"domain": Domain, "policy-set": PolicySet}


def read_pack_folder(path: Path) -> Pack:
    """Read a pack with its examples and check it.

    Raises:
        InvalidInput: naming the file and the line.
    """
    definitions = read_definitions(path)
    file = lines_or_marked(path / EXAMPLES_FILE)
    if not file.exists():
        raise InvalidInput(
            f"{path}: expected {EXAMPLES_FILE}, or of a domain examples{MARKED_ENDING} with marked "
            f"text, was: neither; write one, an empty one where there are no examples"
        )
    examples = read_examples(file, definitions)
    return definitions.model_copy(update={"examples": examples})


def lines_or_marked(file: Path) -> Path:
    """Return a pack's file of JSON lines, or the marked text that lies in its place.

    Raises:
        InvalidInput: both lie there.
    """
    text = file.with_suffix(MARKED_ENDING)
    if text.is_file() and file.exists():
        raise InvalidInput(f"{file}: expected one of {file.name} and {text.name}, was: both")
    return text if text.is_file() else file


def read_definitions(path: Path) -> Pack:
    """Read and check `pack.yaml` alone, which is cheap however many examples lie beside it.

    Raises:
        InvalidInput: naming the file and the line.
    """
    file = path / DEFINITIONS_FILE
    node, content = load_mapping(file)
    kind = content.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInput(f"{file}: expected kind: {' or '.join(_KINDS)}, was: {kind!r}")
    if "examples" in content:
        raise InvalidInput(f"{file}: examples belong into {EXAMPLES_FILE}; move them there")
    try:
        pack = _KINDS[kind].model_validate(content)
        check_pack(pack)
    except ValidationError as error:
        first = error.errors()[0]
        raise at_line(file, node, list(first["loc"]), first["msg"]) from None
    except InvalidInput as error:
        raise at_line(file, node, error.pointer.split("/")[1:], error.message) from None
    return pack


def is_marked(file: Path) -> bool:
    """Return whether a file's name says that a domain's examples in it are marked text."""
    return file.suffix.lower() == MARKED_ENDING


def read_examples(file: Path, definitions: Pack) -> tuple[Example, ...]:
    """Read a file of examples and check them against the definitions.

    Raises:
        InvalidInput: naming the file and the line.
    """
    numbers, examples = [], []
    first: dict[str, tuple[int, Example]] = {}
    for number, example in iterate_examples(file, definitions):
        line, other = first.setdefault(example.id, (number, example))
        if line != number:
            same = "the same example" if other == example else f"another with the id {example.id!r}"
            raise InvalidInput(
                f"{file}:{number}: expected each example once, was: {same} as on line {line}; "
                f"{'remove' if other == example else 'rename'} one"
            )
        numbers.append(number)
        examples.append(example)
    try:
        check_examples(definitions, examples)
    except InvalidInput as error:
        number = numbers[int(error.pointer.split("/")[2])]
        raise on_line(file, number, error) from None
    return tuple(examples)


def on_line(file: Path, number: int, error: InvalidInput) -> InvalidInput:
    """Return what `check_examples` raised of the example on that line of a file."""
    _, _, _, *rest = error.pointer.split("/")
    return InvalidInput(f"{file}:{number}: {'/'.join(rest)}: {error.message}")


def iterate_examples(
    file: Path, definitions: Pack, *, start: int = 0
) -> Iterator[tuple[int, Example]]:
    """Yield line numbers and examples, parsed one by one but not checked against each other.

    A line begins at byte `start`, the first one to be read and counted. JSON lines, but of a domain
    marked text in a file whose name ends so.

    Raises:
        InvalidInput: naming the file and the line.
    """
    try:
        with file.open("rb") as content:
            if start:  # a pipe has no other beginning
                content.seek(start)
            lines = decode_lines(content, str(file))
            is_domain = isinstance(definitions, Domain)
            if is_domain and is_marked(file):
                yield from read_marked(lines, str(file))
                return
            model: type[Example] = TaggedExample if is_domain else JudgedExample
            for line in lines:
                if line.text.strip():
                    yield line.number, _parsed(model, line, file)
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read ({error.strerror}); restore it") from None


def _parsed(model: type[Example], line: Line, file: Path) -> Example:
    where = f"{file}:{line.number}"
    try:
        return parse_line(model, line.text, where)
    except InvalidInput:
        if model is not TaggedExample or not looks_marked(line.text):
            raise
        raise InvalidInput(
            f"{where}: expected a line of JSON, was: marked text; let the file's name end in "
            f"{MARKED_ENDING}"
        ) from None


def write_pack_folder(path: Path, pack: Pack) -> None:
    """Write a pack into `path`, which is made if missing, and wait until it is on the disk."""
    path.mkdir(parents=True, exist_ok=True)
    kind = next(kind for kind, model in _KINDS.items() if isinstance(pack, model))
    content = definitions_of(pack).model_dump(
        mode="json", exclude={"examples"}, exclude_defaults=True
    )
    _write(path / DEFINITIONS_FILE, [dump_mapping({"kind": kind, **content})])
    _write(path / EXAMPLES_FILE, render_lines(pack.examples))
    to_disk(path)


def write_new_pack_folder(path: Path, pack: Pack) -> None:
    """Write a pack into a folder that is new or empty; it is a pack's folder whole or not at all.

    Raises:
        Conflict: something lies there.
    """
    check_is_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.exists()  # somebody may work in it, or it is a volume: it stays itself
    with TemporaryDirectory(dir=path if there else path.parent, prefix=".new-") as scratch:
        written = Path(scratch) / "pack"
        write_pack_folder(written, pack)
        if there:
            for name in (EXAMPLES_FILE, DEFINITIONS_FILE):  # without the last it is none
                os.rename(written / name, path / name)
        else:
            os.rename(written, path)
    to_disk(path if there else path.parent)  # where the names lie that it has now


def check_is_free(path: Path) -> None:
    """Refuse a place for a new folder where something lies.

    Raises:
        Conflict: it does.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        raise Conflict(
            f"expected a new or empty folder, was: {path}, which exists already; name another "
            f"folder, or remove it first"
        )


def _write(file: Path, pieces: Any) -> None:
    with file.open("wb") as out:
        out.writelines(pieces)
        out.flush()
        os.fsync(out.fileno())
