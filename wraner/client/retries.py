"""Retries: whether and when a call is sent again.

An attempt that cannot have been carried out is always worth another. One that may have been is
repeated only where twice has the effect of once. Knows neither HTTP's library nor sleep.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from wraner.errors import InvalidInput

FIRST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call is sent, and how long it waits in between."""

    attempts: int = 5
    """How often a call is sent at most; 1: never again."""

    longest_wait_s: float = 30.0
    """Seconds that all waits of one call may take together."""

    draw: Callable[[], float] = random.random
    """Draws from 0..1; spreads the waits of clients that failed together."""

    now: Callable[[], float] = time.time
    """The clock that a date in Retry-After is compared with, in seconds since 1970."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InvalidInput(f"expected attempts of 1 or more, was: {self.attempts}")
        if not self.longest_wait_s >= 0:
            raise InvalidInput(
                f"expected a longest_wait_s of 0 or more, was: {self.longest_wait_s}"
            )


STANDARD = Retry()


class Attempts:
    """The attempts of one call: how many there were and how long it waited.

    Attributes:
        made: how often the call has been sent and failed.
        waited_s: seconds waited so far, those of the wait that was last given out included.
    """

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.made = 0
        self.waited_s = 0.0
        self._too_long_s = 0.0

    def next_wait_s(self, retry_after: str = "") -> float | None:
        """Count a failed attempt and return how long to wait for the next, None: give up.

        `retry_after` is the server's header. A server that wants a longer wait than is left would
        refuse an earlier attempt too, so there is none.
        """
        self.made += 1
        if self.made >= self._retry.attempts:
            return None
        asked_s = _seconds(retry_after, self._retry.now)
        wait_s = self._own_wait_s() if asked_s is None else asked_s
        if self.waited_s + wait_s > self._retry.longest_wait_s:
            self._too_long_s = wait_s
            return None
        self.waited_s += wait_s
        return wait_s

    def summary(self) -> str:
        """Say what was tried, "" where no attempt has failed or only one was allowed."""
        if self.made == 0 or self._retry.attempts == 1:
            return ""
        tries = "1 attempt" if self.made == 1 else f"{self.made} attempts"
        said = f"after {tries} and {self.waited_s:.3g} s of waiting"
        if self._too_long_s:
            said += (
                f", as another {self._too_long_s:.3g} s would pass longest_wait_s, which is "
                f"{self._retry.longest_wait_s:g}"
            )
        return said

    def _own_wait_s(self) -> float:
        """Double from one attempt to the next; half of it is left to chance."""
        longest = FIRST_WAIT_S * 2.0 ** (self.made - 1)
        return longest * (1 + self._retry.draw()) / 2


def _seconds(retry_after: str, now: Callable[[], float]) -> float | None:
    """Read a Retry-After, which is seconds or an HTTP date; None where it is neither."""
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year may be any number of digits
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now())
