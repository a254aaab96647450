use witgate_sdk::testing::{check_fixtures, check_readme};

use super::*;

#[test]
fn every_fixture_gives_its_expected_report() {
    check_fixtures::<K8s>("fixtures");
}

#[test]
fn the_readme_says_what_the_manifest_says() {
    check_readme::<K8s>("README.md");
}
