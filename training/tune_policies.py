"""Tune the encoder for policy sets as settings say: texts that breach the same policy lie together.

    python -m training.tune_policies training/configs/policies.yaml --out FOLDER

The folder appears when the tuning is done.
"""

import argparse
import sys
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from index.bundled import bundled_minilm, hash_file
from index.contextual import ContextualEncoder
from index.encoders import TEXT_LAYER
from index.subwords import SubwordReader
from index.word_model import BASE_WEIGHTS, load_encoder
from index.wordings import home_of
from training.finetune import StepBar, figures
from training.judged_texts import JudgedTexts, read_judged_texts
from training.loop import StepReport
from training.policy_episodes import PolicyEpisodes
from training.policy_settings import PolicySettings, read_policy_settings
from training.policy_tuning import tune_for_policies
from training.word_manifest import WordManifest, refuse_existing, write_tuning
from training.word_preparation import check_longest
from training.word_tuning import Tunable, tunable
from wraner.errors import Unavailable, WranerError


def main(arguments: list[str] | None = None) -> int:
    """Tune as the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, log_path=False)
    try:
        tune_policies(read_policy_settings(args.config), args.data, args.out, console=console)
    except WranerError as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("stopped; nothing was written", style="red")
        return 130
    print(args.out)
    return 0


def tune_policies(settings: PolicySettings, data: Path, out: Path, *, console: Console) -> None:
    """Tune to the end and write the tuning.

    Raises:
        InvalidInput: the folder to write is there, a file cannot be read, texts would be read at
            more length than the encoder has places for, or a loss is not finite.
        Unavailable: the encoder is not there, or has no such layer.
    """
    refuse_existing(out)
    loaded = _loaded(settings)  # before the texts: they take a while
    _tune(loaded, read_judged_texts(settings.texts, data), settings, out, console=console)


def tune_on(judged: JudgedTexts, settings: PolicySettings, out: Path, *, console: Console) -> None:
    """Tune on some texts and write the tuning. Raises as `tune_policies` does."""
    _tune(_loaded(settings), judged, settings, out, console=console)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The encoder's folder, what reads texts for it, and the encoder with fresh factors."""

    folder: Path
    reader: SubwordReader
    tuned: Tunable


def _loaded(settings: PolicySettings) -> _Loaded:
    folder = bundled_minilm()
    try:
        reader, encoder = SubwordReader(folder), load_encoder(folder, settings.layer)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unavailable(
            f"the word encoder in {folder} cannot be loaded: {reason}; correct layer"
        ) from error
    tuned = tunable(encoder, rank=settings.rank, alpha=settings.alpha, seed=settings.seed)
    check_longest(tuned, reader, settings.longest_subwords)
    return _Loaded(folder, reader, tuned)


def _tune(
    loaded: _Loaded, judged: JudgedTexts, settings: PolicySettings, out: Path, *, console: Console
) -> None:
    folder, tuned = loaded.folder, loaded.tuned
    bar = StepBar(settings.steps, console)
    last: deque[float] = deque(maxlen=max(1, settings.steps // 10))

    def on_step(report: StepReport) -> None:
        last.append(report.loss)
        bar.show(report.step, figures(report))

    with bar.progress:
        tune_for_policies(
            tuned.model,
            PolicyEpisodes(judged, settings),
            reader=loaded.reader,
            settings=settings,
            on_step=on_step,
        )
    manifest = WordManifest(
        base_sha256=hash_file(folder / BASE_WEIGHTS),
        parent="",
        data=judged.data[:1],
        config=settings.model_dump(mode="json"),
        loss=sum(last) / len(last),
        dev_loss=None,
        created=datetime.now(UTC).date(),
    )
    home = home_of(judged.policies, ContextualEncoder(folder, layer=TEXT_LAYER))
    write_tuning(tuned, manifest, target=out, home=home)


if __name__ == "__main__":
    sys.exit(main())
