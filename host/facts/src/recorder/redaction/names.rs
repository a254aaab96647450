/// Parts of a name that tell a secret, in lower case and without what joins words.
const PARTS: [&str; 13] = [
    "accesskey",
    "apikey",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "token",
];

/// Words that tell one at the end of a name.
const ENDS: [&str; 4] = ["auth", "key", "keys", "pass"];

/// Whether the value of this name is likely a secret, however the words of it are joined: `apiKey`,
/// `API_KEY`, `--api-key`, `x-api-key`.
pub(super) fn looks_secret(name: &str) -> bool {
    let joined: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|part| joined.contains(part)) || ENDS.iter().any(|end| joined.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_however_they_are_written() {
        let secret = "password --db-password DB_PASSWD apiKey x-api-key key TLS_KEY auth token \
                      X-Registry-Auth Set-Cookie authorization clientSecret ID_TOKEN ssh-keys \
                      credentials -Djavax.net.ssl.keyStorePassword";
        for name in secret.split_whitespace() {
            assert!(looks_secret(name), "{name}");
        }
        let plain = "name image keyboard authority author passenger content-type etag os-release \
                     Id path --listen";
        for name in plain.split_whitespace().chain([""]) {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
