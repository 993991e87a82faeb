//! What an agent reports about its machine.

use crate::cluster::{
    program,
    protocol::{AgentId, Candidate, Sha256, VERSION},
};

/// The facts about this machine and program.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) agent: AgentId,
    pub(super) name: String,
    program: Sha256,
}

impl Machine {
    /// Describes this machine. Without a name, it has that of its host.
    ///
    /// # Errors
    ///
    /// If the program cannot be read.
    pub(super) fn new(name: Option<String>) -> Result<Machine, String> {
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let agent = AgentId(std::iter::repeat_with(fastrand::alphanumeric).take(16).collect());
        Ok(Machine { agent, name: name.unwrap_or_else(host), program: program::own_hash()? })
    }

    pub(super) fn candidate(&self, nonce: [u8; 16], needs_signature: bool) -> Candidate {
        let memory = rustix::system::sysinfo();
        Candidate {
            protocol: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            agent: self.agent.clone(),
            name: self.name.clone(),
            target: program::TARGET.to_owned(),
            program: self.program,
            python: python(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory.totalram.saturating_mul(u64::from(memory.mem_unit)),
            nonce,
            needs_signature,
        }
    }
}

/// The version of the Python that scripts run with.
fn python() -> Option<String> {
    #[cfg(feature = "python")]
    return Some(crate::python::version());
    #[cfg(not(feature = "python"))]
    None
}
