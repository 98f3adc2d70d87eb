"""The desk for Google Wallet: what is said of a pass, its programme's class, and its save link."""

import asyncio
import hashlib
import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty_graph.config import GOOGLE_URL, Settings
from loyalty_graph.db import transaction
from loyalty_graph.db.statements import upsert
from loyalty_graph.errors import NotFoundError, SettingsError, TemplateError
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.wallet import service
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.google import given, objects
from loyalty_graph.wallet.google.account import ServiceAccount, read_account
from loyalty_graph.wallet.google.answers import Answer, Outcome
from loyalty_graph.wallet.google.callbacks import Callbacks, RootKeys
from loyalty_graph.wallet.google.client import GoogleClient, Resource
from loyalty_graph.wallet.google.http import Requests
from loyalty_graph.wallet.google.links import SAVE_PATH, is_short_enough, save_link
from loyalty_graph.wallet.google.models import GoogleClassRow
from loyalty_graph.wallet.google.objects import GoogleCard, State
from loyalty_graph.wallet.google.sending import Hours, Sender
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import Template

CALLBACK_PATH = "/google/callback"
SAVE_URL = f"https://pay.google.com{SAVE_PATH}"
LINK_PATIENCE = timedelta(seconds=15)
OBJECTS_MADE_MAX = 20
"""How many objects are made for links that are asked for together: a second of Google's pace."""
HAS_IT = Answer(Outcome.DONE)

logger = logging.getLogger(__name__)


