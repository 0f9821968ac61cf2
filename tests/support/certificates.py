"""
Certificates for tests, signed by an authority of their own.
"""

from __future__ import annotations

import functools
from datetime import datetime

import trustme


@functools.cache
def authority() -> trustme.CA:
    """The authority that signs the certificates of tests."""
    return trustme.CA(organization_name="Tests")


def pem(*names: str, expires: datetime | None = None) -> bytes:
    """
    A certificate chain with its key.

    :param names: what the certificate is issued for.
    :param expires: the end of its validity, UTC; None: far in the future.
    """
    begins = None if expires is None else expires.replace(year=expires.year - 1)
    issued = authority().issue_cert(*names, not_after=expires, not_before=begins)
    return bytes(issued.private_key_and_cert_chain_pem.bytes())


def authority_pem() -> bytes:
    """The authority's own certificate."""
    return bytes(authority().cert_pem.bytes())
