//! Case 74 as a whole: from files on the disk to what may be loaded.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use witgate_identity::PluginName;
use witgate_provenance::{
    Admitted, Candidate, Component, Digest, LockFile, Note, Owner, Pin, Policy, ProvenanceError,
    SignatureError, TrustedKeys, Version, admit, limits, parse_version, read_component,
    read_signature,
};

use crate::minisign::Signer;

const GOOD: &[u8] = b"\0asm\x0d\0\x01\0 the pinned component";
const MAX: usize = 1 << 20;

/// A folder with a plugin in it, its lock file, and whoever signs.
struct Host {
    folder: TempDir,
    signer: Signer,
    policy: Policy,
}

impl Host {
    /// Pinned and signed, and both required.
    fn new() -> Self {
        let signer = Signer::new();
        let trusted_keys = TrustedKeys::parse([("release", signer.public.as_str())]).unwrap();
        let policy = Policy { require_lock: true, require_signature: true, trusted_keys };
        let host = Self { folder: tempfile::tempdir().unwrap(), signer, policy };
        fs::write(host.plugin(), GOOD).unwrap();
        host.signer.sign_file(&host.plugin(), &[]);
        host.pin("1.2.0", GOOD);
        host
    }

    fn plugin(&self) -> PathBuf {
        self.folder.path().join("os.wasm")
    }

    fn pin(&self, version: &str, bytes: &[u8]) {
        let pin = Pin {
            name: name(),
            version: at(version),
            sha256: Digest::of(bytes),
            source: Note::new("os.wasm").unwrap(),
            signed_by: Some(Note::new("release").unwrap()),
        };
        let mut lock = LockFile::default();
        lock.pin(pin, false).unwrap();
        lock.write(&self.folder.path().join("plugins.lock")).unwrap();
    }

    /// What a load does: read the files, then ask.
    fn load(&self, version: &str) -> Result<Admitted, ProvenanceError> {
        let lock =
            LockFile::read(&self.folder.path().join("plugins.lock"), Owner::RootOrUs).unwrap();
        let component = read_component(&self.plugin(), MAX, Owner::RootOrUs).unwrap();
        let signature = read_signature(&self.plugin(), Owner::RootOrUs).unwrap();
        self.admit(&lock, version, &component, signature.as_deref())
    }

    fn admit(
        &self,
        lock: &LockFile,
        version: &str,
        component: &Component,
        signature: Option<&str>,
    ) -> Result<Admitted, ProvenanceError> {
        let (name, version) = (name(), at(version));
        let candidate = Candidate { name: &name, version: &version, component, signature };
        admit(&self.policy, lock, candidate)
    }

    /// As if the lock file was neither required nor there.
    fn admit_unpinned(
        &self,
        component: &Component,
        signature: Option<&str>,
    ) -> Result<Admitted, ProvenanceError> {
        let (name, version) = (name(), at("1.2.0"));
        let candidate = Candidate { name: &name, version: &version, component, signature };
        let policy = Policy { require_lock: false, ..self.policy.clone() };
        admit(&policy, &LockFile::default(), candidate)
    }
}

fn name() -> PluginName {
    PluginName::new("os").unwrap()
}

fn at(version: &str) -> Version {
    parse_version(version).unwrap()
}

#[test]
fn what_is_pinned_and_signed_is_admitted_and_says_so() {
    let admitted = Host::new().load("1.2.0").unwrap();
    assert!(admitted.pinned);
    assert_eq!(admitted.sha256, Digest::of(GOOD));
    assert_eq!(admitted.signed_by.unwrap().key.as_str(), "release");
}

#[test]
fn case_74_wrong_digest_truncated_swapped_or_downgraded_is_refused() {
    let host = Host::new();
    for (bytes, version) in [
        (&GOOD[..GOOD.len() - 1], "1.2.0"),
        (b"".as_slice(), "1.2.0"),
        (b"\0asm\x0d\0\x01\0 another component", "1.2.0"),
        (b"\0asm\x0d\0\x01\0 an older component", "1.1.0"),
        (b"\0asm\x0d\0\x01\0 a newer component", "1.3.0"),
    ] {
        fs::write(host.plugin(), bytes).unwrap();
        // The signer signs them all: a good signature does not help.
        host.signer.sign_file(&host.plugin(), &[]);
        let error = host.load(version).unwrap_err();
        match version {
            "1.2.0" => assert!(matches!(error, ProvenanceError::Changed { .. }), "{error}"),
            "1.1.0" => assert!(matches!(error, ProvenanceError::Downgrade { .. }), "{error}"),
            _ => assert!(matches!(error, ProvenanceError::Upgrade { .. }), "{error}"),
        }
    }
}

