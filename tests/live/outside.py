#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of tests/live/outside, which test the library's bus and store directly, with a private nats-server and
PostgreSQL of their own: outside.py bus|store; `replica` has brokers that are played. Passes their TAP on."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "outside")]

from fake_broker import FakeBroker  # noqa: E402
from harness import BUILD, Site  # noqa: E402


def replica():
    clustered, single = FakeBroker(True), FakeBroker(False)
    env = dict(os.environ, MUSTER_TEST_CLUSTER=clustered.url, MUSTER_TEST_SINGLE=single.url)
    return subprocess.run([os.path.join(BUILD, "tests", "outside_replica")], env=env).returncode


def main(module):
    if module == "replica":
        return replica()
    site = Site()
    try:
        env = dict(os.environ, MUSTER_TEST_NATS=site.url, MUSTER_TEST_NATS_PID=str(site.pids["nats"]), MUSTER_TEST_PG=site.conninfo)
        return subprocess.run([os.path.join(BUILD, "tests", "outside_" + module)], env=env).returncode
    finally:
        site.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
