//! Every word of `wit/` is explained, because authors read nothing else.

use std::path::Path;

use wit_parser::{Docs, Resolve, TypeDefKind};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of things without a word about them.
#[derive(Default)]
struct Silent(Vec<String>);

impl Silent {
    fn check(&mut self, what: &str, docs: &Docs) {
        if docs.contents.as_deref().unwrap_or_default().trim().is_empty() {
            self.0.push(what.to_owned());
        }
    }

    fn check_kind(&mut self, name: &str, kind: &TypeDefKind) {
        match kind {
            TypeDefKind::Record(record) => {
                record
                    .fields
                    .iter()
                    .for_each(|f| self.check(&format!("{name}.{}", f.name), &f.docs));
            }
            TypeDefKind::Variant(variant) => {
                variant
                    .cases
                    .iter()
                    .for_each(|c| self.check(&format!("{name}.{}", c.name), &c.docs));
            }
            TypeDefKind::Enum(words) => {
                words.cases.iter().for_each(|c| self.check(&format!("{name}.{}", c.name), &c.docs));
            }
            _ => {}
        }
    }
}

#[test]
fn every_item_of_the_interfaces_is_documented_and_stands_in_its_own_file() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    let package = &resolve.packages[package];
    assert_eq!(package.name.to_string(), "witgate:attestor@0.1.0");
    let mut silent = Silent::default();
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        silent.check(name, &interface.docs);
        assert!(root().join(format!("wit/{name}.wit")).exists(), "{name} has no file");
        for (function, item) in &interface.functions {
            silent.check(&format!("{name}.{function}"), &item.docs);
        }
        for (word, id) in &interface.types {
            let item = &resolve.types[*id];
            // A type that is only used here is documented where it is made.
            if !matches!(item.kind, TypeDefKind::Type(_)) {
                silent.check(&format!("{name}.{word}"), &item.docs);
                silent.check_kind(&format!("{name}.{word}"), &item.kind);
            }
        }
    }
    assert!(silent.0.is_empty(), "without documentation: {:?}", silent.0);
    assert!(package.interfaces.len() >= 10, "the interfaces were found at all");
}
