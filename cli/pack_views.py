"""Pack views: stored packs and examples for people, and the same as JSON lines. Knows no server."""

from collections.abc import Sequence

from rich.console import JustifyMethod
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cli import terminal
from cli.change_views import policy_rows
from cli.counts import counted
from cli.failures import say
from cli.options import Layout
from cli.records import Records
from cli.views import Palette, shown_as_is
from wraner.client.replies import PackList, PackSummary
from wraner.packs import Example, TaggedExample

SHORT_VERSION = 12
_ITALIC = Style(italic=True)


def show_packs(found: PackList, layout: Layout) -> None:
    """Show all packs of a kind; damaged ones are complained about."""
    for damaged in found.damaged:
        say(f"{damaged.name}: {damaged.detail}")
    if layout is Layout.JSONL:
        _put(found.packs)
        return
    table = _table("name", "examples", "definitions", "description")
    for pack in found.packs:
        names = [t.name for t in pack.entity_types] + [p.id for p in pack.policies]
        words = shown_as_is(_few(names)), shown_as_is(_sentence(pack.description))
        table.add_row(pack.name, str(pack.examples), *words)
    terminal.out().print(table if found.packs else "nothing is stored")


def show_pack(pack: PackSummary, layout: Layout) -> None:
    """Show a pack's definitions."""
    if layout is Layout.JSONL:
        _put([pack])
        return
    console = terminal.out()
    head = Text(pack.name, "bold")
    size = counted(pack.examples, "example")
    head.append(f"  {size}, version {pack.version[:SHORT_VERSION]}", "dim")
    console.print(head)
    console.print(shown_as_is(pack.description), style="italic")
    if pack.entity_types:
        table, palette = _table("entity type", "definition"), Palette()
        for one in pack.entity_types:
            name = Text().append(shown_as_is(one.name), palette[one.name])
            table.add_row(name, shown_as_is(one.definition))
    else:
        table = _table("policy", "tier", "definition")
        for policy in pack.policies:
            words = Text(shown_as_is(policy.title), "bold")
            if policy.is_allow_list:
                words.append("  allowed alone", "not bold dim")
            for part, said in policy_rows(policy):
                if part != "tier":  # has a column
                    said_of = "" if part == "definition" else f"{part}: "
                    words.append(f"\n{said_of}", "not bold dim").append(said.plain, "not bold")
            table.add_row(shown_as_is(policy.id), str(policy.tier or ""), words)
    console.print(table)


def show_examples(examples: Sequence[Example], layout: Layout) -> None:
    """Show examples with what they are tagged with."""
    if layout is Layout.JSONL:
        _put(examples)
        return
    table, palette = _table("id", "text"), Palette()
    for example in examples:
        table.add_row(shown_as_is(example.id), _tagged(example, palette))
    terminal.out().print(table if examples else "there are no examples")


def _tagged(example: Example, palette: Palette) -> Text:
    shown = Text(shown_as_is(example.text))
    if isinstance(example, TaggedExample):
        for mention in example.entities:
            shown.stylize(palette[mention.label], mention.start, mention.end)
        for number, label in enumerate(dict.fromkeys(m.label for m in example.entities)):
            shown.append(" " if number else "\n").append(
                shown_as_is(label), palette[label] + _ITALIC
            )
        return shown
    if example.violates:
        shown.append("\nviolates ", "bold").append(shown_as_is(", ".join(example.violates)))
    if example.complies:
        complies = "all" if example.complies == "all" else ", ".join(example.complies)
        shown.append("\ncomplies with ", "bold").append(shown_as_is(complies))
    return shown


def _put(models: Sequence[PackSummary] | Sequence[Example]) -> None:
    records = Records(terminal.lines_out())
    for model in models:
        empty = {n for n in ("entity_types", "policies") if getattr(model, n, None) == ()}
        records.put(model.model_dump(mode="json", exclude=empty))


def _few(names: Sequence[str], most: int = 5) -> str:
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return "\n".join([*names[:most], *more])


def _sentence(description: str) -> str:
    first, dot, rest = description.partition(". ")
    return f"{first}. …" if dot and rest else description


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for column in columns:
        right = column in ("examples", "tier")
        no_wrap = column in ("name", "examples")
        justify: JustifyMethod = "right" if right else "left"
        # Folded, since rich would cut a long word.
        table.add_column(column, justify=justify, no_wrap=no_wrap, overflow="fold")
    return table
