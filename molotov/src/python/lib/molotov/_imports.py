"""Calls functions after modules are imported, so that the modules need not be imported for them."""

import sys


def after(name, function):
    """Calls a function after the module `name` is imported: now, if it is."""
    if name in sys.modules:
        function()
    else:
        sys.meta_path.insert(0, _Finder(name, function))


class _Finder:
    """Finds the module as the other finders do."""

    def __init__(self, name, function):
        self._name = name
        self._function = function

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self._imported)
                return spec
        return None

    def _imported(self):
        sys.meta_path.remove(self)
        self._function()


class _Loader:
    """Loads the module as its own loader does."""

    def __init__(self, loader, imported):
        self._loader = loader
        self._imported = imported

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._imported()
