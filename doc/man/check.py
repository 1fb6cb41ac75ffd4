#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages as TAP: every setting has its entry, and the formatter has nothing to say against them."""
import glob
import os
import re
import shutil
import subprocess
import sys

build = sys.argv[1]
folder, program = os.path.join(build, "doc", "man"), os.path.join(build, "workers", "muster-worker")
pages = sorted(glob.glob(os.path.join(folder, "*.[1578]")))
table = subprocess.run([program, "--help-config"], check=True, capture_output=True, encoding="utf-8").stdout
with open(os.path.join(folder, "muster.conf.5"), encoding="utf-8") as f:
    told = re.findall(r"^\.TP\n\.B (\S+)$", f.read(), re.M)
same = told == [line.split()[0].replace("-", "\\-") for line in table.splitlines()] and len(pages) == 6
with open(os.path.join(folder, "muster-pack.7"), encoding="utf-8") as f:
    language = f.read()
entries = re.findall(r"^\.B (.*)$", language, re.M)
forgotten = [name for name in ("isin_valid", "active_on", "count_distinct", "bizday", "if", "unique", "not_null", "mostly", "window")
             if not any(re.match(name + r"\b", e) for e in entries)]
print("1..3")
print("ok 1" if same else "not ok 1", "- every setting has its entry and every program its page")
print("ok 3" if not forgotten else "not ok 3", "- the language of rules is in its page", *forgotten)
failed = not same or bool(forgotten)
if not shutil.which("groff"):
    print("ok 2 - the pages are clean # SKIP groff is not installed")
else:
    wrong = ""
    for page in pages:
        wrong += subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", page], capture_output=True, text=True).stderr
    for line in wrong.splitlines():
        print("#", line)
    print("not ok 2" if wrong else "ok 2", "- the pages are clean")
    failed = failed or bool(wrong)
sys.exit(failed)
