"""Static word vectors through gensim: one vector a word, whatever its context.

Files are read in the formats of word2vec (text and binary), GloVe (no header) and fastText (.vec
and .bin); none of them is un-pickled, and gensim's own pickled format is not read at all. A word
out of the vocabulary is looked up in lower case; then fastText builds its vector from its letters,
and the other formats know nothing of it: a zero row, which matches nothing. Knows no index.
"""

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import FastTextKeyedVectors, load_facebook_vectors

from index.bundled import hash_file
from index.encoder import Floats, WordVectors, unit_rows
from wraner.chunks import chunk
from wraner.errors import Unavailable

Form = Literal["word2vec", "word2vec-binary", "glove", "fasttext-binary"]

_FASTTEXT_MAGIC = 793_712_314
_FORMAT = "static-1"


class StaticEncoder:
    """Word vectors from a table; `content` is a hash of that table."""

    def __init__(self, vectors: KeyedVectors, content: str) -> None:
        self._vectors: Any = vectors
        self._from_letters = isinstance(vectors, FastTextKeyedVectors)
        self._identity = hashlib.sha256(f"{_FORMAT} {content}".encode()).hexdigest()

    @property
    def identity(self) -> str:
        """A hash of the table."""
        return self._identity

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._vectors.vector_size)

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text; zero rows for words that the table lacks."""
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        rows = np.zeros((len(chunks), self.dimension), np.float32)
        for number, piece in enumerate(chunks):
            rows[number] = self._look_up(piece.text)
        return WordVectors(chunks, unit_rows(rows))

    def _look_up(self, word: str) -> Floats | float:
        found: Floats
        for form in (word, word.lower()):
            if form in self._vectors.key_to_index:
                found = self._vectors.vectors[self._vectors.key_to_index[form]]
                return found
        if not self._from_letters:
            return 0.0
        clean = word.encode("utf-8", "replace").decode()  # letters are hashed as UTF-8
        found = self._vectors.get_vector(clean)
        return found


def read_static(path: Path, form: Form | None = None) -> StaticEncoder:
    """Read a file of word vectors; without a `form` the file's first bytes tell it.

    Raises:
        Unavailable: the file is missing or not of that format.
    """
    try:
        form = _form_of(path) if form is None else form
        if form == "fasttext-binary":
            vectors = load_facebook_vectors(str(path))
        elif form == "glove":
            vectors = _read_glove(path)
        else:
            binary = form == "word2vec-binary"
            vectors = KeyedVectors.load_word2vec_format(str(path), binary=binary)
    except (OSError, ValueError, EOFError, NotImplementedError, struct.error) as error:
        raise Unavailable(
            f"expected word vectors in the format {form or 'of word2vec, GloVe or fastText'}, "
            f"was: {path} ({error})"
        ) from error
    return StaticEncoder(vectors, hash_file(path))


def _form_of(path: Path) -> Form:
    with path.open("rb") as file:
        first = file.readline(4096)
        second = file.read(4096)
    if not first.strip():
        raise ValueError("it is empty")
    if len(first) >= 4 and struct.unpack("<i", first[:4])[0] == _FASTTEXT_MAGIC:
        return "fasttext-binary"
    fields = first.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return "glove"
    line = second.split(b"\n")[0]
    try:
        values = [float(value) for value in line.split()[-int(fields[1]) :]]
    except ValueError:
        return "word2vec-binary"
    return "word2vec" if len(values) == int(fields[1]) else "word2vec-binary"


def _read_glove(path: Path) -> KeyedVectors:
    """Read word2vec's text format without its header, which gensim does with a leaking handle."""
    words: list[str] = []
    rows: list[Floats] = []
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            line = line.rstrip("\n ")  # a word may hold spaces: its numbers are counted from behind
            word, *values = line.rsplit(" ", len(rows[0])) if rows else line.split(" ")
            row = np.array(values, np.float32)
            if not len(row) or (rows and len(row) != len(rows[0])):
                raise ValueError(f"line {number} has {len(row)} numbers")
            words.append(word)
            rows.append(row)
    vectors = KeyedVectors(len(rows[0]))
    vectors.add_vectors(words, np.stack(rows))
    return vectors


def train_static(
    texts: Sequence[str], *, dimension: int = 100, epochs: int = 30, seed: int = 1
) -> StaticEncoder:
    """Train FastText on a pack's own texts; the same texts in the same order, the same vectors.

    Raises:
        ValueError: there are no words to learn from.
    """
    sentences = [[piece.text.lower() for piece in chunk(text)] for text in texts]
    if not any(sentences):
        raise ValueError("expected at least one text with words to train on, was: none")
    model = FastText(
        vector_size=dimension, window=5, min_count=1, sg=1, bucket=50_000, seed=seed, workers=1
    )
    model.build_vocab(corpus_iterable=sentences)
    model.train(corpus_iterable=sentences, total_examples=len(sentences), epochs=epochs)
    digest = hashlib.sha256("\n".join(model.wv.index_to_key).encode("utf-8", "replace"))
    digest.update(model.wv.vectors.tobytes())
    digest.update(model.wv.vectors_ngrams.tobytes())
    return StaticEncoder(model.wv, digest.hexdigest())
