//! Questions to the user, and their answers.

use std::io::{BufRead, Write};

pub(super) struct Questions<'a, I, O> {
    /// Whether to ask questions that have a default.
    pub(super) ask: bool,
    pub(super) input: &'a mut I,
    pub(super) output: &'a mut O,
}

impl<I: BufRead, O: Write> Questions<'_, I, O> {
    /// Asks until `parse` accepts the answer. An empty answer selects the default, if there is one.
    pub(super) fn ask<T>(
        &mut self,
        question: &str,
        mut default: Option<T>,
        shown_default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        if !self.ask
            && let Some(default) = default.take()
        {
            return Ok(default);
        }
        loop {
            let prompt = if default.is_some() { format!("{question} [{shown_default}]") } else { question.to_owned() };
            let written = write!(self.output, "> {prompt}: ").and_then(|()| self.output.flush());
            written.map_err(|error| format!("cannot write to standard output: {error}"))?;
            let mut answer = String::new();
            match self.input.read_line(&mut answer) {
                Ok(0) => {
                    let remedy = if default.is_some() { "--yes uses the defaults" } else { "give it with --source" };
                    return Err(format!("standard input ended before an answer; {remedy}"));
                }
                Ok(_) => {}
                Err(error) => return Err(format!("cannot read standard input: {error}")),
            }
            let parsed = match (answer.trim(), default.take()) {
                ("", Some(default)) => return Ok(default),
                ("", None) => Err("This question has no default.".to_owned()),
                (answer, kept) => {
                    default = kept;
                    parse(answer)
                }
            };
            match parsed {
                Ok(value) => return Ok(value),
                // If the output is closed, the next prompt fails.
                Err(hint) => drop(writeln!(self.output, "{hint}")),
            }
        }
    }
}
