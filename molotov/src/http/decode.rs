//! http: decode.
