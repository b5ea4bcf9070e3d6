"""Reads tagged sentences from files in CoNLL's layout: one token a line, a blank line between.

Knows no domain: which labels are declared is checked where a pack is made.
"""

from pathlib import Path

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample

_DOCUMENT = "-DOCSTART-"


def read_conll(path: Path) -> list[TaggedExample]:
    """Return a file's sentences as examples: tokens joined by single spaces, tags as mentions.

    A line is ``token TAB tag``, or the same with spaces; columns in between are skipped. A tag is
    ``O``, ``B-label`` or ``I-label``; an ``I-`` that continues nothing begins a mention. A line
    that starts with ``-DOCSTART-`` only separates. Sentences may recur; ids are content hashes, so
    equal sentences have equal ids.

    Raises:
        InvalidInput: the file cannot be read, or a line is not of that layout; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"expected a UTF-8 text file, was: {path} ({error})") from error
    examples: list[TaggedExample] = []
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate([*lines, ""], start=1):
        line = line.rstrip("\r")
        if line.strip() and not line.startswith(_DOCUMENT):
            sentence.append(_token_and_tag(line, f"{path}:{number}"))
        elif sentence:
            examples.append(_example(sentence))
            sentence = []
    return examples


def _token_and_tag(line: str, where: str) -> tuple[str, str]:
    fields = line.split("\t") if "\t" in line else line.split()
    token, tag = fields[0].strip(), fields[-1].strip()
    if len(fields) < 2 or not token or not (tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:])):
        raise InvalidInput(
            f"{where}: expected a token, a tab or space, and a tag (O, B-label or I-label), "
            f"was: {line!r}"
        )
    return token, tag


def _example(sentence: list[tuple[str, str]]) -> TaggedExample:
    mentions: list[Mention] = []
    position = 0
    open_label = ""
    for token, tag in sentence:
        end = position + len(token)
        label = tag[2:]
        if tag.startswith("I-") and label == open_label:
            mentions[-1] = Mention(mentions[-1].start, end, label)
        elif tag != "O":
            mentions.append(Mention(position, end, label))
        open_label = label
        position = end + 1
    text = " ".join(token for token, _ in sentence)
    return TaggedExample(text=text, entities=tuple(mentions))
