//! http: body.
