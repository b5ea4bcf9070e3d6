"""Named: the stored pack that a command means; where there is none, which there are.

Knows neither texts nor what is asked about them.
"""

from cli.failures import WrongUse
from cli.shelf import Shelf
from wraner.client.problems import NotFound
from wraner.errors import InvalidInput
from wraner.errors import NotFound as NothingStored
from wraner.registry import Kind, check_name

_WORDS = {Kind.DOMAIN: ("extract", "domain"), Kind.POLICY_SET: ("moderate", "policy set")}
_QUOTED_CHARACTERS = 60


async def check_named(packs: Shelf, name: str | None) -> None:
    """Ask for the pack `name`, None: it is sent along.

    Raises:
        WrongUse: what stands in the name's place can be no name, so it will be a text.
        NothingStored: no pack has this name.
    """
    if name is None:
        return
    command, noun = _WORDS[packs.kind]
    try:
        check_name(name)
    except InvalidInput:
        raise WrongUse(
            f"expected the name of a {noun} before the texts, was: {_quoted(name)}; "
            f"{await _stored(packs)}; say: wraner {command} NAME {_quoted(name)}"
        ) from None
    try:
        await packs.read(name)
    except NotFound as error:
        raise NothingStored(f"{error}; {await _stored(packs)}") from None


async def _stored(packs: Shelf) -> str:
    _, noun = _WORDS[packs.kind]
    names = [pack.name for pack in (await packs.list()).packs]
    return f"stored {noun}s are {', '.join(names)}" if names else f"no {noun} is stored"


def _quoted(text: str) -> str:
    return f'"{text[:_QUOTED_CHARACTERS]}{"…" if len(text) > _QUOTED_CHARACTERS else ""}"'
