"""
Certificates and private keys from PEM files.

No function reads a file: the caller has the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, cast

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, verify_service_identity

from ..errors import printable

#: TLS 1.2 ciphers with forward secrecy and authenticated encryption (RFC 9325 §4.2); TLS 1.3 has no others.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"


class CertificateError(ValueError):
    """A certificate or a key that cannot be used; the message names the file, what is wrong and what to do."""


#: The bytes of files by path; a message instead of the bytes says why a file cannot be read.
Contents = Mapping[str, "bytes | str"]


def contents_of(contents: Contents, path: str) -> bytes:
    """
    The bytes of a file.

    :raises CertificateError: when it cannot be read.
    """
    data = contents[path]
    if isinstance(data, str):
        raise CertificateError(f"{printable(path)}: {data}")
    return data


@attrs.frozen
class Identity:
    """
    A certificate chain with its private key.

    :ivar file: the printable path of the certificate.
    :ivar chain: the certificate, followed by those of the authorities that the file contains.
    """

    file: str
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes

    @property
    def names(self) -> list[str]:
        """The names and addresses that it is issued for."""
        return names_of(self.chain[0])

    @property
    def expires(self) -> datetime:
        """The end of the certificate's validity, in UTC."""
        return self.chain[0].not_valid_after_utc

    def matches(self, name: str) -> bool:
        """Whether it is issued for a DNS name (RFC 9525)."""
        try:
            verify_service_identity(extract_patterns(self.chain[0]), [DNS_ID(name)], [])
        except (VerificationError, ValueError):
            return False
        return True

    def snapshot(self) -> dict[str, object]:
        """What the statistics show, ready for JSON."""
        return {"file": self.file, "names": self.names, "expires": self.expires.isoformat()}

    def use_in(self, context: SSL.Context) -> None:
        """Have a context present it to the peer."""
        context.use_certificate(self.chain[0])
        for authority in self.chain[1:]:
            context.add_extra_chain_cert(authority)
        context.use_privatekey(cast(Any, self.key))


def names_of(certificate: x509.Certificate) -> list[str]:
    """The DNS names and IP addresses in a certificate's subject alternative name."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def authorities(file: str, data: bytes) -> list[x509.Certificate]:
    """
    The certificates in a PEM file.

    :raises CertificateError: when there is none.
    """
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise CertificateError(
            f"{printable(file)} contains no certificate: it must have a block '-----BEGIN CERTIFICATE-----' (PEM)"
        ) from None


def identity(file: str, data: bytes, key_file: str, key_data: bytes) -> Identity:
    """
    A certificate chain and its key.

    :param file: the path of the certificate, for messages; ``data`` has its bytes.
    :param key_file: the path of the key, which may be the same file.
    :raises CertificateError: when one of them cannot be used, or they do not belong together.
    """
    chain = authorities(file, data)
    try:
        key = load_pem_private_key(key_data, None)
    except TypeError:
        raise CertificateError(
            f"the key in {printable(key_file)} is encrypted; decrypt it with: openssl pkey -in KEY -out NEW"
        ) from None
    except ValueError:
        raise CertificateError(
            f"{printable(key_file)} contains no private key: it must have a block '-----BEGIN PRIVATE KEY-----' (PEM)"
        ) from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if chain[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise CertificateError(
            f"the key in {printable(key_file)} does not belong to the first certificate in {printable(file)}"
        )
    return Identity(printable(file), tuple(chain), key)


def expired(expires: datetime, now: float) -> bool:
    """
    Whether a certificate has expired.

    :param now: seconds since 1970.
    """
    return expires <= datetime.fromtimestamp(now, timezone.utc)


def trust(context: SSL.Context, trusted: list[x509.Certificate]) -> None:
    """Have a context accept certificates that these authorities have signed."""
    store = context.get_cert_store()
    assert store is not None, "a new context has one"
    for authority in trusted:
        store.add_cert(X509.from_cryptography(authority))


def reasons_of(error: SSL.Error) -> list[str]:
    """OpenSSL's reasons for an error."""
    reasons = [entry[2] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    return reasons or ["the connection was closed"]


def new_context() -> SSL.Context:
    """A context for TLS 1.2 and later, for either side."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(_CIPHERS)
    return context
