"""A text as an encoder reads it: subwords, how their words are written, and where they stand.

Text is data: special tokens inside it are split like any other letters. Knows no weights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from index.letter_case import letter_case
from wraner.chunks import Chunk, chunk


@dataclass(frozen=True, slots=True)
class Subwords:
    """A text's subwords and chunks.

    ``ids`` and ``cases`` (of `index.letter_case.LetterCase`) have an entry for each subword;
    ``parts`` are the pairs (subword, chunk) that share a character, left to right. A text is not
    ``legible`` where all that the tokenizer knows of it are marks: to it every emoji is the same.
    """

    chunks: tuple[Chunk, ...]
    ids: list[int]
    cases: list[int]
    parts: list[tuple[int, int]]
    legible: bool


class SubwordReader:
    """Cuts texts with the tokenizer in `folder`; for one thread at a time.

    ``before`` and ``after`` are the special tokens that belong around a text.

    Raises:
        OSError, ValueError: there is no fast tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not tokenizer.is_fast:
            raise ValueError("expected a fast tokenizer (tokenizer.json): it tells positions")
        self._tokenizer = tokenizer
        self._unknown = tokenizer.unk_token_id
        self.before, self.after = _marks(tokenizer)

    def read(self, text: str) -> Subwords:
        """Return a text's subwords; a chunk that the tokenizer drops has none."""
        # A lone surrogate is no Unicode scalar; its stand-in has the same length in code points.
        clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        encoded = self._tokenizer(
            clean,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
            truncation=False,
            verbose=False,
        )
        chunks = chunk(text)
        parts = _overlaps(encoded["offset_mapping"], chunks)
        cases = [0] * len(encoded["input_ids"])
        for subword, word in parts:
            cases[subword] = letter_case(chunks[word].text)
        ids = encoded["input_ids"]
        told = (chunks[word].text for subword, word in parts if ids[subword] != self._unknown)
        legible = self._unknown not in ids or any(c.isalnum() for text in told for c in text)
        return Subwords(chunks, ids, cases, parts, legible)


def _marks(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens that the tokenizer sets before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, mask = encoded["input_ids"], encoded["special_tokens_mask"]
    first = mask.index(0)
    last = len(mask) - mask[::-1].index(0)
    return ids[:first], ids[last:]


def _overlaps(places: list[tuple[int, int]], chunks: tuple[Chunk, ...]) -> list[tuple[int, int]]:
    """Return the pairs (subword, chunk) that share a character; both run left to right."""
    pairs: list[tuple[int, int]] = []
    first = 0
    for number, (start, end) in enumerate(places):
        while first < len(chunks) and chunks[first].end <= start:
            first += 1
        word = first
        while word < len(chunks) and chunks[word].start < end:
            if chunks[word].end > start:
                pairs.append((number, word))
            word += 1
    return pairs
