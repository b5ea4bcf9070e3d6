"""The pack that answers: stored under a name, or a folder that is sent along."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cli.failures import WrongUse
from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain, PolicySet

P = TypeVar("P", Domain, PolicySet)


@dataclass(frozen=True, slots=True)
class Choice(Generic[P]):
    """Exactly one of a stored pack's name and a pack to send along."""

    name: str | None = None
    inline: P | None = None


@dataclass(frozen=True, slots=True)
class Offered(Generic[P]):
    """A folder to send along, None for a stored pack, and the kind of pack that is wanted."""

    folder: Path | None
    model: type[P]


def choose(name: str | None, texts: list[str], offered: Offered[P]) -> tuple[Choice[P], list[str]]:
    """Return the pack and the texts; where a folder is offered, what looks like a name is a text.

    Raises:
        WrongUse: neither a name nor a folder is given, or the folder is of the other kind.
        InvalidInput: the folder breaks a rule.
    """
    folder, model = offered.folder, offered.model
    if folder is None:
        if name is None:
            raise WrongUse("expected a stored name, or --pack with a folder, was: neither")
        return Choice(name=name), texts
    pack = read_pack_folder(folder)
    if not isinstance(pack, model):
        raise WrongUse(
            f"{folder}: expected a {model.__name__}, was: a {type(pack).__name__}; "
            f"`extract` takes domains, `moderate` policy sets"
        )
    return Choice(inline=pack), texts if name is None else [name, *texts]
