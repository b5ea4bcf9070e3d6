"""The screen of the regularisers: which of them help, told by 16 runs.

Each of eight factors is at its low level in half of the runs and at its high in the other half,
see `factorial` and `screen_factors`. Everything else is as `configs/ner.yaml` says, but for the
budget and the questions with one wording, which are the config's too with `--full`: for a GPU. So
types are always shuffled, examples as often as by default, and the answers of shown examples count
too, which `--confirm` can ask about. Every run has the same seed, the same number of updates and
the same tokens. Measured is F1 on a fixed sample of CrossNER's dev sentences, with their train
sentences as examples, of the adapter's own answers: no votes. An effect is a reason to confirm it,
which `--confirm` does with one factor's two levels under three more seeds, everything else as the
config has it. Finished runs are kept, a command that was stopped goes on behind them, and
confirmations share those that are equal. Knows no cluster.

    python -m training.screen --data ../shared/data --out FOLDER
    python -m training.screen --data ../shared/data --out FOLDER --confirm "types masked"
    python -m training.screen --data ../shared/data --out FOLDER --full
"""

import argparse
import sys
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from rich.console import Console

from index.contextual import ContextualEncoder
from index.encoders import DOMAIN_LAYER, load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.examination import examination
from training.factorial import design
from training.finished_runs import Finished, carry_on
from training.ner_domains import Split, read_domain
from training.preparation import Places
from training.screen_factors import FACTORS, UNSCREENED, Factor, settings_at
from training.screen_run import Material, Outcome, carry_out, gather
from training.screen_tables import SEEDS, confirmed, table
from training.settings import TrainingSettings, read_settings
from training.sheets import shipped_sheet
from wraner.engine import Engine
from wraner.errors import WranerError
from wraner.extract import Extractor

CONFIG = Path(__file__).parent / "configs" / "ner.yaml"
DOMAINS = ("politics", "science", "music", "literature", "ai")
STEPS, STEP_TOKENS = 20, 2500  # 50,000 tokens a run
QUESTIONS = 2  # with one wording: larger groups could not be dealt into steps of equal size
SENTENCES, FULL_SENTENCES = 20, 40  # of a domain
_RUNS = "runs.jsonl"
_CONFIRMED = {factor.name: factor for factor in (*FACTORS, *UNSCREENED)}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a screen is: its runs' settings but for the factors, and sentences of a domain."""

    settings: TrainingSettings
    sentences: int


def sized(*, full: bool) -> Size:
    """Return a short screen's size, or one whose runs are as long as the config's own."""
    chosen = read_settings(CONFIG)
    return Size(chosen, FULL_SENTENCES) if full else Size(shortened(chosen), SENTENCES)


def screen_settings(settings: TrainingSettings) -> list[TrainingSettings]:
    """Return the settings of the design's runs, in its order."""
    return [settings_at(levels, settings) for levels in design(len(FACTORS))]


def confirmation(factor: Factor, settings: TrainingSettings) -> list[TrainingSettings]:
    """Return the settings of a confirmation's runs: low and high under each seed."""
    runs = []
    for seed in SEEDS:
        seeded = settings.model_copy(update={"seed": seed})
        runs += [factor.at(level, seeded) for level in (-1, 1)]
    return runs


def main() -> int:
    """Screen or confirm as the command line asks, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--word-adapter", default="adapters/words", help="a folder, or none")
    parser.add_argument("--confirm", choices=list(_CONFIRMED), metavar="FACTOR")
    parser.add_argument("--full", action="store_true", help="runs as long as the config's own")
    args = parser.parse_args()
    console = Console(stderr=True)
    tuning = None if args.word_adapter == "none" else Path(args.word_adapter)
    try:
        size = sized(full=args.full)
        places = Places(args.state, args.data)
        # Only once a run is missing: what is read may have to be indexed, which takes minutes.
        material = cache(partial(_material, size, places, tuning, console))

        def run(chosen: TrainingSettings) -> Outcome:
            return carry_out(chosen, material())

        def finished(runs: list[TrainingSettings]) -> tuple[Finished[Outcome], ...]:
            return carry_on(runs, args.out / _RUNS, run, Finished[Outcome], say=console.log)

        if args.confirm is None:
            found = table(finished(screen_settings(size.settings)))
        else:
            factor = _CONFIRMED[args.confirm]
            found = confirmed(factor, finished(confirmation(factor, size.settings)))
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(found, end="")
    return 0


def _material(size: Size, places: Places, tuning: Path | None, console: Console) -> Material:
    domains = [
        read_domain(places.data / "crossner" / name, shipped_sheet(name), Split.DEV)
        for name in DOMAINS
    ]
    sampled = [domain.sample(size.sentences, seed=0) for domain in domains]
    retriever = LocalRetriever(load_encoders(None, tuning), IndexSettings())

    def extractor_of(engine: Engine) -> Extractor:
        return Extractor(retriever=retriever, engine=engine)

    asked = examination(extractor_of, console)
    encoder = ContextualEncoder(layer=DOMAIN_LAYER)
    return gather(size.settings, places, sampled, encoder, asked, say=console.log)


def shortened(settings: TrainingSettings) -> TrainingSettings:
    """Return settings with the budget of a short screen."""
    budget = {"steps": STEPS, "step_tokens": STEP_TOKENS}
    return settings.model_copy(
        update={
            "optimiser": settings.optimiser.model_copy(update=budget),
            "prompts": settings.prompts.model_copy(update={"questions": QUESTIONS}),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
