//! Programs for which creating threads, processes or UDP sockets fails, as under `ulimit -u`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::Program;

/// A library that makes some calls of `pthread_create`, `fork` and `socket` fail, as the system does at its limits. `ulimit -u` itself
/// does not apply to root, and counts all processes of the user.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int refused(const char *name, int number) {
    const char *text = getenv(name);
    if (!text) return 0;
    if (text[0] == '=' ? number != atoi(text + 1) : number < atoi(text)) return 0;
    close(open(getenv("TEST_REFUSED"), O_CREAT | O_WRONLY, 0600));
    return 1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
    static int count;
    if (refused("TEST_THREADS", __sync_fetch_and_add(&count, 1))) return EAGAIN;
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attr, start, arg);
}

int socket(int domain, int type, int protocol) {
    static int count;
    int datagrams = (type & SOCK_DGRAM) && domain != AF_UNIX;
    if (datagrams && refused("TEST_DATAGRAMS", __sync_fetch_and_add(&count, 1))) { errno = ENOBUFS; return -1; }
    int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    return real(domain, type, protocol);
}

pid_t fork(void) {
    static int count;
    if (refused("TEST_FORKS", __sync_fetch_and_add(&count, 1))) { errno = EAGAIN; return -1; }
    pid_t (*real)(void) = dlsym(RTLD_NEXT, "fork");
    return real();
}
"#;

/// Which calls fail, counted from 0 in each process.
#[derive(Debug, Clone, Copy)]
pub enum Refused {
    /// This call and all later ones.
    From(usize),
    /// Only this call.
    Only(usize),
}

impl Program {
    /// Makes the creation of threads fail.
    pub fn without_threads(self, refused: Refused) -> Program {
        self.refusing("TEST_THREADS", refused)
    }

    /// Makes forks fail.
    pub fn without_forks(self, refused: Refused) -> Program {
        self.refusing("TEST_FORKS", refused)
    }

    /// Makes the creation of UDP sockets fail.
    pub fn without_datagrams(self, refused: Refused) -> Program {
        self.refusing("TEST_DATAGRAMS", refused)
    }

    fn refusing(self, name: &str, refused: Refused) -> Program {
        let refused = match refused {
            Refused::From(number) => number.to_string(),
            Refused::Only(number) => format!("={number}"),
        };
        let library = library().join("threads.so");
        let marker = marker();
        let _ = std::fs::remove_file(&marker);
        let program = self.env("LD_PRELOAD", &library.to_string_lossy()).env(name, &refused);
        program.env("TEST_REFUSED", &marker.to_string_lossy())
    }
}

/// A file that exists once a call has failed.
fn marker() -> PathBuf {
    library().join("refused")
}

/// The directory with the library, which the C compiler builds.
fn library() -> &'static Path {
    static LIBRARY_FILE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let directory = LIBRARY_FILE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let source = directory.path().join("threads.c");
        std::fs::write(&source, LIBRARY).expect("the source is written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(directory.path().join("threads.so")).arg(&source).arg("-ldl");
        let output = compiler.output().expect("cc starts");
        assert!(output.status.success(), "{output:?}");
        directory
    });
    directory.path()
}

/// Runs a load test of two scenarios, and makes the creation of each of its threads fail: alone, and together with all later
/// ones. `program` makes a program from the options.
///
/// # Panics
///
/// Panics if a run panics, exits with an undocumented code, or does not print what to do.
#[track_caller]
pub fn few_threads_are_a_clear_error(program: impl Fn(&str) -> Program, options: &str) {
    let few: [fn(usize) -> Refused; 2] = [Refused::Only, Refused::From];
    for few in few {
        let mut failed = 0;
        for number in 0..50 {
            let refused = few(number);
            let output = program(options).without_threads(refused).run();
            let context = || format!("`{options}` without threads, {refused:?}: {output:#?}");
            if !marker().exists() {
                assert!(number >= 3 && output.code == Some(0), "{}", context());
                break;
            }
            let output_text = format!("{}{}", output.stdout, output.stderr);
            assert!(!output_text.contains("panicked") && !output_text.contains("the fixture"), "{}", context());
            match output.code {
                Some(0) => assert_eq!(output.totals(), (2, 0), "{}", context()),
                Some(1) => {
                    failed += 1;
                    assert!(output.stderr.contains("error: cannot start a thread"), "{}", context());
                    assert!(output.stderr.contains("ulimit -u"), "{}", context());
                }
                _ => panic!("{}", context()),
            }
        }
        assert!(failed > 0, "`{options}`: no thread is necessary");
    }
}
