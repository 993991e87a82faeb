//! http: multipart.
