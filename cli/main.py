"""The command `wraner`: its subcommands, and how each ends.

Loads neither model nor cluster; what a subcommand needs is imported when it runs.
"""

import os
import shlex
import sys
from collections.abc import Sequence

import typer

from cli.adapters import adapter_commands
from cli.counts import counted
from cli.domain_test import domain_test
from cli.evaluate import evaluate_commands
from cli.exports import export_examples
from cli.extract import extract
from cli.failures import Exit, Stopped, complain, exit_code, say
from cli.imports import import_examples
from cli.moderate import moderate
from cli.packs import pack_commands
from cli.policy_diff import policy_diff
from cli.policy_test import policy_test
from cli.serve import serve
from cli.signatures import flat
from cli.terminal import close_quietly
from cli.train import train
from wraner.registry import Kind

_HELP = """Describe what to find in words, and find it in text.

wraner extract customer-care "Order WX-310442 never came."

Exit codes:
  0 all was answered
  1 some input was refused
  2 the command line is wrong
  3 no server answers, or it is overloaded
  4 no such name; or it is taken, or was changed meanwhile
 10 a text was decided as --fail-on says, or flipped under --fail-on-flips
130 interrupted (141: nobody read the output)"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _name, _command in (
    ("extract", extract),
    ("moderate", moderate),
    ("import", import_examples),
    ("export", export_examples),
    ("serve", serve),
    ("train", train),
):
    app.command(_name)(flat(_command))
_domains = pack_commands(Kind.DOMAIN)
_domains.command("test")(flat(domain_test))
app.add_typer(_domains, name="domains")
_policies = pack_commands(Kind.POLICY_SET)
_policies.command("diff")(flat(policy_diff))
_policies.command("test")(flat(policy_test))
app.add_typer(_policies, name="policies")
app.add_typer(adapter_commands(), name="adapters")
app.add_typer(evaluate_commands(), name="evaluate")


def run() -> None:
    """Run the command line and exit."""
    if sys.stdout is None:  # closed by who started this
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # said already; what is left cannot be written
        close_quietly()
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    debug = "--debug" in arguments
    try:
        return int(app(args=list(arguments), prog_name="wraner", standalone_mode=False) or Exit.OK)
    except Stopped as stopped:
        complain(stopped.cause, debug=debug)
        if not stopped.done:
            return exit_code(stopped.cause)
        again = shlex.join(["wraner", *_skipping(arguments, stopped.line)])
        done = counted(stopped.done, "text")
        say(f"stopped at line {stopped.line}; {done} done; go on with: {again}")
        return exit_code(stopped.cause)
    except typer.TyperException as error:
        if error.format_message():  # empty where the help has been shown instead
            say(f"{error.format_message()} (wraner --help)")
        return Exit.USAGE
    except SystemExit as ended:  # typer's way out of a closed pipe
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        close_quietly()
        return Exit.CLOSED_PIPE
    except (Exception, KeyboardInterrupt) as error:
        complain(error, debug=debug)
        return exit_code(error)


def _skipping(arguments: Sequence[str], lines: int) -> list[str]:
    """Return the command line with another `--skip`; behind `--` all are texts, and stay."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept: list[str] = []
    left = iter(arguments[:end])
    for one in left:
        if one == "--skip":
            next(left, None)
        elif not one.startswith("--skip="):
            kept.append(one)
    return [*kept, "--skip", str(lines), *arguments[end:]]


if __name__ == "__main__":
    run()
