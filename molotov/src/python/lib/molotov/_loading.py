"""Loads scripts and extensions, and inspects their functions."""

import importlib
import importlib.util
import os
import sys
from types import FunctionType


class ScriptNotFound(Exception):
    """There is no script or extension with that name."""


def check_uvloop():
    """Rejects `--uvloop` if uvloop is not installed, as the original does."""
    if importlib.util.find_spec("uvloop") is None:
        raise ScriptNotFound("`--uvloop`: uvloop is not installed; install it, or remove the option, since Molotov does not use it")


def load(script):
    """Loads a script by its path, or a module by its name."""
    from molotov.util import set_timer

    set_timer()
    if os.path.exists(script):
        path = os.path.realpath(script)
        directory = os.path.dirname(path)
        if directory not in sys.path:
            sys.path.insert(0, directory)
        spec = importlib.util.spec_from_file_location("loadtest", path)
        if spec is None or spec.loader is None:
            raise ScriptNotFound("`%s` is not a Python script" % script)
        module = importlib.util.module_from_spec(spec)
        sys.modules["loadtest"] = module
        spec.loader.exec_module(module)
        return module
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, "")
    name = script
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is None:
        raise ScriptNotFound("Cannot import %r: there is no file and no module of that name" % script)
    return importlib.import_module(name)


def load_extension(extension):
    """Loads an extension by its path, or a module by its name."""
    if os.path.exists(extension):
        name = os.path.basename(extension).partition(".")[0]
        spec = importlib.util.spec_from_file_location(name, os.path.realpath(extension))
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(name, module)
            spec.loader.exec_module(module)
            return
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, "")
    try:
        importlib.import_module(extension)
    except ModuleNotFoundError as error:
        if error.name is None or not (extension + ".").startswith(error.name + "."):
            raise
        raise ScriptNotFound("Cannot import the extension %r: there is no file and no module of that name" % extension) from None


def _is_plain(func):
    """Returns whether `inspect`, whose import takes long, would find nothing but the function itself."""
    return type(func) is FunctionType and not {"__wrapped__", "__signature__"} & func.__dict__.keys()


def parameters(func):
    """Returns the kind of session that a scenario uses, and the keywords for the function that makes it."""
    if _is_plain(func) and not func.__defaults__ and not func.__kwdefaults__:
        return None, {}
    import inspect

    kind, keywords = None, {}
    for name, parameter in inspect.signature(func).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            continue
        if name == "session_factory":
            kind = parameter.default
        else:
            keywords[name] = parameter.default
    return kind, keywords


def place(func):
    """Returns the module, the name, the file and the line of a function."""
    if _is_plain(func):
        code = func.__code__
    else:
        import inspect

        code = getattr(inspect.unwrap(func), "__code__", None)
    if code is None:
        return func.__module__ or "?", getattr(func, "__name__", "?"), "?", 0
    return func.__module__ or "?", func.__name__, code.co_filename, code.co_firstlineno
