"""Conditional requests: If-Match and If-None-Match against a pack's version.

A pack's ETag is its version in quotes. Knows no store.
"""

import re
from dataclasses import dataclass

from wraner.errors import InvalidInput, Stale

ANY = "*"
# One element of a list, which may be empty, with its comma; a tag may hold commas too.
_ELEMENT = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)')


@dataclass(frozen=True, slots=True)
class Condition:
    """What a write expects of the current version; () expects nothing.

    A weak tag in `if_match` stands there as it came, which no version is like.
    """

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()

    def check(self, current: str | None) -> None:
        """Refuse if `current` (None: there is none) is not what was expected.

        Raises:
            Stale: it is not.
        """
        if self.if_match and not _among(current, self.if_match):
            if current is not None and _weak(current) in self.if_match:
                raise Stale(
                    f"If-Match: a weak tag never matches, was: {_weak(current)}; send the version "
                    f"in quotes alone: {etag(current)}"
                )
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


def _weak(version: str) -> str:
    return f"W/{etag(version)}"


def _among(current: str | None, tags: tuple[str, ...]) -> bool:
    return current is not None and (ANY in tags or current in tags)


def _tags(header: str, value: str | None, *, weak: bool) -> list[str]:
    if value is None:
        return []
    if value.strip() == ANY:
        return [ANY]
    found, at = [], 0
    while at < len(value):
        element = _ELEMENT.match(value, at)
        if element is None:
            break
        at = element.end()
        if element[2] is not None:
            found.append(element[2] if weak or not element[1] else _weak(element[2]))
    if not found or at < len(value):
        raise InvalidInput(
            f'expected {header}: * or versions in quotes such as "6f1e", was: {value[:80]}'
        )
    return found
