"""Marked text: entities in brackets where they stand, so that nobody counts positions.

One example a line, ``Sow the [carrots | plant] in [April | month].``; blank lines say nothing, nor
do comments, ``#`` and a blank before them, but ``# id = NAME`` names the example that follows.
``\\[``, ``\\]`` and ``\\\\`` stand for the marks themselves, as ``\\|`` in a mark and ``\\#`` where
a text begins like a comment do; ``\\n``, ``\\r`` and ``\\t`` for breaks of lines and a tab. Any
line without a bracket is a text: files that begin as other formats do are refused. Knows no pack.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.lines import Line
from wraner.formats.spans import own_id, shortened, tagged
from wraner.formats.tags import is_tag
from wraner.packs import TaggedExample

_PLAIN = re.compile(r"(?:[^\\\[\]]|\\.)+")
_MARK = re.compile(r"\[((?:[^\\\[\]|]|\\.)*)\|((?:[^\\\[\]|]|\\.)*)\]")
_ESCAPED = re.compile(r"\\(.)")
_ID = re.compile(r"\s*#\s+id\s*[=:]\s*(.*?)\s*", re.IGNORECASE)
_JSON = re.compile(r'\{\s*"|\[\s*[\[{"]')
_MEANT = {**{mark: mark for mark in "[]|#\\"}, "n": "\n", "r": "\r", "t": "\t"}
_WRITTEN = str.maketrans(
    {"\\": r"\\", "[": r"\[", "]": r"\]", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
)
_BEGINNING = "# One text a line, entities as [words | label]"
LEGEND = (
    f"{_BEGINNING}; \\[ \\] \\\\ for the characters, \\n for a new line. Comments begin with "
    '"# ", such a text with "\\# "; "# id = NAME" names the text below it.'
)
"""What a written file begins with, for people; it says nothing but that this is marked text."""
_LOOKED_AT = 5


def parse_marked(text: str, *, known_id: str | None = None) -> TaggedExample:
    """Return the example that a line of marked text is; without id: content hash.

    Raises:
        InvalidInput: a bracket or backslash is no mark; names the column.
    """
    return _example(text, "marked text", known_id)


def read_marked(lines: Iterable[Line], name: str) -> Iterator[tuple[int, TaggedExample]]:
    """Yield the examples of the file called `name` with the numbers of their lines.

    Raises:
        InvalidInput: a line is no marked text, or an id has no example; names file and line.
    """
    known_id: str | None = None
    named_at = 0
    for line in _checked(lines, name):
        if found := _ID.fullmatch(line.text):
            if known_id is not None:
                break
            known_id, named_at = found[1], line.number
            if not known_id:
                raise InvalidInput(f"{name}:{named_at}: expected a name behind the id, was: none")
        elif not _is_silent(line.text):
            yield line.number, _example(line.text, f"{name}:{line.number}", known_id)
            known_id = None
    if known_id is not None:
        raise InvalidInput(
            f"{name}:{named_at}: expected an example behind its id, was: none; remove the id"
        )


def looks_marked(line: str) -> bool:
    """Return whether a line is the legend, or begins as a text with a mark and is no JSON."""
    plain = _PLAIN.match(line)
    mark = _MARK.match(line, plain.end() if plain else 0)
    return line.startswith(_BEGINNING) or (mark is not None and not _JSON.match(line))


def _checked(lines: Iterable[Line], name: str) -> Iterator[Line]:
    """Yield lines, unless the first of them are those of another format.

    Raises:
        InvalidInput: they are.
    """
    first: list[Line] = []
    texts: list[str] = []
    rest = iter(lines)
    for line in rest:
        first.append(line)
        if not _is_silent(line.text):
            texts.append(line.text)
        if len(texts) == _LOOKED_AT:
            break
    if first and not first[0].text.startswith(_BEGINNING) and (other := _other_format(texts)):
        raise InvalidInput(
            f"{name}:{first[0].number}: expected marked text, such as [Ann | person] left, "
            f"was: {other}"
        )
    yield from chain(first, rest)


def _is_silent(line: str) -> bool:
    seen = line.strip()
    return not seen or seen == "#" or seen.startswith("# ")


def _other_format(texts: Sequence[str]) -> str:
    """Return as which other format a file begins, and the way out, "" if it is none."""
    if any(map(_is_example, texts)):
        return "lines of JSON; let the file's name end in .jsonl"
    return "lines of CoNLL; `wraner import` makes a pack of them" if _is_conll(texts) else ""


def _is_example(line: str) -> bool:
    """Return whether a line is an example in JSON."""
    if not line.startswith("{"):
        return False
    try:
        return "text" in json.loads(line)
    except (ValueError, RecursionError):
        return False


def _is_conll(texts: Sequence[str]) -> bool:
    """Return whether all lines end in tags, one of which may end a text: her blood type is O."""
    ends = [text.split() for text in texts]
    if ends and ends[0][0] == "-DOCSTART-":
        return True
    return len(ends) > 1 and all(len(words) > 1 and is_tag(words[-1]) for words in ends)


def render_marked(examples: Iterable[TaggedExample]) -> Iterator[bytes]:
    """Yield the examples as lines, `LEGEND` before them.

    Raises:
        InvalidInput: an entity begins or ends with white space, which marks do not keep.
    """
    yield f"{LEGEND}\n".encode()
    for number, example in enumerate(examples, start=1):
        yield f"{marked_with_id(example, f'example {number} ({example.id})')}\n".encode()


def marked_with_id(example: TaggedExample, where: str) -> str:
    """Return `marked`, below a line with the id where that is no content hash.

    Raises:
        InvalidInput: as `render_marked`, preceded by `where`.
    """
    line, known_id = marked(example, where), own_id(example)
    return f"# id = {known_id}\n{line}" if known_id else line


def marked(example: TaggedExample, where: str) -> str:
    """Return a line of marked text.

    Raises:
        InvalidInput: as `render_marked`, preceded by `where`.
    """
    pieces, at = [], 0
    for mention in sorted(example.entities):
        words = example.text[mention.start : mention.end]
        if words != words.strip():
            raise InvalidInput(
                f"{where}: expected entities without white space at their ends, was: "
                f"{shortened(words)}; correct the entity"
            )
        inside = f"{_in_mark(words)} | {_in_mark(mention.label)}"
        pieces += [example.text[at : mention.start].translate(_WRITTEN), f"[{inside}]"]
        at = mention.end
    pieces.append(example.text[at:].translate(_WRITTEN))
    line = "".join(pieces)
    return line.replace("#", r"\#", 1) if _is_silent(line) else line


def _in_mark(words: str) -> str:
    return words.translate(_WRITTEN).replace("|", r"\|")


def _example(line: str, where: str, known_id: str | None) -> TaggedExample:
    pieces: list[str] = []
    mentions: list[Mention] = []
    at = length = 0
    while at < len(line):
        found = _PLAIN.match(line, at) or _MARK.match(line, at)
        if found is None:
            raise _no_mark(line, at, where)
        if found.re is _PLAIN:
            piece = _meant(found, 0, where)
        else:
            piece, label = _meant(found, 1, where), _meant(found, 2, where)
            if not piece or not label:
                raise _no_mark(line, at, where)
            mentions.append(Mention(length, length + len(piece), label))
        pieces.append(piece)
        length += len(piece)
        at = found.end()
    return tagged("".join(pieces), mentions, where=where, known_id=known_id)


def _meant(found: re.Match[str], group: int, where: str) -> str:
    """Return what a group means; blanks around a mark's bar are not part of it."""
    start, written = found.start(group), found[group]
    if group:
        kept = written.rstrip()
        is_escaped = (len(kept) - len(kept.rstrip("\\"))) % 2  # that blank is no blank
        written = written[: len(kept) + is_escaped]
    if group == 2:
        start, written = start + len(written) - len(written.lstrip()), written.lstrip()

    def one(escaped: re.Match[str]) -> str:
        if (meant := _MEANT.get(escaped[1])) is None:
            raise InvalidInput(
                f"{where}: column {start + escaped.start() + 1}: expected one of "
                f"{' '.join(_MEANT)} behind a backslash, was: {shortened(escaped[0])}; write "
                f"\\\\ for a backslash"
            )
        return meant

    return _ESCAPED.sub(one, written)


def _no_mark(line: str, at: int, where: str) -> InvalidInput:
    return InvalidInput(
        f"{where}: column {at + 1}: expected [words | label], was: "
        f"{shortened(line[at : at + 40])}; correct the mark, or write \\[ \\] \\\\ for brackets "
        f"and backslashes of the text, \\| for a bar in a mark"
    )
