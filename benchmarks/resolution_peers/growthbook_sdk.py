"""GrowthBook's SDK with features in memory; variants `one-object` and `object-per-user`."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from timing import given, measure

FEATURE = "sort"


def main() -> None:
    options = given()
    logging.disable(logging.CRITICAL)
    growthbook: Any = import_module("growthbook").GrowthBook  # in the peers' environment only
    features = {
        FEATURE: {
            "defaultValue": "old",
            "rules": [
                {
                    "key": "rollout-1",
                    "seed": "salt",
                    "hashAttribute": "id",
                    "hashVersion": 2,
                    "variations": ["old", "new"],
                    "weights": [1 - options.enrolled, options.enrolled],
                    "coverage": 1,
                }
            ],
        }
    }
    shared = growthbook(features=features)

    def one_object(subject: str) -> bool:
        shared.set_attributes({"id": subject})
        return shared.get_feature_value(FEATURE, "none") == "new"

    def object_per_user(subject: str) -> bool:
        own = growthbook(attributes={"id": subject}, features=features)
        return own.get_feature_value(FEATURE, "none") == "new"

    resolve = one_object if options.variant == "one-object" else object_per_user
    measure(resolve, options.n_subjects)


if __name__ == "__main__":
    main()
