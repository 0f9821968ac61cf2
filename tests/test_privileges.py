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
    """The user and group that twistd switches to."""

    def test_ids(self) -> None:
        """Without --gid, the group is the primary group of the user."""
        own = pwd.getpwuid(os.getuid())
        self.assertIsNone(privileges.ids(None, None))
        self.assertEqual(privileges.ids(own.pw_uid, None), (own.pw_uid, own.pw_gid))
        self.assertEqual(privileges.ids(own.pw_uid, 7), (own.pw_uid, 7))
        self.assertEqual(privileges.ids(None, 7), (os.geteuid(), 7))


class UnreadableTests(SynchronousTestCase):
    """Files that another user cannot read."""

    def test_readable(self) -> None:
        """Readable files and missing files are not reported."""
        self.assertIsNone(privileges.unreadable([__file__, self.mktemp()], os.geteuid(), os.getegid()))

    def test_unreadable(self) -> None:
        """The first unreadable file is reported with the reason from the system."""
        path = os.path.abspath(self.mktemp())
        with open(path, "w"):
            pass
        os.chmod(path, 0o600)
        nobody = pwd.getpwnam("nobody")
        problem = privileges.unreadable([__file__, path], nobody.pw_uid, nobody.pw_gid)
        self.assertTrue(problem and problem.endswith(": Permission denied"), problem)

    test_unreadable.skip = NOT_ROOT  # type: ignore[attr-defined]

    def test_not_root(self) -> None:
        """A failure to switch to the user is reported."""
        problem = privileges.unreadable([], os.geteuid() + 1, os.getegid())
        self.assertEqual(problem, "cannot switch to this user")

    test_not_root.skip = None if NOT_ROOT else "root can"  # type: ignore[attr-defined]
