"""The least that a split can be: SHA-1 of salt and subject, compared with the weight, pick one."""

from __future__ import annotations

import hashlib

from timing import given, measure

VERSIONS = ("old", "new")


def main() -> None:
    weight = int(given().enrolled * (1 << 60))

    def resolve(subject: str) -> bool:
        digest = hashlib.sha1(b"salt." + subject.encode(), usedforsecurity=False).hexdigest()
        return VERSIONS[int(digest[:15], 16) < weight] == "new"

    measure(resolve, given().n_subjects)


if __name__ == "__main__":
    main()
