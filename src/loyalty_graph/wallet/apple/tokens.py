"""The tokens that passes show to the web service: worked out from a key, stored nowhere.

A pass keeps its token for life, so keys are added and never replaced: each is a generation, the
last one is for new passes, and passes of the older ones stay good.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from loyalty_graph.config import Settings, secret_key
from loyalty_graph.signing import derive_key

TOKEN_CHARACTERS = 32
PURPOSE = "apple-pass"


class PassTokens:
    """Makes and checks tokens; `keys` are those of all generations, the first one is number 0."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        # Begun once, and then copied: `hmac.digest` begins anew, and lets other threads in.
        self._macs = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]

    @property
    def newest(self) -> int:
        """Return the generation that new passes belong to."""
        return len(self._macs) - 1

    def token(self, pass_type: str, serial: str, generation: int) -> str:
        """Return a pass's token: 192 bits that only the holder of the keys can work out."""
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
        given = token.encode(errors="replace")
        found = False
        for generation in range(len(self._macs)):
            wanted = self.token(pass_type, serial, generation).encode()
            found |= hmac.compare_digest(wanted, given)
        return found


def pass_tokens(settings: Settings) -> PassTokens:
    """Return the tokens of these settings.

    Generation 0 rests on the secret key, so that there is nothing to set up. Each key of
    `pass_token_keys` adds one, and a secret key that changes does not touch its passes.
    """
    first = derive_key(secret_key(settings), PURPOSE)
    added = (
        derive_key(key.get_secret_value().encode(), PURPOSE) for key in settings.pass_token_keys
    )
    return PassTokens((first, *added))
