//! Python scripts in the command: what the comparison with the original does not cover.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "scripts/asyncio.rs"]
mod asyncio;
#[path = "scripts/brokers.rs"]
mod brokers;
#[path = "scripts/command.rs"]
mod command;
#[path = "scripts/cookies.rs"]
mod cookies;
#[path = "scripts/data.rs"]
mod data;
#[path = "scripts/documentation.rs"]
mod documentation;
#[path = "scripts/event_loop.rs"]
mod event_loop;
#[path = "scripts/failures.rs"]
mod failures;
#[path = "scripts/fallback.rs"]
mod fallback;
#[path = "scripts/global_setup.rs"]
mod global_setup;
#[path = "scripts/hosts.rs"]
mod hosts;
#[path = "scripts/loading.rs"]
mod loading;
#[path = "scripts/machines.rs"]
mod machines;
#[path = "scripts/measures.rs"]
mod measures;
#[path = "scripts/mistakes.rs"]
mod mistakes;
#[path = "scripts/nested.rs"]
mod nested;
#[path = "scripts/operations.rs"]
mod operations;
#[path = "scripts/options.rs"]
mod options;
#[path = "scripts/peers.rs"]
mod peers;
#[path = "scripts/printing.rs"]
mod printing;
#[path = "scripts/processes.rs"]
mod processes;
#[path = "scripts/rates.rs"]
mod rates;
#[path = "scripts/recordings.rs"]
mod recordings;
#[path = "scripts/shipping.rs"]
mod shipping;
#[path = "scripts/signals.rs"]
mod signals;
#[path = "scripts/sizing.rs"]
mod sizing;
#[path = "scripts/statsd.rs"]
mod statsd;
#[path = "scripts/streams.rs"]
mod streams;
#[path = "scripts/uploads.rs"]
mod uploads;
#[path = "scripts/urls.rs"]
mod urls;

use std::fs;

use molotov_tests::{Program, Server};

const MOLOTOV: &str = env!("CARGO_BIN_EXE_molotov");

/// A directory with scripts, and a server for them.
struct Scripts {
    directory: tempfile::TempDir,
    server: Server,
}

impl Scripts {
    fn new(scripts: &[(&str, &str)]) -> Scripts {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in scripts {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Scripts { directory, server: Server::new() }
    }

    fn program(&self, line: &str) -> Program {
        Program::new(MOLOTOV, line).in_directory(self.directory.path()).against(&self.server)
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }
}
