"""Imports the package from the sources inside the command, for an embedded interpreter."""

import importlib.util
import marshal
import sys


class _Finder:
    """A finder and loader. The base classes in `importlib.abc` would import a third of what a script imports."""

    def __init__(self, sources, compiled):
        self._sources = sources
        self._codes = _codes(compiled)

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        spec = importlib.util.spec_from_loader(name, self, is_package=name == "molotov")
        if name == "molotov":
            spec.submodule_search_locations = []
        return spec

    def create_module(self, spec):
        return None

    def is_package(self, name):
        return name == "molotov"

    def get_source(self, name):
        return self._sources[name]

    def get_code(self, name):
        if name in self._codes:
            return marshal.loads(self._codes[name])
        # The name appears in tracebacks. There is no file with this name.
        return compile(self._sources[name], "<%s>" % name, "exec", dont_inherit=True)

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)


def _codes(compiled):
    """Returns the compiled modules, if this interpreter can run them."""
    if not compiled or sys.flags.optimize:
        return {}
    number, codes = marshal.loads(compiled)
    return codes if number == importlib.util.MAGIC_NUMBER else {}


def install(sources, compiled, core):
    """Makes the package importable, before any other with that name."""
    sys.meta_path.insert(0, _Finder(sources, compiled))
    sys.modules["molotov._core"] = core
    import molotov

    molotov._core = core
