//! When to write colors.

use serde_json::Value as Json;

use super::{
    InvalidValue,
    value::{Value, ValueKind},
};

/// When to write colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set and not empty.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    const ALL: [Color; 3] = [Color::Auto, Color::Always, Color::Never];

    const fn name(self) -> &'static str {
        match self {
            Color::Auto => "auto",
            Color::Always => "always",
            Color::Never => "never",
        }
    }

    /// Returns whether to write colors, given whether the output is a terminal. An empty `NO_COLOR` counts as not set.
    pub(crate) fn is_on(self, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !set("NO_COLOR") && !dumb
            }
        }
    }
}

impl Value for Color {
    type One = Color;

    const KIND: ValueKind = ValueKind::Text;
    const CHOICES: &'static [&'static str] = &[Color::Auto.name(), Color::Always.name(), Color::Never.name()];

    fn read(text: &str) -> Result<Color, InvalidValue> {
        let named = Color::ALL.into_iter().find(|color| color.name() == text);
        named.ok_or_else(|| "write `auto`, `always` or `never`".into())
    }

    fn from_one(one: Color) -> Color {
        one
    }

    fn check(&self, check: fn(&Color) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
        check(self)
    }

    fn json(&self) -> Json {
        self.name().into()
    }
}
