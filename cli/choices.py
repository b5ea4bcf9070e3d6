"""Choices: the pack that a command means, stored or in a folder. Knows no text's content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cli.failures import WrongUse
from cli.named import check_named
from cli.shelf import PIECE_BYTES, PIECE_EXAMPLES, fits_a_body, shelf
from wraner.client.asynchronous import AsyncClient
from wraner.errors import InvalidInput, NotFound
from wraner.pack_folders import DEFINITIONS_FILE, read_pack_folder
from wraner.packs import Domain, Pack, PolicySet
from wraner.registry import Kind, check_name

P = TypeVar("P", Domain, PolicySet)

_NOUNS: dict[type[Domain] | type[PolicySet], str] = {Domain: "domain", PolicySet: "policy set"}


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
        WrongUse: neither a name nor a folder is given, or the folder is of the other kind or too
            large to send along.
        InvalidInput: the folder breaks a rule.
    """
    folder, model = offered.folder, offered.model
    if folder is None:
        if name is None:
            group = "domains" if model is Domain else "policies"
            raise WrongUse(
                f"expected a stored name, which `wraner {group} list` shows, or --pack with a "
                f"folder, was: neither"
            )
        return Choice(name=name), texts
    pack = read_pack_folder(folder)
    if not isinstance(pack, model):
        raise WrongUse(
            f"{folder}: expected a {_NOUNS[model]}, was: a {_NOUNS[type(pack)]}; `extract` and "
            f"`domains` take domains, `moderate` and `policies` policy sets"
        )
    _check_sendable(pack, folder)
    return Choice(inline=pack), texts if name is None else [name, *texts]


def _check_sendable(pack: Pack, folder: Path) -> None:
    """Refuse a pack that is too large to go with every call, whatever the server would take.

    By the limits that a server has unless told otherwise, each text would be refused for its sake.
    """
    if len(pack.examples) <= PIECE_EXAMPLES and fits_a_body(pack):
        return
    group = "domains" if isinstance(pack, Domain) else "policies"
    raise WrongUse(
        f"{folder}: expected up to {PIECE_EXAMPLES} examples and {PIECE_BYTES} bytes to send along "
        f"with texts, was: {len(pack.examples)} examples; store it under another name and use "
        f"that: wraner {group} add NAME {folder}"
    )


def choice_of(given: str, model: type[P]) -> Choice[P]:
    """Return what is meant: what can be a stored name is one, all else is a folder.

    Raises:
        WrongUse: it is neither, or the folder holds a pack of the other kind.
        InvalidInput: the folder's content breaks a rule.
    """
    try:
        check_name(given)
    except InvalidInput:
        if not (Path(given) / DEFINITIONS_FILE).is_file():
            raise WrongUse(
                f"expected a stored {_NOUNS[model]}'s name or a folder with {DEFINITIONS_FILE}, "
                f"was: {given[:80]!r}"
            ) from None
        return choose(None, [], Offered(Path(given), model))[0]
    return Choice(name=given)


async def read_choice(client: AsyncClient, choice: Choice[P], model: type[P]) -> P:
    """Return a pack with all its examples, of one version.

    Raises:
        WrongUse: what stands in the name's place can be no name.
        NotFound: no pack of this kind has this name.
        InvalidInput: it changed while it was read.
    """
    if choice.inline is not None:
        return choice.inline
    stored = shelf(client, Kind.DOMAIN if model is Domain else Kind.POLICY_SET)
    name = str(choice.name)
    try:
        await check_named(stored, name)
    except NotFound as error:
        if (Path(name) / DEFINITIONS_FILE).is_file():
            raise NotFound(f"{error}; for the folder say ./{name}") from None
        raise
    _, pack = await stored.pack(name)
    assert isinstance(pack, model)
    return pack
