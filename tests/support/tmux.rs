//! A real terminal: a shell in tmux, with keys to press and a screen to look at.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;

use crate::{Server, wait_until};

/// A shell on a terminal of its own.
pub struct Tmux {
    socket: String,
    directory: TempDir,
}

impl Tmux {
    /// Starts a shell in a terminal of so many columns and rows, which knows the server and these variables.
    ///
    /// # Panics
    ///
    /// When there is no tmux.
    pub fn new(columns: usize, rows: usize, server: &Server, variables: &[(&str, &str)]) -> Tmux {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().expect("a directory");
        let tmux = Tmux { socket: format!("molotov-{}-{number}", std::process::id()), directory };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let journal = tmux.path().join("journal").to_string_lossy().into_owned();
        let mut command = tmux.command();
        command.args(["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &rows]);
        let target = server.url();
        for (name, value) in [("TARGET", target.as_str()), ("JOURNAL", &journal)].iter().chain(variables) {
            command.args(["-e", &format!("{name}={value}")]);
        }
        command.args(["-c", &tmux.path().to_string_lossy(), "bash --norc --noprofile"]);
        assert!(command.status().expect("tmux is there").success());
        tmux.wait_for("bash-");
        tmux
    }

    /// The directory that the shell is in.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        // No UTF-8, no braille.
        command.args(["-u", "-L", &self.socket]).env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("tmux is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line.
    pub fn line(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses a key, as tmux names it.
    pub fn key(&self, key: &str) {
        self.run(&["send-keys", key]);
    }

    /// Sends a signal to what the shell runs.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let status = Command::new("pkill").args([&format!("-{name}"), "-P", shell.trim()]).status();
        assert!(status.expect("pkill is there").success(), "nothing runs in shell {shell}");
    }

    /// The process ID of what the shell runs.
    ///
    /// # Panics
    ///
    /// When it runs nothing.
    pub fn process(&self) -> u32 {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let found = Command::new("pgrep").args(["-P", shell.trim()]).output().expect("pgrep is there");
        String::from_utf8_lossy(&found.stdout).trim().parse().expect("the shell runs one process")
    }

    /// Closes the terminal, as the user does by closing its window.
    pub fn close(&self) {
        self.run(&["kill-server"]);
    }

    /// What the screen shows.
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// What the screen shows, with its colours as escape codes.
    pub fn colored_screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// What the screen shows, and what has gone up out of it.
    pub fn history(&self) -> String {
        self.run(&["capture-pane", "-p", "-S", "-"])
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: usize, rows: usize) {
        self.run(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("the screen shows {text:?}:\n"), || self.screen().contains(text));
    }

    /// Waits until the screen shows a text no more.
    #[track_caller]
    pub fn wait_until_gone(&self, text: &str) {
        wait_until(&format!("the screen shows {text:?} no more"), || !self.screen().contains(text));
    }

    /// Waits until a dashboard has counted two seconds more, and asserts that they used up no part of the run's duration.
    ///
    /// # Panics
    ///
    /// When they did.
    #[track_caller]
    pub fn duration_stands_still(&self) {
        let left = |screen: &str| screen.lines().find(|line| line.contains(" left")).map(str::to_owned);
        let elapsed = |screen: &str| {
            let clock = screen.split("ELAPSED: ").nth(1).unwrap_or_default();
            clock.split([' ', 's', 'm']).next().and_then(|seconds| seconds.parse::<u64>().ok())
        };
        wait_until("the dashboard shows its duration", || {
            let screen = self.screen();
            left(&screen).is_some() && elapsed(&screen).is_some()
        });
        let before = self.screen();
        wait_until("two seconds are over", || elapsed(&self.screen()) >= elapsed(&before).map(|seconds| seconds + 2));
        let after = self.screen();
        assert_eq!(left(&after), left(&before), "{before}\n{after}");
    }

    /// The settings of the terminal.
    ///
    /// # Panics
    ///
    /// When they cannot be read.
    pub fn settings(&self) -> String {
        let file = self.path().join("settings");
        let _ = std::fs::remove_file(&file);
        self.line("stty -a > settings.new; mv settings.new settings");
        wait_until("the settings are written", || file.exists());
        std::fs::read_to_string(file).expect("they are there")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}
