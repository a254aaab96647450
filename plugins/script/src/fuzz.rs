//! Fuzz target: command lines, an argument a line, below the name of the executable.

use witgate_sdk::scripts::{Interpreter, Run, absolute};
use witgate_testkit::fuzz_target;

#[test]
fn command_lines() {
    let words = &[
        "\n",
        "\n-",
        "\n--",
        "python3",
        "node",
        "perl",
        "ruby",
        "bash",
        "java",
        "\n-c",
        "\n-m",
        "\n-jar",
        "\n-W",
        "\n-Bu",
        "\n-r",
        "\n--import",
        "\n-o",
        "\n/srv/app",
        "..",
        "//",
        "\n-0777",
        "\n@x",
        "\u{e9}",
        "\n\n",
    ];
    fuzz_target!("command_lines").words(words).check(|input| {
        let mut lines = input.split(|byte| *byte == b'\n');
        let executable = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let Some(interpreter) = Interpreter::of_executable(&executable) else { return };
        let arguments: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        let among = |word: &str| arguments[1..].iter().any(|argument| argument == word.as_bytes());
        match interpreter.run(&arguments) {
            Ok(Run::File(file)) => {
                assert!(!file.is_empty() && among(file));
                // Whatever stands before it begins with a dash, or is an option's value.
                let at = arguments[1..].iter().position(|word| word == file.as_bytes()).unwrap();
                let option = |word: &Vec<u8>| matches!(word.first(), Some(b'-' | b'+'));
                assert!(at == 0 || arguments[1..=at].iter().any(option), "{arguments:?}");
                if let Some(path) = absolute(file) {
                    assert!(file.starts_with('/') && path.split('/').all(|part| part != ".."));
                }
            }
            Ok(Run::Module(module)) => {
                assert!(arguments[1..].iter().any(|word| word.ends_with(module.as_bytes())));
            }
            Ok(Run::Code | Run::Input) | Err(_) => {}
        }
    });
}
