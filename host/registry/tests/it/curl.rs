//! Another tool: `curl`, which knows nothing of plugins.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use witgate_provenance::Digest;

/// The body of a GET that must succeed.
pub(crate) fn get(url: &str, accept: &str) -> Vec<u8> {
    curl(&["--header", &format!("Accept: {accept}"), url], b"")
}

/// Uploads a blob, and says its digest.
pub(crate) fn put_blob(base: &str, bytes: &[u8]) -> String {
    let digest = format!("sha256:{}", Digest::of(bytes));
    let headers =
        curl(&["--request", "POST", "--dump-header", "-", &format!("{base}/blobs/uploads/")], b"");
    let headers = String::from_utf8(headers).unwrap();
    let location = headers.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim();
    let url = format!("{location}&digest={digest}");
    let header = "Content-Type: application/octet-stream";
    curl(&["--request", "PUT", "--header", header, "--data-binary", "@-", &url], bytes);
    digest
}

/// Uploads a manifest of a media type under a tag.
pub(crate) fn put_manifest(base: &str, tag: &str, media_type: &str, manifest: &str) {
    let header = format!("Content-Type: {media_type}");
    let url = format!("{base}/manifests/{tag}");
    let options = ["--request", "PUT", "--header", &header, "--data-binary", "@-", &url];
    curl(&options, manifest.as_bytes());
}

fn curl(options: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*"]).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program curl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{options:?}: {output:?}");
    output.stdout
}
