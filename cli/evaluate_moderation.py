"""`wraner evaluate moderation`: what verdicts are worth, measured in this process."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import Exit, WrongUse
from cli.report_options import ReportOptions
from training.detector_scores import FOLDER, read_detectors
from training.moderation_card_file import check_place
from training.moderation_rows import TRAIN, AskedRows, read_rows
from wraner.errors import InvalidInput


@dataclass(frozen=True)
class AskedRowsOptions:
    """What is asked about."""

    data: Annotated[
        Path,
        typer.Option(
            "--data",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="HateModerate's files.",
        ),
    ]
    policy_set: Annotated[
        str,
        typer.Option(
            "--policy-set", metavar="NAME", help="A stored policy set, or a pack's folder."
        ),
    ]
    file: Annotated[
        str, typer.Option("--file", metavar="FILE", help="Which of the data's files.")
    ] = "hatemoderate_test.csv"
    texts: Annotated[
        int | None,
        typer.Option(
            "--texts", min=1, metavar="N", help="Ask about a sample of texts; left out: about all."
        ),
    ] = None
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws another sample.")] = 0

    def drawn(self, whole: AskedRows) -> AskedRows:
        """Return the rows to ask about, of those in the file."""
        return whole if self.texts is None else whole.sample(self.texts, seed=self.seed)


@dataclass(frozen=True)
class JudgedOptions:
    """How it is judged, and what with."""

    store: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="FILE|none",
            help="This file's rows, less those asked about, are the examples; none: the policy "
            "set's own.",
        ),
    ] = TRAIN
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Judge every policy, not a shortlist.")
    ] = False
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="HASH|none",
            help="Judge with this adapter, or with none; left out: with the one that serves.",
            show_default=False,
        ),
    ] = None
    detectors: Annotated[
        bool,
        typer.Option(
            "--detectors", help="Beside the published scores of four detectors on the test file."
        ),
    ] = False

    def store_in(self, folder: Path) -> Path | None:
        """Return the file of examples, None for the policy set's own.

        Raises:
            WrongUse: there is no such file.
        """
        if self.store == "none":
            return None
        if not (folder / self.store).is_file():
            raise WrongUse(f"expected --store a file in {folder}, or none, was: {self.store!r}")
        return folder / self.store


@dataclass(frozen=True)
class CardOptions:
    """Whether a report card is written, and where."""

    card: Annotated[
        Path | None,
        typer.Option(
            "--card",
            dir_okay=False,
            metavar="FILE",
            help="Also write a report card to lie beside the weights, in Markdown; an older card "
            "is overwritten.",
            show_default=False,
        ),
    ] = None

    def check(self, out: Path | None) -> None:
        """Refuse a place where no card can be written, beside a report in the folder `out` too.

        Raises:
            WrongUse: it is such a place.
        """
        if self.card is None:
            return
        try:
            check_place(self.card)
        except InvalidInput as error:
            raise WrongUse(f"--card: {error}") from error
        if out is not None and self.card.resolve().parent == out.resolve():
            raise WrongUse(
                f"expected --card a file outside of --out, which holds the report, was: {self.card}"
            )


def evaluate_moderation(
    asked: AskedRowsOptions, judged: JudgedOptions, report: ReportOptions, card: CardOptions
) -> int:
    """Measure moderation by failure rates under each policy, with a report.

    wraner evaluate moderation --policy-set hate-speech --data ../shared/data/hatemoderate
    --detectors
    """
    report.check()
    card.check(report.out)
    whole = read_rows(asked.data, asked.file)
    detectors = read_detectors(asked.data / FOLDER, whole.rows) if judged.detectors else ()

    from cli.moderation_evaluation import ModerationPlan, carry_out  # loads the pipeline

    carry_out(
        ModerationPlan(
            asked=asked.drawn(whole),
            policy_set=asked.policy_set,
            store=judged.store_in(asked.data),
            exhaustive=judged.exhaustive,
            adapter=judged.adapter,
            detectors=detectors,
            out=report.out,
            card=card.card,
            command=_command(asked, judged, card=card.card),
        )
    )
    return Exit.OK


def _command(asked: AskedRowsOptions, judged: JudgedOptions, *, card: Path | None) -> str:
    """Return the command line that measures the same again, and writes the card again.

    It lacks the adapter, which is known once it is chosen.
    """
    options = {
        "--policy-set": asked.policy_set,
        "--data": asked.data,
        "--file": asked.file,
        "--texts": asked.texts,
        "--seed": asked.seed if asked.texts is not None else None,
        "--store": judged.store,
        "--card": card,
    }
    given = [str(word) for o, value in options.items() if value is not None for word in (o, value)]
    flags = {"--exhaustive": judged.exhaustive, "--detectors": judged.detectors}
    given += [flag for flag, on in flags.items() if on]
    return shlex.join(["wraner", "evaluate", "moderation", *given])
