//! A real terminal: a shell in tmux, with keys and a screen.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;

use crate::{Server, reached, wait_until};

/// A shell in its own terminal.
pub struct Tmux {
    socket: String,
    directory: TempDir,
}

impl Tmux {
    /// Starts a shell in a terminal of this size. Its environment names the server, and contains these variables.
    ///
    /// # Panics
    ///
    /// Panics if tmux is not installed.
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
        assert!(command.status().expect("tmux is installed").success());
        tmux.wait_for("bash-");
        tmux
    }

    /// The working directory of the shell.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        // The charts need UTF-8.
        command.args(["-u", "-L", &self.socket]).env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("tmux is installed");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line and presses Enter.
    pub fn line(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses a key, given by its name in tmux.
    pub fn key(&self, key: &str) {
        self.run(&["send-keys", key]);
    }

    /// Sends a signal to the program that the shell runs.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let status = Command::new("pkill").args([&format!("-{name}"), "-P", shell.trim()]).status();
        assert!(status.expect("pkill is installed").success(), "nothing runs in shell {shell}");
    }

    /// The process ID of the program that the shell runs.
    ///
    /// # Panics
    ///
    /// Panics if the shell runs no program.
    pub fn process(&self) -> u32 {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let found = Command::new("pgrep").args(["-P", shell.trim()]).output().expect("pgrep is installed");
        String::from_utf8_lossy(&found.stdout).trim().parse().expect("the shell runs one process")
    }

    /// Closes the terminal, as the user does by closing its window.
    pub fn close(&self) {
        self.run(&["kill-server"]);
    }

    /// Writes to the terminal, as another program would.
    pub fn write(&self, text: &str) {
        let terminal = self.run(&["display-message", "-p", "#{pane_tty}"]);
        std::fs::write(terminal.trim(), text).expect("the terminal is open");
    }

    /// The text on the screen.
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// The text on the screen, with colours as escape codes.
    pub fn colored_screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// The text on the screen and in the scrollback.
    pub fn history(&self) -> String {
        self.run(&["capture-pane", "-p", "-S", "-"])
    }

    /// Resizes the terminal.
    pub fn resize(&self, columns: usize, rows: usize) {
        self.run(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Resizes the terminal and presses a key at the same moment.
    pub fn resize_and_press(&self, columns: usize, rows: usize, key: &str) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.run(&["resize-window", "-x", &columns, "-y", &rows, ";", "send-keys", key]);
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let mut screen = String::new();
        let shown = reached(|| {
            screen = self.screen();
            screen.contains(text)
        });
        assert!(shown, "timed out waiting until the screen shows {text:?}:\n{screen}");
    }

    /// Waits until the screen no longer shows a text.
    #[track_caller]
    pub fn wait_until_gone(&self, text: &str) {
        wait_until(&format!("the screen no longer shows {text:?}"), || !self.screen().contains(text));
    }

    /// Waits for two seconds on the dashboard's clock, and asserts that the remaining duration of the run does not change.
    ///
    /// # Panics
    ///
    /// Panics if it does.
    #[track_caller]
    pub fn assert_duration_is_paused(&self) {
        let left = |screen: &str| Some(screen.split_once(" left")?.0.rsplit(' ').next()?.to_owned());
        let elapsed = |screen: &str| {
            let clock = screen.split_once(" elapsed")?.0.rsplit(' ').next()?;
            clock.strip_suffix('s')?.parse::<u64>().ok()
        };
        wait_until("the dashboard shows its duration", || {
            let screen = self.screen();
            left(&screen).is_some() && elapsed(&screen).is_some()
        });
        let before = self.screen();
        wait_until("two seconds have passed", || {
            elapsed(&self.screen()) >= elapsed(&before).map(|seconds| seconds + 2)
        });
        let after = self.screen();
        assert_eq!(left(&after), left(&before), "{before}\n{after}");
    }

    /// The settings of the terminal.
    ///
    /// # Panics
    ///
    /// Panics if they cannot be read.
    pub fn settings(&self) -> String {
        let file = self.path().join("settings");
        let _ = std::fs::remove_file(&file);
        self.line("stty -a > settings.new; mv settings.new settings");
        wait_until("the settings are written", || file.exists());
        std::fs::read_to_string(file).expect("the file exists")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
    }
}
