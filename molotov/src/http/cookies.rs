//! http: cookies.
