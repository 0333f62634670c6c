"""Start-up over a bare interpreter, in milliseconds: medians of 7 processes each, interleaved.

.venv/bin/python benchmarks/start_up.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "import promptyard": [sys.executable, "-c", "import promptyard"],
    "promptyard --help": [str(Path(sys.executable).with_name("promptyard")), "--help"],
}
N_RUNS = 7


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(N_RUNS + 1):  # the first round warms the disk and the byte code
        for name, command in COMMANDS.items():
            started_s = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(1000 * (time.perf_counter() - started_s))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    over = {name: round(value - medians["bare"], 1) for name, value in medians.items()}
    print(json.dumps({"over_bare_ms": over, "bare_ms": round(medians["bare"], 1)}))


if __name__ == "__main__":
    main()
