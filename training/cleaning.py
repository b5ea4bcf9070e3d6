"""What of a corpus is fit to learn from: the rest is left out and counted.

Left out are texts that occurred before, sentences of fewer than two words or without a letter,
and mentions without a letter or digit: of a user name whose @ is tagged apart, the name stays.
Of examples that share an id, as sentences of one document may, the first keeps it. What would be
wrong rather than useless is refused. Knows no file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wraner.chunks import chunk
from wraner.entities import Mention, check_mentions
from wraner.errors import InvalidInput
from wraner.formats.spans import own_id, shortened, tagged
from wraner.packs import TaggedExample

_MIN_WORDS = 2


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How much of a corpus was left out, and why."""

    duplicates: int
    sentences: int
    mentions: int

    def __str__(self) -> str:
        return (
            f"{self.duplicates} repeated texts, {self.sentences} sentences of fewer than "
            f"{_MIN_WORDS} words or without letters, {self.mentions} mentions without letter "
            f"or digit"
        )


@dataclass(slots=True)
class Cleaning:
    """One pass over the corpus called `source`; `names` are its labels' names."""

    source: str
    names: dict[str, str]
    _seen: set[str] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)
    _duplicates: int = 0
    _sentences: int = 0
    _mentions: int = 0

    @property
    def left_out(self) -> LeftOut:
        """What was left out so far."""
        return LeftOut(self._duplicates, self._sentences, self._mentions)

    def cleaned(self, examples: Iterable[TaggedExample]) -> Iterator[TaggedExample]:
        """Yield what is fit to learn from, labels renamed.

        Raises:
            InvalidInput: a label has no name, or a mention cuts a word; names source and text.
        """
        for example in examples:
            mentions = self._renamed(example)
            if not _is_sentence(example.text):
                self._sentences += 1
            elif example.text in self._seen:
                self._duplicates += 1
            else:
                self._seen.add(example.text)
                self._mentions += len(example.entities) - len(mentions)
                yield self._checked(example, mentions)

    def _renamed(self, example: TaggedExample) -> list[Mention]:
        for m in example.entities:
            if m.label not in self.names:
                raise InvalidInput(
                    f"{self.source}: expected a label of the sheet ({', '.join(self.names)}), "
                    f"was: {m.label!r} in {shortened(example.text)}; add the type to the sheet "
                    f"or name another sheet"
                )
        return [
            Mention(m.start, m.end, self.names[m.label])
            for m in example.entities
            if _has_word(example.text[m.start : m.end])
        ]

    def _checked(self, example: TaggedExample, mentions: list[Mention]) -> TaggedExample:
        where = f"{self.source}: {shortened(example.text)}"
        try:
            check_mentions(example.text, mentions, self.names.values())
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error.message}", pointer=error.pointer) from None
        return tagged(example.text, mentions, where=where, known_id=self._unused_id(example))

    def _unused_id(self, example: TaggedExample) -> str | None:
        """Return an example's own id; None where it has none or another has the same."""
        given = own_id(example)
        if not given or given in self._ids:
            return None
        self._ids.add(given)
        return given


def _is_sentence(text: str) -> bool:
    words = [c for c in chunk(text) if _has_word(c.text)]
    return len(words) >= _MIN_WORDS and any(map(str.isalpha, text))


def _has_word(text: str) -> bool:
    return any(map(str.isalnum, text))
