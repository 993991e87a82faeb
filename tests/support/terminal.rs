//! A pseudoterminal without a screen: keys are bytes, and nothing reads the output.

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::ioctl_fionread,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

/// A pseudoterminal whose output is not read.
pub struct Terminal {
    master: OwnedFd,
    slave: OwnedFd,
}

impl Terminal {
    /// Opens a pseudoterminal with 200 columns and 60 rows.
    ///
    /// # Panics
    ///
    /// Panics if the system has no free pseudoterminal.
    #[allow(clippy::new_without_default, reason = "it opens a device")]
    pub fn new() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("our terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
        let slave = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("the terminal opens");
        let size = Winsize { ws_row: 60, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("it takes a size");
        Terminal { master, slave }
    }

    /// Connects a command's standard input and output to it.
    ///
    /// # Panics
    ///
    /// Panics if no more files can be opened.
    pub fn attach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let copy = || Stdio::from(self.slave.try_clone().expect("it is open"));
        command.stdin(copy()).stdout(copy()).stderr(Stdio::null())
    }

    /// Whether there is unread output.
    ///
    /// # Panics
    ///
    /// Panics if the terminal is closed.
    pub fn is_written(&self) -> bool {
        ioctl_fionread(&self.master).expect("it is open") > 0
    }

    /// Writes until its buffer is full.
    ///
    /// # Panics
    ///
    /// Panics if the terminal is closed.
    pub fn fill(&self) {
        let name = ptsname(&self.master, Vec::new()).expect("a terminal has a name");
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        let mut slave = File::from(open(name, flags, Mode::empty()).expect("the terminal opens"));
        while slave.write(&[b'.'; 256]).is_ok() {}
    }

    /// Types these bytes.
    ///
    /// # Panics
    ///
    /// Panics if the terminal is closed.
    pub fn press(&self, keys: &[u8]) {
        let master = self.master.try_clone().expect("it is open");
        File::from(master).write_all(keys).expect("it takes keys");
    }

    /// Its settings, such as echo and line buffering.
    ///
    /// # Panics
    ///
    /// Panics if the terminal is closed.
    pub fn settings(&self) -> String {
        format!("{:?}", tcgetattr(&self.slave).expect("it is open"))
    }
}
