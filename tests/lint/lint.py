#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can check, as TAP: who may include what, what is spelled where, what is banned."""
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAYERS = ["base", "format", "domain", "outside", "daemon"]  # each may use itself and what stands before it
ONLY_IN = {  # header -> the files that may include it
    "expat.h": r"workers/engine/readers/xml_parser\.c",
    "nats/nats.h": r"lib/outside/bus_inside\.h|tests/bench/bare\.c",
    "libpq-fe.h": r"lib/outside/store_inside\.h|tests/bench/bare\.c",
    "libconfig.h": r"lib/format/config\.c",
    "pcre2.h": r"lib/format/schema_inside\.h|workers/engine/checks/(pattern|regex)\.[ch]",
    "openssl/sha.h": r"lib/base/digest\.c",
    "curl/curl.h": r"workers/sources/fetch\.c",
    "zlib.h": r"workers/sources/gzip\.c",
    "zstd.h": r"workers/sources/zstd\.c",
    "zstd_errors.h": r"workers/sources/zstd\.c",
}
BANNED = re.compile(r"\b(js_PullSubscribe|natsSubscription_Fetch\w*|kvStore_\w+|natsMsg_Ack\w*|json_loads?b?f?)\s*\(")
SPELLED = re.compile(r'"[^"\n]*(\$KV\.|\$O\.|OBJ_|muster\.(task|result|finding|partial|event|agent|policy|control)\.)[^"\n]*"')
tests = []


def test(function):
    tests.append(function)
    return function


def tracked(*endings):
    got = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    names = got.stdout.split("\n") if got.returncode == 0 else [
        os.path.relpath(os.path.join(d, f), ROOT) for d, _, fs in os.walk(ROOT) for f in fs if "/build" not in d]
    return [n for n in names if n.endswith(endings) and os.path.isfile(os.path.join(ROOT, n))]


def read(name):
    with open(os.path.join(ROOT, name), errors="replace") as f:
        return f.read()


@test
def every_source_names_its_licence_in_its_first_lines():
    return [n for n in tracked(".c", ".h", ".py", ".sql", ".sh", "meson.build", "run")
            if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(read(n).split("\n")[:2])]


@test
def headers_of_others_are_included_in_one_place():
    wrong = []
    for name in tracked(".c", ".h"):
        for header in re.findall(r"#include <([^>]+)>", read(name)):
            if header in ONLY_IN and not re.fullmatch(ONLY_IN[header], name):
                wrong.append(f"{name} includes {header}")
            if header.startswith("systemd/"):
                wrong.append(f"{name} includes {header}")
    return wrong


@test
def arrows_point_down():
    wrong = []
    for name in tracked(".c", ".h"):
        parts = name.split("/")
        for used in re.findall(r'#include "(\w+)/', read(name)):
            if parts[0] == "lib" and used in LAYERS and LAYERS.index(used) > LAYERS.index(parts[1]):
                wrong.append(f"{name} uses {used}/")
            if parts[0] == "lib" and used == "engine":
                wrong.append(f"{name} uses the engine")
            if name.startswith("workers/engine") and used in ("outside", "daemon"):
                wrong.append(f"{name} uses {used}/")
    return wrong


@test
def a_check_sees_only_what_it_may():
    allowed = re.compile(r"engine/(check|checks/\w+|list|record|pool)\.h|base/\w+\.h|\w+\.h")
    return [f"{n} includes {h}" for n in tracked(".c", ".h") if n.startswith("workers/engine/checks/")
            for h in re.findall(r'#include "([^"]+)"', read(n)) if not allowed.fullmatch(h)]


# What an object of a check may ask the linker for: memory and text that it was given, numbers as text, sorting, the
# pattern library, readers of its parameters. No memory of its own, no file, clock, randomness, locale, log, thread.
CHECK_SYMBOLS = re.compile(r"_GLOBAL_OFFSET_TABLE_|mem(cmp|cpy|move|set|chr)|str(len|cmp|chr)|v?snprintf|qsort|bsearch"
                           r"|json_(object|array|string|integer)_\w+|pcre2_\w+_8|__stack_chk_fail|__assert_fail"
                           r"|mu_(?!clock|wall|random|id_new|log|say|file|bus|kv|stream|store|daemon|failpoint)\w+")


@test
def the_object_of_a_check_asks_for_nothing_but_text_and_the_memory_it_is_given():
    folder = os.path.join(os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build")), "workers", "libengine.a.p")
    objects = [f for f in os.listdir(folder) if f.startswith("engine_checks_") and f.endswith(".o")] if os.path.isdir(folder) else []
    if not objects:
        return "there is no plain build to look at"
    wrong = []
    for name in sorted(objects):
        got = subprocess.run(["nm", "-u", os.path.join(folder, name)], capture_output=True, text=True, check=True)
        wrong += [f"{name} asks for {symbol}" for symbol in got.stdout.split() if symbol not in ("U", "w")
                  and not CHECK_SYMBOLS.fullmatch(symbol)]
    return wrong


@test
def what_crashes_in_the_client_library_is_not_called():
    return [f"{n}: {m.group(1)}" for n in tracked(".c", ".h") if not n.startswith("tests/")
            for m in BANNED.finditer(read(n)) if n != "lib/format/json.c"]


@test
def subjects_and_buckets_are_spelled_in_the_names_module():
    return [f"{n}: {m.group(0)[:60]}" for n in tracked(".c", ".h") if n.split("/")[0] in ("lib", "workers", "dispatcher", "recorder", "cli")
            and not n.startswith("lib/domain/names") for m in SPELLED.finditer(re.sub(r"/\*.*?\*/", "", read(n), flags=re.S))]


@test
def nothing_says_that_it_is_unfinished():
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    return [f"{n}: {m.group(0)}" for n in tracked(".c", ".h", ".py", ".sql", ".build") for m in words.finditer(read(n))
            if "checks" not in n]


@test
def tests_do_not_sleep():
    return [n for n in tracked(".py", ".c") if n.startswith("tests/") and re.search(r"\b(time\.)?u?sleep\s*\(", read(n))]


@test
def every_schema_is_json_and_closed():
    wrong = []
    for name in tracked(".json"):
        if not name.startswith("schemas/"):
            continue
        schema = json.loads(read(name))
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            wrong.append(f"{name} takes unknown keys")
    return wrong


@test
def shell_is_clean():
    if not shutil.which("shellcheck"):
        return "shellcheck is not installed"
    got = subprocess.run(["shellcheck", "run", ".ci/run"], cwd=ROOT, capture_output=True, text=True)
    return got.stdout.split("\n") if got.returncode else []


def main():
    print(f"1..{len(tests)}")
    failed = False
    for number, function in enumerate(tests, 1):
        wrong = function()
        if isinstance(wrong, str):
            print(f"ok {number} - {function.__name__} # SKIP {wrong}")
            continue
        for line in wrong[:20]:
            print(f"# {line}")
        print(f"{'not ok' if wrong else 'ok'} {number} - {function.__name__}")
        failed = failed or bool(wrong)
    for name in tracked(".c", ".h", ".py", ".sql"):
        lines = read(name).count("\n")
        if lines > 500:
            print(f"# look again: {name} has {lines} lines")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
