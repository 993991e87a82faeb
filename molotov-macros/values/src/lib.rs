//! Parses the times and rates that both the attributes and the options of Molotov take.
//!
//! A crate of attributes cannot export functions. Nothing here is stable: depend on the crate `molotov`. The errors have no text,
//! because attributes and options word them for their place.

pub mod delay;
pub mod rate;
pub mod time;
