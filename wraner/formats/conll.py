"""CoNLL's layout: a token a line, its tag in the last column, a blank line between sentences.

Read: columns parted by tabs or spaces, those in between passed over, as many in every line of a
sentence; no other white space parts them, for a token may hold it (``10<NBSP>000``). A first column
that counts tokens is refused. `-DOCSTART-` lines only part; a text is its tokens joined by single
spaces. Written: ``token TAB tag`` in IOB2. What that cannot say stands in comments before the
sentence, after CoNLL-U: ``# text = …`` where the text is not its tokens and single spaces,
``# id = …`` where the id is not the content hash; a value that is not printable as it is, is a JSON
string. Other comments of CoNLL-U (``# sent_id = …``, ``# newdoc``) are passed over. An empty token
that is tagged O stands for white space: it leaves a second space in the text, and a sentence of
nothing else is a blank line.
Sources: https://www.clips.uantwerpen.be/conll2003/ner/ for the columns and `-DOCSTART-`,
https://universaldependencies.org/format.html for comments. Knows no pack.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wraner.entities import Span
from wraner.errors import InvalidInput
from wraner.formats.lines import Line, decode_lines
from wraner.formats.spans import own_id, shortened, tagged
from wraner.formats.tags import TAGS, is_tag, mentions_of, tags_of
from wraner.formats.tokens import align, join, pieces, words_at_spaces
from wraner.packs import TaggedExample

_DOCUMENT = "-DOCSTART-"
_TEXT = "# text = "
_ID = "# id = "
_OTHER_COMMENT = re.compile(r"# ?(\S+ = .*|(newdoc|newpar)( id = .*)?|global\.columns = .*)")


def read_conll(path: Path) -> list[TaggedExample]:
    """Return a file's sentences as examples; equal sentences have equal ids.

    Raises:
        InvalidInput: the file cannot be read, or a line is not of that layout; names file and line.
    """
    try:
        with path.open("rb") as file:
            return list(iterate_sentences(decode_lines(file, str(path)), str(path)))
    except OSError as error:
        raise InvalidInput(f"expected a UTF-8 text file, was: {path} ({error})") from error


def iterate_sentences(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    """Yield the sentences of the file called `name`, one by one.

    Raises:
        InvalidInput: a line is not of that layout; names file and line.
    """
    checked = False
    for sentence in _sentences(lines, name):
        if not checked and len(sentence.tokens) > 1:
            # A first column that counts does so in every sentence; a later "1 2" may be a text.
            sentence.refuse_counts(name)
            checked = True
        yield sentence.example(name)


def _sentences(lines: Iterable[Line], name: str) -> Iterator["_Sentence"]:
    sentence = _Sentence()
    for line in lines:
        if line.text.split(maxsplit=1)[:1] in ([], [_DOCUMENT]):
            if sentence.begun:
                yield sentence
            sentence = _Sentence(width=sentence.width)
        elif "\t" not in line.text and line.text.startswith((_TEXT, _ID)):
            sentence.add_comment(line, f"{name}:{line.number}")
        elif sentence.tokens or not _is_other_comment(line.text):
            sentence.add_token(line, f"{name}:{line.number}")
    if sentence.begun:
        yield sentence


@dataclass(slots=True)
class _Sentence:
    """What was read of a sentence so far; `width` is the last line's number of columns."""

    start: int = 0
    width: int = 0
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    text: str | None = None
    known_id: str | None = None

    @property
    def begun(self) -> bool:
        return any(self.tokens) or self.text is not None or self.known_id is not None

    def add_comment(self, line: Line, where: str) -> None:
        key = _TEXT if line.text.startswith(_TEXT) else _ID
        if self.tokens or (self.text if key == _TEXT else self.known_id) is not None:
            raise InvalidInput(
                f"{where}: expected one {key!r} before a sentence's tokens, was: a second or a "
                f"late one; put a blank line between the sentences"
            )
        self.start = self.start or line.number
        value = line.text.removeprefix(key)
        if key == _TEXT:
            self.text = value
        else:
            self.known_id = _readings(value)[0]

    def add_token(self, line: Line, where: str) -> None:
        columns = _columns(line.text)
        token, tag = columns[0].strip(), columns[-1].strip()
        if len(columns) < 2 or not is_tag(tag) or not (token or tag == "O"):
            raise InvalidInput(
                f"{where}: expected a token, a tab or space, and a tag ({TAGS}), was: "
                f"{shortened(line.text)}; correct the line"
            )
        if not line.ended and (tag != "O" or self.width not in (0, len(columns))):
            raise InvalidInput(
                f"{where}: expected a line end, was: the file's end behind {shortened(line.text)}, "
                f"which may be cut; get the whole file again, or end the line if it is whole"
            )
        if self.tokens and len(columns) != self.width:
            raise InvalidInput(
                f"{where}: expected {self.width} columns as in the line before, was: "
                f"{len(columns)} in {shortened(line.text)}; correct the line, and part columns by "
                f"tabs where a token holds a space"
            )
        self.start = self.start or line.number
        self.width = len(columns)
        self.tokens.append(token)
        self.tags.append(tag)

    def refuse_counts(self, name: str) -> None:
        counts = [str(number) for number in range(1, len(self.tokens) + 1)]
        if self.width > 2 and self.tokens == counts:
            raise InvalidInput(
                f"{name}:{self.start}: expected tokens in the first column, was: their numbers, 1 "
                f"to {len(counts)}; remove that column"
            )

    def example(self, name: str) -> TaggedExample:
        where = f"{name}:{self.start}"
        if not any(self.tokens):
            raise InvalidInput(
                f"{where}: expected tokens below the comment, was: none; remove the comment"
            )
        text, spans = self._placed(where)
        return tagged(text, mentions_of(spans, self.tags), where=where, known_id=self.known_id)

    def _placed(self, where: str) -> tuple[str, tuple[Span, ...]]:
        if self.text is None:
            return join(self.tokens)
        for text in _readings(self.text):
            if spans := align(self.tokens, text):
                return text, spans
        raise InvalidInput(
            f"{where}: expected the tokens of {shortened(self.text)}, was: "
            f"{shortened(' '.join(self.tokens))}; correct the comment or remove it"
        )


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    return [column for column in line.rstrip().split(" ") if column]


