//! Generates [`Args`], [`Options`] and [`OPTIONS`] from the [table of options](super::table).

use serde_json::Value as Json;

use super::{
    Args, InvalidValue, Options,
    value::{Value, ValueKind},
};

/// The group of an option, which is a heading of `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Load,
    Requests,
    Selection,
    Stopping,
    Reports,
    Output,
    Machines,
    Python,
}

impl Group {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Group::Load => "Load",
            Group::Requests => "Requests",
            Group::Selection => "Selection",
            Group::Stopping => "Stopping",
            Group::Reports => "Reports and thresholds",
            Group::Output => "Output",
            Group::Machines => "Many machines",
            Group::Python => "Python",
        }
    }
}

/// The description of an option with values of type `T`.
pub(crate) struct Description<T: Value> {
    /// One line for `--help`, without the default.
    pub(crate) help: &'static str,
    /// The default in `--help`, if it differs from the value.
    pub(crate) default: Option<&'static str>,
    pub(crate) group: Group,
    /// Whether the original Molotov has the option. Abbreviations prefer its options.
    pub(crate) original: bool,
    pub(crate) short: Option<char>,
    /// Whether it is a positional argument.
    pub(crate) positional: bool,
    /// The placeholder of the value in `--help`, such as `TIME`.
    pub(crate) value: &'static str,
    /// Whether several values may follow the name at once.
    pub(crate) several: bool,
    /// Parses a value, or one value of a list.
    pub(crate) read: fn(&str) -> Result<T::One, InvalidValue>,
    /// Refuses values of the type that are invalid for the option.
    pub(crate) check: fn(&T::One) -> Result<(), InvalidValue>,
    /// Whether a test in a `molotov.json` can set the option.
    pub(crate) in_file: bool,
    /// Whether a command line can set the option.
    pub(crate) on_command_line: bool,
    /// Whether the `global_setup` of a script can change the option, since it is not used before.
    pub(crate) changeable: bool,
}

impl<T: Value> Description<T> {
    /// The defaults of the fields.
    pub(super) const DEFAULT: Description<T> = Description {
        help: "",
        default: None,
        group: Group::Load,
        original: false,
        short: None,
        positional: false,
        value: "VALUE",
        several: false,
        read: T::read,
        check: |_| Ok(()),
        in_file: true,
        on_command_line: true,
        changeable: false,
    };
}

/// An option, independent of the type of its values.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    /// The name as in `molotov.json`: `ramp_up`.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    default: Option<&'static str>,
    pub(crate) group: Group,
    pub(crate) original: bool,
    pub(crate) short: Option<char>,
    pub(crate) positional: bool,
    pub(crate) value: &'static str,
    pub(crate) several: bool,
    pub(crate) in_file: bool,
    pub(crate) on_command_line: bool,
    #[cfg_attr(not(feature = "python"), allow(dead_code, reason = "asked by scripts only"))]
    pub(crate) changeable: bool,
    /// The kind of its values.
    pub(crate) kind: ValueKind,
    /// The valid values, if there are few.
    pub(crate) choices: &'static [&'static str],
    /// Parses and checks a text, and returns options with only this one set. A list has one value.
    pub(crate) read: fn(&str) -> Result<Options, InvalidValue>,
    /// Returns options with only this one set to an empty list or to no value; `None` if it always has a value.
    pub(super) nothing: fn() -> Option<Options>,
    /// Checks the value if it is given.
    pub(super) check: fn(&Options) -> Result<(), InvalidValue>,
    /// The value in a run.
    pub(crate) json: fn(&Args) -> Json,
    /// The given value.
    pub(crate) given: fn(&Options) -> Option<Json>,
}

impl OptionSpec {
    pub(super) const fn new<T: Value>(
        name: &'static str,
        described: Description<T>,
        read: fn(&str) -> Result<Options, InvalidValue>,
        nothing: fn() -> Option<Options>,
        check: fn(&Options) -> Result<(), InvalidValue>,
        json: fn(&Args) -> Json,
        given: fn(&Options) -> Option<Json>,
    ) -> OptionSpec {
        OptionSpec {
            name,
            help: described.help,
            default: described.default,
            group: described.group,
            original: described.original,
            short: described.short,
            positional: described.positional,
            value: described.value,
            several: described.several,
            in_file: described.in_file,
            on_command_line: described.on_command_line,
            changeable: described.changeable,
            kind: T::KIND,
            choices: T::CHOICES,
            read,
            nothing,
            check,
            json,
            given,
        }
    }

