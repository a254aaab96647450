//! Fuzz target: records of packages behind the path of a script and the name of a folder, a line each.

use witgate_testkit::fuzz_target;

use super::{dist_info, has, normal, places};

#[test]
fn records() {
    let words = &[
        "\n",
        "/bin/",
        "/site-packages/",
        "../../../bin/",
        ",sha256=",
        ".dist-info",
        "-1.0",
        "\"",
        "..",
        "_",
        "/srv/venv",
        "\u{e9}",
    ];
    fuzz_target!("records").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let mut lines = text.splitn(3, '\n');
        let (script, folder) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let record = lines.next().unwrap_or_default();
        for place in places(script, "3.11") {
            let end = place.recorded.trim_start_matches("../");
            assert!(script.ends_with(end), "{script:?} {place:?}");
            if has(record.as_bytes(), &place.recorded) {
                assert!(record.contains(&place.recorded));
            }
            if let Some((_, found)) = dist_info(folder, &place.name) {
                assert!(folder.starts_with(&found.name) && normal(&found.name) == place.name);
            }
        }
        assert_eq!(normal(&normal(script)), normal(script));
    });
}
