//! Tells the crate its platform and whether it is built without optimisation, and compiles the Python part of the package.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(unoptimized)");
    println!("cargo::rustc-env=MOLOTOV_TARGET={}", std::env::var("TARGET").expect("cargo sets TARGET"));
    // Debug assertions say nothing about it: profiles combine them freely.
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
        println!("cargo::rustc-cfg=unoptimized");
    }
    #[cfg(feature = "python")]
    python::compile();
}

#[cfg(feature = "python")]
mod python {
    use std::{env, fs, path::Path, process::Command};

    /// Writes a dict with the number of the format of the interpreter's byte code, and the code of each module by name.
    const COMPILE: &str = r#"
import glob, importlib.util, marshal, os, sys
codes = {}
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.py"))):
    name = os.path.basename(path)[:-3]
    name = "molotov" if name == "__init__" else "molotov." + name
    with open(path, encoding="utf-8") as file:
        codes[name] = marshal.dumps(compile(file.read(), "<%s>" % name, "exec", dont_inherit=True))
sys.stdout.buffer.write(marshal.dumps((importlib.util.MAGIC_NUMBER, codes)))
"#;

    /// Compiles the modules, so that the command need not do so each time it starts.
    pub(super) fn compile() {
        let package = "src/python/lib/molotov";
        println!("cargo::rerun-if-changed={package}");
        // Without an interpreter, as for another platform, the command compiles the modules when it imports them.
        let compiled = pyo3_build_config::get().executable().and_then(|python| {
            let output = Command::new(python).args(["-I", "-c", COMPILE, package]).output().ok()?;
            output.status.success().then_some(output.stdout)
        });
        let directory = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
        let path = Path::new(&directory).join("package.marshal");
        fs::write(path, compiled.unwrap_or_default()).expect("the build directory can be written to");
    }
}
