//! Which package scripts import.

use std::fs;

use super::Scripts;

#[test]
fn another_package_with_the_same_name_is_not_loaded() {
    let script = "import molotov\n\n\n@molotov.scenario()\nasync def one(session):\n    assert molotov.get_context\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let other = scripts.directory.path().join("other");
    fs::create_dir_all(other.join("molotov")).unwrap();
    for name in ["__init__.py", "run.py", "session.py"] {
        fs::write(other.join("molotov").join(name), "raise RuntimeError('the other molotov')\n").unwrap();
    }
    let program = scripts.program("-c --single-run loadtest.py").env("PYTHONPATH", other.to_str().unwrap());
    assert_eq!(program.run().exited(0).totals(), (1, 0));
}
