"""`wraner domains test`: what a domain's extraction is worth on tagged texts.

The options alone; what carries them out is imported when it runs, since it loads numpy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Format, MinScore, NameOrFolder, Retrieved, TargetOptions


@dataclass(frozen=True)
class DomainTestOptions:
    """What is measured, on which texts, and what is shown."""

    domain: NameOrFolder
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Texts with their entities: lines as in examples.jsonl, or marked text in .txt.",
            show_default=False,
        ),
    ]
    k: Retrieved = None
    min_score: MinScore = 0.0
    failures: Annotated[
        bool,
        typer.Option(
            "--failures",
            help="List what is wrong: entities missed, spurious, under wrong labels or borders.",
        ),
    ] = False
    format: Format = None


def domain_test(what: DomainTestOptions, where: TargetOptions) -> int:
    """Measure a domain on tagged texts.

    wraner domains test mine test.txt --failures
    """
    from cli.domain_testing import carry_out

    return carry_out(what, where)
