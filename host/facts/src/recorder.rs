//! Recording: facts and endpoints that note what they answered, as a fixture that answers the same.

mod redaction;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use witgate_identity::Assurance;

pub use self::redaction::Redaction;
use crate::{
    Ancestor, Blob, Capabilities, Capability, CgroupClaim, CgroupTrust, Credentials,
    DirectoryEntry, Doubt, Endpoints, ExecutableInfo, FactFuture, FactName, FactResult, FactSource,
    FileRoot, FileStatus, HttpError, HttpFuture, HttpRequest, HttpResponse, Interface, Lifetimes,
    Names, Namespace, Privileges, SystemdUnit,
    fixture::{Answered, Exchange, Fact, Recorded, RecordedFile},
};

/// Variables and paths that are kept, each: a plugin in a loop must not fill the memory
/// of whoever records it. It is far beyond what one call may ask for.
const KEPT: usize = 1024;

/// Exchanges that are kept: each may have a mebibyte.
const EXCHANGES: usize = 128;

/// The facts about one subject, and the endpoints of one plugin, passed through and noted.
///
/// A fixture is worth more than what one version of a plugin happened to ask for: so
/// [`Recorder::finish`] reads everything that is granted.
#[derive(Debug)]
pub struct Recorder {
    facts: Arc<dyn FactSource>,
    endpoints: Option<Arc<dyn Endpoints>>,
    redaction: Redaction,
    noted: Mutex<Noted>,
}

/// What takes a name to ask for, and what came back.
#[derive(Debug, Default)]
struct Noted {
    /// Only variables, files and exchanges.
    recorded: Recorded,
    /// Answers for which there was no room.
    left_out: usize,
}

impl Recorder {
    /// Notes what these facts answer. Secrets will be redacted, and there is no endpoint.
    #[must_use]
    pub fn new(facts: Arc<dyn FactSource>) -> Self {
        Self { facts, endpoints: None, redaction: Redaction::default(), noted: Mutex::default() }
    }

    /// The same, which also passes on requests to these endpoints.
    #[must_use]
    pub fn with_endpoints(self, endpoints: Arc<dyn Endpoints>) -> Self {
        Self { endpoints: Some(endpoints), ..self }
    }

