#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live stories: `tests/live/run.py [FILE] [STORY...]`. Each test_*.py holds functions whose names are the sentences
they prove, with one argument `site`. A file's SITE settings apply to its site; a story marked @own_site gets a fresh
one (it breaks things). Prints TAP."""
import importlib
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from marks import Skip, stories  # noqa: E402


def main(words):
    here = os.path.dirname(os.path.abspath(__file__))
    names = sorted(f[:-3] for f in os.listdir(here) if f.startswith("test_") and f.endswith(".py"))
    if words and words[0] in names:
        names, words = [words[0]], words[1:]
    plan = []
    for name in names:
        module = importlib.import_module(name)
        plan += [(name, story, module) for story in stories(module) if not words or story.__name__ in words]
    print(f"1..{len(plan)}", flush=True)
    failed, shared, shared_of = 0, None, None
    from harness import Site
    for number, (name, story, module) in enumerate(plan, 1):
        site = None
        try:
            if getattr(story, "own_site", False):
                site = Site(**dict(getattr(module, "SITE", {}), **getattr(story, "settings", {})))
            else:
                if shared_of != name:
                    if shared:
                        shared.close()
                    shared, shared_of = None, None
                    shared = Site(**getattr(module, "SITE", {}))
                    shared_of = name
                    getattr(module, "prepare", lambda s: None)(shared)
            story(site or shared)
            print(f"ok {number} - {name}: {story.__name__}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name}: {story.__name__} # SKIP {reason}", flush=True)
        except BaseException as error:  # a story may fail in any way; the others go on
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            for program in (site or shared).programs if (site or shared) else []:
                print(f"# --- {program.name}")
                for line in program.tail().splitlines():
                    print("# " + line)
            print(f"not ok {number} - {name}: {story.__name__}", flush=True)
            if isinstance(error, KeyboardInterrupt):
                break
            if not site and shared:  # what it left behind must not fail the next ones
                shared.close()
                shared, shared_of = None, None
        finally:
            if site:
                site.close()
    if shared:
        shared.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
