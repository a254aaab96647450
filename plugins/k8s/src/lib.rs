//! The attestor `k8s`: to which pod and container a process belongs, as the kubelet lists them.
//!
//! The container comes from the control groups that only root could have made, and everything else
//! from what the kubelet says about it. See `README.md` for what that is worth.

mod document;
mod index;
mod keys;
mod kubelet;
mod list;
mod place;
mod pod;
mod report;
mod settings;

#[cfg(test)]
mod large;
#[cfg(test)]
mod tests;

use witgate_sdk::{Attestor, Failure, Manifest, Report, facts::cgroups};

use crate::{list::Search, place::Place, pod::Pod, settings::Settings};

/// The attestor.
struct K8s;

impl Attestor for K8s {
    fn describe() -> Manifest {
        keys::manifest()
    }

    fn validate(settings: &str) -> Result<(), String> {
        Settings::parse(settings).map(drop)
    }

    fn attest() -> Result<Report, Failure> {
        let settings = Settings::current().map_err(Failure::Failed)?;
        let hierarchies = cgroups::trusted()?;
        let place = Place::of(&hierarchies, &settings)?;
        let kept = Search { place: &place, settings: &settings }.pod()?;
        let pod: Pod<'_> = serde_json::from_slice(&kept)
            .map_err(|error| Failure::Failed(format!("what was kept of the pod: {error}")))?;
        report::report(&pod, &place, &settings)
    }
}

witgate_sdk::export!(K8s, "plugin.toml");
