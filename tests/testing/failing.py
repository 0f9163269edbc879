"""
Runs a test case that is expected to fail, and says where it does.
"""

from __future__ import annotations

import gc
import unittest

from twisted.trial.unittest import SynchronousTestCase


def failed(case: type[SynchronousTestCase], *only: str) -> set[str]:
    """The names of those tests of C{case}, or of C{only} these, that do not pass."""
    names = only or unittest.TestLoader().getTestCaseNames(case)
    found = set()
    for name in names:
        result = unittest.TestResult()
        test = case(name)
        test.run(result)
        assert result.testsRun == 1, name
        if not result.wasSuccessful():
            found.add(name)
            gc.collect()  # errors that it leaves behind are its own, and not the next one's
            test.flushLoggedErrors()
    return found
