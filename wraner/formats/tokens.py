"""Texts as rows of tokens and back, for formats that tag tokens: exact in both directions.

Knows no tags and no file.
"""

from collections.abc import Sequence

from wraner.chunks import chunk
from wraner.entities import Span
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample


def words_at_spaces(example: TaggedExample) -> tuple[Span, ...]:
    """Return the words between single spaces, if the text is that and entities fit; else none."""
    words: list[Span] = []
    position = 0
    for word in example.text.split(" "):
        if word.split() != [word]:
            return ()
        words.append(Span(position, position + len(word)))
        position += len(word) + 1
    starts, ends = {w.start for w in words}, {w.end for w in words}
    fits = all(m.start in starts and m.end in ends for m in example.entities)
    return tuple(words) if fits else ()


def pieces(example: TaggedExample, where: str) -> tuple[Span, ...]:
    """Return the text's chunks, cut once more where an entity begins or ends inside one.

    Raises:
        InvalidInput: an entity begins or ends with white space, which lies in no token.
    """
    for m in example.entities:
        named = example.text[m.start : m.end]
        if named != named.strip():
            raise InvalidInput(
                f"{where}: expected an entity that begins and ends with a visible character, was: "
                f"{named!r} ({m.label}); move its start and end"
            )
    edges = sorted({p for m in example.entities for p in (m.start, m.end)}, reverse=True)
    cut: list[Span] = []
    for c in chunk(example.text):
        start = c.start
        while edges and edges[-1] < c.end:
            edge = edges.pop()
            if edge > start:
                cut.append(Span(start, edge))
                start = edge
        cut.append(Span(start, c.end))
    return tuple(cut)


def join(tokens: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Return the tokens as a text, single spaces between, and where they stand in it."""
    spans: list[Span] = []
    position = 0
    for token in tokens:
        spans.append(Span(position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), tuple(spans)


def align(tokens: Sequence[str], text: str) -> tuple[Span, ...]:
    """Return where the tokens stand in a text that is them and white space; else none.

    White space around a token's own characters is not looked for.
    """
    spans: list[Span] = []
    position = 0
    for token in map(str.strip, tokens):
        while token and position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith(token, position):
            return ()
        spans.append(Span(position, position + len(token)))
        position += len(token)
    return () if text[position:].strip() else tuple(spans)
