"""A TLS certificate for a sandbox on this machine, with a root of its own that is made for it."""

import ipaddress
import ssl
import tempfile
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loyalty_graph.wallet.apple.development_ca import (
    Party,
    authority,
    certificate_builder,
    key_usage,
)
from loyalty_graph.wallet.apple.signing import DEVELOPMENT_ORGANIZATION

LIFE_DAYS = 31
NAME = "localhost"
ADDRESSES = ("127.0.0.1", "::1")


class ServerCertificate:
    """A certificate for this machine's own addresses; its key is kept nowhere.

    Attributes:
        root: PEM, for those who are to trust the server.
    """

    def __init__(self, *, now: datetime) -> None:
        root = Party(
            _name(f"{DEVELOPMENT_ORGANIZATION} Sandbox Root CA"),
            ec.generate_private_key(ec.SECP256R1()),
        )
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(NAME)]
        addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in ADDRESSES]
        certificate = (
            certificate_builder(
                _name(NAME), key.public_key(), signed_by=root, days=LIFE_DAYS, now=now
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
            .sign(root.key, hashes.SHA256())
        )
        trusted = authority(root, signed_by=root, days=LIFE_DAYS, now=now)
        self.root = trusted.public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._chain = secret + certificate.public_bytes(Encoding.PEM)

    def context(self) -> ssl.SSLContext:
        """Return TLS for a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(prefix="loyalty-", suffix=".pem") as file:
            file.write(self._chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT_ORGANIZATION),
        ]
    )
