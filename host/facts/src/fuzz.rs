//! Fuzz targets: what authors and operators hand in.

use witgate_testkit::fuzz_target;

use crate::{Capability, PluginToml, fixture::Recorded};

#[test]
fn plugin_toml() {
    let words: &[&str] = &[
        "requests = [",
        "'environ:HOME'",
        "'files.workload:/../etc/shadow'",
        "'files.host:/'",
        "'http:docker'",
        "'cache:plugin'",
        "\\u001b",
        "\n[",
        "name = ",
        "\"\"\"",
    ];
    fuzz_target!("plugin_toml").words(words).check(|input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let read = match PluginToml::parse(text) {
            Ok(read) => read,
            // The TOML parser quotes the line; whoever shows that makes it harmless.
            Err(error) => {
                assert!(error.len() <= 8 * text.len() + 4096, "{error}");
                return;
            }
        };
        let texts = [&read.version, &read.description].into_iter().chain(&read.language);
        for text in texts {
            assert!(text.len() <= 512 && !text.chars().any(char::is_control), "{text:?}");
        }
        let again = PluginToml::parse(&toml::to_string(&read).unwrap());
        assert_eq!(again, Ok(read.clone()));
        for needed in read.needed() {
            assert!(read.requests.cover(&needed));
            assert_eq!(needed.to_string().parse(), Ok(needed));
        }
    });
}

#[test]
fn capability() {
    let words: &[&str] = &["environ:", "files.host:", "files.workload:", "/../", "/./", "//", "\0"];
    fuzz_target!("capability").words(words).check(|input| {
        let text = String::from_utf8_lossy(input);
        let Some((word, asked)) = text.split_once('\n') else { return };
        match word.parse::<Capability>() {
            Err(error) => assert!(error.to_string().len() <= 20 * word.len() + 512, "{error}"),
            Ok(granted) => {
                assert_eq!(granted.to_string(), word);
                let Ok(asked) = asked.parse::<Capability>() else { return };
                assert!(granted.covers(&granted));
                assert_eq!(granted.covers(&asked), covers(word, &asked.to_string()));
            }
        }
    });
}

/// Component by component: a grant that ends with a slash is that directory and what is below it.
fn covers(granted: &str, asked: &str) -> bool {
    let is_path = granted.starts_with("files.");
    let Some(directory) = granted.strip_suffix('/').filter(|_| is_path) else {
        return granted == asked;
    };
    let (above, asked) = (directory.split('/'), asked.split('/').collect::<Vec<_>>());
    above.enumerate().all(|(place, part)| asked.get(place) == Some(&part))
}

#[test]
fn fixture() {
    let words: &[&str] = &[
        "\"process.credentials\"",
        "{\"ok\":",
        "{\"err\":",
        "\"denied\"",
        "{\"base64\":\"/wA=\"}",
        "null",
        "4294967296",
        "-1",
        "1e999",
        "[[[[[[[[",
        "\\ud800",
    ];
    fuzz_target!("fixture").words(words).check(|input| match serde_json::from_slice(input) {
        Ok(read) => {
            let read: Recorded = read;
            let text = serde_json::to_vec(&read).unwrap();
            assert_eq!(serde_json::from_slice::<Recorded>(&text).unwrap(), read);
        }
        Err(error) => assert!(error.to_string().len() <= 4 * input.len() + 4096, "{error}"),
    });
}
