//! Where options are given, so that messages name them as the user has written them.

use std::{collections::BTreeMap, path::PathBuf};

/// Where an option is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// By a method of [`LoadTest`](crate::LoadTest).
    #[default]
    Code,
    CommandLine,
    /// In a test of a configuration file.
    File {
        test: String,
        path: PathBuf,
    },
    /// By the `global_setup` of a script.
    #[cfg_attr(not(feature = "python"), allow(dead_code, reason = "only scripts change options"))]
    Script,
}

/// The sources of the options of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sources {
    /// The source of all options that are not in `others`.
    main: Source,
    others: BTreeMap<&'static str, Source>,
}

impl Sources {
    pub(crate) fn new(main: Source) -> Sources {
        Sources { main, others: BTreeMap::new() }
    }

    /// Sets the source of an option.
    pub(crate) fn set(&mut self, option: &'static str, source: Source) {
        self.others.insert(option, source);
    }

    /// Returns the source of an option.
    pub(crate) fn of(&self, option: &str) -> &Source {
        self.others.get(option).unwrap_or(&self.main)
    }

    /// Returns an option as the user writes it: `--ramp-up`.
    pub(super) fn name(&self, option: &str) -> String {
        match self.of(option) {
            // The only method with another name.
            Source::Code if option == "stage" => "`stages`".to_owned(),
            Source::Code => format!("`{option}`"),
            Source::CommandLine => format!("`--{}`", option.replace('_', "-")),
            Source::File { test, path } => format!("`{option}` in the test `{test}` of `{}`", path.display()),
            Source::Script => format!("`args.{option}`"),
        }
    }
}
