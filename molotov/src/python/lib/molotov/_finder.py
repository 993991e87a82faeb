"""Imports the package from the sources inside the command, for an embedded interpreter."""

import importlib.abc
import importlib.util
import sys


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        spec = importlib.util.spec_from_loader(name, self, is_package=name == "molotov")
        if name == "molotov":
            spec.submodule_search_locations = []
        return spec

    def is_package(self, name):
        return name == "molotov"

    def get_source(self, name):
        return self._sources[name]

    def get_code(self, name):
        # The name appears in tracebacks. There is no file with this name.
        return compile(self._sources[name], "<%s>" % name, "exec", dont_inherit=True)

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)


def install(sources, core):
    """Makes the package importable, before any other with that name."""
    sys.meta_path.insert(0, _Finder(sources))
    sys.modules["molotov._core"] = core
    import molotov

    molotov._core = core
