"""Change views: what differs between two policy sets, for people.

Changed words stand in colours; without colours in brackets, as `[-gone-]` and `{+new+}`. Knows no
verdict and no server.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cli.views import is_plain, paper_style, shown_as_is
from wraner.packs import Policy
from wraner.policy_changes import FIELDS, ExampleChanges, FieldChange, PolicySetChanges, Value

_GONE, _NEW = paper_style(16, 217), paper_style(16, 156)
_BOLD, _DIM = Style(bold=True), Style(dim=True)
_INDENT = 4
Row = tuple[str, Text]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def show_changes(console: Console, changes: PolicySetChanges) -> None:
    """Show every policy that came, went or changed, and how many examples did."""
    if not changes:
        console.print("the policy sets are the same")
        return
    plain = is_plain(console)
    if changes.description is not None:
        console.print(_fields([_changed(changes.description, plain=plain)], indent=0))
    for sign, policies in (("+", changes.added), ("-", changes.removed)):
        for policy in policies:
            console.print(_head(sign, policy.id, policy.title))
            console.print(_fields(policy_rows(policy), indent=_INDENT))
    for one in changes.changed:
        rows = [_changed(change, plain=plain) for change in one.fields]
        if one.examples:
            rows.append(("examples", Text(_count(one.examples))))
        console.print(_head("~", one.id, one.title))
        console.print(_fields(rows, indent=_INDENT))
    if changes.reordered:
        console.print("the policies stand in another order", soft_wrap=True)
    if changes.examples:
        console.print(f"examples of all policies: {_count(changes.examples)}", soft_wrap=True)


def _head(sign: str, identity: str, title: str) -> Text:
    return Text(f"{sign} ").append(shown_as_is(identity), _BOLD).append(f"  {shown_as_is(title)}")


def _fields(rows: list[Row], *, indent: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style=_DIM, min_width=indent + max(map(len, FIELDS)))
    table.add_column(overflow="fold")
    for name, words in rows:
        table.add_row(" " * indent + name, words)
    return table


def policy_rows(policy: Policy) -> list[Row]:
    """Return all that a policy says beside its title, by the names of its fields."""
    rows = [("definition", Text(shown_as_is(policy.definition)))]
    for name in ("includes", "excludes"):
        rows += [(name, Text(shown_as_is(words))) for words in getattr(policy, name)]
    numbers = (("tier", policy.tier), ("threshold", policy.threshold))
    return rows + [(name, Text(str(number))) for name, number in numbers if number is not None]


def _changed(change: FieldChange, *, plain: bool) -> Row:
    if isinstance(change.old, tuple) and isinstance(change.new, tuple):
        return change.field, _items(change.old, change.new, plain=plain)
    if isinstance(change.old, str) and isinstance(change.new, str):
        return change.field, _words(change.old, change.new, plain=plain)
    return change.field, Text(f"{_value(change.old)} → {_value(change.new)}")


def _items(old: tuple[str, ...], new: tuple[str, ...], *, plain: bool) -> Text:
    """Return a line an item that came or went; where none did, their order changed."""
    lines = [_mark(shown_as_is(item), new=False, plain=plain) for item in old if item not in new]
    lines += [_mark(shown_as_is(item), new=True, plain=plain) for item in new if item not in old]
    return Text("\n").join(lines) if lines else Text("in another order")


def _words(old: str, new: str, *, plain: bool) -> Text:
    shown = Text()
    for kept, words in _pieces(_WORD.findall(shown_as_is(old)), _WORD.findall(shown_as_is(new))):
        shown.append_text(Text(words) if kept is None else _mark(words, new=kept, plain=plain))
    return shown


def _pieces(old: list[str], new: list[str]) -> Iterator[tuple[bool | None, str]]:
    """Yield stretches of words: None for those of both, False for gone ones, True for new ones."""
    for same, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if same == "equal":
            yield None, "".join(old[a:b])
            continue
        if a < b:
            yield False, "".join(old[a:b])
        if c < d:
            yield True, "".join(new[c:d])


def _mark(words: str, *, new: bool, plain: bool) -> Text:
    if plain:
        return Text(f"{{+{words}+}}" if new else f"[-{words}-]")
    return Text(words, _NEW if new else _GONE + Style(strike=True))


def _value(value: Value) -> str:
    return "none" if value is None else str(value)


def _count(examples: ExampleChanges) -> str:
    counts = [(kind, len(getattr(examples, kind))) for kind in ("added", "removed", "changed")]
    return ", ".join(f"{count} {kind}" for kind, count in counts if count)
