"""Promotion of a word tuning: every stored domain is indexed with it, and only then does it serve.

A domain that cannot be indexed leaves everything as it was. Indexes of other tunings stay, so a
rollback costs little. Knows no Ray, and not how a server follows.
"""

from collections.abc import Callable

from services.loading import generations_with, pack_store
from services.settings import Settings
from services.stock import index_domains
from services.tunings import promoted_tuning
from wraner import promotions
from wraner.adapters import Task, read_adapter
from wraner.errors import WranerError

Say = Callable[[str], None]


def promote_words(settings: Settings, identity: str, *, expected: str, say: Say) -> None:
    """Make a stored tuning the one that serves, if the pointer still names `expected` ("": none).

    Raises:
        NotFound: there is no such tuning.
        InvalidInput: it is an adapter for another task.
        Unavailable: it is damaged or of another encoder, or a domain cannot be indexed.
        Stale: another tuning serves by now; nothing has changed.
    """
    adapters = settings.state_dir / "adapters"
    if read_adapter(adapters, identity).task is Task.WORDS:  # else the pointer refuses it
        _index(settings, identity, say)
    promotions.promote(adapters, Task.WORDS, identity, expected=expected)
    _index_meanwhile(settings, identity, say)


def rollback_words(settings: Settings, *, expected: str, say: Say) -> str:
    """Go back to the tuning before, if the pointer still names `expected`; return its hash.

    That is "" for the tuning that ships.

    Raises:
        NotFound: nothing was promoted, or all of it was rolled back.
        Unavailable: the pointer is damaged, or a domain cannot be indexed.
        Stale: another tuning serves by now; nothing has changed.
    """
    adapters = settings.state_dir / "adapters"
    _index(settings, promotions.previous(adapters, Task.WORDS), say)
    identity = promotions.rollback(adapters, Task.WORDS, expected=expected)
    _index_meanwhile(settings, identity, say)
    return identity


def _index_meanwhile(settings: Settings, identity: str, say: Say) -> None:
    """Index what was stored while a tuning was made to serve, which it does by now."""
    try:
        _index(settings, identity, say)
    except (WranerError, OSError) as error:
        say(f"what was stored meanwhile is indexed when a server loads this tuning: {error}")


def _index(settings: Settings, identity: str, say: Say) -> None:
    generations = generations_with(settings, promoted_tuning(settings, identity))
    index_domains(pack_store(settings), generations, say=say)
