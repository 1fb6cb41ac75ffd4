#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a manual page from what a program says of itself, so that there is no second description to keep true:
man.py PAGE SECTION VERSION PROGRAM OUTPUT. PAGE muster.conf is the table of settings, muster-pack what `muster pack manual`
says, others the program's --help."""
import re
import subprocess
import sys


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def said(program, option):
    return subprocess.run([program, option], check=True, capture_output=True, encoding="utf-8").stdout


def settings(program):
    yield "muster.conf \\- settings of the programs of muster", ""
    lines = []
    for line in said(program, "--help-config").splitlines():
        name, otherwise, limits, sentence = line.split(None, 3)
        kind = "limits" if ".." in limits else "type"
        otherwise = "none" if otherwise == "-" else otherwise
        lines.append(f".TP\n.B {roff(name)}\n{roff(sentence)}.\nDefault: {roff(otherwise)}; {kind}: {roff(limits)}.")
    yield "DESCRIPTION", ("A libconfig file, named by \\fB\\-\\-config\\fR. Over it goes the environment (MUSTER_TASK_ACK_WAIT\nis "
                          "task.ack_wait), over that \\fB\\-\\-set\\fR task.ack_wait=10s. An unknown setting is an error.")
    yield "SETTINGS", "\n".join(lines)


def program_page(page, program):
    text = said(program, "--help")
    usage, rest = text.split("\n", 1)
    first = rest.split("\n", 1)[0] if not rest.startswith("\n") else "the command line of muster"
    yield f"{roff(page)} \\- {roff(first.rstrip('.'))}", ""
    yield "SYNOPSIS", roff(usage.replace("usage: ", ""))
    yield "DESCRIPTION", ".nf\n" + roff(rest.strip("\n")) + "\n.fi"


def rule_language(program):
    """`#` begins a section, `-` an entry whose text follows behind a tab; what is indented stands as it is."""
    text = subprocess.run([program, "--config", "", "pack", "manual"], check=True, capture_output=True, encoding="utf-8").stdout
    sections = re.split(r"^#", text, flags=re.M)[1:]
    for section in sections:
        title, body = section.split("\n", 1)
        if title == "NAME":
            name, sentence = body.strip().split(": ", 1)
            yield f"{roff(name)} \\- {roff(sentence.rstrip('.'))}", ""
            yield "SYNOPSIS", "muster pack lint|test|show|load|diff PACK...\n.br\nmuster check FILE \\-\\-pack PACK"
            continue
        lines, shown = [], False
        for line in body.splitlines():
            if line.startswith("    ") != shown:
                lines.append(".fi" if shown else ".nf")
                shown = not shown
            if line.startswith("-"):
                entry, meaning = line[1:].split("\t", 1)
                lines.append(f".TP\n.B {roff(entry)}\n{roff(meaning)}")
            else:
                lines.append(roff(line) if line.strip() else ".PP")
        yield title, "\n".join(lines + [".fi"] * shown)


def main(page, section, version, program, output):
    parts = list(settings(program) if page == "muster.conf" else rule_language(program) if page == "muster-pack"
                 else program_page(page, program))
    also = [p for p in ("muster (1)", "muster.conf (5)", "muster-pack (7)", "muster-dispatcher (8)", "muster-recorder (8)", "muster-worker (8)")
            if p.split()[0] != page]
    with open(output, "w", encoding="utf-8") as f:
        f.write(f'.TH {roff(page)} {section} "" "muster {version}"\n.SH NAME\n{parts[0][0]}\n')
        for title, body in parts[1:]:
            f.write(f".SH {title}\n{body}\n")
        f.write(".SH SEE ALSO\n" + ",\n".join(roff(p.replace(" ", "")) for p in also) + "\n")


main(*sys.argv[1:])
