//! The plain console: lines and, on a terminal, a progress line that is rewritten in place.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anstyle::{AnsiColor, Style};
use rustix::io::Errno;

use super::{
    background::Background,
    log::Log,
    origin::origin,
    screen::{RunLimits, Screen},
    unicode::{shows_unicode, to_ascii},
};
use crate::{
    format,
    metrics::Snapshot,
    options::Color,
    report::{layout, text},
    run::{Line, LineKind, MemberLabel, Progress, Summary},
};

/// The width of a pipe, or of a terminal whose width is unknown.
const COLUMNS: usize = 80;
/// Moves to the start of the line and erases it.
const ERASE: &str = "\r\x1b[K";

/// The kind of output that a console writes to: whether a line can be rewritten.
#[derive(Debug, Clone, Copy)]
pub enum OutputKind {
    /// A pipe or a file. No line is rewritten.
    Pipe,
    /// A terminal. The function returns its current width in columns.
    Terminal(fn() -> usize),
}

impl OutputKind {
    fn width(self) -> usize {
        match self {
            OutputKind::Pipe => COLUMNS,
            OutputKind::Terminal(width) => width(),
        }
    }
}

/// The plain console of `-c`.
///
/// ```
/// use molotov::report::{Line, Summary};
/// use molotov::ui::{Console, OutputKind, Screen};
///
/// let mut written = Vec::new();
/// let mut console = Console::new(&mut written, OutputKind::Pipe, false);
/// console.line(&Line::info("Starting").by_worker(0));
/// let mut summary = Summary::default();
/// summary.version = "0.1.0".to_owned();
/// summary.totals.successes = 10;
/// console.finish(&summary);
/// assert_eq!(
///     String::from_utf8(written).unwrap(),
///     "[W:0] Starting\n\
///      **** Molotov v0.1.0. Happy breaking! ****\n\
///      SUCCESSES: 10 | FAILURES: 0\n\
///      *** Bye ***\n"
/// );
/// ```
#[derive(Debug)]
pub struct Console<W> {
    out: W,
    kind: OutputKind,
    color: bool,
    /// Without a terminal, decides which lines are written.
    log: Option<Log>,
    /// The progress line that the terminal shows.
    shown: String,
    /// Whether a write has failed.
    closed: bool,
}

/// Standard output without the lock and the buffer of [`std::io::Stdout`]: while a write blocks, other threads would wait for
/// the lock.
#[derive(Debug, Default)]
pub struct Output {
    /// The number of bytes written.
    written: Arc<AtomicU64>,
    /// Whether to write to standard error instead.
    to_stderr: bool,
}

/// The first error of a write, such as a full disk. A closed pipe is no error.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Takes the first error of a write since the previous call. A closed pipe is no error.
pub(crate) fn take_output_error() -> Option<io::Error> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The size of a write: small enough that a slow reader is seen to make progress.
const WRITE: usize = 4096;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(WRITE)];
        let out = if self.to_stderr { rustix::stdio::stderr() } else { rustix::stdio::stdout() };
        let written = loop {
            match rustix::io::write(out, bytes) {
                // A process that shares the descriptor may have made it non-blocking.
                Err(Errno::AGAIN) => {
                    let mut polled = [rustix::event::PollFd::new(&out, rustix::event::PollFlags::OUT)];
                    rustix::event::poll(&mut polled, None)?;
                }
                Ok(written) => break written,
                Err(error) => {
                    // A closed descriptor has no reader, like a closed pipe.
                    if !matches!(error, Errno::PIPE | Errno::BADF | Errno::INTR) {
                        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.into());
                    }
                    return Err(error.into());
                }
            }
        };
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Console<Output> {
    /// Creates a console on standard output. Whether that is a terminal decides about progress and colors.
    pub fn stdout(color: Color) -> Console<Output> {
        let terminal = io::stdout().is_terminal();
        let color = color.is_on(terminal);
        Console::new(
            Output::default(),
            if terminal { OutputKind::Terminal(terminal_width) } else { OutputKind::Pipe },
            color,
        )
    }

    /// As [`stdout`](Self::stdout), counting the bytes written in `written`.
    #[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the feature `dashboard` uses it"))]
    pub(super) fn stdout_counted(color: Color, written: Arc<AtomicU64>) -> Console<Output> {
        Console { out: Output { written, to_stderr: false }, ..Console::stdout(color) }
    }

    /// Creates a plain-text console on standard error, for runs that write a report to standard output.
    pub fn stderr() -> Console<Output> {
        Console::new(Output { to_stderr: true, ..Output::default() }, OutputKind::Pipe, false)
    }

    /// Moves the console to its own thread, so that a reader that does not read blocks nothing else.
    pub fn in_background(self) -> Background<Console<Output>> {
        let (written, measured) = (self.written(), self.log.is_some());
        Background::new(self, written, measured)
    }

    pub(super) fn written(&self) -> Arc<AtomicU64> {
        self.out.written.clone()
    }
}

impl<W: Write> Console<W> {
    /// Creates a console that writes to `out`.
    pub fn new(out: W, kind: OutputKind, color: bool) -> Console<W> {
        let log = matches!(kind, OutputKind::Pipe).then(Log::new);
        Console { out, kind, color, log, shown: String::new(), closed: false }
    }

    /// Writes whole lines above the progress line, in one write.
    fn write(&mut self, lines: &str) {
        let text = match self.shown.is_empty() {
            true => lines.to_owned(),
            false => format!("{ERASE}{lines}{}", self.shown),
        };
        self.put(&text);
    }

