//! A file system that stops answering when a test says so (fuse(4)).

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyStatfs, Request, SessionACL,
};

/// The name of its one file.
const NAME: &str = "program";
const FILE: INodeNo = INodeNo(2);

/// The kernel asks for nothing again that it was told once, but content.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// One file, open to everybody, on a file system of the test's own. It goes with this.
#[derive(Debug)]
pub struct SlowFile {
    path: PathBuf,
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
}

impl SlowFile {
    /// Mounts it on a directory. Needs root and `/dev/fuse`.
    ///
    /// # Errors
    /// As mount(2).
    pub fn mount(directory: &Path, content: Vec<u8>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { content, held: Mutex::default() });
        let mut config = Config::default();
        config.mount_options = vec![MountOption::Exec, MountOption::FSName("slow".to_owned())];
        config.acl = SessionACL::All;
        let session = fuser::spawn_mount(Slow(Arc::clone(&shared)), directory, &config)?;
        Ok(Self { path: directory.join(NAME), shared, session: Some(session) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on nobody is answered who asks for content or about the file system, or closes the file.
    /// That ends with what this returns, so also when a test fails that has the file open itself.
    pub fn hold(&self) -> Hold<'_> {
        self.shared.held().get_or_insert_default();
        Hold(self)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.held().as_ref().map_or(0, Vec::len)
    }

    fn answer(&self) {
        let held = self.shared.held().take();
        for question in held.into_iter().flatten() {
            question.answer(&self.shared.content);
        }
    }
}

/// As long as it lives nobody is answered.
#[derive(Debug)]
#[must_use = "it ends at once if it is not kept"]
pub struct Hold<'a>(&'a SlowFile);

impl Hold<'_> {
    /// Answers all who wait, and everybody from now on.
    pub fn end(self) {}
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.answer();
    }
}

impl Drop for SlowFile {
    fn drop(&mut self) {
        self.answer();
        // Also while somebody still has it open, who was made to hang on it.
        if let Some(place) = self.path.parent() {
            let _ = nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH);
        }
        drop(self.session.take());
    }
}

#[derive(Debug)]
struct Shared {
    content: Vec<u8>,
    /// Who is not answered, while that is so.
    held: Mutex<Option<Vec<Question>>>,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Option<Vec<Question>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, question: Question) {
        match &mut *self.held() {
            Some(held) => held.push(question),
            None => question.answer(&self.content),
        }
    }
}

#[derive(Debug)]
enum Question {
    Content { offset: u64, size: u32, reply: ReplyData },
    FileSystem(ReplyStatfs),
    Close(ReplyEmpty),
}

impl Question {
    fn answer(self, content: &[u8]) {
        match self {
            Self::Content { offset, size, reply } => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = content.get(from..).unwrap_or_default();
                reply.data(rest.get(..size as usize).unwrap_or(rest));
            }
            Self::Close(reply) => reply.ok(),
            Self::FileSystem(reply) => reply.statfs(0, 0, 0, 0, 0, 512, 255, 0),
        }
    }
}

struct Slow(Arc<Shared>);

impl Slow {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let file = inode == FILE;
        let size = if file { self.0.content.len() as u64 } else { 0 };
        FileAttr {
            ino: inode,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if file { FileType::RegularFile } else { FileType::Directory },
            perm: 0o755,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for Slow {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOR_EVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.attributes(inode));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        self.0.ask(Question::FileSystem(reply));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.0.ask(Question::Close(reply));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.0.ask(Question::Content { offset, size, reply });
    }
}
