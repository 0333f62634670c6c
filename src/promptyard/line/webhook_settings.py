"""What the environment says of webhooks: the secret that signs, and where they may go."""

from __future__ import annotations

import os
from collections.abc import Mapping

from promptyard.config.load import WEBHOOK_SECRET_VARIABLE as SECRET_VARIABLE
from promptyard.errors import ConfigError
from promptyard.line.webhook_addresses import read_allowed

MIN_SECRET_CHARS = 32


def webhook_secret(environ: Mapping[str, str] = os.environ) -> str:
    """Return what the secrets of all webhooks are derived from. Raises ConfigError without it."""
    secret = environ.get(SECRET_VARIABLE, "")
    if len(secret) < MIN_SECRET_CHARS:
        what = "is too short" if secret else "is not set"
        raise ConfigError(
            f"{SECRET_VARIABLE} {what}, so nothing can be signed: set it to {MIN_SECRET_CHARS} "
            "random characters or more (`openssl rand -hex 32`), the same for every replica"
        )
    return secret


def check_webhook_settings(environ: Mapping[str, str] = os.environ) -> None:
    """Raise ConfigError for a secret or a list of addresses that no webhook could use.

    Neither has to be set: a service without webhooks needs none.
    """
    if environ.get(SECRET_VARIABLE):
        webhook_secret(environ)
    read_allowed(environ)
