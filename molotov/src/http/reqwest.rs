//! http: reqwest.
