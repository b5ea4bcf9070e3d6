"""What is said where a task's adapter changes: what serves unpromoted, what a setting pins."""

import os

from cli.failures import say
from wraner.adapters import Task

_SHORT = 12
_PINS = {
    Task.NER: "WRANER_EXTRACT_ADAPTER",
    Task.MODERATION: "WRANER_MODERATE_ADAPTER",
    Task.WORDS: "WRANER_WORD_ADAPTER",
}
_FOLLOWS = {"", "bundled"}

UNPROMOTED = {
    Task.NER: "the base model alone",
    Task.MODERATION: "the base model alone",
    Task.WORDS: "the tuning that ships",
}
"""What answers a task where nothing is promoted."""


def say_pin(task: Task) -> None:
    """Say where this environment would keep a server from following a promotion."""
    variable = _PINS[task]
    pinned = os.environ.get(variable, "")
    if pinned not in _FOLLOWS:
        shown = pinned if task is Task.WORDS else pinned[:_SHORT]
        say(f"{variable}={shown} is set here; a server with it follows no promotion")
