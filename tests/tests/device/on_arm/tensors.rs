//! Photos become the same tensors, to the byte, on every processor.

use graft_tests::sandbox::run;

use super::{emulated, processors};

#[test]
fn prepared_tensors_have_the_stored_hashes() {
    for (arch, cpu) in processors() {
        let said = run(&mut emulated(arch, &cpu, "tests/stored_hashes")).done();
        assert!(said.stdout.contains("test result: ok. "), "{cpu}: {said}");
        assert!(!said.stdout.contains("ok. 0 passed"), "{cpu}: {said}");
    }
}
