"""`wraner policies test`: what a policy set's verdicts are worth on labelled texts.

The options alone; what carries them out is imported when it runs, since it loads numpy and scipy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Exhaustive, Format, NameOrFolder, TargetOptions, Threshold


@dataclass(frozen=True)
class PolicyTestOptions:
    """What is measured, on which texts, and what is shown."""

    policy_set: NameOrFolder
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl",
            exists=True,
            dir_okay=False,
            help="Texts with what they violate and comply with, as in examples.jsonl.",
            show_default=False,
        ),
    ]
    exhaustive: Exhaustive = False
    threshold: Threshold = None
    failures: Annotated[
        bool,
        typer.Option(
            "--failures",
            help="List what is wrong: breaches let pass, harmless texts flagged, other policies.",
        ),
    ] = False
    format: Format = None


def policy_test(what: PolicyTestOptions, where: TargetOptions) -> int:
    """Measure a policy set on labelled texts.

    wraner policies test mine test.jsonl --failures
    """
    from cli.policy_testing import carry_out

    return carry_out(what, where)
