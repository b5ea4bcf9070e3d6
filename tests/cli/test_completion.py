"""What the shell offers."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Served


def offered(line: str, url: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main"],
        cwd=ROOT,
        env={
            **os.environ,
            "WRANER_URL": url,
            "_WRANER_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.usefixtures("cities", "rules")
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("wraner extract ", ["cities"]),
        ("wraner extract ci", ["cities"]),
        ("wraner extract x", []),
        ("wraner moderate ", ["rules"]),
        ("wraner domains show ", ["cities"]),
        ("wraner policies examples list ", ["rules"]),
        ("wraner export --domain ", ["cities"]),
        ("wraner import a.conll --domain ", ["cities"]),
        ("wraner mod", ["moderate"]),
    ],
)
def test_stored_names_are_offered(served: Served, line: str, names: list[str]) -> None:
    assert offered(line, served.url) == names


def test_no_server_no_names_and_no_noise() -> None:
    assert offered("wraner extract ", "http://127.0.0.1:9") == []
