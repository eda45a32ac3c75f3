"""``shouhuan provision``: who gets in at the broker, made as files that a stock Mosquitto takes as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shouhuan import clock

if TYPE_CHECKING:
    from shouhuan.door.site import Site

app: Final = typer.Typer(no_args_is_help=True, help="Make the broker's configuration and credentials of bands.")

Folder = Annotated[Path, typer.Argument(help="The site's folder: authority/, broker/, bands/, services/.")]
Org = Annotated[str, typer.Argument(help="The band's organisation, as in its topics.")]
Device = Annotated[str, typer.Argument(help="The band's device id, as in its topics.")]
Renew = Annotated[bool, typer.Option("--renew", help="Make new ones though there are some.")]
_TAKE: Final = "once the broker has taken it (`kill -HUP` its process)"


@app.command("broker")
def broker(
    folder: Folder,
    host: Annotated[list[str], typer.Option(help="A name or address by which bands reach the broker; repeatable.")],
    inside: Annotated[str | None, typer.Option(help="Where the broker sees its folder; default: where it is.")] = None,
    user: Annotated[str, typer.Option(help="Whom the broker becomes when started as root.")] = "mosquitto",
    certificate_port: Annotated[
        int, typer.Option(min=0, max=65535, help="For bands with certificates; 0: none.")
    ] = 8883,
    password_port: Annotated[int, typer.Option(min=0, max=65535, help="For bands with passwords; 0: none.")] = 8884,
    service_port: Annotated[int, typer.Option(min=0, max=65535, help="For workers; keep it from the field.")] = 8885,
    connections: Annotated[int, typer.Option(min=1, help="At most so many bands at a time on each port.")] = 100_000,
) -> None:
    """Make an authority, the broker's certificate, access lists and `mosquitto.conf`, and the workers' account.

    Safe to run again: the authority and accounts are kept, the certificate is renewed when its hosts change or
    30 days before it ends.

    Example: `shouhuan provision broker site --host broker.example --host 10.0.0.5`
    """
    from shouhuan.door.configuration import Listening
    from shouhuan.door.site import Service

    with _site(folder) as site:
        seen = inside or str(site.broker.absolute())
        listening = Listening(seen, user, certificate_port, password_port, service_port, connections)
        made = site.make_broker(host, listening)
        site.add_service(Service.WORKER, host[0], service_port)
    typer.echo(f"start the broker with `mosquitto -c {made / 'mosquitto.conf'}`{_ownership(made, user)}")
    typer.echo(f"keep {folder / 'authority'} away from the broker: who has its key can be any band")


@app.command("device")
def device(
    folder: Folder,
    org: Org,
    device_id: Device,
    *,
    certificate: Annotated[
        bool, typer.Option("--certificate/--password", help="What the band shows at the door.")
    ] = True,
    renew: Renew = False,
) -> None:
    """Let a band in: its credentials are written into `bands/ORG/DEVICE`, and nothing secret is printed.

    Example: `shouhuan provision device site dongqu band-0001`
    """
    with _site(folder) as site:
        add = site.add_certificate if certificate else site.add_password
        made = add(org, device_id, renew=renew)
    if made is None:
        typer.echo(f"{org}/{device_id} has its credentials already; `--renew` makes new ones")
        return
    typer.echo(f"{made} goes into the band, which may come in {_TAKE}")


@app.command("account")
def account(
    folder: Folder,
    service: Annotated[str, typer.Argument(help="worker or simulator; console and on-call speak to no broker.")],
    host: Annotated[str, typer.Option(help="Where this process reaches the broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The broker's port for services.")] = 8885,
    *,
    renew: Renew = False,
) -> None:
    """Make an account of ours, and `services/ACCOUNT.env`, which its process is started with.

    Example: `shouhuan provision account site simulator`
    """
    from shouhuan.door.files import DoorError
    from shouhuan.door.site import Service

    with _site(folder) as site:
        if service not in set(Service):
            raise DoorError(f"{service} is no account at the broker: there are {' and '.join(Service)}")
        made = site.add_service(Service(service), host, port, renew=renew)
    typer.echo(
        f"{service} has its account already; `--renew` makes a new password"
        if made is None
        else f"its process starts with {made}, {_TAKE}"
    )


@app.command("revoke")
def revoke(folder: Folder, org: Org, device_id: Device) -> None:
    """Shut a lost or stolen band out, whatever it was let in by; `provision device` lets it in anew.

    Example: `shouhuan provision revoke site dongqu band-0001`
    """
    with _site(folder) as site:
        site.revoke(org, device_id)
    typer.echo(f"{org}/{device_id} is shut out, {_TAKE}: it can say nothing from then on, and not come back")


def _ownership(folder: Path, user: str) -> str:
    try:
        owner = folder.owner()
    except KeyError:
        owner = ""
    return "" if owner == user else f"; {folder} must be its user's to read: `chown -R {user}: {folder}`"


@contextmanager
def _site(folder: Path) -> Iterator["Site"]:
    from shouhuan.door.files import DoorError
    from shouhuan.door.site import Site

    try:
        yield Site(folder, clock.now)
    except DoorError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
