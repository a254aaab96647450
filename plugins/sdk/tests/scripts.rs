//! What interpreters say of their own options, as cases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use witgate_sdk::scripts::{Interpreter, Run, absolute};

fn run(line: &str) -> String {
    let arguments: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    let own = line.split(' ').next().unwrap().trim_start_matches('-');
    match Interpreter::of_executable(own).unwrap().run(&arguments) {
        Ok(Run::File(file)) => format!("file {file}"),
        Ok(Run::Module(module)) => format!("module {module}"),
        Ok(Run::Code) => "code".to_owned(),
        Ok(Run::Input) => "input".to_owned(),
        Err(_) => "unclear".to_owned(),
    }
}

fn all_are(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(run(line), *expected, "{line}");
    }
}

#[test]
fn an_interpreter_is_told_by_its_file() {
    for (path, interpreter) in [
        ("/usr/bin/python3.11", Interpreter::Python),
        ("/usr/lib/pypy3/pypy3-c", Interpreter::Python),
        ("/opt/node/bin/node", Interpreter::Node),
        ("/usr/bin/nodejs", Interpreter::Node),
        ("/usr/bin/ruby3.1", Interpreter::Ruby),
        ("/usr/bin/perl5.36-x86_64-linux-gnu", Interpreter::Perl),
        ("/usr/bin/dash", Interpreter::Shell),
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", Interpreter::Java),
    ] {
        assert_eq!(Interpreter::of_executable(path), Some(interpreter), "{path}");
    }
    for other in ["", "/", "/usr/bin/pythonista", "/x/python/", "node-gyp", "javac", "bashful", "-"]
    {
        assert_eq!(Interpreter::of_executable(other), None, "{other}");
    }
}

#[test]
fn python() {
    all_are(&[
        ("python3 /srv/app.py -c x", "file /srv/app.py"),
        ("python3 -Bu -W ignore -Xdev -X importtime app.py", "file app.py"),
        ("/venv/bin/python -m gunicorn app:app", "module gunicorn"),
        ("python3 -umgunicorn", "module gunicorn"),
        ("python3 -Ic import", "code"),
        ("python3 --check-hash-based-pycs always -- -odd.py", "file -odd.py"),
        ("python3 -", "input"),
        ("python3", "input"),
        ("python3 -m", "unclear"),
        ("python3 -Z /srv/app.py", "unclear"),
        ("python3 --unknown /srv/app.py", "unclear"),
    ]);
}

#[test]
fn perl() {
    all_are(&[
        ("perl -w -T /usr/bin/foo", "file /usr/bin/foo"),
        ("perl -I /lib -I/lib -MStrict -i.bak foo.pl", "file foo.pl"),
        ("perl -lane print", "code"),
        ("perl -0777 -pe s/a/b/ file", "code"),
        ("perl -l012 foo.pl", "file foo.pl"),
        ("perl -d:NYTProf foo.pl", "file foo.pl"),
        ("perl -Q foo.pl", "unclear"),
    ]);
}

#[test]
fn ruby() {
    all_are(&[
        ("ruby -w -I lib -rset -r json -W0 bin/app.rb", "file bin/app.rb"),
        ("ruby --yjit --disable-gems --encoding utf-8 /srv/app.rb", "file /srv/app.rb"),
        ("ruby -ne puts", "code"),
        ("ruby -C /srv app.rb", "file app.rb"),
        ("ruby --surprise app.rb", "unclear"),
    ]);
}

#[test]
fn shell() {
    all_are(&[
        ("bash /usr/bin/ldd -x", "file /usr/bin/ldd"),
        ("bash -euo pipefail /srv/run.sh", "file /srv/run.sh"),
        ("bash +x -O extglob --norc --rcfile /etc/rc /srv/run.sh", "file /srv/run.sh"),
        ("bash -ec exit", "code"),
        ("bash -s arg", "input"),
        ("-bash", "input"),
        ("sh - /srv/run.sh", "file /srv/run.sh"),
        ("sh -- -run.sh", "file -run.sh"),
        ("bash --unknown /srv/run.sh", "unclear"),
    ]);
}

#[test]
fn node() {
    all_are(&[
        ("node /srv/server.js --eval x", "file /srv/server.js"),
        ("node --inspect --max-old-space-size=4096 -r dotenv/config server.js", "file server.js"),
        ("node --import ./x.mjs --no-warnings --env-file .env server.js", "file server.js"),
        ("node -pe 1", "code"),
        ("node --eval=1 server.js", "code"),
        ("node --title x -- server.js", "file server.js"),
        ("node --run build", "unclear"),
    ]);
}

#[test]
fn java() {
    all_are(&[
        ("java -Xmx1g -Dx=y -javaagent:/a.jar -jar /opt/app.jar --port 1", "file /opt/app.jar"),
        (
            "java -cp /a:/b --add-opens java.base/x=ALL-UNNAMED --add-modules=y com.acme.Main",
            "module com.acme.Main",
        ),
        ("java -p mods -m app/com.acme.Main", "module app/com.acme.Main"),
        ("java --module=app", "module app"),
        ("java --enable-preview Main.java", "file Main.java"),
        ("java @options -jar x.jar", "unclear"),
        ("java --surprise -jar x.jar", "unclear"),
        ("java -jar", "unclear"),
        ("java -version", "input"),
    ]);
}

#[test]
fn a_process_that_wrote_over_its_arguments_is_not_believed() {
    let python = Interpreter::Python;
    for arguments in
        [&[][..], &["gunicorn: master [app]"], &["/usr/sbin/nginx", "x"], &["python3", ""]]
    {
        let arguments: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        assert!(python.run(&arguments).is_err(), "{arguments:?}");
    }
    assert!(python.run(&[b"python3".to_vec(), b"/a\xff.py".to_vec()]).is_err());
}

#[test]
fn what_may_have_been_cut_is_unclear() {
    let arguments = |last: usize| vec![b"node".to_vec(), vec![b'a'; last]];
    let whole = 4096 - 5 - 2;
    assert!(Interpreter::Node.run(&arguments(whole)).is_ok());
    assert!(Interpreter::Node.run(&arguments(whole + 1)).is_err());
    let mut more = arguments(16);
    more.push(vec![b'b'; 5000]);
    assert_eq!(Interpreter::Node.run(&more), Ok(Run::File("aaaaaaaaaaaaaaaa")));
    let options = vec![b"node".to_vec(), vec![b'-'; 1], vec![b'b'; 5000]];
    assert_eq!(Interpreter::Node.run(&options), Ok(Run::Input));
}

#[test]
fn only_a_path_that_leads_somewhere_by_itself_is_absolute() {
    for (path, expected) in
        [("/a/b", "/a/b"), ("//a/./b//c", "/a/b/c"), ("/a/b/", "/a/b"), ("/..a", "/..a")]
    {
        assert_eq!(absolute(path).as_deref(), Some(expected));
    }
    for other in ["", "/", "a", "./a", "/a/../b", "/..", "/."] {
        assert_eq!(absolute(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn an_absolute_path_stays_as_it_is(path in "/[a./]{0,12}") {
        if let Some(clean) = absolute(&path) {
            prop_assert_eq!(absolute(&clean), Some(clean.clone()));
            prop_assert!(!clean.contains("//") && !clean.ends_with('/') && !clean.contains("/./"));
        }
    }
}