    /// The name on the command line, without dashes: `ramp-up`.
    pub(crate) fn long(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The default as the help shows it; `None` if there is nothing to show.
    pub(crate) fn shown_default(&self) -> Option<String> {
        if let Some(default) = self.default {
            return Some(default.to_owned());
        }
        match (self.json)(&Args::default()) {
            Json::Number(number) if self.kind != ValueKind::Count => number.as_f64().map(|number| number.to_string()),
            Json::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Generates the types of the options from the table.
macro_rules! define {
    ($(
        $(#[$doc:meta])+
        $name:ident: $type:ty = $default:expr, { $($field:ident: $value:expr,)+ }
        $method:tt
    )+) => {
        /// The options of a run: as given, or with their defaults.
        ///
        /// Fixtures and scenarios take them as a parameter:
        ///
        /// ```no_run
        /// use molotov::prelude::*;
        ///
        /// #[global_setup]
        /// fn check(args: &Args) -> Result<()> {
        ///     ensure!(args.workers <= 100, "the test system allows at most 100 connections");
        ///     Ok(())
        /// }
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct Args {
            $( $(#[$doc])+ pub $name: $type, )+
            /// Keys of the configuration file that are not options. Scripts can read them.
            pub extra: BTreeMap<String, serde_json::Value>,
            /// The options that are given. All others have their defaults.
            pub(crate) given: Options,
            /// Where they are given.
            pub(crate) sources: Sources,
        }

        impl Default for Args {
            fn default() -> Args {
                Args { $( $name: $default, )+ extra: BTreeMap::new(), given: Options::default(), sources: Sources::default() }
            }
        }

        /// Options that are given on the command line, in a file or by code. `None` means not given.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub(crate) struct Options {
            $( pub(crate) $name: Option<$type>, )+
            pub(crate) extra: BTreeMap<String, serde_json::Value>,
        }

        impl Options {
            /// Merges options. Those of `self` take precedence over those of `lower`.
            pub(crate) fn over(self, lower: Options) -> Options {
                let mut extra = lower.extra;
                extra.extend(self.extra);
                Options { $( $name: self.$name.or(lower.$name), )+ extra }
            }

            /// Adds options that are given later in the same source. Lists grow; other values are replaced.
            pub(crate) fn add(&mut self, later: Options) {
                $( match (&mut self.$name, later.$name) {
                    (Some(value), Some(later)) => Value::add(value, later),
                    (value @ None, later) => *value = later,
                    (Some(_), None) => {}
                } )+
                self.extra.extend(later.extra);
            }
        }

        impl Args {
            /// Sets the options that are given.
            pub(crate) fn change(&mut self, options: Options) {
                $( if let Some(value) = &options.$name {
                    self.$name.clone_from(value);
                } )+
                self.extra.extend(options.extra.clone());
                self.given = options.over(std::mem::take(&mut self.given));
                self.apply_dependent_defaults();
            }
        }

        /// All options, in the order of the table.
        pub(crate) static OPTIONS: &[OptionSpec] = &[ $( {
            const DESCRIBED: Description<$type> = Description { $( $field: $value, )+ ..Description::DEFAULT };
            OptionSpec::new(
                stringify!($name),
                DESCRIBED,
                |text| {
                    let value = (DESCRIBED.read)(text)?;
                    (DESCRIBED.check)(&value)?;
                    Ok(Options { $name: Some(Value::from_one(value)), ..Options::default() })
                },
                || Some(Options { $name: Some(Value::nothing()?), ..Options::default() }),
                |options| options.$name.as_ref().map_or(Ok(()), |value| value.check(DESCRIBED.check)),
                |args| args.$name.json(),
                |options| options.$name.as_ref().map(Value::json),
            )
        }, )+ ];
    };
}
pub(super) use define;
