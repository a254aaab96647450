//! What [`facts`](crate::facts) and [`host`](crate::host) are natively: the functions of `wit/`,
//! answered from the process of the call on this thread.

use std::cell::RefCell;

use super::recorded::Call;

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Runs something for which this call is the current one, and gives back what became of the call.
pub(super) fn during<R>(call: Call, run: impl FnOnce() -> R) -> (R, Call) {
    let outer = Restored(CALL.replace(Some(call)));
    let result = run();
    let call = CALL.take().unwrap_or_default();
    drop(outer);
    (result, call)
}

/// Puts back the call that was current before, also after a panic.
struct Restored(Option<Call>);

impl Drop for Restored {
    fn drop(&mut self) {
        CALL.set(self.0.take());
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test that asks for facts of no process has to fail")]
fn answer<R>(read: impl FnOnce(&Call) -> R) -> R {
    CALL.with_borrow(|call| match call {
        Some(call) => read(call),
        None => panic!("there are no facts here: run this in `testing::Process::during`"),
    })
}

macro_rules! interfaces {
    ($($interface:ident { $($function:item)* })*) => {$(
        #[expect(missing_docs, reason = "the same functions as in wit/, which explains them")]
        #[allow(clippy::missing_errors_doc, reason = "not all of them give errors")]
        pub mod $interface {
            pub use crate::bindings::witgate::attestor::$interface::*;

            use super::answer;

            $(#[track_caller] $function)*
        }
    )*};
}

interfaces! {
    process {
        pub fn credentials() -> Result<CredentialSet, FactError> {
            answer(|call| call.fact(call.recorded.credentials.as_ref()))
        }
        pub fn names() -> Result<NameSet, FactError> {
            answer(|call| call.fact(call.recorded.names.as_ref()))
        }
        pub fn label() -> Result<String, FactError> {
            answer(|call| call.fact(call.recorded.label.as_ref()))
        }
        pub fn privileges() -> Result<PrivilegeSet, FactError> {
            answer(|call| call.fact(call.recorded.privileges.as_ref()))
        }
        pub fn state() -> Result<String, FactError> {
            answer(|call| call.fact(call.recorded.state.as_ref()))
        }
        pub fn start_time() -> Result<u64, FactError> {
            answer(|call| call.fact(call.recorded.start_time.as_ref()))
        }
        pub fn comm() -> Result<Vec<u8>, FactError> {
            answer(|call| call.fact(call.recorded.comm.as_ref())).map(Into::into)
        }
    }
    cgroups {
        pub fn trusted() -> Result<Vec<TrustedEntry>, FactError> {
            answer(|call| call.fact(call.recorded.cgroups_trusted.as_ref()))
        }
        pub fn claimed() -> Result<Vec<ClaimedEntry>, FactError> {
            answer(|call| call.fact(call.recorded.cgroups_claimed.as_ref()))
        }
    }
    namespaces {
        pub fn all() -> Result<Vec<Namespace>, FactError> {
            answer(|call| call.fact(call.recorded.namespaces.as_ref()))
        }
    }
    executable {
        pub fn info() -> Result<Program, FactError> {
            answer(|call| call.fact(call.recorded.executable.as_ref()))
        }
        pub fn doubts() -> Result<Vec<String>, FactError> {
            answer(|call| call.fact(call.recorded.doubts.as_ref()))
        }
        pub fn sha256() -> Result<String, FactError> {
            answer(|call| call.fact(call.recorded.executable_sha256.as_ref()))
        }
    }
    ancestry {
        pub fn parents() -> Result<Vec<Ancestor>, FactError> {
            answer(|call| call.fact(call.recorded.ancestry.as_ref()))
        }
    }
    cmdline {
        pub fn arguments() -> Result<Vec<Vec<u8>>, FactError> {
            let arguments = answer(|call| call.fact(call.recorded.cmdline.as_ref()))?;
            Ok(arguments.into_iter().map(Into::into).collect())
        }
    }
    environ {
        pub fn variable(name: &str) -> Result<Option<Vec<u8>>, FactError> {
            answer(|call| call.bytes(call.recorded.environ.get(name)))
        }
    }
    files {
        pub fn read(root: Root, path: &str) -> Result<Option<Vec<u8>>, FactError> {
            answer(|call| call.bytes(call.file(root, path).and_then(|file| file.content.as_ref())))
        }
        pub fn entries(root: Root, path: &str) -> Result<Option<Vec<DirectoryEntry>>, FactError> {
            answer(|call| call.fact(call.file(root, path).and_then(|file| file.entries.as_ref())))
        }
        pub fn status(root: Root, path: &str) -> Result<Option<FileStatus>, FactError> {
            answer(|call| call.fact(call.file(root, path).and_then(|file| file.status.as_ref())))
        }
    }
    systemd {
        pub fn unit() -> Result<Option<UnitInfo>, FactError> {
            answer(|call| call.fact(call.recorded.systemd_unit.as_ref()))
        }
    }
    http {
        pub fn send(endpoint: &str, request: &Request) -> Result<Response, HttpError> {
            answer(|call| call.recorded.answer(endpoint, request))
        }
    }
    cache {
        pub fn get(scope: Scope, key: &str) -> Result<Option<Hit>, CacheError> {
            answer(|call| Ok(call.kept(scope, key).map(|value| Hit { value, age_ms: 0 })))
        }
        pub fn put(scope: Scope, key: &str, value: &[u8], _: u32) -> Result<(), CacheError> {
            if key.len() > 256 || value.len() > 64 << 10 {
                return Err(CacheError::TooLarge);
            }
            answer(|call| call.keep(scope, key, value));
            Ok(())
        }
    }
    log {
        pub fn write(level: Level, message: &str) {
            let word = match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            };
            answer(|call| call.log.borrow_mut().push(format!("{word}: {message}")));
        }
    }
}

/// The interface without types of its own.
#[expect(missing_docs, reason = "the same functions as in wit/, which explains them")]
pub mod config {
    use super::answer;

    #[track_caller]
    pub fn settings() -> String {
        answer(|call| call.settings.clone())
    }
    #[track_caller]
    pub fn wants(key: &str) -> bool {
        answer(|call| call.wants(key))
    }
    #[track_caller]
    pub fn remaining_ms() -> u32 {
        answer(|_| 1000)
    }
}
