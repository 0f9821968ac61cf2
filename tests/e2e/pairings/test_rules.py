"""
The rules of the configuration, as the echo server's form parser reads their results.
"""

from __future__ import annotations

from .. import test_fields, test_profiles
from .case import EchoPairingTestCase


class ForcedFields(EchoPairingTestCase, test_fields.ForcedFields, once=["test_urlencoded"]):
    """Forced fields; the urlencoded form is sent as bytes of HTTP/1.1."""


class Profiles(EchoPairingTestCase, test_profiles.ProfileTests, once=["test_own_pages", "test_many_at_once"]):
    """Defaults, maps and profiles, through the OpenAI SDK; pipelining is HTTP/1.1's own."""
