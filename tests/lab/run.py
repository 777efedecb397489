#!/usr/bin/python3
"""Runs the lab's tests; ends with "N passed, N failed".  run.py [WORD...]  only tests whose name contains one of the words.
run.py --without WORD...  the others.  TERM ends the run after the test that is running.

Each test has its own time limit. What a test needs and is not there (root, /dev/net/tun, a program) is a failure with that reason.
"""
import faulthandler
import os
import pathlib
import signal
import sys
import time
import traceback
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
TEST_SECONDS = int(os.environ.get("LAB_TEST_SECONDS", "180"))


class Overdue(Exception):
    pass


def _overdue(*_):
    raise Overdue(f"still running after {TEST_SECONDS} s")


class Lines(unittest.TestResult):
    """One line a test, the reason under a failure."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = 0
        self._began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        # again each second from then on: a subtest takes the first for its own failure and goes on with the next
        signal.setitimer(signal.ITIMER_REAL, TEST_SECONDS, 1)

    def stopTest(self, test):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)

    def _line(self, word, test, error=None):
        print(f"{word} {test.id()} ({time.monotonic() - self._began:.1f} s)", flush=True)
        if error:
            text = traceback.format_exception_only(error[0], error[1])
            where = traceback.extract_tb(error[2])[-1]
            print(f"  {''.join(text).strip()}\n  at {pathlib.Path(where.filename).name}:{where.lineno}".replace("\n", "\n  "), flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addFailure(self, test, error):
        self.failed += 1
        self._line("FAIL", test, error)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error:
            self.addFailure(subtest, error)
        else:
            self.addSuccess(subtest)

    def addSkip(self, test, reason):
        self.failed += 1
        print(f"FAIL {test.id()}: skipped ({reason}); a test that cannot run is a failure", flush=True)


def chosen(suite, wanted):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from chosen(item, wanted)
        elif wanted(item.id()):
            yield item


def main():
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _overdue)
    without = sys.argv[1:2] == ["--without"]
    words = sys.argv[2 if without else 1:] or [""]
    tests = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(str(FOLDER), "test_*.py"),
                                      lambda name: any(word in name for word in words) != without))
    result = Lines()
    signal.signal(signal.SIGTERM, lambda *_: result.stop())
    tests.run(result)
    if result.shouldStop:
        print("FAIL ended early, by a signal")
        result.failed += 1
    elif result.passed + result.failed == 0:
        print(f"no test has {' or '.join(map(repr, words))} in its name")
        result.failed = 1
    print(f"{result.passed} passed, {result.failed} failed")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
