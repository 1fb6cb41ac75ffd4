# SPDX-License-Identifier: Apache-2.0
"""Proofs of the shipped packs and calendars, without the engine, as TAP: run.py [PART...]"""
import importlib
import os
import sys
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "sql")]
from proof import Skip  # noqa: E402  (found through the line above)


def main(parts):
    modules = [importlib.import_module("proofs_" + part) for part in parts]
    tests = [test for module in modules for test in module.TESTS]
    print("1..%d" % len(tests), flush=True)
    failed = False
    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__name__), flush=True)
        except Skip as reason:
            print("ok %d - %s # SKIP %s" % (number, test.__name__, reason), flush=True)
        except Exception:
            print("".join("# %s\n" % line for line in traceback.format_exc().split("\n")[-12:-1]), end="")
            print("not ok %d - %s" % (number, test.__name__), flush=True)
            failed = True
    for module in modules:
        getattr(module, "done", lambda: None)()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["calendars"]))
