"""One test of a domain carried out: texts read and asked about, entities counted and shown.

Asks as `wraner extract` does. Knows neither figures nor how they are shown.
"""

from collections.abc import Sequence
from functools import partial

from cli import terminal
from cli.domain_test import DomainTestOptions
from cli.failures import Exit
from cli.found import Found, figures_of
from cli.found_views import FoundView, show_figures
from cli.options import TargetOptions
from cli.tagged import read_tagged
from cli.testing import Subject, Trial, measure
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Extractions
from wraner.packs import Domain


def carry_out(what: DomainTestOptions, where: TargetOptions) -> Exit:
    """Ask about the texts of a file and show what the extraction is worth.

    Raises:
        WrongUse: NAME is neither a name nor a folder with a domain.
        InvalidInput: the file is not tagged, or not for this domain.
    """
    subject = Subject(what.domain, Domain, partial(read_tagged, what.file))
    layout = terminal.layout(what.format)

    async def ask(client: AsyncClient, texts: Sequence[str]) -> Extractions:
        return await client.extract(
            texts,
            domain=subject.choice.name,
            inline=subject.choice.inline,
            k=what.k,
            min_score=what.min_score,
        )

    trial = Trial(subject, ask, Found, FoundView)
    measured = measure(trial, layout, where, failures=what.failures)
    show_figures(figures_of(measured.texts), measured.refused, layout)
    return measured.finished
