use witgate_sdk::{
    Failure,
    facts::http::{self, HttpError, Request},
};

/// What an engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The document that was asked for.
    Found(Vec<u8>),
    /// It knows nothing of that name.
    NotFound,
}

/// Asks an endpoint for a document.
///
/// # Errors
/// Unavailable, if there is no answer, or one that says nothing about what was asked.
pub(crate) fn get(endpoint: &str, path: String) -> Result<Answer, Failure> {
    let request = Request { method: "GET".to_owned(), path, headers: vec![], body: vec![] };
    let response = http::send(endpoint, &request)
        .map_err(|error| Failure::Unavailable(why(endpoint, &request.path, error)))?;
    match response.status {
        200 => Ok(Answer::Found(response.body)),
        404 => Ok(Answer::NotFound),
        status => Err(Failure::Unavailable(format!(
            "the endpoint {endpoint} answered {status} to {}",
            request.path
        ))),
    }
}

fn why(endpoint: &str, path: &str, error: HttpError) -> String {
    match error {
        HttpError::Unreachable(cause) => format!("the endpoint {endpoint}: {cause}"),
        HttpError::Timeout => format!("the endpoint {endpoint} did not answer in time"),
        HttpError::TooLarge => format!("the answer to {path} is larger than the limit"),
        HttpError::Refused(cause) => format!("{path} was not asked for: {cause}"),
        HttpError::Malformed(cause) => format!("the answer to {path} is not HTTP: {cause}"),
    }
}
