"""Imports the package from the sources inside the command, for an embedded interpreter."""

import importlib.util
import marshal
import sys

# Modules of the standard library that others import when they are imported, and that few scripts need. They take a third of the
# time to import the package.
_RARE = ("asyncio.sslproto", "asyncio.staggered", "inspect", "ipaddress", "locale", "ssl", "textwrap", "tokenize")


class _Delayed(type(sys)):
    """Replaces a module in the modules that have imported it, until one of them uses it."""

    def __getattr__(self, name):
        return getattr(_load(self), name)

    def __setattr__(self, name, value):
        setattr(_load(self), name, value)


def _load(delayed):
    _remove(delayed)
    module = importlib.import_module(delayed.__name__)
    name = delayed.__name__.rpartition(".")[2]
    for other in list(sys.modules.values()):
        attributes = getattr(other, "__dict__", None)
        if type(attributes) is dict and attributes.get(name) is delayed:
            attributes[name] = module
    return module


def _remove(delayed):
    if sys.modules.get(delayed.__name__) is delayed:
        del sys.modules[delayed.__name__]


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
    """Makes the package importable, before any other with that name, and imports it."""
    sys.meta_path.insert(0, _Finder(sources, compiled))
    sys.modules["molotov._core"] = core
    delayed = [_Delayed(name) for name in _RARE if name not in sys.modules]
    sys.modules.update((module.__name__, module) for module in delayed)
    try:
        import molotov
    finally:
        # Scripts import the modules themselves.
        for module in delayed:
            _remove(module)
    molotov._core = core
    for module in delayed:
        parent, _, name = module.__name__.rpartition(".")
        if parent and not hasattr(sys.modules[parent], name):
            setattr(sys.modules[parent], name, module)
