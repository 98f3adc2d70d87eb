"""The desk that hands out cards: it holds the signer, the templates and the key of the links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.config import Settings, secret_key
from loyalty_graph.errors import NotFoundError, TemplateError
from loyalty_graph.wallet import service
from loyalty_graph.wallet.apple.card import CardPrinter, WebService
from loyalty_graph.wallet.apple.deliveries import Deliveries, delivery, keep, tells_something
from loyalty_graph.wallet.apple.files import PassFiles
from loyalty_graph.wallet.apple.issued import present
from loyalty_graph.wallet.apple.making import PassMaker
from loyalty_graph.wallet.apple.signers import Printers, Signers, look_of
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.apple.tokens import PassTokens, pass_tokens
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google.desk import GoogleDesk, open_google
from loyalty_graph.wallet.link_keys import LinkKeys
from loyalty_graph.wallet.links import CardLink
from loyalty_graph.wallet.templates import Template, load_template, template_folders

MEDIA_TYPE = "application/vnd.apple.pkpass"
WEB_SERVICE_PATH = "/apple"
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class PassDesk:
    """Hands out passes: links to them, and the signed files for the present balance.

    `printers` are those of all templates, by name. `cache` makes files and keeps them for a while,
    `deliveries` are written down a moment later. `google` is None without an account at Google.
    """

    printers: Mapping[str, CardPrinter]
    signers: Signers
    tokens: PassTokens
    links: LinkKeys
    link_key: bytes
    public_url: str
    cache: PassFiles
    deliveries: Deliveries
    google: GoogleDesk | None = None

    @property
    def signer(self) -> Signer:
        """Return who signs at this moment: another one after a new certificate was found."""
        return self.signers.current

    @property
    def development(self) -> bool:
        """Return whether passes are signed by the development CA, which no phone trusts."""
        return self.signer.development

    async def close(self) -> None:
        """Close the connections."""
        if self.google is not None:
            await self.google.close()

    def printer_of(self, face: CardFace) -> CardPrinter:
        """Return the printer of the template that a card is laid out by.

        Raises:
            TemplateError: There is no such template here.
        """
        if face.template not in self.printers:
            raise TemplateError(f"There is no card template {face.template}.")
        return self.printers[face.template]

    async def serials(
        self, program_id: UUID, member_ids: Sequence[UUID], *, now: datetime, by: str = ""
    ) -> dict[UUID, str]:
        """Give each member a pass for Apple Wallet unless there is one; return the serials.

        The audit log keeps who had it done, if somebody is named.

        Raises:
            NotFoundError: No such member.
            MemberNotActiveError: The member is closed, suspended or erased.
        """
        newest = self.tokens.newest
        return await service.issue(program_id, member_ids, token_generation=newest, now=now, by=by)

    async def issue(self, program_id: UUID, member_id: UUID, *, now: datetime) -> str:
        """Give a member a pass unless there is one; return its link, good for a week.

        Raises:
            NotFoundError: No such member.
            MemberNotActiveError: The member is closed, suspended or erased.
        """
        serials = await self.serials(program_id, [member_id], now=now)
        return self.link(program_id, serials[member_id], now=now)

    def link(self, program_id: UUID, serial: str, *, now: datetime) -> str:
        """Return a link that opens one pass for a week."""
        token = self.links.sign(f"{program_id}/{serial}", now=now)
        return f"{self.public_url}/passes/{token}"

    def card_url(self, link: CardLink) -> str | None:
        """Return where a link's card page is; None when it does not work, or cannot be told."""
        token = link.token(self.link_key)
        return f"{self.public_url}/c/{token}" if token and link.revoked_at is None else None

    async def file_behind(self, token: str, *, now: datetime) -> bytes:
        """Return the pass file a link's token opens, signed now for the present balance.

        Raises:
            UnauthenticatedError: The token is forged, made for something else, or expired.
            NotFoundError: The pass or its member is gone.
        """
        program_id, serial = self._opened(token, now)
        member_id = await service.holder(program_id, serial)
        files = await self.files(program_id, {member_id: serial}, now=now)
        return files[member_id]

    async def save_url_behind(self, token: str, *, now: datetime) -> str | None:
        """Return where the pass of a link's token is saved in Google Wallet; None if not now.

        Raises:
            UnauthenticatedError: The token is forged, made for something else, or expired.
            NotFoundError: There is no such pass for Google Wallet, or its member is gone.
        """
        program_id, serial = self._opened(token, now)
        if self.google is None:
            raise NotFoundError("pass", serial)
        return await self.google.save_url(program_id, serial, now=now)

    def _opened(self, token: str, now: datetime) -> tuple[UUID, str]:
        """Return programme and serial of the pass that a link's token opens."""
        subject = self.links.read(token, now=now)
        program, _, serial = subject.partition("/")
        return UUID(program), serial

    async def pass_of(self, program_id: UUID, member_id: UUID, *, now: datetime) -> bytes:
        """Return a member's pass file, signed now; the member gets a pass unless there is one.

        Raises:
            NotFoundError: No such member.
            MemberNotActiveError: The member is closed, suspended or erased.
        """
        serials = await self.serials(program_id, [member_id], now=now)
        return (await self.files(program_id, serials, now=now))[member_id]

    async def files(
        self, program_id: UUID, serials: dict[UUID, str], *, now: datetime
    ) -> dict[UUID, bytes]:
        """Return the signed pass files of these members (member id -> serial).

        Raises:
            NotFoundError: A member or a pass is gone.
        """
        found = await present(program_id, serials)
        made = await self.cache.newest(program_id, found, now=now)
        await keep(
            program_id,
            [
                delivery(one.issued, made[member_id].holds_until, at=now)
                for member_id, one in found.items()
                if tells_something(one.issued, made[member_id].holds_until)
            ],
        )
        return {member_id: file.data for member_id, file in made.items()}


def open_desk(settings: Settings, *, now: datetime) -> PassDesk:
    """Return the desk of these settings: Apple's certificate when given, else a development CA.

    Raises:
        CertificateError: Certificate, key and issuer do not fit, or only some are given.
        SettingsError: The account at Google cannot be used, or only a part of it is set.
        TemplateError: A template cannot be used.
    """
    signers, tokens = Signers(look_of(settings), now=now), pass_tokens(settings)
    templates = all_templates(settings)
    printers = Printers(templates, signers)
    public_url = settings.public_url.rstrip("/")

    def web_service(serial: str, generation: int) -> WebService:
        pass_type = signers.current.identity.pass_type_identifier
        return WebService(
            f"{public_url}{WEB_SERVICE_PATH}", tokens.token(pass_type, serial, generation)
        )

    return PassDesk(
        printers=printers,
        signers=signers,
        tokens=tokens,
        links=LinkKeys(settings),
        link_key=secret_key(settings),
        public_url=public_url,
        cache=PassFiles(
            PassMaker(printers, web_service), bytes_max=settings.pass_cache_mb * MEGABYTE
        ),
        deliveries=Deliveries(),
        google=open_google(settings, templates),
    )


def all_templates(settings: Settings) -> dict[str, Template]:
    """Return all templates there are, by name: those of the package, and one's own.

    Raises:
        TemplateError: One cannot be used.
    """
    folders = template_folders(settings.templates_dir)
    return {name: load_template(folder) for name, folder in folders.items()}
