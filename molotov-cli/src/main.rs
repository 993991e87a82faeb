//! The molotov command.
fn main() {}
