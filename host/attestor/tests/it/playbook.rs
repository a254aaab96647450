//! The playbook in `plugins/README.md`: which selector there is and what it is worth, from what the
//! components say themselves, and what of it a user of SPIRE knows.
//!
//! `WITGATE_WRITE=1 cargo test -p witgate-attestor --test it playbook` writes it anew.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use witgate_attestor::{Catalogue, KeySpec};
use witgate_builtins::ALL;
use witgate_identity::Assurance;

use crate::host::{builtin, load};

/// What stands around the generated part of the page.
const FENCES: [&str; 2] = ["<!-- playbook -->\n", "<!-- end of playbook -->\n"];

/// One line of `spire-selectors.tsv`.
struct Known<'t> {
    spire: &'t str,
    ours: &'t str,
    verdict: &'t str,
    note: &'t str,
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

fn known(text: &str) -> Vec<Known<'_>> {
    text.lines()
        .map(|line| {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().unwrap_or_else(|| panic!("four cells: {line:?}"));
            Known { spire: cell(), ours: cell(), verdict: cell(), note: cell() }
        })
        .collect()
}

/// Plugin, key and what is said of it.
fn keys(catalogue: &Catalogue) -> Vec<(String, &KeySpec)> {
    let mut keys = Vec::new();
    for plugin in catalogue.plugins() {
        let name = plugin.name();
        keys.extend(plugin.manifest().keys().map(|(key, spec)| (format!("{name}:{key}"), spec)));
    }
    keys.sort_by(|(left, a), (right, b)| {
        (b.assurance(true), left).cmp(&(a.assurance(true), right))
    });
    keys
}

fn selectors(keys: &[(String, &KeySpec)], known: &[Known<'_>]) -> String {
    let mut text = String::from(
        "| selector | meaning | assurance | stable | single | SPIRE |\n|---|---|---|---|---|---|\n",
    );
    for (selector, spec) in keys {
        let level = match spec.assurance(true) {
            Assurance::Image => "image (challenged), else claimed".to_owned(),
            level => level.to_string(),
        };
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let name = if spec.named { ":NAME" } else { "" };
        let spire = known.iter().find(|known| known.ours == selector);
        let spire = spire.map(|known| format!("`{}`", known.spire)).unwrap_or_default();
        let (stable, single) = (yes(spec.stable), yes(spec.single));
        writeln!(
            text,
            "| `{selector}{name}` | {} | {level} | {stable} | {single} | {spire} |",
            spec.meaning.replace('|', "\\|"),
        )
        .unwrap();
    }
    text
}

fn comparison(known: &[Known<'_>]) -> String {
    let mut text = String::from("| SPIRE 1.15 | here | | |\n|---|---|---|---|\n");
    for Known { spire, ours, verdict, note } in known {
        let ours = if ours.is_empty() { String::new() } else { format!("`{ours}`") };
        writeln!(text, "| `{spire}` | {ours} | {verdict} | {note} |").unwrap();
    }
    text
}

#[tokio::test]
async fn the_playbook_says_what_the_components_say() {
    let catalogue = load(ALL.iter().map(|found| builtin(found.name)).collect()).await;
    let table = fs::read_to_string(plugins().join("spire-selectors.tsv")).unwrap();
    let (keys, known) = (keys(&catalogue), known(&table));
    for Known { ours, verdict, .. } in &known {
        assert_eq!(ours.is_empty(), *verdict == "missing", "{ours}");
        let there = ours.is_empty() || keys.iter().any(|(selector, _)| selector == ours);
        assert!(there, "no attestor says {ours}");
    }
    let generated = format!(
        "{}\n### From SPIRE's selectors to ours\n\n{}",
        selectors(&keys, &known),
        comparison(&known)
    );
    let page = plugins().join("README.md");
    let written = fs::read_to_string(&page).unwrap();
    let [begin, end] = FENCES.map(|fence| written.find(fence).unwrap_or_else(|| panic!("{fence}")));
    let fresh = format!("{}{}\n{generated}\n{}", &written[..begin], FENCES[0], &written[end..]);
    if std::env::var_os("WITGATE_WRITE").is_some() {
        return fs::write(&page, &fresh).unwrap();
    }
    assert!(written == fresh, "plugins/README.md is stale; see the head of this test");
}
