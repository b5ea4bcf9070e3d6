"""Annotated corpora to tune on, read as a configuration says, labels renamed as their sheet says.

Test is read first, then dev, then train, and repeated texts are left out, so a text that stands
in several of them stays held out. Published scores are measured on the files themselves, not on
what is read here. Knows no prompt and no benchmark.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from training.cleaning import Cleaning, LeftOut
from training.hub_source import HubDataset, iterate_split
from training.sentences import Sentences
from training.settings_file import read_yaml
from training.sheets import Sheet, read_sheet, shipped_sheet
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read
from wraner.formats.spans import fault
from wraner.packs import Label, TaggedExample, Words

DEFAULT_SOURCES = Path(__file__).with_name("sources.yaml")


class SourceConfig(BaseModel):
    """Where a corpus lies: files of one format, or a data set of the hub.

    `sheet` is the name of a shipped sheet, or the path of a ``.yaml`` file; `terms` are licence
    and origin in one line. All paths start at the data root.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Label
    sheet: Label
    terms: Words
    format: Format = Format.CONLL
    train: tuple[Path, ...] = ()
    dev: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    hub: HubDataset | None = None

    @model_validator(mode="after")
    def _check_one_origin(self) -> Self:
        of_files = {"format", "train", "dev", "test"} & self.model_fields_set
        if (of_files and self.hub) or not (self.train or self.hub):
            raise ValueError(
                "expected either `train` files, with `format`, `dev`, `test`, or `hub`"
            )
        return self


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus, which lies on disk; the labels of its entities are the names in its sheet."""

    name: str
    sheet: Sheet
    terms: str
    train: Sequence[TaggedExample]
    dev: Sequence[TaggedExample]
    test: Sequence[TaggedExample]
    left_out: LeftOut


def read_source_configs(file: Path = DEFAULT_SOURCES) -> tuple[SourceConfig, ...]:
    """Read a YAML list of configurations; without `file`, of the corpora in `shared/data`.

    Raises:
        InvalidInput: the file cannot be read or breaks a rule, or two corpora share a name.
    """
    try:
        content = read_yaml(file, named="sources")
        configs = TypeAdapter(tuple[SourceConfig, ...]).validate_python(content)
    except ValidationError as error:
        raise InvalidInput(f"{file}: {fault(error)}; correct the file") from None
    names = [c.name for c in configs]
    if len(set(names)) < len(names):
        raise InvalidInput(f"{file}: expected unique names, was: {', '.join(names)}; rename one")
    return configs


def read_source(config: SourceConfig, *, data_root: Path = Path()) -> Source:
    """Read a corpus; its paths start at `data_root`.

    Raises:
        InvalidInput: a file or its sheet cannot be read, the sheet lacks a label of the data, or
            a mention cuts a word; names the source.
    """
    shipped = not config.sheet.endswith(".yaml")
    sheet = shipped_sheet(config.sheet) if shipped else read_sheet(data_root / config.sheet)
    cleaning = Cleaning(config.name, sheet.names)
    test, dev, train = (Sentences(cleaning.cleaned(split)) for split in _splits(config, data_root))
    return Source(config.name, sheet, config.terms, train, dev, test, cleaning.left_out)


def _splits(config: SourceConfig, data_root: Path) -> list[Iterator[TaggedExample]]:
    """Return test, dev and train as they stand in the data, to be read in this order."""
    if (hub := config.hub) is not None:
        return [
            iterate_split(hub, split, data_root=data_root) if split else iter(())
            for split in (hub.test, hub.dev, hub.train)
        ]
    return [_from_files(config, f, data_root) for f in (config.test, config.dev, config.train)]


def _from_files(
    config: SourceConfig, files: Iterable[Path], data_root: Path
) -> Iterator[TaggedExample]:
    for file in (data_root / f for f in files):
        try:
            with file.open("rb") as opened:
                yield from read(opened, config.format, name=str(file))
        except OSError as error:
            raise InvalidInput(
                f"{config.name}: expected a readable file, was: {file} ({error}); correct the "
                f"path or the data root"
            ) from error
