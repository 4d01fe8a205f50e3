//! What fuzzing the registrar has found worth keeping, replayed: nothing panics, outputs stay few
//! and readable, time gets on.

mod fuzz_script;

use std::path::Path;

#[test]
fn registrar() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/registrar");
    let files = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut replayed = 0;
    for file in files {
        let script = std::fs::read(file.expect("listed").path()).expect("readable");
        fuzz_script::run(&script);
        replayed += 1;
    }
    assert!(replayed > 20, "the corpus is gone: {replayed} files");
}
