//! The locations of registered functions.

use std::{borrow::Cow, fmt};

/// The location of a scenario, fixture or listener in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the function.
    pub function: Cow<'static, str>,
    /// Full path of its module.
    pub module: Cow<'static, str>,
    /// Source file, as in messages of the compiler.
    pub file: Cow<'static, str>,
    /// Line in that file, from 1.
    pub line: u32,
    /// Its extension, if any. It is only used if `--use-extension` names the extension.
    pub extension: Option<Cow<'static, str>>,
}

impl Origin {
    /// The file of functions that Molotov registers.
    pub(crate) const BUILT_IN: &'static str = "(built in)";

    /// Whether Molotov registered it instead of the user.
    pub(crate) fn is_built_in(&self) -> bool {
        self.file == Origin::BUILT_IN
    }

    /// Its crate or extension, which can have one fixture of each kind.
    pub(crate) fn home(&self) -> (bool, &str) {
        match &self.extension {
            Some(extension) => (true, extension),
            None => (false, self.module.split("::").next().unwrap_or_default()),
        }
    }

    /// Whether it is in `module` or one of its submodules.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        match self.module.strip_prefix(module) {
            Some(rest) => rest.is_empty() || rest.starts_with("::"),
            None => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_built_in() {
            true => f.write_str(&self.file),
            false => write!(f, "{}:{}", self.file, self.line),
        }
    }
}
