"""The commands of `promptyard prompts` that move pointers, guard them, and publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import Actor, acting
from promptyard.errors import ConfigError
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from promptyard.line.publish import Publication
    from promptyard.line.ship import Shipped
    from promptyard.records.versions import Protection

Name = Annotated[str, typer.Argument(help="The prompt's name (the task's).", show_default=False)]
Reference = Annotated[
    str, typer.Argument(help="A version number, a pointer, or `latest`.", show_default=False)
]
Pointer = Annotated[str, typer.Argument(help="The pointer's name.", show_default=False)]
PointerName = Annotated[str, typer.Option("--to", help="The pointer to move.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; goes into the log.")]


def promote_command(
    name: Name,
    reference: Reference,
    pointer: PointerName = "production",
    reason: Reason = "promoted by hand",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Point a pointer (default: production) at a version. The move is logged and published."""
    from promptyard.line.ship import promote_version
    from promptyard.line.sync import run_sync

    shipped = run_sync(
        promote_version(store, name, reference, pointer=pointer, actor=acting(actor), reason=reason)
    )
    show_shipped(shipped, as_json=as_json)


def rollback_command(
    name: Name,
    pointer: PointerName = "production",
    version: Annotated[
        int | None,
        typer.Option("--version", help="An earlier version of the pointer; default: the last."),
    ] = None,
    reason: Reason = "rolled back by hand",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Point a pointer back at the version before; the exact bytes return. Needs no approval."""
    from promptyard.line.ship import roll_back
    from promptyard.line.sync import run_sync

    shipped = run_sync(
        roll_back(
            store, name, pointer=pointer, to_number=version, actor=acting(actor), reason=reason
        )
    )
    show_shipped(shipped, as_json=as_json)


def protect_command(
    name: Name,
    pointer: Pointer,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Protect a pointer: a promotion of it then needs the approval of a second person."""
    from promptyard.line.ship import protect_pointer
    from promptyard.line.sync import run_sync

    protection = run_sync(protect_pointer(store, name, pointer, actor=acting(actor), reason=reason))
    _show_protection(protection, as_json=as_json)


def unprotect_command(
    name: Name,
    pointer: Pointer,
    approved_by: Annotated[
        str, typer.Option("--approved-by", help="Who else agrees; needed.", show_default=False)
    ] = "",
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """End the protection of a pointer, with the consent of a second person."""
    from promptyard.line.ship import unprotect_pointer
    from promptyard.line.sync import run_sync

    protection = run_sync(
        unprotect_pointer(
            store, name, pointer, actor=acting(actor), approved_by=approved_by, reason=reason
        )
    )
    _show_protection(protection, as_json=as_json)


def request_command(
    name: Name,
    reference: Reference,
    pointer: PointerName = "production",
    reason: Reason = "requested by hand",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a protected pointer be promoted; somebody else approves."""
    from promptyard.line.ship import request_version
    from promptyard.line.sync import run_sync

    request = run_sync(
        request_version(store, name, reference, pointer=pointer, actor=acting(actor), reason=reason)
    )
    if as_json:
        print_json(request.model_dump(mode="json"))
        return
    move = request.move
    out = console()
    out.print(
        f"{name}: {move.actor} asks for {pointer} to move from {number(move.from_number)} to "
        f"v{move.to_number}",
        markup=False,
    )
    out.print(
        f"Next: somebody else runs `promptyard prompts approve {request.id}`",
        markup=False,
        soft_wrap=True,
    )


def approve_command(
    request_id: Annotated[str, typer.Argument(help="The request's id.", show_default=False)],
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Approve a promotion that somebody else asked for, and make it."""
    from promptyard.line.ship import approve_request
    from promptyard.line.sync import run_sync

    shipped = run_sync(approve_request(store, request_id, approver=acting(actor)))
    show_shipped(shipped, as_json=as_json)


def requests_command(name: Name, store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List the promotions that wait for approval."""
    from promptyard.line.ship import list_requests
    from promptyard.line.sync import run_sync

    waiting = run_sync(list_requests(store, name))
    if as_json:
        print_json([item.model_dump(mode="json") for item in waiting])
        return
    rows = [
        (
            item.id,
            item.move.pointer,
            f"{number(item.move.from_number)} → v{item.move.to_number}",
            item.move.actor,
            item.at[:16].replace("T", " "),
            item.move.reason,
        )
        for item in waiting
    ]
    columns = ("request", "pointer", "from → to", "who", "since", "why")
    out = console()
    if rows:
        out.print(table(f"{name}: waiting for approval", columns, rows))
    else:
        out.print(f"{name}: nothing waits for approval", markup=False)


def publish_command(
    target: Annotated[
        Path | None, typer.Argument(help="A file for clients to read; without one, list them.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Publish there no longer.")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Publish the manifest to a file now and after every move; without a file, list the places."""
    from promptyard.line.publish import publish_to, stop_publishing
    from promptyard.line.sync import run_sync

    if target is None:
        if remove:
            raise ConfigError("--remove: name the file that is published no longer")
        _list_publications(store, as_json=as_json)
        return
    out = console()
    if remove:
        place = run_sync(stop_publishing(store, target))
        if as_json:
            print_json({"removed": place})
        else:
            said = f"nothing is published to {visible(place)} any longer; the file stays as it is"
            out.print(said, markup=False, soft_wrap=True)
        return
    publication = run_sync(publish_to(store, target))
    if as_json:
        print_json(publication.model_dump(mode="json"))
    for place in () if as_json else publication.written:
        out.print(
            f"published revision {publication.revision} to {visible(place)}",
            markup=False,
            soft_wrap=True,
        )
    warn_of(publication)


def show_shipped(shipped: Shipped, *, as_json: bool) -> None:
    """Say what moved and where it was published; trouble with the latter is a warning."""
    move, publication = shipped.move, shipped.publication
    if as_json:
        print_json(
            {
                **move.model_dump(mode="json"),
                "ended_rollout": shipped.ended_rollout,
                "publication": publication.model_dump(mode="json"),
            }
        )
    else:
        if shipped.ended_rollout:
            console().print(
                f"{move.prompt}: rollout {shipped.ended_rollout} ended, rolled back", markup=False
            )
        if move.from_number == move.to_number:
            said = f"is at v{move.to_number} already; nothing moved"
        else:
            before = "nothing" if move.from_number is None else f"v{move.from_number}"
            said = f"moved from {before} to v{move.to_number}"
        by = f", approved by {move.approved_by}" if move.approved_by else ""
        console().print(f"{move.prompt}: {move.pointer} {said}{by}", markup=False, soft_wrap=True)
    warn_of(publication)


def warn_of(publication: Publication) -> None:
    """Say on stderr, a line each, what was not published as it should have been."""
    for warning in publication.warnings:
        console(stderr=True).print(
            f"warning: {visible(warning)}", style="yellow", markup=False, soft_wrap=True
        )


def number(value: int | None) -> str:
    """Write the number of a version, or a dash."""
    return "–" if value is None else f"v{value}"


def _show_protection(protection: Protection, *, as_json: bool) -> None:
    if as_json:
        print_json(protection.model_dump(mode="json"))
        return
    said = (
        "is protected: a promotion needs the approval of a second person, a rollback does not"
        if protection.is_protected
        else "is protected no longer"
    )
    console().print(
        f"{protection.prompt}: {protection.pointer} {said}", markup=False, soft_wrap=True
    )


def _list_publications(store: str | None, *, as_json: bool) -> None:
    from promptyard.line.publish import list_publications
    from promptyard.line.sync import run_sync

    found = run_sync(list_publications(store))
    if as_json:
        print_json(dict(found))
        return
    rows = [
        (target, "no manifest" if revision is None else f"{revision:,}")
        for target, revision in found.items()
    ]
    out = console()
    if rows:
        out.print(table("Published to", ("file", "revision"), rows, right=(1,)))
    else:
        out.print("nothing is published yet; name a file to publish to", markup=False)
