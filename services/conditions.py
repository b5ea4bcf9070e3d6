"""Conditional requests: If-Match and If-None-Match against a pack's version.

A pack's ETag is its version in quotes. Knows no store.
"""

import re
from dataclasses import dataclass

from wraner.errors import InvalidInput, Stale

ANY = "*"
_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')


@dataclass(frozen=True, slots=True)
class Condition:
    """What a write expects of the current version; () expects nothing."""

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()

    def check(self, current: str | None) -> None:
        """Refuse if `current` (None: there is none) is not what was expected.

        Raises:
            Stale: it is not.
        """
        if self.if_match and not _among(current, self.if_match):
            raise Stale(
                f"If-Match names another version than the current one, which is "
                f"{current or 'none'}; read the pack again and repeat the change"
            )
        if self.if_none_match and _among(current, self.if_none_match):
            raise Stale(f"If-None-Match forbids this write: version {current} exists")


def condition(if_match: str | None, if_none_match: str | None) -> Condition:
    """Read the two headers.

    Raises:
        InvalidInput: a header is malformed.
    """
    return Condition(
        # Strong comparison, as RFC 9110 has it: a weak tag never matches.
        tuple(_tags("If-Match", if_match, weak=False)),
        tuple(_tags("If-None-Match", if_none_match, weak=True)),
    )


def etag(version: str) -> str:
    """Return a version as an ETag."""
    return f'"{version}"'


def _among(current: str | None, tags: tuple[str, ...]) -> bool:
    return current is not None and (ANY in tags or current in tags)


def _tags(header: str, value: str | None, *, weak: bool) -> list[str]:
    if value is None:
        return []
    if value.strip() == ANY:
        return [ANY]
    found = [_TAG.fullmatch(part) for part in value.split(",")]
    if not all(found):
        raise InvalidInput(
            f'expected {header}: * or versions in quotes such as "6f1e", was: {value[:80]}'
        )
    return [m[2] if weak or not m[1] else "weak" for m in found if m]