#[test]
fn case_74_every_flipped_bit_of_the_file_is_refused() {
    let host = Host::new();
    let lock = LockFile::read(&host.folder.path().join("plugins.lock"), Owner::RootOrUs).unwrap();
    let signature = read_signature(&host.plugin(), Owner::RootOrUs).unwrap();
    for bit in 0..GOOD.len() * 8 {
        let mut bytes = GOOD.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = Component::new(bytes);
        let error = host.admit(&lock, "1.2.0", &changed, signature.as_deref()).unwrap_err();
        assert!(matches!(error, ProvenanceError::Changed { .. }), "bit {bit}: {error}");
        // And by the signature alone, where nothing is pinned.
        let error = host.admit_unpinned(&changed, signature.as_deref()).unwrap_err();
        assert!(matches!(error, ProvenanceError::Signature { .. }), "bit {bit}: {error}");
    }
}

/// The file is exchanged between the check and the load: what was checked is loaded.
#[test]
fn case_74_swapped_after_the_check_is_not_what_is_loaded() {
    let host = Host::new();
    let lock = LockFile::read(&host.folder.path().join("plugins.lock"), Owner::RootOrUs).unwrap();
    let component = read_component(&host.plugin(), MAX, Owner::RootOrUs).unwrap();
    let signature = read_signature(&host.plugin(), Owner::RootOrUs).unwrap();
    let admitted = host.admit(&lock, "1.2.0", &component, signature.as_deref()).unwrap();
    fs::write(host.plugin(), b"evil").unwrap();
    let loaded = component.into_bytes();
    assert_eq!((Digest::of(&loaded), loaded.as_slice()), (admitted.sha256, GOOD));
}

#[test]
fn what_the_policy_requires_must_be_there() {
    let mut host = Host::new();
    let component = Component::new(GOOD.to_vec());
    let signature = host.signer.sign(GOOD);
    let empty = LockFile::default();
    let pinned = LockFile::read(&host.folder.path().join("plugins.lock"), Owner::Anyone).unwrap();

    let error = host.admit(&empty, "1.2.0", &component, Some(&signature)).unwrap_err();
    assert!(matches!(error, ProvenanceError::NotPinned { .. }), "{error}");
    assert!(error.to_string().contains("pin it: witgate plugin add FILE"), "{error}");
    let error = host.admit(&pinned, "1.2.0", &component, None).unwrap_err();
    assert!(error.to_string().contains("without a signature; minisign -S -m FILE"), "{error}");

    // A signature counts for nothing while no key is trusted.
    let keys = std::mem::take(&mut host.policy.trusted_keys);
    let error = host.admit(&pinned, "1.2.0", &component, Some(&signature)).unwrap_err();
    assert!(error.to_string().contains("no key is trusted"), "{error}");
    host.policy.require_signature = false;
    let admitted = host.admit(&pinned, "1.2.0", &component, Some(&signature)).unwrap();
    assert_eq!((admitted.pinned, admitted.signed_by), (true, None));

    // Nothing is required: what comes is admitted as what it is.
    host.policy = Policy { trusted_keys: keys, ..Policy::default() };
    let admitted = host.admit(&empty, "1.2.0", &component, None).unwrap();
    assert_eq!((admitted.pinned, admitted.signed_by), (false, None));
    let admitted = host.admit(&empty, "1.2.0", &component, Some(&signature)).unwrap();
    assert!(!admitted.pinned && admitted.signed_by.is_some());
}

/// Not required is not the same as not looked at.
#[test]
fn what_is_wrong_is_refused_though_nothing_is_required() {
    let mut host = Host::new();
    host.policy = Policy { trusted_keys: host.policy.trusted_keys, ..Policy::default() };
    let pinned = LockFile::read(&host.folder.path().join("plugins.lock"), Owner::Anyone).unwrap();
    let other = Component::new(b"other".to_vec());
    let error = host.admit(&pinned, "1.2.0", &other, None).unwrap_err();
    assert!(matches!(error, ProvenanceError::Changed { .. }), "{error}");
    let of_another = host.signer.sign(GOOD);
    let by_a_stranger = Signer::new().sign(b"other");
    for (signature, stranger) in [(of_another, false), (by_a_stranger, true)] {
        let error =
            host.admit(&LockFile::default(), "1.0.0", &other, Some(&signature)).unwrap_err();
        let ProvenanceError::Signature { source, .. } = &error else { panic!("{error}") };
        assert_eq!(matches!(source, SignatureError::UnknownKey { .. }), stranger, "{source}");
    }
    let huge = "x".repeat(limits::SIGNATURE_BYTES + 1);
    assert!(host.admit(&LockFile::default(), "1.0.0", &other, Some(&huge)).is_err());
}
