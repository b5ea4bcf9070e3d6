"""Tagged sentences on disk, read one at a time: memory holds a few, however many there are.

Knows no source and no neighbours.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from datasets import Dataset, Features, List, Value
from datasets.arrow_writer import ArrowWriter

from wraner.entities import Mention
from wraner.packs import TaggedExample

COLUMNS = {
    "id": Value("string"),
    "text": Value("string"),
    "starts": List(Value("int32")),
    "ends": List(Value("int32")),
    "labels": List(Value("string")),
}

Row = Mapping[str, Any]


class Sentences(Sequence[TaggedExample]):
    """Sentences in the order given, each made anew when it is read.

    They are taken one by one and lie in a file that has lost its name once it is mapped: it ends
    with them, or with the process, however that ends.

    Raises:
        OSError: there is no room for them where temporary files lie (``TMPDIR``).
    """

    def __init__(self, examples: Iterable[TaggedExample]) -> None:
        with tempfile.TemporaryDirectory(prefix="wraner-sentences-") as folder:
            file = Path(folder, "sentences.arrow")
            write_rows(map(row_of, examples), Features(COLUMNS), file)
            self._rows = Dataset.from_file(str(file))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TaggedExample]:
        return map(example_of, self._rows)

    @overload
    def __getitem__(self, number: int) -> TaggedExample: ...
    @overload
    def __getitem__(self, number: slice) -> list[TaggedExample]: ...
    def __getitem__(self, number: int | slice) -> TaggedExample | list[TaggedExample]:
        """Return one sentence, or those of a slice.

        Raises:
            IndexError: there is none of this number.
        """
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return example_of(self._rows[number])


def row_of(example: TaggedExample) -> dict[str, Any]:
    """Return a sentence as a row of `COLUMNS`."""
    return {
        "id": example.id,
        "text": example.text,
        "starts": [m.start for m in example.entities],
        "ends": [m.end for m in example.entities],
        "labels": [m.label for m in example.entities],
    }


def example_of(row: Row) -> TaggedExample:
    """Return the sentence of a row, unchecked: what was written was checked before."""
    mentions = zip(row["starts"], row["ends"], row["labels"], strict=True)
    return TaggedExample.model_construct(
        id=row["id"], text=row["text"], entities=tuple(Mention(*m) for m in mentions)
    )


def write_rows(rows: Iterable[Row], features: Features, file: Path) -> None:
    """Write rows into an Arrow file as they come."""
    with ArrowWriter(path=str(file), features=features) as writer:
        for row in rows:
            writer.write(row)
        writer.finalize()
