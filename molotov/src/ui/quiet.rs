//! The screen of `-q` and of runs that are started from code: none.

use super::screen::Screen;
use crate::run::{Line, Progress, Summary};

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Screen for Quiet {
    fn line(&mut self, _: &Line) {}

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}
