//! No screen at all: `-q`, and runs started from code.

use super::Screen;
use crate::run::{Line, Progress, Summary};

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Screen for Quiet {
    fn line(&mut self, _: &Line) {}

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}
