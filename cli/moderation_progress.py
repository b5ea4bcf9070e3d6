"""How far an evaluation of moderation has come: predictions kept as they come, figures beside them.

Knows no pipeline.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.counts import counted
from cli.failures import say
from cli.measuring import bar
from training.moderation_results import Prediction, prediction_line
from training.moderation_rows import AskedRows
from training.report_pages import share


@contextmanager
def heard_of(asked: AskedRows, path: Path) -> Iterator[Callable[[Prediction], None]]:
    """Yield a function that hears of each text: it keeps the prediction and shows progress."""
    so_far = _SoFar(asked)
    with path.open("wb") as file, bar(asked.file.name, len(asked.texts)) as advance:

        def heard(prediction: Prediction) -> None:
            file.write(prediction_line(prediction))
            so_far.add(prediction)
            advance(so_far.figures())

        yield heard
    say(f"{asked.file.name}: {counted(len(asked.texts), 'text')}, {so_far.figures()}")


class _SoFar:
    """Failures and pace of the texts heard of."""

    def __init__(self, asked: AskedRows) -> None:
        self._began = time.monotonic()
        self._hateful = {row.number: row.hateful for row in asked.rows}
        self._texts = 0
        self._rows = {True: 0, False: 0}
        self._failed = {True: 0, False: 0}

    def add(self, prediction: Prediction) -> None:
        self._texts += 1
        for row in prediction.rows:
            hateful = self._hateful[row]
            self._rows[hateful] += 1
            self._failed[hateful] += hateful != (prediction.decision == "violates")

    def figures(self) -> str:
        pace = self._texts / max(time.monotonic() - self._began, 1e-9)
        passed, flagged = (
            self._failed[h] / self._rows[h] if self._rows[h] else None for h in (True, False)
        )
        return (
            f"{pace:.2f} texts/s, hateful let pass {share(passed)}, others flagged {share(flagged)}"
        )
