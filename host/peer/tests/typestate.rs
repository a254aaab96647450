//! Leaving out a step does not compile.

#[test]
fn a_step_cannot_be_skipped() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
