"""The sources that a training draws from, without what the held-out files hold too.

Whatever is trained, the same reading and the same check stand before it. Knows no model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from training.leaks import HeldOut
from training.sentences import Sentences
from training.sources import DEFAULT_SOURCES, Source, read_source, read_source_configs
from training.written_domains import written_names, written_source
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, guess, read


class Chosen(Protocol):
    """What a training's settings say of its sources."""

    @property
    def sources(self) -> Mapping[str, float]:
        """The sources' names, with weights."""
        ...

    @property
    def source_file(self) -> Path | None:
        """Where they are configured; None: the ones that ship with the project."""
        ...

    @property
    def held_out(self) -> tuple[Path, ...]:
        """Files, from the data root, that must not be learnt from."""
        ...


def read_clean_sources(
    chosen: Chosen, data: Path, say: Callable[[str], None], *, asked: Sequence[str] = ()
) -> tuple[Source, ...]:
    """Read the chosen sources, whose paths start at `data`, and say what was left out.

    No training sentence shares 8 words in a row with the held-out files, and none with `asked`,
    texts that will be asked about; a source of which nothing is left is left out. The domains
    written for this project are sources too, by the names of their folders; a configured source of
    such a name stands in for it.

    Raises:
        InvalidInput: a source is not configured, or it or a held-out file cannot be read; or the
            held-out files leave nothing of any, and nothing else is taught, for `asked` is empty.
    """
    configs = {c.name: c for c in read_source_configs(chosen.source_file or DEFAULT_SOURCES)}
    unknown = sorted(chosen.sources.keys() - {*configs, *written_names()})
    if unknown:
        raise InvalidInput(
            f"expected sources among {', '.join(sorted(configs))}, was: {', '.join(unknown)}; "
            "configure them in the source file, or name folders of training/domains"
        )
    files = (t for file in chosen.held_out for t in _texts(data / file))
    held_out = HeldOut(chain(files, asked))
    found = []
    for name in chosen.sources:
        config = configs.get(name)
        source = read_source(config, data_root=data) if config else written_source(name)
        kept = Sentences(e for e in source.train if not held_out.leaks(e.text))
        leaks = len(source.train) - len(kept)
        say(f"{name}: {len(kept):,} sentences; {leaks} leaks left out; {source.left_out}")
        if leaks and not kept:
            say(f"{name} is left out whole: nothing of it is apart from what is asked about")
            continue
        found.append(replace(source, train=kept))
    if chosen.sources and not found and not asked:
        raise InvalidInput(
            f"expected a source of which the held-out files leave something, was: "
            f"{', '.join(chosen.sources)}; name another source, or fewer files as held_out"
        )
    return tuple(found)


def _texts(path: Path) -> Iterator[str]:
    """Yield a held-out file's texts; without an ending that tells, it is CoNLL's format."""
    try:
        with path.open("rb") as file:
            for example in read(file, guess(path) or Format.CONLL, name=path.name):
                yield example.text
    except OSError as error:
        raise InvalidInput(f"expected a held-out file at {path}: {error}") from error
