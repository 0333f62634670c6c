"""LaunchDarkly's server SDK with its flags in a file; variants `events-off` and `events-on`.

With events on, which is the default, events are summarised in the background; the address that they
would go to refuses connections, so nothing of them is stored.
"""

from __future__ import annotations

import json
import logging
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from timing import given, measure

FLAG = "sort"
NOBODY = "http://127.0.0.1:9"


def main() -> None:
    options = given()
    logging.disable(logging.CRITICAL)
    client_module: Any = import_module("ldclient.client")  # is in the peers' environment only
    config_module: Any = import_module("ldclient.config")
    context: Any = import_module("ldclient").Context
    files: Any = import_module("ldclient.integrations").Files
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.json"
        path.write_text(json.dumps({"flags": {FLAG: flag(options.enrolled)}}), encoding="utf-8")
        config = config_module.Config(
            "sdk-key",
            update_processor_class=files.new_data_source(paths=[str(path)]),
            send_events=options.variant == "events-on",
            events_uri=NOBODY,
            diagnostic_opt_out=True,
        )
        client = client_module.LDClient(config)

        def resolve(subject: str) -> bool:
            return client.variation(FLAG, context.create(subject), "none") == "new"

        measure(resolve, options.n_subjects)
        client.close()


def flag(enrolled: float) -> dict[str, Any]:
    """A flag of two variations, split by percentage."""
    new = round(100_000 * enrolled)
    weights = [{"variation": 0, "weight": 100_000 - new}, {"variation": 1, "weight": new}]
    return {
        "key": FLAG,
        "on": True,
        "version": 1,
        "salt": "salt",
        "variations": ["old", "new"],
        "offVariation": 0,
        "fallthrough": {"rollout": {"variations": weights}},
    }


if __name__ == "__main__":
    main()
