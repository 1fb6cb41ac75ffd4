# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that go wrong, by libfaketime: for each program its own, which can be stepped while it runs. nats-server cannot be
had that way: Go asks the kernel for the time without libc. The monotonic clock stays true, as it does when a machine's clock is set."""
import glob
import os

PLACES = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1"]


def library():
    return next((path for place in PLACES for path in glob.glob(place)), None)


def missing():
    """Why clocks cannot be stepped here, or None."""
    return None if library() else "libfaketime is not installed (package libfaketime)"


def step(path, seconds):
    """From now on the clock of whoever was started with this file is so far from the true one."""
    with open(path + ".new", "w") as f:
        f.write(f"{seconds:+d}\n")
    os.rename(path + ".new", path)


def environment(path):
    """Of a program whose clock this file steps. FAKETIME_FORCE_MONOTONIC_FIX=0: with what Debian's library does by default, a timed
    wait on a condition of CLOCK_MONOTONIC returns at once (tried with 0.9.10), and every program would spin instead of waiting."""
    return {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
