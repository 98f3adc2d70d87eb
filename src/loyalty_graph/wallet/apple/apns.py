"""Pushes through one long-lived connection to APNs, which is made again whenever it is lost.

Source: Apple, "Sending notification requests to APNs". Passes are told of with the certificate that
signs them, always through the production service; an empty payload says: look what has changed.
"""

import asyncio
import logging
import secrets
import ssl
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from loyalty_graph.pauses import chance, full_jitter_s
from loyalty_graph.wallet.apple.answers import Answer, Later, Refused
from loyalty_graph.wallet.apple.link import Exchange, Hearers, Link
from loyalty_graph.wallet.apple.signing import Signer

HTTPS_PORT = 443
WATCH_EVERY_S = 1.0
# Alerts of TLS that are about our certificate, as Python writes them.
CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, and how many streams to open at once.

    `answer_s` is for an answer, and before that for a stream. More streams would be no faster: h2
    counts them all whenever it opens one.
    """

    connect_s: float = 10.0
    answer_s: float = 20.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 120.0
    streams: int = 250


class Apns:
    """Sends pushes for the passes of one pass type.

    A new certificate is shown on a new connection, while the old one ends what it has in hand.
    While APNs cannot be reached, or refuses the certificate, whatever is sent is answered at once.
    After a pause that grows with each failure (full jitter) one push may try again.
    """

    def __init__(
        self,
        url: str,
        signer_now: Callable[[], Signer],
        *,
        root: Path | None,
        limits: Limits | None = None,
    ) -> None:
        place = urlsplit(url)
        assert place.hostname is not None, "settings are checked when they are read"
        self._host, self._port = place.hostname, place.port or HTTPS_PORT
        self._authority = place.netloc
        self.signer = signer_now()
        self.topic = self.signer.identity.pass_type_identifier
        self._signer_now, self._root = signer_now, root
        self._limits = limits or Limits()
        self._queue: deque[Exchange] = deque()
        self._link: Link | None = None
        self._links: set[Link] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._failures, self._retry_at = 0, 0.0
        self._trouble: Later | Refused = Later("")

    @property
    def pause_s(self) -> float:
        """Return how many seconds nothing is sent; 0 when something may be."""
        return max(0.0, self._retry_at - asyncio.get_running_loop().time())

    @property
    def troubled(self) -> bool:
        """Return whether the latest try failed: one push may find out whether it is over."""
        return self._failures > 0

    def send(self, token: str) -> asyncio.Future[Answer]:
        """Tell the device with this token that passes have changed; return what will be answered.

        It is always answered, if need be that it was not in time.
        """
        loop = asyncio.get_running_loop()
        exchange = Exchange(token, loop.time() + self._limits.answer_s, loop.create_future())
        if pause_s := self.pause_s:
            exchange.settle(_with_pause(self._trouble, pause_s))
            return exchange.answer
        self._queue.append(exchange)
        self._go_on()
        return exchange.answer

    async def close(self) -> None:
        """Close the connections; what is not answered yet will not be."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        self._link = None
        for link in self._links:
            link.abort(ConnectionError("we leave"))
        self._answer_all(Later("we leave"))
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.sleep(0)  # Transports close in the next turn of the loop.

    def _go_on(self) -> None:
        """See to it that what waits is sent, or answered."""
        if self._link is not None:
            self._link.pump_soon()
        elif pause_s := self.pause_s:
            self._answer_all(_with_pause(self._trouble, pause_s))
        elif self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="connecting to APNs")
            if self._watching is None:
                self._watch_later()

    async def _connect(self) -> None:
        loop, link = asyncio.get_running_loop(), self._new_link()
        try:
            self.signer = self._signer_now()
            tls = client_context(self.signer, root=self._root)
            async with asyncio.timeout(self._limits.connect_s):
                await loop.create_connection(lambda: link, self._host, self._port, ssl=tls)
                await link.ready
        except (OSError, UnicodeError) as error:
            # The latter where a host's name is none: it cannot be written as DNS wants it.
            link.abort(error)
        self._connecting = None
        if link.ended is not None:
            self._fail(_meaning(link.ended))
            return
        self._link = link
        self._links.add(link)
        logger.info("Connected to APNs at %s for %s.", self._authority, self.topic)
        link.begin()

    def _new_link(self) -> Link:
        return Link(
            self._authority,
            self.topic,
            self._queue,
            streams_max=self._limits.streams,
            answer_s=self._limits.answer_s,
            hearers=Hearers(self._answered, self._ended, self._again),
        )

    def _answered(self, link: Link, answer: Answer) -> None:
        if not isinstance(answer, Refused):
            self._failures, self._retry_at = 0, 0.0
        elif link is self._link:
            self._link = None
            link.retire(ConnectionRefusedError(answer.reason))
            self._fail(answer)

    def _ended(self, link: Link, because: Exception) -> None:
        """Go on with another link; at once, if this one was good for something."""
        if link is not self._link:
            return
        self._link = None
        if not link.was_of_use:
            self._fail(_meaning(because))
            return
        logger.info("The connection to APNs for %s ended: %s.", self.topic, because)
        if self._queue:
            self._go_on()

    def _again(self, exchanges: list[Exchange]) -> None:
        self._queue.extendleft(reversed(exchanges))
        if self._queue:
            self._go_on()

    def _fail(self, trouble: Later | Refused) -> None:
        """Answer all that waits, and wait longer than the last time."""
        limits = self._limits
        pause_s = full_jitter_s(
            self._failures,
            first_s=limits.first_pause_s,
            longest_s=limits.longest_pause_s,
            chance=chance(),
        )
        self._failures += 1
        self._retry_at = asyncio.get_running_loop().time() + pause_s
        self._trouble = trouble
        words = "refuses us" if isinstance(trouble, Refused) else "cannot be used"
        logger.warning(
            "APNs at %s for %s %s: %s; it is tried again in %.1f s.",
            self._authority,
            self.topic,
            words,
            trouble.reason,
            pause_s,
        )
        self._answer_all(_with_pause(trouble, pause_s))

    def _answer_all(self, answer: Answer) -> None:
        while self._queue:
            self._queue.popleft().settle(answer)

    def _watch(self) -> None:
        """Look after what takes too long, for as long as there is a link or something waits."""
        now = asyncio.get_running_loop().time()
        while self._queue and self._queue[0].ends_at <= now:
            self._queue.popleft().settle(Later("no answer in time"))
        self._look_for_new_certificate()
        self._links = {link for link in self._links if not link.closed}
        for link in self._links:
            link.watch()
        self._watch_later()

    def _watch_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._watching = loop.call_later(WATCH_EVERY_S, self._watch)

    def _look_for_new_certificate(self) -> None:
        link = self._link
        if link is None or self._signer_now() is self.signer:
            return
        self._link = None
        link.retire(ConnectionError("there is a new certificate"))
        if self._queue:
            self._go_on()


