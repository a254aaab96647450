use std::cell::OnceCell;

use witgate_sdk::{Failure, Report, facts::cache::Scope, wants};

use crate::{
    EnvironmentSettings,
    answer::{Image, Inspected, Pod, parse},
    ask::{self, Answer},
    container,
    findings::{Findings, Most},
    keep::kept,
    keys,
};

/// What cannot change while a container runs is kept for as long as the cache allows.
const STEADY_MS: u32 = 3_600_000;

/// A container can get another name, and an image another digest, at any time.
const CHANGING_MS: u32 = 60_000;

const DIGESTS: Most = Most { count: 64, bytes: 8 << 10 };

/// A container engine, as an attestor asks it.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Name of the endpoint.
    pub endpoint: &'static str,
    /// How it is asked.
    pub api: Api,
    /// Who finds what was found: processes of the same control group, if that is root's.
    pub scope: Scope,
}

/// The words that an engine is asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Docker's.
    Docker,
    /// Podman's own, which has pods, too. Of version 4.0, the least that Podman 4 and 5 take.
    Libpod,
}

impl Api {
    fn path(self, of: &str, name: &str) -> String {
        match self {
            Self::Docker => format!("/{of}/{name}/json"),
            Self::Libpod => format!("/v4.0.0/libpod/{of}/{name}/json"),
        }
    }
}

impl Engine {
    /// Reports what the engine says about a container.
    ///
    /// # Errors
    /// Unavailable, if the engine cannot be asked; failed, if what it says contradicts the control
    /// group that the id comes from.
    pub fn attest(&self, id: &str, environment: &EnvironmentSettings) -> Result<Report, Failure> {
        let subject = Subject { engine: self, id, answer: OnceCell::new() };
        let steady = subject.kept("container", STEADY_MS, || {
            Ok(container::findings(subject.inspect()?, self.api, environment))
        })?;
        let mut report = steady.report(Report::new());
        for key in [keys::NAME, keys::IMAGE_DIGEST, keys::POD] {
            if wants(key) && self.has(key) {
                report = match subject.more(key, &steady) {
                    Ok(found) => found.report(report),
                    Err(Failure::Unavailable(reason)) => report.unknown(key, reason),
                    Err(failure) => return Err(failure),
                };
            }
        }
        Ok(report)
    }

    fn has(&self, key: &str) -> bool {
        key != keys::POD || self.api == Api::Libpod
    }
}

/// One container in one call.
struct Subject<'a> {
    engine: &'a Engine,
    id: &'a str,
    /// What was asked once in a call is not asked again.
    answer: OnceCell<Vec<u8>>,
}

