"""A URL and headers with the most used methods of yarl and multidict, if those are not installed."""

from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit


class URL:
    """A URL, split into its parts."""

    def __init__(self, text):
        self._text = quote(str(text), safe="%/:=&?~#+!$,;'@()*[]")
        self._parts = urlsplit(self._text)

    scheme = property(lambda self: self._parts.scheme)
    host = property(lambda self: self._parts.hostname)
    user = property(lambda self: self._parts.username)
    password = property(lambda self: self._parts.password)
    path = property(lambda self: self._parts.path or "/")
    query_string = property(lambda self: self._parts.query)
    fragment = property(lambda self: self._parts.fragment)
    raw_fragment = fragment

    @property
    def port(self):
        return self._parts.port or {"http": 80, "https": 443}.get(self.scheme)

    @property
    def query(self):
        return dict(parse_qsl(self._parts.query, keep_blank_values=True))

    def extend_query(self, params):
        items = params.items() if hasattr(params, "items") else params
        added = params if isinstance(params, str) else urlencode(list(items))
        query = "&".join(part for part in (self._parts.query, added) if part)
        return URL(urlunsplit(self._parts._replace(query=query)))

    def with_scheme(self, scheme):
        return URL(urlunsplit(self._parts._replace(scheme=scheme)))

    def with_user(self, user):
        host = self._parts.netloc.rpartition("@")[2]
        return URL(urlunsplit(self._parts._replace(netloc=host if user is None else "%s@%s" % (user, host))))

    def with_fragment(self, fragment):
        return URL(urlunsplit(self._parts._replace(fragment=fragment or "")))

    def join(self, other):
        return URL(urljoin(self._text, str(other)))

    def __str__(self):
        return self._text if self._parts.path else urlunsplit(self._parts._replace(path="/"))

    def __repr__(self):
        return "URL(%r)" % str(self)

    def __eq__(self, other):
        return isinstance(other, URL) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))


class Headers:
    """Headers by case-insensitive name."""

    def __init__(self, pairs):
        self._pairs = [(str(name), str(value)) for name, value in pairs]

    def getall(self, name, *default):
        found = [value for known, value in self._pairs if known.lower() == name.lower()]
        if not found and default:
            return default[0]
        if not found:
            raise KeyError(name)
        return found

    def get(self, name, default=None):
        return next((value for known, value in self._pairs if known.lower() == name.lower()), default)

    def __getitem__(self, name):
        return self.getall(name)[0]

    def __setitem__(self, name, value):
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()] + [(name, value)]

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]

    def clear(self):
        self._pairs = []

    def add(self, name, value):
        self._pairs.append((name, value))

    def update(self, other=(), **more):
        for name, value in [*(other.items() if hasattr(other, "items") else other), *more.items()]:
            self[name] = value

    def __contains__(self, name):
        return any(known.lower() == str(name).lower() for known, _ in self._pairs)

    def __iter__(self):
        return (name for name, _ in self._pairs)

    def __len__(self):
        return len(self._pairs)

    def keys(self):
        return [name for name, _ in self._pairs]

    def values(self):
        return [value for _, value in self._pairs]

    def items(self):
        return list(self._pairs)

    def __repr__(self):
        return "<%s>" % ", ".join("%r: %r" % pair for pair in self._pairs)
