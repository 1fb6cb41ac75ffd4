# SPDX-License-Identifier: Apache-2.0
"""Marks of live stories."""
import inspect


class Skip(Exception):
    """Raised with the reason when a story cannot be told on this machine."""


def own_site(story=None, **settings):
    """A fresh site for this story, with settings of its own."""
    def mark(function):
        function.own_site = True
        function.settings = settings
        return function
    return mark(story) if story else mark


def stories(module):
    found = [f for _, f in inspect.getmembers(module, inspect.isfunction)
             if f.__module__ == module.__name__ and list(inspect.signature(f).parameters) == ["site"]
             and not f.__name__.startswith("_") and f.__name__ != "prepare"]
    return sorted(found, key=lambda f: f.__code__.co_firstlineno)
