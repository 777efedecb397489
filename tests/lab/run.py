#!/usr/bin/python3
"""Runs the lab's tests; ends with "N passed, N failed".  run.py [WORD]  only tests whose name contains WORD.

Each test has its own time limit. What a test needs and is not there (root, /dev/net/tun, a program) is a failure with that reason.
"""
import faulthandler
import pathlib
import signal
import sys
import time
import traceback
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
TEST_SECONDS = 180


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
        signal.alarm(TEST_SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
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


def chosen(suite, word):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from chosen(item, word)
        elif word in item.id():
            yield item


def main():
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _overdue)
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(str(FOLDER), "test_*.py"), word))
    result = Lines()
    tests.run(result)
    if result.passed + result.failed == 0:
        print(f"no test has '{word}' in its name")
        result.failed = 1
    print(f"{result.passed} passed, {result.failed} failed")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
