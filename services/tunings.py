"""Tunings of the word encoder: the folders of those that are chosen, for domains and policy sets.

A folder that is chosen and not there is refused with the way out. Knows no encoder, and not what a
tuning holds.
"""

from pathlib import Path

from services.settings import Settings
from wraner import promotions
from wraner.adapters import CONFIG, WEIGHTS, Task
from wraner.errors import Unavailable
from wraner.weights import BUNDLED

WORDS, POLICIES = "words", "policies"
"""The folders of the tunings that ship, for domains and for policy sets."""


def word_tuning(settings: Settings) -> Path | None:
    """Return the folder of the tuning for domains; None where there is none.

    That is the promoted one, or the one that ships, where the setting names no other.

    Raises:
        Unavailable: it is chosen and not there, or the pointer is damaged.
    """
    chosen = settings.word_adapter
    if _does_without(chosen, settings):
        return None
    if chosen == BUNDLED:
        promoted = promotions.current(settings.state_dir / "adapters", Task.WORDS)
        return promoted_tuning(settings, promoted)
    return _for_domains(Path(chosen))


def promoted_tuning(settings: Settings, identity: str) -> Path:
    """Return the folder of a stored tuning for domains, "" for the one that ships.

    Raises:
        Unavailable: it is not there.
    """
    if identity:
        return _for_domains(settings.state_dir / "adapters" / identity)
    return _for_domains(settings.adapters_dir / WORDS)


def policy_tuning(settings: Settings) -> Path | None:
    """Return the folder of the tuning for policy sets; None where there is none.

    Raises:
        Unavailable: it is chosen and not there.
    """
    chosen = settings.policy_adapter
    if _does_without(chosen, settings):
        return None
    folder = settings.adapters_dir / POLICIES if chosen == BUNDLED else Path(chosen)
    if not _is_tuning(folder):
        raise Unavailable(
            f"expected {CONFIG} and {WEIGHTS} in {folder}, found no tuning for policy sets; name "
            "the folder of another: WRANER_POLICY_ADAPTER, or do without: "
            "WRANER_POLICY_ADAPTER=none"
        )
    return folder


def _does_without(chosen: str, settings: Settings) -> bool:
    """Return whether no tuning is chosen; those that ship belong to the bundled encoder."""
    return chosen == "none" or (chosen == BUNDLED and settings.encoder != BUNDLED)


def _for_domains(folder: Path) -> Path:
    if not _is_tuning(folder):
        raise Unavailable(
            f"expected {CONFIG} and {WEIGHTS} in {folder}, found no tuning of the word encoder; "
            "name the folder of another: WRANER_WORD_ADAPTER, or do without: "
            "WRANER_WORD_ADAPTER=none; one that was promoted can be rolled back: wraner adapters "
            "rollback words"
        )
    return folder


def _is_tuning(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (CONFIG, WEIGHTS))
