# SPDX-License-Identifier: Apache-2.0
"""Labelled inputs for a pack: good records, one in a hundred of them spoilt on purpose, and what each spoilt one breaks.

A module inputs_<pack> has COLUMNS, good(world, number) -> record, FAULTS, and maybe finish(world), which adds what follows
from the whole (rules with `mostly`, totals). A record is a dict of texts; a column that is not in it is missing."""
import importlib

import draw as drawing


class Fault:
    """`put(world, at)` spoils record `at` (from 0) and says what that breaks: {rule: subject}, a subject being a list of
    key values, or None for the record itself. `applies` says of which records it can be made."""

    def __init__(self, name, put, applies=lambda record: True, in_xml=True):
        self.name, self.put, self.applies, self.in_xml = name, put, applies, in_xml


def spoil(name, rules, change, applies=lambda record: True, in_xml=True):
    """A fault of one record alone: `change(draw, record)`."""
    def put(world, at):
        change(world.draw, world.records[at])
        return {rule: None for rule in rules}
    return Fault(name, put, applies, in_xml)


def altered(name, rules, column, new, applies=lambda record: True):
    """A fault that makes a column `new(draw, record)`."""
    return spoil(name, rules, lambda draw, record: record.update({column: new(draw, record)}), applies)


def setting(name, rules, /, applies=lambda record: True, in_xml=True, **values):
    """A fault that gives columns other values; None takes the column away."""
    def change(draw, record):
        for column, value in values.items():
            if value is None:
                record.pop(column, None)
            else:
                record[column] = value
    return spoil(name, rules, change, applies, in_xml)


def other_digit(name, rules, column, applies=None):
    def change(draw, record):
        record[column] = drawing.another_digit(draw, record[column])
    return spoil(name, rules, change, applies or (lambda record: column in record))


class World:
    def __init__(self, seed):
        self.draw, self.records, self.spoilt = drawing.Draw(seed), [], set()
        self.truth, self.labels, self.made = {}, [], 0

    def expect(self, rule, subject):
        subjects = self.truth.setdefault(rule, [])
        if subject not in subjects:
            subjects.append(subject)

    def take(self, count):
        """Records that no other fault has, to be written over."""
        out = []
        while len(out) < count:
            at = self.draw.below(len(self.records))
            if at not in self.spoilt:
                self.spoilt.add(at)
                out.append(at)
        return out

    def untouched(self, wanted):
        """A record that stays good, for a fault that repeats something of it."""
        while True:
            at = self.draw.below(len(self.records))
            if at not in self.spoilt and wanted(self.records[at]):
                self.spoilt.add(at)
                return self.records[at]

    def fresh(self, letter):
        self.made += 1
        return "%s%04d" % (letter, self.made)


def make(pack, count, seed=1, in_xml=False):
    """The world of `count` records. in_xml: only with faults that the pack's own XML form can say."""
    module = importlib.import_module("inputs_" + pack.replace("-", "_"))
    world = World(seed)
    for number in range(1, count + 1):
        world.records.append(module.good(world, number))
    faults = [fault for fault in module.FAULTS if fault.in_xml or not in_xml]
    for turn in range(max(count // 100, 1)):
        fault = faults[turn % len(faults)]
        at = world.take(1)[0]
        while not fault.applies(world.records[at]):
            world.spoilt.discard(at)
            at = world.take(1)[0]
        broken = fault.put(world, at)
        world.labels.append((at + 1, fault.name, sorted(broken)))
        for rule, subject in broken.items():
            world.expect(rule, at + 1 if subject is None else subject)
    if hasattr(module, "finish"):
        module.finish(world)
    for record in world.records:
        for helper in [name for name in record if name.startswith("_")]:
            del record[helper]
    world.columns = module.COLUMNS
    world.truth = {rule: sorted(subjects) for rule, subjects in world.truth.items()}
    return world
