"""A TLS certificate for a sandbox on this machine, with a root of its own that is made for it."""

import ipaddress
import ssl
import tempfile
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loyalty_graph.wallet.apple.signing import DEVELOPMENT_ORGANIZATION

LIFE = timedelta(days=30)
NAME = "localhost"
ADDRESSES = ("127.0.0.1", "::1")


class ServerCertificate:
    """A certificate for this machine's own addresses; its key is kept nowhere.

    Attributes:
        root: PEM, for those who are to trust the server.
    """

    def __init__(self, *, now: datetime) -> None:
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name = _name(f"{DEVELOPMENT_ORGANIZATION} Sandbox Root CA")
        root = (
            _builder(root_name, root_name, root_key.public_key(), root_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        names = [x509.DNSName(NAME)]
        addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in ADDRESSES]
        certificate = (
            _builder(_name(NAME), root_name, key.public_key(), root_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        self.root = root.public_bytes(Encoding.PEM)
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


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )
