"""What the README shows: its sections, its requests and commands, and their answers as it has them.

An answer is shown with numbers rounded to two digits and hashes cut to twelve characters.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
WIDTH = 100
TOLERANCE = 0.1  # other processors round bf16 otherwise, or compute in fp32
REQUEST = re.compile(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```(sh|python)\n((?:(?!```).)*)```\n+```\n(.*?)```", re.DOTALL)
SCORE = re.compile(r"(?<![\w.])[01]?\.\d{1,2}(?!\w)")


def section(title: str) -> str:
    """Return the text below a heading of the second level."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def as_shown(value: Any) -> Any:
    """Round and cut an answer as the README does."""
    if isinstance(value, dict):
        return {key: as_shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_shown(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 2)
    return re.sub(r"([0-9a-f]{12})[0-9a-f]+", r"\1", value) if isinstance(value, str) else value


def layout(value: Any, indent: int = 0) -> str:
    """Write JSON with everything on one line that fits there."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent < WIDTH or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(k)}: {layout(v, indent + 2)}" for k, v in value.items()]
    else:
        lines = [inner + layout(v, indent + 2) for v in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def agree(shown: Any, live: Any) -> bool:
    """Compare two answers: numbers with a tolerance, everything else exactly."""
    if isinstance(shown, dict) and isinstance(live, dict):
        return list(shown) == list(live) and all(agree(shown[key], live[key]) for key in shown)
    if isinstance(shown, list) and isinstance(live, list):
        return len(shown) == len(live) and all(map(agree, shown, live))
    if isinstance(shown, float) and isinstance(live, float | int):
        return abs(shown - live) <= TOLERANCE + 1e-9
    return bool(shown == live)


def as_printed(output: str) -> str:
    """Round and cut what a command printed as the README does."""
    records = (as_record(line) if line.startswith("{") else line for line in output.splitlines())
    return "\n".join(as_shown(line.rstrip()) for line in records)


def as_record(line: str) -> str:
    """Round and cut a line of JSON Lines."""
    return json.dumps(as_shown(json.loads(line)), ensure_ascii=False)


def agree_but_for_scores(shown: str, live: str) -> bool:
    """Compare two outputs: scores with a tolerance, everything else exactly."""
    scores, others = map(float, SCORE.findall(shown)), map(float, SCORE.findall(live))
    same_words = SCORE.split(shown) == SCORE.split(live)
    return same_words and all(map(agree, scores, others))


def run_as_shown(kind: str, command: str, url: str) -> str:
    """Run a shell's or Python's lines against a server; return all that they print."""
    here = Path(sys.executable).parent  # where `wraner` is installed
    shell = ["bash", "-ec"] if kind == "sh" else [sys.executable, "-c"]
    path = os.pathsep.join([str(here), os.environ["PATH"]])
    done = subprocess.run(
        [*shell, command.replace(ADDRESS, url)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "WRANER_URL": url, "COLUMNS": str(WIDTH)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return as_printed(done.stdout)
