//! The command line of a load test: from `argv` to an exit code.

mod duration;
mod options;
mod prefix;
