"""
Tests for :mod:`sttproxy.privileges`.
"""

from __future__ import annotations

import os
import pwd

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import privileges

NOT_ROOT = None if os.geteuid() == 0 else "only root can become another user"


class IdsTests(SynchronousTestCase):
    """Whom twistd switches to."""

    def test_ids(self) -> None:
        """The group is the user's own, unless it is named."""
        own = pwd.getpwuid(os.getuid())
        self.assertIsNone(privileges.ids(None, None))
        self.assertEqual(privileges.ids(own.pw_uid, None), (own.pw_uid, own.pw_gid))
        self.assertEqual(privileges.ids(own.pw_uid, 7), (own.pw_uid, 7))
        self.assertEqual(privileges.ids(None, 7), (os.geteuid(), 7))


class UnreadableTests(SynchronousTestCase):
    """What another user cannot read."""

    def test_readable(self) -> None:
        """Files that can be read, and those that are not there, are no reason."""
        self.assertIsNone(privileges.unreadable([__file__, self.mktemp()], os.geteuid(), os.getegid()))

    def test_unreadable(self) -> None:
        """The first one that cannot is named, with the system's reason."""
        path = os.path.abspath(self.mktemp())
        with open(path, "w"):
            pass
        os.chmod(path, 0o600)
        nobody = pwd.getpwnam("nobody")
        told = privileges.unreadable([__file__, path], nobody.pw_uid, nobody.pw_gid)
        self.assertTrue(told and told.endswith(": Permission denied"), told)

    test_unreadable.skip = NOT_ROOT  # type: ignore[attr-defined]

    def test_not_root(self) -> None:
        """Who may not become that user is told so."""
        told = privileges.unreadable([], os.geteuid() + 1, os.getegid())
        self.assertEqual(told, "the user cannot be switched to")

    test_not_root.skip = None if NOT_ROOT else "root can"  # type: ignore[attr-defined]