def _is_other_comment(line: str) -> bool:
    if "\t" in line or _OTHER_COMMENT.match(line) is None:
        return False
    return not is_tag(_columns(line)[-1])


def _readings(value: str) -> list[str]:
    """Return a comment's value as it may be meant: a JSON string first, then as it stands."""
    try:
        decoded = json.loads(value) if value.startswith('"') else None
    except ValueError:
        decoded = None
    return [decoded, value] if isinstance(decoded, str) else [value]


def render_sentences(examples: Iterable[TaggedExample]) -> Iterator[bytes]:
    """Yield the examples as a file's pieces.

    Raises:
        InvalidInput: a label holds a tab, or an entity begins or ends with white space.
    """
    for number, example in enumerate(examples, start=1):
        yield _rendered(example, f"example {number} ({example.id})").encode()


def _rendered(example: TaggedExample, where: str) -> str:
    for m in example.entities:
        if "\t" in m.label:
            raise InvalidInput(
                f"{where}: expected labels without tabs, which part CoNLL's columns, was: "
                f"{m.label!r}; rename it or write another format"
            )
    lines = [f"{_ID}{_value(own_id(example))}"] if own_id(example) else []
    spans = words_at_spaces(example)
    if not spans or not _speaks_for_itself(example.text):
        spans = pieces(example, where)
        lines.append(f"{_TEXT}{_value(example.text)}")
    for span, tag in zip(spans, tags_of(spans, example.entities), strict=True):
        lines.append(f"{example.text[span.start : span.end]}\t{tag}")
    return "\n".join([*lines, "", ""])


def _speaks_for_itself(text: str) -> bool:
    """Say whether no reader would take the text's words for a mark: of document, order, UTF-16."""
    return _DOCUMENT not in text and "\0" not in text and not text.startswith("\ufeff")


def _value(value: str) -> str:
    plain = value.isprintable() and value == value.strip() and not value.startswith('"')
    return value if plain else json.dumps(value, ensure_ascii=False)
