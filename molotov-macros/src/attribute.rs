//! The arguments of attributes: `weight = 40, name = "browse"`.

use molotov_values::rate::{self, RateError};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Error, Expr, ExprLit, ExprPath, ExprUnary, Ident, Lit, LitStr, Path, Result, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    spanned::Spanned,
};

use crate::delay::{self, Delay};

/// The ten attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scenario,
    ScenarioPicker,
    GlobalSetup,
    Setup,
    SetupSession,
    TeardownSession,
    Teardown,
    GlobalTeardown,
    Events,
    SessionFactory,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Scenario => "scenario",
            Kind::ScenarioPicker => "scenario_picker",
            Kind::GlobalSetup => "global_setup",
            Kind::Setup => "setup",
            Kind::SetupSession => "setup_session",
            Kind::TeardownSession => "teardown_session",
            Kind::Teardown => "teardown",
            Kind::GlobalTeardown => "global_teardown",
            Kind::Events => "events",
            Kind::SessionFactory => "session_factory",
        }
    }

    pub(crate) fn is_async(self) -> bool {
        !matches!(self, Kind::ScenarioPicker | Kind::GlobalSetup | Kind::Teardown | Kind::GlobalTeardown)
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Kind::Scenario => &["weight", "delay", "pacing", "rate", "name", "extension", "crate"],
            Kind::GlobalSetup => &["once", "extension", "crate"],
            _ => &["extension", "crate"],
        }
    }
}

/// The arguments of an attribute.
pub(crate) struct Arguments {
    pub(crate) weight: Option<Number>,
    pub(crate) delay: Option<Delay>,
    pub(crate) pacing: Option<Number>,
    /// In millionths of a start per hour.
    pub(crate) rate: Option<u64>,
    pub(crate) name: Option<LitStr>,
    /// Whether the fixture runs once for all machines.
    pub(crate) once: bool,
    pub(crate) extension: Option<LitStr>,
    pub(crate) molotov: TokenStream,
}

/// A number, or the path of a constant.
pub(crate) enum Number {
    Known(f64, Span),
    Constant(Path),
}

impl Arguments {
    /// Parses the arguments. Invalid ones are left out and reported in the error.
    pub(crate) fn parse(kind: Kind, tokens: TokenStream) -> (Arguments, Option<Error>) {
        let mut arguments = Arguments {
            weight: None,
            delay: None,
            pacing: None,
            rate: None,
            name: None,
            once: false,
            extension: None,
            molotov: quote!(::molotov),
        };
        let parser = |input: ParseStream<'_>| arguments.read(kind, input);
        let error = parser.parse2(tokens).err();
        (arguments, error)
    }

    fn read(&mut self, kind: Kind, input: ParseStream<'_>) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            if input.peek(Lit) {
                let literal: Lit = input.parse()?;
                let advice = match (kind, &literal) {
                    (Kind::Scenario, Lit::Str(_)) => format!("write `name = {}`", literal.to_token_stream()),
                    (Kind::Scenario, _) => format!("write `weight = {}`", literal.to_token_stream()),
                    _ => listing(kind),
                };
                return Err(Error::new(literal.span(), format!("arguments need names: {advice}")));
            }
            let key = Ident::parse_any(input)?;
            let name = key.unraw().to_string();
            if !kind.arguments().contains(&name.as_str()) {
                return Err(Error::new(key.span(), unknown(kind, &name)));
            }
            if seen.contains(&name) {
                return Err(Error::new(key.span(), format!("`{name}` is given twice: keep one")));
            }
            if name == "once" {
                if input.peek(Token![=]) {
                    return Err(Error::new(key.span(), "`once` takes no value: write `once`"));
                }
                self.once = true;
                seen.push(name);
                separator(input)?;
                continue;
            }
            if !input.peek(Token![=]) {
                return Err(Error::new(key.span(), format!("`{name}` needs a value: write `{}`", example(&name))));
            }
            input.parse::<Token![=]>()?;
            if input.is_empty() || input.peek(Token![,]) {
                return Err(Error::new(key.span(), format!("`{name}` needs a value: write `{}`", example(&name))));
            }
            match name.as_str() {
                "weight" => self.weight = Some(number(input, "weight", "a number, 0 or more")?),
                "delay" => self.delay = Some(delay::delay(input)?),
                "pacing" => self.pacing = Some(delay::pacing(input)?),
                "rate" => self.rate = Some(rate(input)?),
                "name" => self.name = Some(text(input, "name")?),
                "extension" => self.extension = Some(text(input, "extension")?),
                _ => self.molotov = crate_path(input)?,
            }
            if name == "rate" || seen.iter().any(|seen| seen == "rate") {
                let useless = ["weight", "delay", "pacing"]
                    .into_iter()
                    .find(|other| name == *other || seen.iter().any(|seen| seen == other));
                if let Some(useless) = useless {
                    return Err(Error::new(key.span(), beside_a_rate(useless)));
                }
            }
            seen.push(name);
            separator(input)?;
        }
        Ok(())
    }
}

