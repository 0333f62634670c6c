"""`promptyard keys`: who may use the service, and what they did with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.monitor import seconds
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import Actor, acting

if TYPE_CHECKING:
    from promptyard.records.api_keys import MadeKey

app = typer.Typer(no_args_is_help=True, help="Keys of the service: make, rotate, revoke, list.")

KeyId = Annotated[str, typer.Argument(help="The key's id.", show_default=False)]
Expires = Annotated[
    str | None, typer.Option(help="How long it works: 12h, 90d ...; by default for ever.")
]


@app.command("create")
def create_command(
    name: Annotated[
        str, typer.Argument(help="Who acts with it: the name in every log.", show_default=False)
    ],
    scope: Annotated[
        list[str],
        typer.Option(
            help="read, report (send traces), write (register, run), release (move pointers) or "
            "admin (all); may be repeated.",
            show_default=False,
        ),
    ],
    expires: Expires = None,
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its text is printed once, alone on stdout, and stored nowhere."""
    from promptyard.line.api_keys import create_key, note_by_hand
    from promptyard.line.sync import run_sync

    async def work() -> MadeKey:
        who = acting(actor)
        life_s = None if expires is None else seconds(expires, "--expires")
        made = await create_key(store, name, scope, actor=who, expires_in_s=life_s)
        await note_by_hand(store, "create_key", made.key.id, actor=who)
        return made

    _show_made(run_sync(work()), as_json=as_json)


@app.command("rotate")
def rotate_command(
    key_id: KeyId,
    grace: Annotated[
        str, typer.Option(help="How long the old one works on: 10m, 1h ...; 0 ends it now.")
    ] = "1h",
    expires: Annotated[
        str | None,
        typer.Option(help="How long the new one works; by default as long as the old one was to."),
    ] = None,
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in the place of another, with its name and scopes."""
    from promptyard.line.api_keys import note_by_hand, rotate_key
    from promptyard.line.sync import run_sync

    async def work() -> MadeKey:
        who = acting(actor)
        made = await rotate_key(
            store,
            key_id,
            actor=who,
            grace_s=0.0 if grace.strip() == "0" else seconds(grace, "--grace"),
            expires_in_s=None if expires is None else seconds(expires, "--expires"),
        )
        await note_by_hand(store, "rotate_key", key_id, actor=who)
        return made

    _show_made(run_sync(work()), as_json=as_json)


@app.command("revoke")
def revoke_command(
    key_id: KeyId, actor: Actor = None, store: StoreUrl = None, as_json: AsJson = False
) -> None:
    """End a key now; a service that runs takes it for at most 2 seconds more."""
    from promptyard.line.api_keys import note_by_hand, revoke_key
    from promptyard.line.sync import run_sync

    who = acting(actor)
    ended, warnings = run_sync(revoke_key(store, key_id, may_be_last=True))
    run_sync(note_by_hand(store, "revoke_key", key_id, actor=who))
    if as_json:
        print_json({"key": ended.model_dump(mode="json"), "warnings": list(warnings)})
    else:
        said = f"key {ended.id} of {ended.name} is {ended.state}"
        console().print(said, markup=False, soft_wrap=True)
        _warn(warnings)


@app.command("list")
def list_command(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List all keys, those that have ended among them. No secret is kept, so none is shown."""
    from promptyard.line.api_keys import list_keys
    from promptyard.line.sync import run_sync

    found = run_sync(list_keys(store))
    if as_json:
        print_json([item.model_dump(mode="json") for item in found])
        return
    rows = [
        (
            item.id,
            item.name,
            ", ".join(item.scopes),
            item.state,
            _minute(item.created_at),
            "–" if item.expires_at is None else _minute(item.expires_at),
            item.rotated_from or "–",
        )
        for item in found
    ]
    columns = ("id", "name", "scopes", "state", "made", "expires", "in place of")
    out = console()
    out.print(table("Keys", columns, rows) if rows else "there are no keys yet")


@app.command("log")
def log_command(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    by: Annotated[str | None, typer.Option(help="Only what this name did.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what was done with keys, newest first: who, what, from where, and how it ended."""
    from promptyard.line.api_keys import list_audit
    from promptyard.line.sync import run_sync

    found = run_sync(list_audit(store, actor=by, limit=limit))
    if as_json:
        print_json([item.model_dump(mode="json") for item in found])
        return
    rows = [
        (
            item.at[:19].replace("T", " "),
            item.actor or "–",
            item.action,
            item.target,
            str(item.status),
            item.address or "store",
        )
        for item in found
    ]
    columns = ("when", "who", "what", "on", "status", "from")
    out = console()
    out.print(table("Audit log", columns, rows) if rows else "nothing is logged yet")


def _show_made(made: MadeKey, *, as_json: bool) -> None:
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    key = made.key
    until = "" if key.expires_at is None else f", until {_minute(key.expires_at)}"
    said = f"key {key.id} of {key.name} may {', '.join(key.scopes)}{until}; it is shown only now:"
    console(stderr=True).print(said, markup=False, soft_wrap=True)
    typer.echo(made.secret)
    _warn(made.warnings)


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        console(stderr=True).print(
            f"warning: {warning}", style="yellow", markup=False, soft_wrap=True
        )


def _minute(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
