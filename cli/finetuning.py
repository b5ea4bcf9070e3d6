"""One training, carried out: settings read, an adapter finetuned and put on the shelf.

It is not promoted. Where things are stored comes from the environment, as for a server. Loads
torch, so it is imported when it runs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from cli.failures import say
from cli.folders import as_named
from cli.terminal import out
from cli.train import ClusterOptions, PlaceOptions
from services.settings import read_settings as read_service_settings
from training.finetune import Outcome, finetune
from training.lineage import Data, inherited, joined
from training.preparation import Places
from training.settings import TrainingSettings, read_settings
from wraner.adapters import AdapterManifest, Base, dated_as_stored, write_adapter
from wraner.weights import BUNDLED

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and where; `start` is the adapter to go on from, None the config's.

    `command` is the command line that asks for all this.
    """

    config: Path
    places: PlaceOptions
    cluster: ClusterOptions
    start: Path | None
    command: str


def carry_out(plan: Plan) -> bool:
    """Train, store the adapter, print its folder; return False where Ctrl-C stopped it.

    Raises:
        InvalidInput: the settings are wrong, or do not fit the data.
        Unavailable: weights or workers are missing.
    """
    settings = read_settings(plan.config)
    state = read_service_settings().state_dir
    if plan.start is not None:
        settings = settings.model_copy(update={"start": plan.start})
    before = inherited(settings.start)  # now, not when hours of training end
    try:
        outcome = _finetuned(plan, settings, Places(state, plan.places.data))
    except KeyboardInterrupt:
        say(
            f"stopped; a checkpoint is kept every {settings.checkpoint_every} steps; go on behind "
            f"the last with: {plan.command}"
        )
        return False
    made = _manifest(settings, outcome, before, plan.command)
    named = dated_as_stored(state / "adapters", outcome.adapter, made)
    identity = write_adapter(state / "adapters", outcome.adapter, named)
    if outcome.dev_loss is not None:
        say(f"loss on dev {outcome.dev_loss:.4f}")
    where = as_named(plan.places.state)
    say(f"stored, not promoted; to use it: wraner adapters promote {identity[:_SHORT]}{where}")
    if settings.base != BUNDLED:
        say(f"its base must serve then, here and at the server: WRANER_BASE_MODEL={settings.base}")
    out().print(str(state / "adapters" / identity), soft_wrap=True)
    return True


def _finetuned(plan: Plan, settings: TrainingSettings, places: Places) -> Outcome:
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, log_path=False)
    chosen = plan.cluster
    if chosen.workers is None:
        return finetune(settings, places, console=console)

    from training.ray_cluster import Cluster
    from training.ray_train import finetune_on_ray

    cluster = Cluster(chosen.workers, chosen.storage, chosen.gpu)
    return finetune_on_ray(settings, places, cluster, console=console)


def _manifest(
    settings: TrainingSettings, outcome: Outcome, before: Data, command: str
) -> AdapterManifest:
    metrics: dict[str, JsonValue] = {"command": command}
    if outcome.dev_loss is not None:
        metrics["dev_loss"] = outcome.dev_loss
    return AdapterManifest(
        task=settings.task,
        base=Base(name=outcome.base.name, sha256=outcome.base.sha256),
        data=joined(before, outcome.data),
        config=settings.model_dump(mode="json"),
        metrics=metrics,
        view=settings.prompts.view,
        created=datetime.now(UTC).date(),
        parent="" if settings.start is None else settings.start.name,
    )
