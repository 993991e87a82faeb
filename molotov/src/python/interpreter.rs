//! Starts the interpreter inside the command: the one of the active virtual environment, if there is one.

use std::{
    ffi::{CString, OsString},
    fs,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Once, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use pyo3::{ffi, prelude::*};

use super::interrupts::{action, set_action};

/// Starts the interpreter, unless one is running.
///
/// # Errors
///
/// When the active virtual environment has another version of Python, or the interpreter does not start.
pub(super) fn start(line: &[OsString]) -> Result<(), String> {
    if is_started() {
        return Ok(());
    }
    let program = match std::env::var_os("VIRTUAL_ENV") {
        Some(directory) => Some(of_environment(Path::new(&directory))?),
        None => None,
    };
    static ONCE: Once = Once::new();
    let mut started = Ok(());
    ONCE.call_once(|| {
        started = initialize(program.as_deref(), line);
        OURS.store(started.is_ok(), Ordering::Relaxed);
    });
    started
}

/// Whether an interpreter is running.
pub(super) fn is_started() -> bool {
    // SAFETY: the function may be called at any time.
    unsafe { ffi::Py_IsInitialized() != 0 }
}

/// Whether this program has started the interpreter.
static OURS: AtomicBool = AtomicBool::new(false);

/// Ends the interpreter if this program has started it. That runs the functions of `atexit`, for example, and closes open files.
/// Python must not be used afterwards.
pub(super) fn end() {
    if OURS.swap(false, Ordering::Relaxed) {
        // SAFETY: the thread that started the interpreter calls this once, as the last use of the interpreter.
        unsafe {
            ffi::PyGILState_Ensure();
            // The interpreter has reported any error.
            ffi::Py_FinalizeEx();
        }
    }
}

/// The path of the interpreter in a virtual environment. Its version has to be the one that this program was built with.
fn of_environment(directory: &Path) -> Result<PathBuf, String> {
    let program = directory.join("bin/python3");
    let described = fs::read_to_string(directory.join("pyvenv.cfg")).unwrap_or_default();
    let version = described.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        matches!(name.trim(), "version" | "version_info").then(|| value.trim().to_owned())
    });
    let ours = self::version();
    match version {
        Some(version) if !version.starts_with(&format!("{ours}.")) && version != ours => Err(format!(
            "the active virtual environment {} has Python {version}, and this command was built with Python {ours}; \
             install the wheel into that environment, or build the command with its Python (PYO3_PYTHON={})",
            directory.display(),
            program.display()
        )),
        _ => Ok(program),
    }
}

/// The major and minor version of the Python that this program is linked with.
#[doc(hidden)]
pub fn version() -> String {
    // SAFETY: a static string that exists before the interpreter starts.
    let text = unsafe { std::ffi::CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy().into_owned();
    let number = text.split_whitespace().next().unwrap_or_default();
    number.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn initialize(program: Option<&Path>, line: &[OsString]) -> Result<(), String> {
    let check = |status: ffi::PyStatus| {
        // SAFETY: the function only reads the value.
        if unsafe { ffi::PyStatus_Exception(status) } == 0 {
            return Ok(());
        }
        let text = match status.err_msg.is_null() {
            true => "no reason is given".to_owned(),
            // SAFETY: a static string of the interpreter.
            false => unsafe { std::ffi::CStr::from_ptr(status.err_msg) }.to_string_lossy().into_owned(),
        };
        Err(format!("Python does not start: {text}"))
    };
    let text = |text: &std::ffi::OsStr| CString::new(text.as_bytes()).map_err(|error| error.to_string());
    let line = line.iter().map(|argument| text(argument)).collect::<Result<Vec<_>, _>>()?;
    let program = program.map(|program| text(program.as_os_str())).transpose()?;
    let mut config = MaybeUninit::<ffi::PyConfig>::zeroed();
    // SAFETY: `PyConfig_InitPythonConfig` initialises the configuration before its use. It is valid until the interpreter has
    // read it, and is cleared afterwards. The strings outlive the calls that copy them. The last call releases the lock for the
    // other threads.
    unsafe {
        ffi::PyConfig_InitPythonConfig(config.as_mut_ptr());
        let config = config.assume_init_mut() as *mut ffi::PyConfig;
        (*config).install_signal_handlers = 0;
        (*config).parse_argv = 0;
        if let Some(program) = &program {
            check(ffi::PyConfig_SetBytesString(config, &raw mut (*config).program_name, program.as_ptr()))?;
        }
        let mut pointers: Vec<_> = line.iter().map(|argument| argument.as_ptr()).collect();
        check(ffi::PyConfig_SetBytesArgv(config, pointers.len() as _, pointers.as_mut_ptr().cast()))?;
        let status = ffi::Py_InitializeFromConfig(config);
        ffi::PyConfig_Clear(config);
        check(status)?;
        ffi::PyEval_SaveThread();
    }
    Ok(())
}

/// Whether this program has started the interpreter. If so, the interpreter ends with the run.
pub(super) fn is_ours() -> bool {
    OURS.load(Ordering::Relaxed)
}

/// The signals that end a run, and that Python also handles.
const SIGNALS: [libc::c_int; 2] = [libc::SIGINT, libc::SIGTERM];

/// Removes Python's handlers of SIGINT and SIGTERM.
pub(super) fn remove_python_handlers(py: Python<'_>) -> PyResult<()> {
    let threading = py.import("threading")?;
    if !threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?) {
        // Python allows only its main thread to change handlers.
        return Ok(());
    }
    let signal = py.import("_signal")?;
    for name in ["SIGINT", "SIGTERM"] {
        signal.call_method1("signal", (signal.getattr(name)?, signal.getattr("SIG_DFL")?))?;
    }
    Ok(())
}

/// Restores our handlers in a later run of the same interpreter: `signal-hook` installs them once in a process, and Python has
/// replaced them since. The first call, after they are installed, only records them.
pub(crate) fn restore_handlers() {
    static HANDLERS: OnceLock<[Option<libc::sigaction>; 2]> = OnceLock::new();
    let handlers = HANDLERS.get_or_init(|| SIGNALS.map(action));
    for (signal, action) in SIGNALS.into_iter().zip(handlers) {
        if let Some(action) = action {
            set_action(signal, action);
        }
    }
}
