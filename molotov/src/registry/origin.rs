//! Where something registered was written.

use std::{borrow::Cow, fmt};

/// Where a scenario, a fixture or a listener was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the function.
    pub function: Cow<'static, str>,
    /// Path of the module that holds it, beginning with the crate.
    pub module: Cow<'static, str>,
    /// Source file, as the compiler names it.
    pub file: Cow<'static, str>,
    /// Line in that file, from 1.
    pub line: u32,
    /// The extension it belongs to; inactive until that is named by `--use-extension`.
    pub extension: Option<Cow<'static, str>>,
}

impl Origin {
    /// The file of what Molotov itself registers.
    pub(crate) const BUILT_IN: &'static str = "(built in)";

    /// Whether Molotov registered it, not the user.
    pub(crate) fn is_built_in(&self) -> bool {
        self.file == Origin::BUILT_IN
    }

    /// The crate or extension that may have one fixture of each kind.
    pub(crate) fn home(&self) -> (bool, &str) {
        match &self.extension {
            Some(extension) => (true, extension),
            None => (false, self.module.split("::").next().unwrap_or_default()),
        }
    }

    /// Whether it stands in `module` or below it.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        match self.module.strip_prefix(module) {
            Some(rest) => rest.is_empty() || rest.starts_with("::"),
            None => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
