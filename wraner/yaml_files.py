"""YAML files: mappings whose parts know their lines, with each key once. Knows no pack."""

from pathlib import Path
from typing import Any

import yaml

from wraner.errors import InvalidInput

# The C loader and dumper read and write the same YAML about ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def dump_mapping(content: dict[str, Any]) -> bytes:
    """Return a mapping as the bytes of a YAML file, in its own order."""
    text = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    return str(text).encode()


def load_mapping(file: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """Return a file's nodes, which know their lines, and its content.

    Raises:
        InvalidInput: it cannot be read, or is no YAML or no mapping; names it.
    """
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


def at_line(file: Path, node: yaml.Node, where: list[Any], message: str) -> InvalidInput:
    """Return an error about the part of a file that keys and numbers lead to, with its line."""
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
