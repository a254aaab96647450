//! Arguments of a program: as a process shows them, and as they stand in descriptions of containers.

use std::ops::Range;

use super::{Redactor, in_place_of, looks_secret};
use crate::Blob;

impl Redactor {
    /// The arguments of one program, in order.
    pub(super) fn arguments(&mut self, arguments: &mut [Blob]) {
        let mut behind_flag = false;
        for argument in arguments {
            let flag = !behind_flag && is_flag_of_secret(&argument.0);
            if behind_flag {
                self.blob(argument);
            } else {
                self.argument(&mut argument.0);
            }
            behind_flag = flag;
        }
    }

    /// One argument, or other text that may have secrets in it.
    pub(super) fn argument(&mut self, argument: &mut Vec<u8>) {
        // From the end, so that what is put in moves nothing that is still to be taken out.
        for range in secrets_in(argument).into_iter().rev() {
            let secret = argument.get(range.clone()).unwrap_or_default();
            if let Some(placeholder) = in_place_of(secret) {
                self.count += 1;
                argument.splice(range, placeholder.into_bytes());
            }
        }
    }
}

/// `--password`, whose value comes as the next argument.
fn is_flag_of_secret(argument: &[u8]) -> bool {
    argument.starts_with(b"-")
        && !argument.contains(&b'=')
        && looks_secret(&String::from_utf8_lossy(argument))
}

/// Where the secrets are in `--password=secret`, `Authorization: secret` and
/// `scheme://user:secret@host`, in order and apart from each other. The value of a name goes on to
/// the end, so an address in it is part of it; one before it may have a password of its own.
fn secrets_in(argument: &[u8]) -> Vec<Range<usize>> {
    let (first, second) = match (password_of_address(argument), value_of_secret_name(argument)) {
        (Some(password), Some(value)) if password.end >= value.start => {
            (Some(password.start.min(value.start)..argument.len()), None)
        }
        both => both,
    };
    first.into_iter().chain(second).collect()
}

fn value_of_secret_name(argument: &[u8]) -> Option<Range<usize>> {
    let mut begin = 0;
    for (index, byte) in argument.iter().enumerate() {
        let value = match byte {
            b'=' => index + 1,
            b':' if argument.get(index + 1) == Some(&b' ') => index + 2,
            _ => continue,
        };
        let name = argument.get(begin..index).unwrap_or_default();
        if looks_secret(&String::from_utf8_lossy(name)) {
            return Some(value..argument.len());
        }
        begin = value;
    }
    None
}

fn password_of_address(argument: &[u8]) -> Option<Range<usize>> {
    let authority = argument.windows(3).position(|window| window == b"://")? + 3;
    let rest = argument.get(authority..)?;
    // Up to the last `@`: a password may have a slash in it that should have been escaped.
    let at = rest.iter().rposition(|byte| *byte == b'@')?;
    let colon = rest.get(..at)?.iter().position(|byte| *byte == b':')?;
    Some(authority + colon + 1..authority + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(arguments: &[&str]) -> Vec<String> {
        let mut blobs: Vec<_> = arguments.iter().map(|text| Blob::from(*text)).collect();
        Redactor::default().arguments(&mut blobs);
        blobs.into_iter().map(|blob| String::from_utf8(blob.0).unwrap()).collect()
    }

    #[test]
    fn secrets_are_taken_out_of_arguments_and_nothing_else_is() {
        let hidden = "<redacted, 6 bytes>";
        for (argument, expected) in [
            ("--password=s3cret", format!("--password={hidden}")),
            ("token=s3cret", format!("token={hidden}")),
            ("-DdbSecret=s3cret", format!("-DdbSecret={hidden}")),
            ("--set=auth.password=s3cret", format!("--set=auth.password={hidden}")),
            ("--header=Authorization: s3cret", format!("--header=Authorization: {hidden}")),
            ("postgres://me:s3cret@db/x", format!("postgres://me:{hidden}@db/x")),
            ("--url=http://a:s3cret@b", format!("--url=http://a:{hidden}@b")),
            ("http://a:s3/ret@b", format!("http://a:{hidden}@b")),
            ("http://a:s3cret@b?key=s3cret", format!("http://a:{hidden}@b?key={hidden}")),
            ("http://a:s3cret@b?key=", format!("http://a:{hidden}@b?key=")),
            ("http://a:s?key=@b", "http://a:<redacted, 8 bytes>".to_owned()),
        ] {
            assert_eq!(redacted(&[argument]), [expected]);
        }
        let plain = ["--listen=:80", "http://host/a@b", "--name", "key", "a:b", "--password="];
        assert_eq!(redacted(&plain), plain);
    }

    #[test]
    fn what_comes_behind_a_flag_is_its_value() {
        assert_eq!(redacted(&["a", "--token", "s3cret", "b"])[2..], ["<redacted, 6 bytes>", "b"]);
        // A value may look like a flag, and is none.
        let found = redacted(&["--token", "-secret", "rest"]);
        assert_eq!(found, ["--token", "<redacted, 7 bytes>", "rest"]);
        assert_eq!(redacted(&["--password"]), ["--password"]);
    }
}
