"""Packs as folders that people read and write: `pack.yaml` and `examples.jsonl`.

`pack.yaml` holds the kind and the definitions, `examples.jsonl` (and an optional `test.jsonl`) one
example a line. What is wrong in a file is refused with the file's name and line. Knows no store,
no version and no index.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import ValidationError

from wraner.errors import Conflict, InvalidInput
from wraner.formats.jsonl import parse_line, render_lines
from wraner.formats.lines import decode_lines
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

DEFINITIONS_FILE = "pack.yaml"
EXAMPLES_FILE = "examples.jsonl"

_KINDS: dict[str, type[Domain] | type[PolicySet]] = {"domain": Domain, "policy-set": PolicySet}
# The C loader and dumper read and write the same YAML about ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_pack_folder(path: Path) -> Pack:
    """Read a pack with its examples and check it.

    Raises:
        InvalidInput: naming the file and the line.
    """
    definitions = read_definitions(path)
    examples = read_examples(path / EXAMPLES_FILE, definitions)
    return definitions.model_copy(update={"examples": examples})


def read_definitions(path: Path) -> Pack:
    """Read and check `pack.yaml` alone, which is cheap however many examples lie beside it.

    Raises:
        InvalidInput: naming the file and the line.
    """
    file = path / DEFINITIONS_FILE
    node, content = _load_yaml(file)
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
        raise _at_line(file, node, list(first["loc"]), first["msg"]) from None
    except InvalidInput as error:
        raise _at_line(file, node, error.pointer.split("/")[1:], error.message) from None
    return pack


def read_examples(file: Path, definitions: Pack) -> tuple[Example, ...]:
    """Read a file of examples, one JSON object a line, and check them against the definitions.

    Raises:
        InvalidInput: naming the file and the line.
    """
    numbers, examples = [], []
    for number, example in iterate_examples(file, definitions):
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

    A line begins at byte `start`, the first one to be read and counted.

    Raises:
        InvalidInput: naming the file and the line.
    """
    model: type[Example] = TaggedExample if isinstance(definitions, Domain) else JudgedExample
    try:
        with file.open("rb") as lines:
            lines.seek(start)
            for line in decode_lines(lines, str(file)):
                if line.text.strip():
                    yield line.number, parse_line(model, line.text, f"{file}:{line.number}")
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read ({error.strerror}); restore it") from None


def write_pack_folder(path: Path, pack: Pack) -> None:
    """Write a pack into `path`, which is made if missing, and wait until it is on the disk."""
    path.mkdir(parents=True, exist_ok=True)
    kind = next(kind for kind, model in _KINDS.items() if isinstance(pack, model))
    content = definitions_of(pack).model_dump(
        mode="json", exclude={"examples"}, exclude_defaults=True
    )
    _write(path / DEFINITIONS_FILE, [_dump_yaml({"kind": kind, **content})])
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


def _dump_yaml(content: dict[str, Any]) -> bytes:
    text = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    return str(text).encode()


def _load_yaml(file: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """Return the YAML's nodes, which know their lines, and its content."""
    try:
        loader = _Loader(file.read_bytes())
        try:
            node = loader.get_single_node()
            check_keys(file, node)
            content = loader.construct_document(node) if node else None
        finally:
            loader.dispose()
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read ({error.strerror}); restore it") from None
    except (yaml.YAMLError, ValueError, AttributeError, TypeError, RecursionError) as error:
        # All but the first: what YAML's reader makes of a value that is no date or number.
        raise InvalidInput(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if node is None or not isinstance(content, dict):
        raise InvalidInput(f"{file}: expected a mapping with kind and definitions")
    return node, content


def check_keys(file: Path, node: yaml.Node | None) -> None:
    """Refuse a key written twice, which YAML readers pass over in silence.

    Raises:
        InvalidInput: a key of any mapping comes twice, or is no plain word.
    """
    pending, looked_at = [node], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in looked_at:  # what an alias stands for, perhaps itself
            continue
        looked_at.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if key.tag == "tag:yaml.org,2002:merge":  # may come again: each brings other keys
                    pending.append(value)
                    continue
                if key.value in seen if isinstance(key, yaml.ScalarNode) else True:
                    line = key.start_mark.line + 1
                    raise InvalidInput(f"{file}:{line}: expected each key once, as a plain word")
                seen.add(key.value)
                pending.append(value)


def _at_line(file: Path, node: yaml.Node, where: list[Any], message: str) -> InvalidInput:
    for step in where:
        if isinstance(node, yaml.MappingNode):
            found = [v for k, v in node.value if k.value == step]
        else:
            found = node.value[int(step) :][:1] if isinstance(node, yaml.SequenceNode) else []
        if not found:
            break
        node = found[0]
    line = node.start_mark.line + 1
    return InvalidInput(f"{file}:{line}: {'/'.join(map(str, where))}: {message}")
