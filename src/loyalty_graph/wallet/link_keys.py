"""The keys that sign links to passes: the newest signs, the one before is good while links live."""

from datetime import datetime, timedelta

from loyalty_graph.config import Settings, secret_key
from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.signing import derive_key, read_link, sign_link
from loyalty_graph.wallet.key_rings import KeyRing

FOLDER = "link-keys"
"""Its place in the data folder."""
PURPOSE = "pass"
LIFE = timedelta(days=7)


class LinkKeys:
    """Signs links and reads them; without a key of their own they rest on the secret key."""

    def __init__(self, settings: Settings) -> None:
        self._first = secret_key(settings)
        self._ring = KeyRing(settings.data_dir / FOLDER)

    def sign(self, subject: str, *, now: datetime) -> str:
        """Return a token that opens a pass for a week."""
        self._ring.look()
        return sign_link(PURPOSE, subject, key=self._good(now)[0], expires_at=now + LIFE)

    def read(self, token: str, *, now: datetime) -> str:
        """Return which pass a token opens.

        Raises:
            UnauthenticatedError: It is forged, made for something else, or expired.
        """
        try:
            return self._read(token, now)
        except UnauthenticatedError:
            if not self._ring.look():
                raise
        return self._read(token, now)

    def _read(self, token: str, now: datetime) -> str:
        *older, last = self._good(now)
        for key in older:
            try:
                return read_link(token, purpose=PURPOSE, key=key, now=now)
            except UnauthenticatedError:
                continue
        return read_link(token, purpose=PURPOSE, key=last, now=now)

    def _good(self, now: datetime) -> list[bytes]:
        """Return the newest key, and then those that signed links which may still live."""
        good: list[bytes] = []
        for key in reversed(self._ring.keys):
            good.append(derive_key(key.secret, PURPOSE))
            if key.made_at + LIFE < now:
                return good
        return [*good, self._first]
