"""Entry points of the wheel's commands.

The original Molotov has a package `molotov`, too. pip lets either distribution overwrite the other, and a path in `PYTHONPATH`
can hide both. This module lives outside that package, so that the commands can check which one Python loads.
"""

import importlib.machinery
import importlib.metadata
import json
import os
import shlex
import site
import sys
import urllib.parse
import urllib.request

_SITE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NAME = "molotov-rs"


def main():
    """`molotov`: runs a load test, and returns the exit code."""
    check()
    from molotov.run import main

    return main()


def start():
    """`molostart`: writes a small load test, ready to run."""
    check()
    from molotov.run import start

    return start()


def slave():
    """`moloslave`: runs a test of a git repository."""
    check()
    from molotov.run import slave

    return slave()


def check():
    """Ends the process with exit code 1 and a message on stderr unless `import molotov` loads this distribution's package."""
    problem = find_problem()
    if problem is not None:
        sys.stderr.write("error: %s\n" % problem)
        sys.stderr.flush()
        # Not `SystemExit`: while Python starts, that would end in a fatal error of the interpreter.
        os._exit(1)


def find_problem():
    """Returns what is wrong with the package that `import molotov` loads and how to fix it, or None.

    It runs no code of that package.
    """
    spec = importlib.machinery.PathFinder.find_spec("molotov")
    ours = os.path.join(_SITE, "molotov")
    if spec is None or spec.origin is None:
        return "%s lacks files of %s, which removing another package of that name removes; %s" % (
            ours, _NAME, _install_again())
    loaded = os.path.dirname(spec.origin)
    if os.path.realpath(loaded) != os.path.realpath(ours):
        return "Python loads the package `molotov` from %s instead of that of %s in %s; %s" % (
            loaded, _NAME, ours, _unhide(os.path.dirname(loaded)))
    if not all(_is_ours(os.path.join(ours, name)) for name in ("__init__.py", "run.py")):
        return "%s has overwritten the package of %s in %s; %s" % (_other(), _NAME, ours, _install_again())
    return None


def _is_ours(path):
    try:
        with open(path, "rb") as file:
            return b"_core" in file.read()
    except OSError:
        return False


def _other():
    version = _version("molotov")
    return "another `molotov`" if version is None else "the distribution `molotov` %s" % version


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _install_again():
    pip = shlex.quote(sys.executable) + " -m pip "
    install = pip + "install --force-reinstall --no-deps " + _source()
    if _version("molotov") is None:
        return "install it again: `%s`" % install
    return ("take `molotov` out of your requirements, then remove it and install %s again: "
            "`%suninstall --yes molotov && %s`" % (_NAME, pip, install))


def _source():
    """Returns the arguments of `pip install` that install this distribution again."""
    try:
        distribution = importlib.metadata.distribution(_NAME)
        recorded = distribution.read_text("direct_url.json")
        if recorded is None:
            return "%s==%s" % (_NAME, distribution.version)
        origin = json.loads(recorded)
        url, repository = origin["url"], origin.get("vcs_info")
    except (importlib.metadata.PackageNotFoundError, ValueError, KeyError):
        return _NAME
    if repository is not None:
        return shlex.quote("%s+%s@%s" % (repository.get("vcs"), url, repository.get("commit_id")))
    if url.startswith("file:"):
        url = urllib.request.url2pathname(urllib.parse.urlparse(url).path)
    return shlex.quote(url)


def _unhide(directory):
    """Returns how to stop that directory from hiding ours."""
    program = os.path.basename(sys.argv[0])
    if program in ("-m", "__main__.py"):
        program = shlex.quote(sys.executable) + " -m molotov"
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    same = [path for path in paths if path and os.path.realpath(path) == os.path.realpath(directory)]
    if same:
        return "remove %s from PYTHONPATH: `env -u PYTHONPATH %s` runs without it" % (same[0], program)
    if site.ENABLE_USER_SITE and os.path.realpath(site.getusersitepackages()) == os.path.realpath(directory):
        return "remove it: `%s -m pip uninstall molotov`" % shlex.quote(sys.executable)
    return "remove %s from Python's path (`sys.path`), or run %s from another directory" % (directory, program)
