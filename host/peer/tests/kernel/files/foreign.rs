//! A file system that somebody else answers for says what they like, and is not believed.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use witgate_facts::{FactError, FactSource as _};
use witgate_testkit::child::Actor;

use super::{HOST, Trusted, read, some};
use crate::scene::Scene;

/// What FUSE asks for (`linux/fuse.h`).
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const BATCH_FORGET: u32 = 42;

const NOT_FOUND: i32 = -2;
const NOT_KNOWN: i32 = -38;

/// The nodes there are, beside the root.
const FILE: u64 = 2;
const DIRECTORY: u64 = 3;

const CONTENT: &[u8] = b"forged";

/// A user's own file system, in which all is root's.
struct Forged<'a>(&'a Path);

impl<'a> Forged<'a> {
    fn mount(at: &'a Path) -> Self {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = "fd=0,rootmode=40755,user_id=1000,group_id=1000,allow_other";
        let mut command = Command::new("mount");
        command.args(["-i", "-t", "fuse", "-o", options, "forged"]).arg(at);
        let status = command.stdin(Stdio::from(device.try_clone().unwrap())).status().unwrap();
        assert!(status.success());
        std::thread::spawn(move || serve(device));
        Self(at)
    }
}

impl Drop for Forged<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-R", "-l"]).arg(self.0).status();
    }
}

/// Until it is unmounted.
fn serve(mut device: File) {
    let mut request = vec![0; 64 * 1024 + 4096];
    while let Ok(length) = device.read(&mut request) {
        let (header, body) = request[..length].split_at(40);
        let opcode = u32::from_ne_bytes(header[4..8].try_into().unwrap());
        let node = u64::from_ne_bytes(header[16..24].try_into().unwrap());
        if [FORGET, BATCH_FORGET].contains(&opcode) {
            continue;
        }
        let (error, body) = match answer(opcode, node, body) {
            Ok(body) => (0, body),
            Err(error) => (error, Vec::new()),
        };
        let mut reply = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(&header[8..16]);
        reply.extend(body);
        // Interrupted, and nobody waits for it.
        let _ = device.write(&reply);
    }
}

fn answer(opcode: u32, node: u64, body: &[u8]) -> Result<Vec<u8>, i32> {
    match opcode {
        INIT => Ok(bytes(&[&7_u32.to_ne_bytes(), &31_u32.to_ne_bytes(), &[0; 56]])),
        LOOKUP => {
            let node = match body {
                b"file\0" => FILE,
                b"directory\0" => DIRECTORY,
                _ => return Err(NOT_FOUND),
            };
            Ok(bytes(&[&node.to_ne_bytes(), &[0; 32], &attributes(node)]))
        }
        GETATTR => Ok(bytes(&[&[0; 16], &attributes(node)])),
        OPEN => Ok(vec![0; 16]),
        READ if body.get(8..16) == Some(&[0; 8]) => Ok(CONTENT.to_vec()),
        READ | RELEASE => Ok(Vec::new()),
        STATFS => Ok(vec![0; 80]),
        _ => Err(NOT_KNOWN),
    }
}

/// Of root, and writable by nobody else.
fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == FILE { (0o100_644_u32, 6_u64) } else { (0o040_755, 0) };
    let fields = [&mode.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &[0; 20]];
    bytes(&[&node.to_ne_bytes(), &size.to_ne_bytes(), &[0; 44], &bytes(&fields)])
}

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[tokio::test]
async fn a_users_file_system_cannot_say_that_it_is_roots() {
    let (scene, actor, trusted) = (Scene::new(), Actor::spawn(), Trusted::new());
    let at = trusted.path("mine");
    fs::create_dir(&at).unwrap();
    let forged = Forged::mount(&at);
    assert_eq!(fs::read(at.join("file")).unwrap(), CONTENT);
    for name in ["", "file", "directory", "none"] {
        let path = at.join(name).to_str().unwrap().to_owned();
        let facts = scene.observe(actor.pid()).await;
        assert_eq!(facts.file(HOST, &path).await, Err(FactError::Denied), "{name}");
        assert_eq!(facts.status(HOST, &path).await, Err(FactError::Denied), "{name}");
        assert_eq!(facts.entries(HOST, &path).await, Err(FactError::Denied), "{name}");
    }
    drop(forged);
}

#[tokio::test]
async fn nor_is_it_a_way_to_what_is_roots() {
    let (scene, actor, trusted) = (Scene::new(), Actor::spawn(), Trusted::new());
    let at = trusted.path("mine");
    fs::create_dir(&at).unwrap();
    let _forged = Forged::mount(&at);
    let directory = at.join("directory");
    let mut command = Command::new("mount");
    command.arg("--bind").arg(trusted.path("sub")).arg(&directory);
    assert!(command.status().unwrap().success());
    let of = |path: &Path| path.join("file").to_str().unwrap().to_owned();
    assert_eq!(fs::read(of(&directory)).unwrap(), b"trusted");
    let straight = read(&scene, actor.pid(), HOST, &of(&trusted.path("sub"))).await;
    assert_eq!(straight, some("trusted"));
    let found = read(&scene, actor.pid(), HOST, &of(&directory)).await;
    assert_eq!(found, Err(FactError::Denied));
}
