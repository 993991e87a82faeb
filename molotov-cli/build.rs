//! Lets the command find the Python it was built with, wherever that lives.

fn main() {
    pyo3_build_config::add_libpython_rpath_link_args();
}
