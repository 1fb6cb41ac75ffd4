#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the schemas as C arrays, so that the library carries the contract: embed.py OUTPUT.c SCHEMA.json..."""
import json
import os
import sys


def c_string(text):
    """C literals in lines short enough for any compiler."""
    data = text.encode()
    lines = [data[i:i + 96] for i in range(0, len(data), 96)]
    return "\n".join('    "' + "".join(chr(b) if 32 <= b < 127 and b not in (34, 92, 63) else f"\\{b:03o}" for b in line) + '"'
                     for line in lines)


def main():
    output, paths = sys.argv[1], sorted(sys.argv[2:])
    parts = ["/* Made by schemas/embed.py. */", '#include "format/schema_builtin.h"', ""]
    rows = []
    for path in paths:
        name = os.path.basename(path)[:-len(".json")]
        with open(path, encoding="utf-8") as f:
            schema = json.load(f)
        assert schema["$id"] == name + ".json", f"{path}: $id is {schema['$id']}"
        text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
        rows.append(f'    {{"{name}",\n{c_string(text)}}},')
    parts += ["const struct mu_builtin_schema mu_builtin_schemas[] = {", *rows, "};",
              f"const size_t mu_builtin_schema_count = {len(rows)};", ""]
    with open(output, "w", encoding="utf-8") as f:
        f.write("\n".join(parts))


if __name__ == "__main__":
    main()
