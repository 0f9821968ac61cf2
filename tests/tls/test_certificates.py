"""
Tests for :mod:`sttproxy.tls.certificates`.
"""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.tls.certificates import CertificateError, authorities, contents_of, expired, identity

from ..support.certificates import authority_pem, pem


class IdentityTests(SynchronousTestCase):
    """A certificate chain and its key."""

    def refused(self, data: bytes, key: bytes) -> str:
        """The message for a pair that cannot be used."""
        return str(self.assertRaises(CertificateError, identity, "/c\udcff.pem", data, "/k.pem", key))

    def test_one_file(self) -> None:
        """Certificate and key may be in one file; names and addresses are those in the certificate."""
        both = pem("stt.example", "*.home.example", "192.0.2.1")
        found = identity("/c.pem", both, "/c.pem", both)
        self.assertEqual(found.names, ["stt.example", "*.home.example", "192.0.2.1"])
        self.assertEqual(found.snapshot()["file"], "/c.pem")

    def test_matches(self) -> None:
        """A name matches exactly or by a wildcard for one label; anything else does not."""
        both = pem("stt.example", "*.home.example", "192.0.2.1")
        found = identity("/c.pem", both, "/c.pem", both)
        for name, expected in (
            ("stt.example", True),
            ("STT.example", True),
            ("a.home.example", True),
            ("a.b.home.example", False),
            ("home.example", False),
            ("192.0.2.1", False),
            ("", False),
            ("\x00", False),
            ("x" * 300, False),
        ):
            self.assertIs(found.matches(name), expected, name)

    def test_refused(self) -> None:
        """The error names the file, what is wrong with it and what would be right."""
        both, other = pem("a.example"), pem("b.example")
        key = load_pem_private_key(both, None)
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        for data, key_data, error in (
            (b"", both, "/c\\xff.pem contains no certificate: it must have a block '-----BEGIN CERT"),
            (b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", both, "contains no certificate"),
            (both, b"no key", "/k.pem contains no private key"),
            (both, authority_pem(), "/k.pem contains no private key"),
            (both, encrypted, "the key in /k.pem is encrypted; decrypt it with: openssl pkey"),
            (both, other, "the key in /k.pem does not belong to the first certificate in /c\\xff.pem"),
        ):
            self.assertIn(error, self.refused(data, key_data))

    def test_expiry(self) -> None:
        """A certificate expires at the end of its validity, to the second."""
        end = datetime(2021, 5, 1, tzinfo=timezone.utc)
        both = pem("a.example", expires=end)
        found = identity("/c.pem", both, "/c.pem", both)
        self.assertEqual(found.expires, end)
        self.assertEqual([expired(end, end.timestamp() + each) for each in (-1, 0)], [False, True])

    def test_authorities(self) -> None:
        """A file may have several authorities; one without any is an error."""
        self.assertEqual(len(authorities("/ca.pem", authority_pem() * 2)), 2)
        self.assertRaises(CertificateError, authorities, "/ca.pem", b"x")

    def test_unreadable(self) -> None:
        """A file that cannot be read is an error with its path."""
        error = self.assertRaises(CertificateError, contents_of, {"/c.pem": "no such file"}, "/c.pem")
        self.assertEqual(str(error), "/c.pem: no such file")
