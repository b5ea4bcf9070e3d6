"""`wraner adapters`: the stored adapters, and which of them answers each task.

Works on the state folder of a server that runs or does not; what is promoted is live for the next
request. Knows no server.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue
from rich.table import Table

from cli import terminal
from cli.failures import Exit, WrongUse, say
from cli.folders import store_in
from cli.options import Format, Layout
from cli.promoted import UNPROMOTED, say_pin
from cli.records import Records
from cli.signatures import flat
from wraner import promotions
from wraner.adapters import AdapterManifest, Task, identities, read_adapter
from wraner.errors import InvalidInput, NotFound, Unavailable
from wraner.weights import sha256_of

if TYPE_CHECKING:
    from services.settings import Settings

_SHORT = 12
_FIGURES = 4


@dataclass(frozen=True)
class StateOptions:
    """Where adapters lie."""

    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FOLDER",
            help="Folder of everything stored: WRANER_STATE_DIR, or state/ in the repository.",
            show_default=False,
        ),
    ] = None

    def settings(self) -> "Settings":
        """Return the settings, with the folder that is named."""
        from services.settings import read_settings

        store_in(self.state)
        return read_settings()

    def adapters(self) -> Path:
        """Return the folder of adapters."""
        return self.settings().state_dir / "adapters"


Hash = Annotated[str, typer.Argument(metavar="HASH", help="A content hash, or how one begins.")]


def adapter_commands() -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Trained adapters, and which one answers.")
    for word, command in (
        ("list", list_adapters),
        ("show", show),
        ("promote", promote),
        ("rollback", rollback),
    ):
        group.command(word)(flat(command))
    return group


def list_adapters(where: StateOptions, format: Format = None) -> int:  # noqa: A002
    """List what is stored; `*` marks what answers a task.

    wraner adapters list
    """
    adapters = where.adapters()
    used = {promotions.current(adapters, task) for task in Task}
    found, damaged = [], False
    for identity in identities(adapters):
        try:
            found.append(read_adapter(adapters, identity))
        except Unavailable as error:
            say(str(error))
            damaged = True
    found.sort(key=lambda one: (one.task, one.created, one.sha256))
    if terminal.layout(format) is Layout.JSONL:
        records = Records(terminal.lines_out())
        for one in found:
            records.put({"current": one.sha256 in used, **one.model_dump(mode="json")})
    else:
        terminal.out().print(_table(found, used) if found else "no adapter is stored")
    return Exit.REFUSED if damaged else Exit.OK


def show(adapter: Hash, where: StateOptions, format: Format = None) -> int:  # noqa: A002
    """Show an adapter's manifest: its data and their terms, its settings, its figures.

    wraner adapters show 3f2a
    """
    adapters = where.adapters()
    manifest = read_adapter(adapters, _whole(adapters, adapter))
    if terminal.layout(format) is Layout.JSONL:
        Records(terminal.lines_out()).put(manifest.model_dump(mode="json"))
    else:
        terminal.out().print(manifest.model_dump_json(indent=2), soft_wrap=True)
    return Exit.OK


def promote(adapter: Hash, where: StateOptions) -> int:
    """Make an adapter the one that answers its task, from the next request on.

    For the word encoder, every stored domain is indexed anew first.

    wraner adapters promote 3f2a
    """
    settings = where.settings()
    adapters = settings.state_dir / "adapters"
    identity = _whole(adapters, adapter)
    manifest = read_adapter(adapters, identity)
    task, before = manifest.task, promotions.current(adapters, manifest.task)
    if task is Task.WORDS:
        from services.word_promotion import promote_words

        promote_words(settings, identity, expected=before, say=say)
    else:
        _check_base(settings, adapters, identity)
        promotions.promote(adapters, task, identity, expected=before)
    _say_current(task, identity, before=before)
    _say_refusal(manifest)
    return Exit.OK


def rollback(
    task: Annotated[Task, typer.Argument(metavar="TASK", help="`words`, `ner` or `moderation`.")],
    where: StateOptions,
) -> int:
    """Go back to the adapter before the current one, or to what answers without a promotion.

    wraner adapters rollback words
    """
    settings = where.settings()
    adapters = settings.state_dir / "adapters"
    before = promotions.current(adapters, task)
    if task is Task.WORDS:
        from services.word_promotion import rollback_words

        after = rollback_words(settings, expected=before, say=say)
    else:
        base = sha256_of(settings.base_model)
        after = promotions.rollback(adapters, task, expected=before, base_sha256=base)
    _say_current(task, after, before=before)
    return Exit.OK


def _check_base(settings: "Settings", adapters: Path, identity: str) -> None:
    """Refuse an adapter of other base weights than those that serve: none could be asked."""
    base = read_adapter(adapters, identity).base
    served = sha256_of(settings.base_model)
    if base.sha256 != served:
        raise InvalidInput(
            f"expected an adapter of the base model that serves, {settings.base_model} "
            f"({served[:_SHORT]}), was: {identity[:_SHORT]} of {base.name} "
            f"({base.sha256[:_SHORT]}); name its base by WRANER_BASE_MODEL, for the server too"
        )


def _say_current(task: Task, identity: str, *, before: str) -> None:
    after, earlier = (one[:_SHORT] or UNPROMOTED[task] for one in (identity, before))
    say(f"{task}: {after} answers now, {earlier} before")
    say_pin(task)


def _say_refusal(manifest: AdapterManifest) -> None:
    """Say where the gate did not let an adapter serve; who promotes it by hand may not know."""
    decision = str(manifest.metrics.get("decision", ""))
    if decision.startswith("insufficient evidence"):
        say(f"its training ended in {decision}")


def _whole(adapters: Path, given: str) -> str:
    """Return the hash that begins with `given`."""
    found = [identity for identity in identities(adapters) if identity.startswith(given)]
    if not given or not found:
        raise NotFound(
            f"expected the hash of an adapter in {adapters}, was: {given!r}; `wraner adapters "
            f"list` shows what is stored"
        )
    if len(found) > 1:
        short = ", ".join(one[:_SHORT] for one in found)
        raise WrongUse(f"expected the hash of one adapter, was: {given!r}, which begins {short}")
    return found[0]


def _table(found: list[AdapterManifest], used: set[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for column in ("", "adapter", "task", "created", "base", "metrics"):
        table.add_column(column, overflow="fold", no_wrap=column in ("", "adapter", "created"))
    for one in found:
        table.add_row(
            "*" if one.sha256 in used else "",
            one.sha256[:_SHORT],
            f"{one.task}{', forced' if one.forced else ''}",
            one.created.isoformat(),
            one.base.name,
            _few(list(_figures(one.metrics))),
        )
    return table


def _figures(metrics: Mapping[str, JsonValue], under: str = "") -> Iterator[str]:
    """Yield every number, however deep, with its path."""
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _figures(value, f"{under}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{under}{name} {value:.4g}"


def _few(figures: list[str]) -> str:
    more = [f"and {len(figures) - _FIGURES} more"] if len(figures) > _FIGURES else []
    return "\n".join([*figures[:_FIGURES], *more])