def client_context(signer: Signer, *, root: Path | None) -> ssl.SSLContext:
    """Return TLS that shows the signer's certificate, and trusts the system's roots or just `root`.

    Raises:
        OSError: `root` cannot be read; as ssl.SSLError: it is no file of certificates.
    """
    context = ssl.create_default_context(cafile=root)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    _show(context, signer)
    return context


def _show(context: ssl.SSLContext, signer: Signer) -> None:
    """Load certificate and key; Python reads them from files only, so the key is encrypted."""
    password = secrets.token_hex(16)
    encryption = BestAvailableEncryption(password.encode())
    parts = (
        signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption),
        signer.certificate.public_bytes(Encoding.PEM),
        signer.issuer.public_bytes(Encoding.PEM),
    )
    with tempfile.NamedTemporaryFile(prefix="loyalty-", suffix=".pem") as file:
        file.write(b"".join(parts))
        file.flush()
        context.load_cert_chain(file.name, password=password)


def _meaning(error: Exception) -> Later | Refused:
    """Return what a connection's failure means for a push."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(f"its certificate is not trusted here ({error.verify_message})")
    if isinstance(error, ssl.SSLError):
        alert = error.reason or "TLS failed"
        about_ours = "ALERT" in alert and any(word in alert for word in CERTIFICATE_ALERTS)
        return Refused(alert) if about_ours else Later(alert)
    if isinstance(error, TimeoutError):
        return Later("no connection in time")
    if isinstance(error, OSError) and error.strerror:
        return Later(error.strerror)
    return Later(str(error) or type(error).__name__)


def _with_pause(trouble: Later | Refused, pause_s: float) -> Answer:
    return replace(trouble, retry_after_s=pause_s) if isinstance(trouble, Later) else trouble
