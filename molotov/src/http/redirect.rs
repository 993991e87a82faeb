//! http: redirect.
