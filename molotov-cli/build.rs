//! Makes the command find the libpython that it was built with.

fn main() {
    pyo3_build_config::add_libpython_rpath_link_args();
}
