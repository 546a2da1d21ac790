#!/usr/bin/python3
"""Runs PROGRAM SYMBOL, under the hostile library of LD_PRELOAD, and expects it to be caught.

Otherwise a library that catches nothing would let every scheduler pass.
"""

import os
import signal
import subprocess
import sys

SKIPPED = 77


def main(program, symbol):
    # The library is for the program only: this interpreter reads and locks as it likes.
    done = subprocess.run([program, symbol], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == SKIPPED:
        return SKIPPED
    named = f"the loop's thread called {symbol}" in done.stderr
    if done.returncode == -signal.SIGABRT and named:
        return 0
    print(f"{symbol} passed: ended with {done.returncode}, said {done.stderr!r}", os.linesep)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
