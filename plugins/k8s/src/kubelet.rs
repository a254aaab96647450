use witgate_sdk::facts::http::{self, HttpError, Request};

/// The endpoint that is asked.
const ENDPOINT: &str = "kubelet";

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may be gone when the kubelet is asked again.
    Passing(String),
    /// Somebody has to do something about it.
    Lasting(String),
}

/// Asks the kubelet for all of its pods.
///
/// # Errors
/// Why it did not list them.
pub(crate) fn pods() -> Result<Vec<u8>, Trouble> {
    let request = Request {
        method: "GET".to_owned(),
        path: "/pods".to_owned(),
        headers: vec![],
        body: vec![],
    };
    let response = http::send(ENDPOINT, &request).map_err(Trouble::from)?;
    match response.status {
        200 => Ok(response.body),
        status => Err(refusal(status)),
    }
}

fn refusal(status: u16) -> Trouble {
    match status {
        401 | 403 => Trouble::Lasting(format!(
            "the kubelet refuses to list its pods ({status}): the endpoint's token or certificate \
             must be one that may `get` `nodes/pods` or `nodes/proxy`"
        )),
        408 | 429 | 500..600 => Trouble::Passing(format!("the kubelet answers {status}")),
        _ => Trouble::Lasting(format!("the kubelet answers {status} to `GET /pods`")),
    }
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unreachable(why) => {
                Self::Passing(format!("the kubelet cannot be reached: {why}"))
            }
            HttpError::Timeout => Self::Passing("the kubelet does not answer in time".to_owned()),
            HttpError::Malformed(why) => {
                Self::Passing(format!("the kubelet's answer is not HTTP: {why}"))
            }
            HttpError::TooLarge => Self::Lasting(
                "the kubelet's list is over `max_response_kib` of the endpoint; a pod takes some \
                 10 KiB"
                    .to_owned(),
            ),
            HttpError::Refused(why) => {
                Self::Lasting(format!("the endpoint may not be asked for `/pods`: {why}"))
            }
        }
    }
}