class GoogleDesk:
    """Says what Google is given, and hands out links that save it.

    Args:
        account: Signs the links.
        cards: By the names of their templates.
        sender: Brings classes and objects of the issuer to Google.
        callbacks: Takes what Google tells.
        public_url: Where our site is, without a slash at the end.
        save_url: Where Google Wallet takes links.
    """

    def __init__(
        self,
        account: ServiceAccount,
        cards: Mapping[str, GoogleCard],
        sender: Sender,
        callbacks: Callbacks,
        *,
        public_url: str,
        save_url: str = SAVE_URL,
    ) -> None:
        self.issuer_id, self.sender, self.callbacks = sender.issuer_id, sender, callbacks
        self._account, self._cards = account, cards
        self._public_url, self._save_url = public_url, save_url

    async def save_url(self, program_id: UUID, serial: str, *, now: datetime) -> str | None:
        """Return the link that puts a pass into its member's Google Wallet.

        The class is brought to Google first; the object is made there when a link cannot hold it.
        None while Google cannot be asked for that, or does not want it; the log says why.

        Raises:
            NotFoundError: There is no such pass, it is void, or its member is gone.
            TemplateError: There is no template of the programme's here.
        """
        links = await self.save_urls(program_id, [serial], now=now)
        if serial not in links:
            raise NotFoundError("pass", serial)
        return links[serial]

    async def save_urls(
        self, program_id: UUID, serials: Sequence[str], *, now: datetime
    ) -> dict[str, str | None]:
        """Return the links of several passes, by serial; one that is void or not there is absent.

        As for `save_url`, of which this is the many. At most `OBJECTS_MADE_MAX` objects are made;
        the others that Google has not got yet have no link until they are asked for again.

        Raises:
            TemplateError: There is no template of the programme's here.
        """
        rows = await PassRow.filter(
            program_id=program_id,
            serial__in=list(serials),
            platform=Platform.GOOGLE,
            voided_at__isnull=True,
        )
        members = sorted({row.member_id for row in rows})
        faces = await service.faces(program_id, members, now=now)
        settings = (await programs.in_force(program_id, now, now=now)).settings
        hours = _from_now(now)
        links: dict[str, str | None] = {row.serial: None for row in rows if row.member_id in faces}
        if not links or not _done(await self.bring_class(program_id, settings, hours)):
            return links
        known = await given.read([(program_id, serial) for serial in links])
        ours = [row for row in rows if row.serial in links]
        # A hundred signatures would hold everybody else up.
        signed = await asyncio.to_thread(self._signed, ours, faces, settings, now=now)
        unmade = {
            serial: resource
            for serial, (_, resource) in signed.items()
            if resource is not None and (program_id, serial) not in known
        }
        made = await self._let_exist(program_id, unmade, settings, hours)
        for serial, (link, _) in signed.items():
            links[serial] = link if serial in made or serial not in unmade else None
        of_serial = {row.serial: faces[row.member_id] for row in rows if row.serial in made}
        await given.exist(program_id, of_serial)
        await _hand_out([row for row in rows if links.get(row.serial)], now=now)
        return links

    def resource(
        self, row: PassRow, face: CardFace, settings: ProgramSettings, *, now: datetime
    ) -> dict[str, Any]:
        """Return the object of a pass as Google should have it."""
        is_over = row.voided_at is not None or (
            row.expires_at is not None and row.expires_at <= now
        )
        return self._card(face.template).loyalty_object(
            face,
            object_id=objects.object_id(self.issuer_id, row.serial),
            class_id=objects.class_id(self.issuer_id, settings.slug),
            state=State.EXPIRED if is_over else State.ACTIVE,
        )

    def whole(self, resource: Mapping[str, Any], settings: ProgramSettings) -> dict[str, Any]:
        """Return the change that makes an object this one, whatever Google has of it."""
        return self._card(settings.branding.template).whole(resource)

    async def bring_class(
        self, program_id: UUID, settings: ProgramSettings, hours: Hours
    ) -> Answer:
        """Let Google have a programme's class as it should be; only what is new is sent.

        Where nothing is known of the class, as under another issuer, nothing is known of its
        objects either.
        """
        resource = self._card(settings.branding.template).loyalty_class(
            settings,
            class_id=objects.class_id(self.issuer_id, settings.slug),
            callback_url=f"{self._public_url}{CALLBACK_PATH}",
        )
        digest = hashlib.sha256(json.dumps(resource, sort_keys=True).encode()).hexdigest()
        known = await GoogleClassRow.get_or_none(class_id=resource["id"])
        if known is not None and known.digest == digest:
            return HAS_IT
        answer = await self.sender.put(Resource.CLASS, resource, resource, hours)
        if answer.outcome is Outcome.DONE:
            if known is None:
                await given.forget(program_id)
            await _keep_class(resource["id"], digest, now=hours.clock())
        return answer

    async def forget_class(self, settings: ProgramSettings) -> None:
        """Bring the class to Google again next time: it says that it has none."""
        class_id = objects.class_id(self.issuer_id, settings.slug)
        await GoogleClassRow.filter(class_id=class_id).delete()

    async def close(self) -> None:
        """Close the connections to Google."""
        await self.sender.close()

    async def _let_exist(
        self,
        program_id: UUID,
        unmade: Mapping[str, Mapping[str, Any]],
        settings: ProgramSettings,
        hours: Hours,
    ) -> set[str]:
        """Make the first of these objects unless they are there; return which are.

        One that is there is left as it is: it follows its card by itself, and what was read here
        may be older by now.
        """
        wanted = dict(itertools.islice(unmade.items(), OBJECTS_MADE_MAX))
        answers = await self._insert(wanted, hours)
        if any(answer.outcome is Outcome.ABSENT for answer in answers.values()):
            # Google has not got the class, whatever was written down.
            await self.forget_class(settings)
            if _done(await self.bring_class(program_id, settings, hours)):
                lost = [one for one in wanted if answers[one].outcome is Outcome.ABSENT]
                answers |= await self._insert({one: wanted[one] for one in lost}, hours)
        return {
            serial
            for serial, answer in answers.items()
            if answer.outcome is Outcome.EXISTS or _done(answer)
        }

    async def _insert(
        self, wanted: Mapping[str, Mapping[str, Any]], hours: Hours
    ) -> dict[str, Answer]:
        """Make objects, all at once as far as Google's pace allows; return an answer for each."""
        turns = await self.sender.turns(len(wanted), hours) if wanted else []
        insert = self.sender.insert
        answers = await asyncio.gather(
            *(
                insert(Resource.OBJECT, resource, hours, turn=turn)
                for resource, turn in zip(wanted.values(), turns, strict=True)
            )
        )
        return dict(zip(wanted, answers, strict=True))

    def _card(self, template: str) -> GoogleCard:
        if template not in self._cards:
            raise TemplateError(f"There is no card template {template}.")
        return self._cards[template]

    def _signed(
        self,
        rows: Sequence[PassRow],
        faces: Mapping[UUID, CardFace],
        settings: ProgramSettings,
        *,
        now: datetime,
    ) -> dict[str, tuple[str, dict[str, Any] | None]]:
        """Return a link for each pass, and its object where the link only names that."""
        signed: dict[str, tuple[str, dict[str, Any] | None]] = {}
        for row in rows:
            resource = self.resource(row, faces[row.member_id], settings, now=now)
            link = self._link(resource, now=now)
            if is_short_enough(link):
                signed[row.serial] = link, None
            else:
                signed[row.serial] = self._link({"id": resource["id"]}, now=now), resource
        return signed

    def _link(self, resource: Mapping[str, Any], *, now: datetime) -> str:
        return save_link(
            self._account, [resource], save_url=self._save_url, origin=self._public_url, now=now
        )


