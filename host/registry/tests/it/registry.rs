//! A real registry on a port of its own, with a folder that goes away with it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use witgate_provenance::Digest;
use witgate_registry::{Access, Reference};

/// `ann` with the password `se:cret`, as `htpasswd -B` writes it.
const USERS: &str = "ann:$2a$04$Dp5YzKFe51Dyho.JeyQPTOfdlejQjMIq48ejeM6RHJqCQd6Xf93YG\n";

pub(crate) struct Registry {
    child: Child,
    folder: TempDir,
    pub(crate) address: String,
    /// The certificate (PEM) to trust, if it speaks TLS.
    pub(crate) root: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Tls,
    Password,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::of(Kind::Open)
    }

    pub(crate) fn of(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: 127.0.0.1:0\n",
            at("storage")
        );
        let mut root = Vec::new();
        if kind == Kind::Tls {
            let key = KeyPair::generate().unwrap();
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
            root = certificate.pem().into_bytes();
            fs::write(at("certificate"), &root).unwrap();
            fs::write(at("key"), key.serialize_pem()).unwrap();
            let tls = format!("{{certificate: {}, key: {}}}", at("certificate"), at("key"));
            config.push_str(&format!("  tls: {tls}\n"));
        }
        if kind == Kind::Password {
            fs::write(at("users"), USERS).unwrap();
            config
                .push_str(&format!("auth: {{htpasswd: {{realm: here, path: {}}}}}\n", at("users")));
        }
        fs::write(at("config.yml"), config).unwrap();
        let child = serve(&at("config.yml"));
        let mut registry = Self { child, folder, address: String::new(), root };
        registry.address = listening(registry.child.stderr.take().unwrap());
        registry
    }

    /// A place in it.
    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().unwrap()
    }

    /// Where a blob lies on the disk.
    pub(crate) fn blob(&self, digest: Digest) -> PathBuf {
        let digest = digest.to_string();
        let blobs = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&digest[..2]).join(digest).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(config: &str) -> Child {
    let mut command = Command::new("docker-registry");
    command.args(["serve", config]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // It takes settings from the environment, too, and the tests' is not ours to choose.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REGISTRY_") {
            command.env_remove(name);
        }
    }
    let child = command.spawn();
    child.expect("the program docker-registry (Debian: apt-get install docker-registry)")
}

/// Where it says in its log that it listens.
fn listening(log: ChildStderr) -> String {
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let mut seen = Vec::new();
    let found = lines.by_ref().inspect(|line| seen.push(line.clone())).find_map(|line| {
        let (_, rest) = line.split_once("listening on ")?;
        let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    });
    assert!(found.is_some(), "the registry did not start: {seen:#?}");
    // It stops when nobody reads its log.
    thread::spawn(move || lines.for_each(drop));
    found.unwrap()
}

/// No password, no certificates, and not for long.
pub(crate) fn anonymous() -> Access {
    Access { time_limit: std::time::Duration::from_mins(1), ..Access::default() }
}