    /// The same, with another treatment of secrets.
    #[must_use]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        Self { redaction, ..self }
    }

    /// Everything that is granted, asked for so far or not, and everything that was asked for so far:
    /// all facts of interfaces that are always granted or granted as a whole, every granted variable,
    /// every granted path in all three ways, the list of every granted directory, and every exchange
    /// with an endpoint.
    ///
    /// `about` says for people what this is; how many values were redacted is added to it.
    pub async fn finish(&self, granted: &Capabilities, about: String) -> Recorded {
        for capability in granted.iter() {
            self.ask(capability).await;
        }
        let (mut recorded, left_out) = {
            let noted = self.noted();
            (noted.recorded.clone(), noted.left_out)
        };
        self.read_what_needs_no_name(granted, &mut recorded).await;
        recorded.about = about;
        if left_out > 0 {
            recorded.add_to_about(&format!("{left_out} answers left out"));
        }
        if self.redaction == Redaction::Secrets {
            redaction::redact(&mut recorded);
        }
        recorded
    }

    /// Asks for a variable or a path, so that it is noted.
    async fn ask(&self, capability: &Capability) {
        match capability {
            Capability::Variable(name) => {
                let _ = self.variable(name).await;
            }
            Capability::Path(root, path) => match path.strip_suffix('/') {
                Some(directory) => {
                    let _ = self.entries(*root, directory).await;
                }
                None => {
                    let _ = self.file(*root, path).await;
                    let _ = self.entries(*root, path).await;
                    let _ = self.status(*root, path).await;
                }
            },
            Capability::Interface(_) | Capability::Endpoint(_) | Capability::Cache(_) => (),
        }
    }

    async fn read_what_needs_no_name(&self, granted: &Capabilities, into: &mut Recorded) {
        let facts = &*self.facts;
        into.challenged = facts.assurance(FactName::ExecutableInfo) == Assurance::Image;
        into.credentials = read(facts.credentials());
        into.names = read(facts.names());
        into.label = read(facts.label());
        into.privileges = read(facts.privileges());
        into.state = Some(facts.state().into());
        into.start_time = Some(facts.start_time().into());
        into.comm = Some(facts.comm().map(|comm| Blob(comm.to_vec())).into());
        into.cgroups_trusted = read(facts.cgroups_trusted());
        into.cgroups_claimed = read(facts.cgroups_claimed());
        into.namespaces = read(facts.namespaces());
        if granted.reach(Interface::Executable) {
            into.doubts = read(facts.doubts());
            into.executable = read(facts.executable());
            into.executable_sha256 = Some(facts.executable_sha256().await.into());
        }
        if granted.reach(Interface::Ancestry) {
            into.ancestry = Some(facts.ancestry().await.into());
        }
        if granted.reach(Interface::Cmdline) {
            let arguments = facts.cmdline().await;
            into.cmdline = Some(arguments.map(|all| all.into_iter().map(Blob).collect()).into());
        }
        if granted.reach(Interface::Systemd) {
            into.systemd_unit = Some(facts.systemd_unit().await.into());
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Only whole values are ever put in.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<T: ToOwned + ?Sized>(fact: FactResult<&T>) -> Option<Fact<T::Owned>> {
    Some(fact.map(ToOwned::to_owned).into())
}

impl<T> From<FactResult<T>> for Fact<T> {
    fn from(found: FactResult<T>) -> Self {
        match found {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Err(error),
        }
    }
}

impl Noted {
    /// The record of a path, if there is room for it.
    fn file(&mut self, root: FileRoot, path: &str) -> Option<&mut RecordedFile> {
        let files = match root {
            FileRoot::Host => &mut self.recorded.host_files,
            FileRoot::Workload => &mut self.recorded.workload_files,
        };
        if files.len() >= KEPT && !files.contains_key(path) {
            self.left_out += 1;
            return None;
        }
        Some(files.entry(path.to_owned()).or_default())
    }

    fn variable(&mut self, name: &str, value: &FactResult<Option<Vec<u8>>>) {
        let variables = &mut self.recorded.environ;
        if variables.len() >= KEPT && !variables.contains_key(name) {
            self.left_out += 1;
            return;
        }
        variables.insert(name.to_owned(), blob(value));
    }

    fn exchange(
        &mut self,
        endpoint: &str,
        request: HttpRequest,
        outcome: &Result<HttpResponse, HttpError>,
    ) {
        if self.recorded.exchanges.len() >= EXCHANGES {
            self.left_out += 1;
            return;
        }
        let outcome = match outcome.clone() {
            Ok(response) => Answered::Ok(response),
            Err(error) => Answered::Err(error),
        };
        self.recorded.exchanges.push(Exchange { endpoint: endpoint.to_owned(), request, outcome });
    }
}

fn blob(value: &FactResult<Option<Vec<u8>>>) -> Fact<Option<Blob>> {
    value.clone().map(|value| value.map(Blob)).into()
}

impl Recorded {
    fn add_to_about(&mut self, note: &str) {
        if self.about.is_empty() {
            note.clone_into(&mut self.about);
        } else {
            self.about = format!("{} ({note})", self.about);
        }
    }
}

impl Endpoints for Recorder {
    fn send<'a>(&'a self, endpoint: &'a str, request: HttpRequest) -> HttpFuture<'a> {
        Box::pin(async move {
            let outcome = match &self.endpoints {
                Some(endpoints) => endpoints.send(endpoint, request.clone()).await,
                None => Err(HttpError::Refused("nothing is recorded of endpoints".to_owned())),
            };
            self.noted().exchange(endpoint, request, &outcome);
            outcome
        })
    }
}

impl FactSource for Recorder {
    fn assurance(&self, fact: FactName) -> Assurance {
        self.facts.assurance(fact)
    }
    fn credentials(&self) -> FactResult<&Credentials> {
        self.facts.credentials()
    }
    fn names(&self) -> FactResult<&Names> {
        self.facts.names()
    }
    fn label(&self) -> FactResult<&str> {
        self.facts.label()
    }
    fn privileges(&self) -> FactResult<&Privileges> {
        self.facts.privileges()
    }
    fn state(&self) -> FactResult<char> {
        self.facts.state()
    }
    fn start_time(&self) -> FactResult<u64> {
        self.facts.start_time()
    }
    fn comm(&self) -> FactResult<&[u8]> {
        self.facts.comm()
    }
    fn cgroups_trusted(&self) -> FactResult<&[CgroupTrust]> {
        self.facts.cgroups_trusted()
    }
    fn cgroups_claimed(&self) -> FactResult<&[CgroupClaim]> {
        self.facts.cgroups_claimed()
    }
    fn namespaces(&self) -> FactResult<&[Namespace]> {
        self.facts.namespaces()
    }
    fn executable(&self) -> FactResult<&ExecutableInfo> {
        self.facts.executable()
    }
    fn doubts(&self) -> FactResult<&[Doubt]> {
        self.facts.doubts()
    }
    fn executable_sha256(&self) -> FactFuture<'_, String> {
        self.facts.executable_sha256()
    }
    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>> {
        self.facts.ancestry()
    }
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        self.facts.cmdline()
    }
    fn variable<'a>(&'a self, name: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let value = self.facts.variable(name).await;
            self.noted().variable(name, &value);
            value
        })
    }
    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let content = self.facts.file(root, path).await;
            if let Some(file) = self.noted().file(root, path) {
                file.content = Some(blob(&content));
            }
            content
        })
    }
    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<DirectoryEntry>>> {
        Box::pin(async move {
            let entries = self.facts.entries(root, path).await;
            if let Some(file) = self.noted().file(root, path) {
                file.entries = Some(entries.clone().into());
            }
            entries
        })
    }
    fn status<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<FileStatus>> {
        Box::pin(async move {
            let status = self.facts.status(root, path).await;
            if let Some(file) = self.noted().file(root, path) {
                file.status = Some(status.clone().into());
            }
            status
        })
    }
    fn systemd_unit(&self) -> FactFuture<'_, Option<SystemdUnit>> {
        self.facts.systemd_unit()
    }
    fn lifetimes(&self) -> Lifetimes {
        self.facts.lifetimes()
    }
}