def open_google(settings: Settings, templates: Mapping[str, Template]) -> GoogleDesk | None:
    """Return the desk of these settings; None when there is no account at Google.

    Raises:
        SettingsError: The account cannot be used, or only a part is set.
    """
    path, issuer_id = settings.google_service_account, settings.google_issuer_id
    if path is None and issuer_id is None:
        return None
    if path is None or issuer_id is None:
        raise SettingsError(
            "Google's cards need LOYALTY_GOOGLE_SERVICE_ACCOUNT and LOYALTY_GOOGLE_ISSUER_ID."
        )
    public_url, url = settings.public_url.rstrip("/"), settings.google_url.rstrip("/")
    if url.startswith("https://") and not public_url.startswith("https://"):
        raise SettingsError(
            "Google fetches images from LOYALTY_PUBLIC_URL and calls it back:"
            " it must begin with https://."
        )
    account = read_account(path)
    requests = Requests()
    client = GoogleClient(account, url=url, requests=requests)
    cards = {name: GoogleCard(one, public_url=public_url) for name, one in templates.items()}
    return GoogleDesk(
        account,
        cards,
        Sender(client, issuer_id=issuer_id, per_s=settings.google_per_s),
        Callbacks(issuer_id, RootKeys(settings.google_keys_url, requests)),
        public_url=public_url,
        save_url=SAVE_URL if url == GOOGLE_URL else f"{url}{SAVE_PATH}",
    )


async def _hand_out(rows: Sequence[PassRow], *, now: datetime) -> None:
    """Keep what the first link of each pass shows; most have one already."""
    for row in rows:
        if row.handed_out_at is None:
            first = PassRow.filter(
                program_id=row.program_id, serial=row.serial, handed_out_at__isnull=True
            )
            await first.update(handed_out_at=now, handed_out_tag=row.update_tag)


@transaction
async def _keep_class(class_id: str, digest: str, *, now: datetime) -> None:
    columns = ("class_id", "digest", "given_at")
    merge = "digest = excluded.digest, given_at = excluded.given_at"
    ending = f"on conflict (class_id) do update set {merge}"
    await upsert(GoogleClassRow, columns, [(class_id, digest, now)], ending=ending)


def _from_now(now: datetime) -> Hours:
    """Return the time in which a link may be waited for, counted on from `now`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return Hours(lambda: now + timedelta(seconds=loop.time() - began), now + LINK_PATIENCE)


def _done(answer: Answer) -> bool:
    if answer.outcome is not Outcome.DONE:
        logger.warning("Google cannot make a save link now: %s", answer.because)
    return answer.outcome is Outcome.DONE
