//! The run process: a new process of a program, which runs the user's code.

use std::{
    io,
    process::{Child, Command, ExitStatus},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
};

use crate::engine::remote::{self, Task, ToRun};

/// The longest message, in bytes.
const MAX_LENGTH: usize = 1 << 30;

/// A process that takes part in a run. It is killed when this is dropped, together with what it has started.
#[derive(Debug)]
pub(super) struct RunProcess {
    child: Child,
    group: Option<Pid>,
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
    from: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl RunProcess {
    /// Starts a process, and sends it its task.
    ///
    /// # Errors
    ///
    /// If the system cannot start it.
    pub(super) fn start(mut command: Command, task: &Task) -> io::Result<RunProcess> {
        use std::os::unix::process::CommandExt;

        let ours = remote::connect(&mut command)?;
        // Ctrl-C is for the agent, which stops the process.
        let child = command.process_group(0).spawn()?;
        // The command still has the other end.
        drop(command);
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        ours.set_nonblocking(true)?;
        let (read, write) = tokio::net::UnixStream::from_std(ours)?.into_split();
        let (to, messages) = mpsc::unbounded_channel();
        let (sender, from) = mpsc::unbounded_channel();
        tokio::spawn(send_all(write, messages));
        tokio::spawn(receive_all(read, sender));
        let process = RunProcess { child, group, to: Some(to), from };
        process.send_encoded(task);
        Ok(process)
    }

    pub(super) fn send(&self, message: &ToRun) {
        self.send_encoded(message);
    }

    fn send_encoded(&self, message: &impl Serialize) {
        match postcard::to_extend(message, vec![0; 4]) {
            Ok(mut bytes) => {
                let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
                bytes[..4].copy_from_slice(&length.to_le_bytes());
                // A process that has ended receives nothing.
                let _ = self.to.as_ref().map(|to| to.send(bytes));
            }
            Err(error) => tracing::error!(%error, "a message cannot be encoded"),
        }
    }

    /// Receives the next message of the process; `None` after it has closed its link.
    pub(super) async fn receive(&mut self) -> Option<Vec<u8>> {
        self.from.recv().await
    }

    /// Receives a message that has already arrived.
    pub(super) fn try_receive(&mut self) -> Option<Vec<u8>> {
        self.from.try_recv().ok()
    }

    /// Returns how the process has ended; `None` if it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        // What it has started is in its group, whose number is free for others after `wait`.
        if let Some(pid) = self.group
            && !matches!(
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG),
                Ok(None)
            )
        {
            self.kill();
            self.group = None;
        }
        self.child.try_wait().ok().flatten()
    }

    /// Sends the process and what it has started the signal of Ctrl-C: before the run begins, the process does not read its link while
    /// a fixture runs. The first one interrupts the `global_setup` of a script, the second ends the process.
    pub(super) fn interrupt(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::INT);
        }
    }

    /// Kills the process and what it has started.
    pub(super) fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for RunProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

async fn send_all(mut stream: OwnedWriteHalf, mut messages: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = messages.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn receive_all(mut stream: OwnedReadHalf, sender: mpsc::UnboundedSender<Vec<u8>>) {
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).await.is_err() {
            return;
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_LENGTH {
            return;
        }
        let mut bytes = vec![0; length];
        if stream.read_exact(&mut bytes).await.is_err() || sender.send(bytes).is_err() {
            return;
        }
    }
}