    fn add(&self, lines: &mut String, line: &Line) {
        let is_plain = line.worker.is_none() && line.agent.is_none();
        if matches!(self.kind, OutputKind::Pipe) && line.kind == LineKind::Print && is_plain {
            // Output of a script that another program reads from a pipe stays unchanged.
            lines.push_str(&line.text);
            lines.push('\n');
            return;
        }
        let origin = origin(line);
        // What a scenario prints gets no prefix.
        let worker = line.worker.filter(|_| line.kind != LineKind::Print);
        let mut prefix = worker.map(|worker| format!("[W:{worker}] ")).unwrap_or_default();
        if line.kind == LineKind::Warning {
            prefix.push_str("Warning: ");
        }
        let style = match line.kind {
            LineKind::Info | LineKind::Print => Style::new(),
            LineKind::Failure | LineKind::MoreFailures => AnsiColor::Red.on_default(),
            LineKind::Warning => AnsiColor::Yellow.on_default(),
        };
        let nothing = line.text.is_empty().then_some("");
        for text in line.text.lines().chain(nothing) {
            // Tabs are harmless here, and may separate columns for a program that reads them.
            let text = text.split('\t').map(layout::harmless).collect::<Vec<_>>().join("\t");
            let text = format!("{}{text}", std::mem::take(&mut prefix));
            let text = if style == Style::new() { text } else { self.paint(style, &text) };
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{origin}{text}");
        }
    }

    /// Writes text. Stops writing after an error, such as a closed pipe; the run continues and sets its exit code.
    fn put(&mut self, text: &str) {
        if !self.closed && (self.out.write_all(text.as_bytes()).is_err() || self.out.flush().is_err()) {
            self.closed = true;
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

impl<W: Write + Send> Screen for Console<W> {
    fn line(&mut self, line: &Line) {
        self.lines(std::slice::from_ref(line));
    }

    fn lines(&mut self, lines: &[Line]) {
        if lines.is_empty() || self.closed {
            return;
        }
        let mut text = String::new();
        for line in lines {
            if self.log.as_mut().is_none_or(|log| log.shows(line)) {
                self.add(&mut text, line);
            }
        }
        if !text.is_empty() {
            self.write(&text);
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let OutputKind::Terminal(width) = self.kind else {
            if let Some(text) = self.log.as_mut().and_then(|log| log.progress(progress)) {
                self.put(&text);
            }
            return;
        };
        let mut parts = vec![
            (0, format!("SUCCESSES: {}", progress.totals.successes)),
            (1, format!("FAILURES: {}", progress.totals.failures)),
            (4, format!("WORKERS: {}", progress.workers)),
        ];
        if progress.agents > 0 {
            parts.push((6, format!("AGENTS: {}", progress.agents)));
        } else if progress.processes > 1 {
            parts.push((6, format!("PROCESSES: {}", progress.processes)));
        }
        if let Some(sizing) = progress.sizing {
            parts.push((2, format!("SIZING: {sizing}")));
        }
        match &progress.plan {
            Some(plan) => {
                let rates = format!("ACHIEVED: {} OF {}/s", format::rate(plan.achieved), format::rate(plan.rate));
                parts.push((2, rates));
                for (rank, name, count) in [(3, "LATE", plan.late), (3, "DROPPED", plan.dropped)] {
                    if count > 0 {
                        parts.push((rank, format!("{name}: {count}")));
                    }
                }
            }
            None => parts.push((5, format!("{}/s", format::rate(progress.rate)))),
        }
        parts.push((3, format::clock(progress.totals.elapsed)));
        const BETWEEN: &str = " | ";
        // Some terminals wrap after the last column.
        let room = width().saturating_sub(1) + BETWEEN.len();
        let fitting =
            layout::fitting_parts(room, parts.iter().map(|(rank, text)| (*rank, layout::width(text) + BETWEEN.len())));
        self.shown = fitting.into_iter().map(|place| &*parts[place].1).collect::<Vec<_>>().join(BETWEEN);
        let text = format!("{ERASE}{}", self.shown);
        self.put(&text);
    }

    fn measures(&mut self, _: Option<&MemberLabel>, measures: &Snapshot) {
        if let Some(log) = &mut self.log {
            log.measures(measures);
        }
    }

    fn begin(&mut self, limits: &RunLimits) {
        if let Some(log) = &mut self.log {
            log.begin(limits);
        }
    }

    fn finish(&mut self, summary: &Summary) {
        let hidden = self.log.as_mut().map(Log::hidden_warnings).unwrap_or_default();
        if !std::mem::take(&mut self.shown).is_empty() {
            self.put(ERASE);
        }
        let totals = match &summary.sizing {
            Some(sizing) => text::sizing(sizing, summary, self.kind.width()),
            None => format!("SUCCESSES: {} | FAILURES: {}\n", summary.totals.successes, summary.totals.failures),
        };
        let text = format!(
            "{hidden}**** Molotov v{}. Happy breaking! ****\n{}{totals}*** Bye ***\n",
            summary.version,
            text::table_and_conclusion(summary, self.kind.width(), self.color),
        );
        let ascii = matches!(self.kind, OutputKind::Terminal(_)) && !shows_unicode(|name| std::env::var(name).ok());
        self.put(&if ascii { to_ascii(&text) } else { text });
    }
}

/// The width of the terminal on standard output, in columns.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}
