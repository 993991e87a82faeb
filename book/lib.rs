//! The Rust examples of the book and the README, as documentation tests.

#![cfg(doctest)]

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {
        $(
            #[doc = include_str!($file)]
            mod $name {}
        )*
    };
}

pages! {
    readme = "../README.md";
    sessions = "src/sessions.md";
    reference = "src/reference/rust.md";
    data = "src/data.md";
    measures = "src/measures.md";
    open_and_closed = "src/open-and-closed.md";
    websocket = "src/websocket.md";
    events = "src/events.md";
    protocols = "src/protocols.md";
    streaming = "src/streaming.md";
    tests = "src/tests.md";
    from_molotov = "src/from-molotov.md";
    from_others = "src/from-others.md";
    troubleshooting = "src/troubleshooting.md";
}
