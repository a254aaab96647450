//! The `minisign` program, with keys in a folder that goes away with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A key pair of the program's making.
pub(crate) struct Signer {
    folder: TempDir,
    /// The text of the `.pub` file.
    pub(crate) public: String,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (public, secret) = (folder.path().join("key.pub"), folder.path().join("key"));
        // Without a password: the folder is ours, and the key lives as long as the test.
        run(&["-G", "-W", "-p", text(&public), "-s", text(&secret)]);
        Self { public: fs::read_to_string(public).unwrap(), folder }
    }

    /// The text of a signature over these bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        self.sign_with(bytes, &[])
    }

    /// As [`Self::sign`], with more options for the program.
    pub(crate) fn sign_with(&self, bytes: &[u8], options: &[&str]) -> String {
        let file = self.folder.path().join("plugin.wasm");
        fs::write(&file, bytes).unwrap();
        fs::read_to_string(self.sign_file(&file, options)).unwrap()
    }

    /// Signs a file, and says where the signature is.
    pub(crate) fn sign_file(&self, file: &Path, options: &[&str]) -> PathBuf {
        let secret = self.folder.path().join("key");
        let sign = ["-S", "-W", "-s", text(&secret), "-m", text(file)];
        run(&[&sign, options].concat());
        file.with_added_extension("minisig")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(arguments: &[&str]) {
    let mut minisign = Command::new("minisign");
    minisign.args(arguments).stdin(Stdio::null());
    let output =
        minisign.output().expect("the program minisign (Debian: apt-get install minisign)");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}
