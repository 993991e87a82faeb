"""Reads SSL contexts of scripts."""

import functools
import os
import re
import ssl

from molotov._aiohttp import Unsupported
from molotov._tls import Tls

# OpenSSL does not report the certificates, keys and ciphers of a context, so the calls that set them are recorded.
_NOTED = (
    "load_cert_chain",
    "load_default_certs",
    "load_verify_locations",
    "set_alpn_protocols",
    "set_ciphers",
    "set_default_verify_paths",
    "set_ecdh_curve",
)

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL)


class _Notes:
    """What was set on a context."""

    def __init__(self):
        self.roots = []
        self.identity = None
        self.builtin_roots = False
        # The reason why only aiohttp supports the context.
        self.odd = None
        self.calls = 0
        # The settings that were read last, and the state of the context at that time.
        self.read = (None, None)

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        if password is not None:
            self.odd = "an SSL context with an encrypted private key"
            return
        files = [certfile] if keyfile is None else [certfile, keyfile]
        self.identity = b"\n".join(_content(path) for path in files)

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        if capath is not None:
            self.odd = "an SSL context with a directory of certificates"
        if cafile is not None:
            self.roots.append(_content(cafile))
        if cadata is not None:
            self.roots.append(cadata.encode("ascii") if isinstance(cadata, str) else bytes(cadata))

    def load_default_certs(self, purpose=None):
        self.builtin_roots = True

    def set_default_verify_paths(self):
        self.builtin_roots = True

    def set_alpn_protocols(self, protocols):
        if set(protocols) - {"http/1.1"}:
            self.odd = "an SSL context with its own protocols (ALPN)"

    def set_ciphers(self, ciphers):
        self.odd = "an SSL context with its own ciphers"

    def set_ecdh_curve(self, curve):
        self.odd = "an SSL context with its own curve"

    def certificates(self):
        """Returns the added certificates as DER."""
        found = []
        for given in self.roots:
            blocks = _PEM.findall(given)
            found += [ssl.PEM_cert_to_DER_cert(_plain(block)) for block in blocks] or ([given] if given[:1] == b"0" else [])
        return tuple(found)


def _content(path):
    with open(os.fsdecode(path), "rb") as file:
        return file.read()


def _plain(block):
    return block.decode("ascii").replace("TRUSTED ", "").replace("X509 ", "")


_CLASS = ssl.SSLContext
_CREATE = _CLASS.__new__


def record():
    """Records what is set on SSL contexts, from now on."""
    if _CLASS.__new__ is not _CREATE:
        return

    def create(cls, *arguments, **keywords):
        context = _CREATE(cls, *arguments, **keywords)
        if cls is _CLASS:
            context._molotov_notes = _Notes()
        return context

    _CLASS.__new__ = staticmethod(functools.wraps(_CREATE)(create))
    for name in _NOTED:
        setattr(_CLASS, name, _noting(getattr(_CLASS, name)))


def _noting(method):
    @functools.wraps(method)
    def noting(self, *arguments, **keywords):
        result = method(self, *arguments, **keywords)
        notes = self.__dict__.get("_molotov_notes")
        if notes is not None:
            notes.calls += 1
            try:
                getattr(notes, method.__name__)(*arguments, **keywords)
            except Exception as error:
                notes.odd = "an SSL context that cannot be read (%s)" % error
        return result

    return noting


_HARMLESS = ssl.OP_ALL | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
_HARMLESS |= ssl.OP_SINGLE_DH_USE | ssl.OP_SINGLE_ECDH_USE | ssl.OP_NO_SSLv2 | ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1
_HARMLESS |= ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3 | getattr(ssl, "OP_NO_RENEGOTIATION", 0)
_HARMLESS |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0) | getattr(ssl, "OP_ENABLE_MIDDLEBOX_COMPAT", 0)

_FLAGS = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT | getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)


def settings(context):
    """Returns the settings of a context."""
    notes = context.__dict__.get("_molotov_notes") if type(context) is _CLASS else None
    if notes is None:
        raise Unsupported("an SSL context that cannot be read")
    names = ("options", "minimum_version", "maximum_version", "verify_mode", "verify_flags", "check_hostname")
    state = (notes.calls, *(getattr(context, name) for name in names))
    if notes.read[0] != state:
        notes.read = (state, _reading(context, notes))
    return notes.read[1]


def _reading(context, notes):
    fresh = _CREATE(_CLASS, context.protocol)
    odd = notes.odd
    if (context.options ^ fresh.options) & ~_HARMLESS:
        odd = "an SSL context with its own options"
    if context.verify_flags & ~_FLAGS:
        odd = "an SSL context that looks for revoked certificates"
    if context.keylog_filename is not None:
        odd = "an SSL context that logs its keys"
    lowest = context.minimum_version
    if lowest != fresh.minimum_version and lowest < ssl.TLSVersion.TLSv1_2:
        odd = "an SSL context for TLS 1.1 or older"
    highest = context.maximum_version
    versions = [
        name
        for name, version, off in (
            ("1.2", ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
            ("1.3", ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
        )
        if not context.options & off and lowest <= version and (highest < 0 or version <= highest)
    ]
    if not versions:
        odd = "an SSL context for TLS 1.1 or older"
    if odd is not None:
        raise Unsupported(odd)
    return Tls(
        context.verify_mode != ssl.CERT_NONE,
        context.check_hostname,
        notes.builtin_roots,
        notes.certificates() if context.verify_mode != ssl.CERT_NONE else (),
        notes.identity,
        None,
        versions[0] if len(versions) == 1 else None,
    )
