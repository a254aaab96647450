//! What is left to the compile child after it has given everything up.
//!
//! Starts itself again for every attempt, for most end the process; so it has a `main` of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]
#![expect(clippy::print_stdout, reason = "says what it did, as tests do")]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        env,
        fs::File,
        io::{self, Read as _, Write as _},
        net::{TcpListener, TcpStream},
        os::{
            linux::net::SocketAddrExt as _,
            unix::{
                net::{SocketAddr, UnixListener, UnixStream},
                process::ExitStatusExt as _,
            },
        },
        process::{Command, Output, Stdio},
        thread,
    };

    use witgate_confine::{
        Landlocked, Role, confine_all_threads, give_up_capabilities, give_up_files,
        keep_memory_private,
    };

    const TRY: &str = "--try";

    pub(super) fn main() {
        let arguments: Vec<String> = env::args().skip(1).collect();
        if let [TRY, what, under, place] =
            arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
        {
            return attempt(what, under, place);
        }
        the_filter_alone();
        landlock_alone();
        println!("test the_compile_child_reads_computes_and_writes ... ok");
    }

    /// Gives up what a case says, and then tries.
    fn attempt(what: &str, under: &str, place: &str) {
        keep_memory_private().unwrap();
        give_up_capabilities().unwrap();
        match under {
            "filter" => confine_all_threads(Role::Compiler).unwrap(),
            "landlock" => assert_ne!(give_up_files().unwrap(), Landlocked::No),
            _ => {}
        }
        let done = match what {
            "read" => File::open(place).map(drop),
            "write" => File::create(place).map(drop),
            "tcp" => TcpStream::connect(place).map(drop),
            "abstract" => SocketAddr::from_abstract_name(place)
                .and_then(|address| UnixStream::connect_addr(&address))
                .map(drop),
            "pair" => UnixStream::pair().map(drop),
            "exec" => Command::new(place).status().map(drop),
            "thread" => thread::Builder::new().spawn(|| {}).map(drop),
            "work" => work(),
            unknown => Err(io::Error::other(unknown.to_owned())),
        };
        match done {
            Ok(()) => println!("done"),
            Err(error) => println!("{}", error.raw_os_error().unwrap_or(-1)),
        }
    }

    /// What it is for.
    fn work() -> io::Result<()> {
        let mut component = Vec::new();
        io::stdin().read_to_end(&mut component)?;
        let large = vec![component[0]; 64 << 20];
        io::stdout().write_all(&[large[large.len() - 1]])
    }

    fn run(what: &str, under: &str, place: &str) -> Output {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([TRY, what, under, place])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it ends before.
        let _ = child.stdin.take().unwrap().write_all(b"x");
        child.wait_with_output().unwrap()
    }

    fn said(what: &str, under: &str, place: &str) -> String {
        let output = run(what, under, place);
        assert!(output.status.success(), "{what} under {under}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn the_filter_alone() {
        assert_eq!(said("work", "filter", ""), "xdone");
        for (what, place) in [("read", "/etc/passwd"), ("write", "/tmp/witgate-not-written")] {
            assert_eq!(said(what, "filter", place), libc::ENOSYS.to_string(), "{what}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        for (what, place) in
            [("tcp", &*address), ("pair", ""), ("exec", "/bin/true"), ("thread", "")]
        {
            let status = run(what, "filter", place).status;
            assert_eq!(status.signal(), Some(libc::SIGSYS), "{what}: {status}");
            assert_eq!(said(what, "nothing", place), "done", "without it, {what} works");
        }
    }

    /// The second wall, should the first have a hole.
    fn landlock_alone() {
        let folder = env::temp_dir().join(format!("witgate-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("written");
        let file = file.to_str().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let name = format!("witgate-{}", std::process::id());
        let outside =
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let cases = [
            ("read", "/etc/passwd", libc::EACCES),
            ("write", file, libc::EACCES),
            ("exec", "/bin/true", libc::EACCES),
            ("tcp", &address, libc::EACCES),
            ("abstract", &name, libc::EPERM),
        ];
        for (what, place, error) in cases {
            assert_eq!(said(what, "landlock", place), error.to_string(), "{what}");
            assert_eq!(said(what, "nothing", place), "done", "without it, {what} works");
        }
        drop(outside);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
