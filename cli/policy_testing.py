"""One test of a policy set carried out: texts read and asked about, verdicts counted and shown.

Asks as `wraner moderate` does. Knows neither figures nor how they are shown.
"""

from collections.abc import Sequence
from functools import cache, partial

from cli import terminal
from cli.failures import Exit
from cli.judged import Judged, figures_of
from cli.judged_views import JudgedView, show_figures
from cli.labelled import read_labelled
from cli.options import TargetOptions
from cli.policy_test import PolicyTestOptions
from cli.stream import JUDGED_CHARACTERS
from cli.testing import Subject, Trial, measure
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Verdict, Verdicts
from wraner.packs import JudgedExample, PolicySet


def carry_out(what: PolicyTestOptions, where: TargetOptions) -> Exit:
    """Ask about the texts of a file and show what the verdicts are worth.

    Raises:
        WrongUse: NAME is neither a name nor a folder with a policy set.
        InvalidInput: the file is not labelled, or not for this policy set.
    """
    subject = Subject(what.policy_set, PolicySet, partial(read_labelled, what.file))
    layout = terminal.layout(what.format)

    async def ask(client: AsyncClient, texts: Sequence[str]) -> Verdicts:
        return await client.moderate(
            texts,
            policy_set=subject.choice.name,
            inline=subject.choice.inline,
            exhaustive=what.exhaustive,
            threshold=what.threshold,
        )

    @cache
    def policies() -> tuple[str, ...]:
        return tuple(policy.id for policy in subject.pack.policies)

    def beside(line: int, example: JudgedExample, verdict: Verdict) -> Judged:
        return Judged(line, example, policies(), verdict)

    trial = Trial(subject, ask, beside, JudgedView, JUDGED_CHARACTERS)
    measured = measure(trial, layout, where, failures=what.failures)
    show_figures(figures_of(measured.texts), measured.refused, layout)
    return measured.finished
