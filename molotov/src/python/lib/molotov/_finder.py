"""Imports the package from the sources inside the command, for an embedded interpreter."""

import _locale
import _signal
import gc
import importlib.util
import marshal
import sys

# Modules of the standard library that others import when they are imported, and that few scripts need. They take a third of the
# time to import the package. What describes failures is not among them, because a program without free file descriptors cannot
# import anything.
_RARE = (
    "array",
    "asyncio.sslproto",
    "asyncio.staggered",
    "fcntl",
    "inspect",
    "ipaddress",
    "locale",
    "signal",
    "ssl",
    "textwrap",
    "tokenize",
)


class _Delayed(type(sys)):
    """Replaces a module in the modules that have imported it, until one of them uses it."""

    def __getattr__(self, name):
        # `from module import name` looks for it. None of them is a package.
        if name == "__path__":
            raise AttributeError(name)
        if sys.meta_path is None and name in _AT_END.get(self.__name__, ()):
            return _AT_END[self.__name__][name]
        return getattr(_load(self), name)

    def __setattr__(self, name, value):
        setattr(_load(self), name, value)

    def __delattr__(self, name):
        delattr(_load(self), name)

    def __dir__(self):
        return dir(_load(self))


def _indent(text, prefix, predicate=None):
    return "".join(prefix + line for line in text.splitlines(True))


def _open(path, open=open):
    return open(path, encoding="utf-8")


# When the interpreter ends, nothing can be imported any more. But finalizers may still end a process or print a traceback.
_AT_END = {
    "locale": vars(_locale),
    "signal": vars(_signal),
    "textwrap": {"indent": _indent},
    "tokenize": {"open": _open},
}


class _Typing(_Delayed):
    """Replaces `typing`, of which `asyncio.timeouts` uses these names for annotations when it is imported."""

    Type = type

    class Optional:
        def __class_getitem__(cls, item):
            return item | None

    @staticmethod
    def final(decorated):
        decorated.__final__ = True
        return decorated


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

    def __init__(self, sources, codes):
        self._sources = sources
        self._codes = codes

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


class _Thaw:
    """Lets the collector look at all objects again when it is dropped."""

    def __del__(self, unfreeze=gc.unfreeze):
        unfreeze()


def _freeze():
    """Keeps the collector from looking at the objects that exist now, which are no garbage as long as the interpreter runs.

    When it ends, it looks for garbage before it drops its modules and after that. Only the first time, all of these objects are
    still in use. The module below goes with the others, and so it ends this in time."""
    frozen = type(sys)("molotov._frozen")
    frozen.thaw = _Thaw()
    sys.modules[frozen.__name__] = frozen
    gc.freeze()


def install(sources, codes, core):
    """Makes the package importable, before any other with that name, and imports it."""
    sys.meta_path.insert(0, _Finder(sources, codes))
    sys.modules["molotov._core"] = core
    delayed = [_Delayed(name) for name in _RARE if name not in sys.modules]
    if "typing" not in sys.modules and sys.version_info >= (3, 11):
        delayed.append(_Typing("typing"))
    sys.modules.update((module.__name__, module) for module in delayed)
    # Modules are no garbage, and the collector would look for it several times while they are imported.
    collects = gc.isenabled()
    gc.disable()
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
    _freeze()
    if collects:
        gc.enable()