impl Subject<'_> {
    fn kept(
        &self,
        what: &str,
        ttl_ms: u32,
        find: impl FnOnce() -> Result<Findings, Failure>,
    ) -> Result<Findings, Failure> {
        kept(self.engine.scope, &format!("{what}/{}", self.id), ttl_ms, find)
    }

    /// What is asked only for a key that is wanted.
    fn more(&self, key: &str, steady: &Findings) -> Result<Findings, Failure> {
        match key {
            keys::NAME => self.name(),
            keys::IMAGE_DIGEST => self.image_digest(steady),
            _ => self.pod(steady),
        }
    }

    /// Asks about the container. It is there, because a process is in it: an engine that does not know
    /// it has lost it, or is not the one that started it.
    fn inspect(&self) -> Result<Inspected, Failure> {
        let body = match self.answer.get() {
            Some(body) => body,
            None => {
                let body = self.ask("containers", self.id)?.ok_or_else(|| self.unheard_of())?;
                self.answer.get_or_init(|| body)
            }
        };
        let answer: Inspected = parse("the container", body)?;
        container::agrees(&answer, self.id)?;
        Ok(answer)
    }

    fn unheard_of(&self) -> Failure {
        let Self { engine, id, .. } = self;
        Failure::Failed(format!(
            "the process is in the control group of the container {id}, of which the endpoint {} \
             knows nothing",
            engine.endpoint
        ))
    }

    fn ask(&self, of: &str, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        match ask::get(self.engine.endpoint, self.engine.api.path(of, name))? {
            Answer::Found(body) => Ok(Some(body)),
            Answer::NotFound => Ok(None),
        }
    }

    /// Docker writes it with a slash in front.
    fn name(&self) -> Result<Findings, Failure> {
        self.kept("name", CHANGING_MS, || {
            let name = self.inspect()?.name;
            let plain = name.map(|name| name.strip_prefix('/').unwrap_or(&name).to_owned());
            Ok(Findings::default().one(keys::NAME, plain))
        })
    }

    fn image_digest(&self, steady: &Findings) -> Result<Findings, Failure> {
        let Some(id) = steady.value(keys::IMAGE_CONFIG_DIGEST) else {
            let none = "it is not known which image it is of";
            return Ok(Findings::default().unknown(keys::IMAGE_DIGEST, none));
        };
        self.kept("image", CHANGING_MS, || {
            let gone = || Failure::Unavailable("the image was removed since".to_owned());
            let answer = self.ask("images", id)?.ok_or_else(gone)?;
            let image: Image = parse("the image", &answer).map_err(of_this_key)?;
            if container::digest(&image.id).as_deref() != Some(id) {
                return Err(Failure::Unavailable("the answer is about another image".to_owned()));
            }
            Ok(Findings::default().several(keys::IMAGE_DIGEST, DIGESTS, image.repo_digests))
        })
    }

    fn pod(&self, steady: &Findings) -> Result<Findings, Failure> {
        let Some(id) = steady.value(keys::POD_ID) else {
            let none = Findings::default();
            let open = steady.is_unknown(keys::POD_ID);
            return Ok(if open { none.unknown(keys::POD, "it is not known which") } else { none });
        };
        self.kept("pod", STEADY_MS, || {
            let gone = || Failure::Unavailable("the engine does not know the pod".to_owned());
            let answer = self.ask("pods", id)?.ok_or_else(gone)?;
            let pod: Pod = parse("the pod", &answer).map_err(of_this_key)?;
            if pod.id != id {
                return Err(Failure::Unavailable("the answer is about another pod".to_owned()));
            }
            Ok(Findings::default().one(keys::POD, Some(pod.name)))
        })
    }
}

/// What is wrong about image or pod says nothing about the container.
fn of_this_key(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(reason) => Failure::Unavailable(reason),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use witgate_sdk::{facts::cache, testing::Process};

    use super::*;

    const ENGINE: Engine = Engine { endpoint: "docker", api: Api::Docker, scope: Scope::Cgroup };
    const ID: &str = "52e9069989778f49f83d9ddb7ab0b5d0812596f0e99e5b250919a8ea73dce053";
    const KEPT: [&str; 3] = ["container", "name", "image"];

    fn attest() -> Result<Report, Failure> {
        ENGINE.attest(ID, &EnvironmentSettings::default())
    }

    /// What is kept under a key.
    fn value(what: &str) -> Option<Vec<u8>> {
        cache::get(Scope::Cgroup, &format!("{what}/{ID}")).unwrap().map(|hit| hit.value)
    }

    #[test]
    fn a_second_call_asks_nobody() {
        let docker = Process::read("../docker/fixtures/recorded.json").unwrap();
        let (first, kept) = docker.during(|| (attest().unwrap(), KEPT.map(value)));
        let nobody = Process::from_json("{}").unwrap();
        let second = nobody.clone().during(|| {
            for (what, value) in KEPT.iter().zip(kept) {
                let key = format!("{what}/{ID}");
                cache::put(Scope::Cgroup, &key, &value.unwrap(), 1).unwrap();
            }
            attest().unwrap()
        });
        assert_eq!(second, first);
        assert!(matches!(nobody.during(attest), Err(Failure::Unavailable(_))));
    }

    #[test]
    fn of_a_failure_nothing_is_kept() {
        for fixture in ["other-container", "unknown-to-the-engine", "error", "no-json"] {
            let docker = Process::read(format!("../docker/fixtures/{fixture}.json")).unwrap();
            let (result, kept) = docker.during(|| (attest(), KEPT.map(value)));
            assert!(result.is_err(), "{fixture}");
            assert_eq!(kept, [None, None, None], "{fixture}");
        }
    }

    #[test]
    fn what_is_kept_and_cannot_be_read_is_found_out_again() {
        let docker = Process::read("../docker/fixtures/recorded.json").unwrap();
        let [plain, odd] = [&b""[..], b"{\"said\": 7}"].map(|value| {
            docker.clone().during(|| {
                cache::put(Scope::Cgroup, &format!("container/{ID}"), value, 1).unwrap();
                attest().unwrap()
            })
        });
        assert_eq!(plain, odd);
        assert!(plain.selectors().iter().any(|selector| selector.key == keys::IMAGE_ID));
    }
}