/// Parses the comma after an argument.
fn separator(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if !input.peek(Token![,]) {
        return Err(input.error("arguments are separated by `,`"));
    }
    input.parse::<Token![,]>().map(drop)
}

fn example(name: &str) -> &'static str {
    match name {
        "weight" => "weight = 40",
        "delay" => "delay = 0.5",
        "pacing" => "pacing = \"10s\"",
        "rate" => "rate = \"10/s\"",
        "name" => "name = \"browse\"",
        "extension" => "extension = \"average_time\"",
        _ => "crate = other_name",
    }
}

fn listing(kind: Kind) -> String {
    let names: Vec<String> = kind.arguments().iter().map(|name| format!("`{name}`")).collect();
    format!("`{}` takes {}", kind.name(), names.join(", "))
}

fn unknown(kind: Kind, name: &str) -> String {
    if kind != Kind::Scenario && Kind::Scenario.arguments().contains(&name) {
        return format!("`{name}` is an argument of `scenario`; {}", listing(kind));
    }
    if name == "once" {
        return format!("`once` is an argument of `global_setup`; {}", listing(kind));
    }
    let nearest = kind.arguments().iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((far, known)) if far <= 2 => format!("unknown argument `{name}`; did you mean `{known}`?"),
        _ => format!("unknown argument `{name}`; {}", listing(kind)),
    }
}

/// The Levenshtein distance.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn number(input: ParseStream<'_>, name: &str, wanted: &str) -> Result<Number> {
    number_of(&input.parse()?, name, &format!("`{name}` is {wanted}"))
}

/// The number that an expression is, or an error that begins with `wanted`.
pub(crate) fn number_of(expression: &Expr, name: &str, wanted: &str) -> Result<Number> {
    let wrong = |advice: &str| Error::new(expression.span(), format!("{wanted}{advice}"));
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            let value = int.base10_parse::<u64>().map_err(|_| wrong(""))?;
            Ok(Number::Known(value as f64, int.span()))
        }
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => match float.base10_parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Number::Known(value, float.span())),
            _ => Err(wrong("")),
        },
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().parse::<f64>().is_ok() => {
            Err(wrong(&format!(": write `{name} = {}` without quotes", text.value())))
        }
        Expr::Unary(ExprUnary { .. }) => Err(wrong("; it must not be negative")),
        Expr::Path(ExprPath { path, qself: None, .. }) => Ok(Number::Constant(path.clone())),
        _ => Err(wrong(&format!(": write `{}`", example(name)))),
    }
}

fn text(input: ParseStream<'_>, name: &str) -> Result<LitStr> {
    let expression: Expr = input.parse()?;
    match &expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty() => {
            let left_out = if name == "name" { ", or leave it out to use the function's" } else { "" };
            Err(Error::new(text.span(), format!("`{name}` is empty: write `{}`{left_out}", example(name))))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        other => Err(Error::new(other.span(), format!("`{name}` must be a string: write `{}`", example(name)))),
    }
}

/// The rate of a scenario, in millionths of a start per hour.
fn rate(input: ParseStream<'_>) -> Result<u64> {
    let text = match input.parse()? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text,
        other => {
            return Err(Error::new(
                other.span(),
                "`rate` must be a string with a unit of time: write `rate = \"10/s\"`",
            ));
        }
    };
    let error = |why: &str| Error::new(text.span(), format!("`rate` {why}"));
    match rate::parse(&text.value()) {
        Ok(0) | Err(RateError::Negative) => Err(error("must be higher than 0")),
        Ok(rate) => Ok(rate),
        Err(RateError::Malformed) => {
            Err(error("is a number and a unit of time: write `rate = \"10/s\"`, `\"30/m\"` or `\"2000/h\"`"))
        }
        Err(RateError::TooHigh) => Err(error("is at most `\"1000000/s\"`")),
    }
}

fn beside_a_rate(useless: &str) -> &'static str {
    match useless {
        "weight" => "a scenario with a `rate` is not picked by weight: leave out `weight` or `rate`",
        "pacing" => "`rate` says when the scenario starts, whatever its `pacing`: leave out `pacing` or `rate`",
        _ => "`rate` says when the scenario starts, whatever its `delay`: leave out `delay` or `rate`",
    }
}

pub(crate) fn crate_path(input: ParseStream<'_>) -> Result<TokenStream> {
    let path = if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        text.parse_with(Path::parse_mod_style).map_err(|_| {
            Error::new(text.span(), "`crate` is the path of the `molotov` crate: write `crate = other_name`")
        })?
    } else {
        input.call(Path::parse_mod_style).map_err(|error| {
            Error::new(error.span(), "`crate` is the path of the `molotov` crate: write `crate = other_name`")
        })?
    };
    Ok(path.into_token_stream())
}

impl Number {
    /// An `f64` constant.
    pub(crate) fn tokens(&self, molotov: &TokenStream) -> TokenStream {
        match self {
            Number::Known(value, span) => {
                let mut literal = proc_macro2::Literal::f64_suffixed(*value);
                literal.set_span(*span);
                literal.into_token_stream()
            }
            Number::Constant(path) => quote!(#path as #molotov::__private::f64),
        }
    }
}
