"""The tokens that passes show to the web service: worked out from a key, stored nowhere.

A pass keeps its token for life, so keys are added and never replaced: each is a generation, the
last one is for new passes, and passes of the older ones stay good.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from loyalty_graph.config import Settings, secret_key
from loyalty_graph.errors import SettingsError
from loyalty_graph.signing import derive_key
from loyalty_graph.wallet.key_rings import KeyRing

TOKEN_CHARACTERS = 32
PURPOSE = "apple-pass"
FOLDER = "pass-keys"
"""Its place in the data folder."""


class PassTokens:
    """Makes and checks tokens; `keys` are those of all generations, the first one is number 0.

    Those of a `ring` come after them; a new one is taken up by itself.
    """

    def __init__(self, keys: Sequence[bytes], ring: KeyRing | None = None) -> None:
        # Begun once, and then copied: `hmac.digest` begins anew, and lets other threads in.
        self._first = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]
        self._ring = ring
        self._macs = self._all()

    @property
    def newest(self) -> int:
        """Return the generation that new passes belong to."""
        self._look()
        return len(self._macs) - 1

    def token(self, pass_type: str, serial: str, generation: int) -> str:
        """Return a pass's token: 192 bits that only the holder of the keys can work out.

        Raises:
            SettingsError: Another machine has made the pass with a key that is not here.
        """
        if generation >= len(self._macs) and not (self._look() and generation < len(self._macs)):
            raise SettingsError(
                f"A pass is of generation {generation}, and the newest key here is of"
                f" {len(self._macs) - 1}: give this machine the others' keys of passes."
            )
        # No pass type and no serial holds a null character, so no two passes share a text.
        text = f"{pass_type}\0{serial}\0{generation}".encode(errors="replace")
        mac = self._macs[generation].copy()
        mac.update(text)
        return base64.urlsafe_b64encode(mac.digest())[:TOKEN_CHARACTERS].decode()

    def fits(self, token: str, pass_type: str, serial: str) -> bool:
        """Return whether this is the pass's token, of any generation.

        It asks no database, so that a wrong token costs next to nothing and says nothing about
        which serials there are. Every generation is compared, in a time that does not depend on
        what is given.
        """
        if self._fits(token, pass_type, serial):
            return True
        return self._look() and self._fits(token, pass_type, serial)

    def _fits(self, token: str, pass_type: str, serial: str) -> bool:
        given = token.encode(errors="replace")
        found = False
        for generation in range(len(self._macs)):
            wanted = self.token(pass_type, serial, generation).encode()
            found |= hmac.compare_digest(wanted, given)
        return found

    def _look(self) -> bool:
        """Take up what was added; say whether anything was."""
        if self._ring is None or not self._ring.look():
            return False
        self._macs = self._all()
        return True

    def _all(self) -> list[hmac.HMAC]:
        added = self._ring.keys if self._ring is not None else []
        of_ring = (derive_key(one.secret, PURPOSE) for one in added)
        return [*self._first, *(hmac.new(key, digestmod=hashlib.sha256) for key in of_ring)]


def pass_tokens(settings: Settings) -> PassTokens:
    """Return the tokens of these settings.

    Generation 0 rests on the secret key, so that there is nothing to set up. Each key of
    `pass_token_keys`, or in the folder, adds one, and a secret key that changes does not touch its
    passes.

    Raises:
        SettingsError: There are keys in both, so that nobody knows their order.
    """
    first = derive_key(secret_key(settings), PURPOSE)
    added = (
        derive_key(key.get_secret_value().encode(), PURPOSE) for key in settings.pass_token_keys
    )
    ring = KeyRing(settings.data_dir / FOLDER)
    if settings.pass_token_keys and ring.keys:
        raise SettingsError(
            f"LOYALTY_PASS_TOKEN_KEYS is set, and there are keys in {ring.folder}: name all of them"
            " in one of the two, oldest first."
        )
    return PassTokens((first, *added), ring)
