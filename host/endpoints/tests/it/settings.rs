//! What an operator may write, and what is said about the rest.

use std::path::PathBuf;

use witgate_endpoints::{ConfigError, EndpointConfig, EndpointSettings};

fn pods() -> EndpointSettings {
    EndpointSettings { paths: Some(vec!["/pods".to_owned()]), ..EndpointSettings::default() }
}

fn unix() -> EndpointSettings {
    EndpointSettings { unix: Some("/run/docker.sock".into()), ..pods() }
}

fn url(url: &str) -> EndpointSettings {
    EndpointSettings { url: Some(url.to_owned()), ..pods() }
}

fn https(text: &str) -> EndpointSettings {
    EndpointSettings { ca_file: Some("/etc/ca.pem".into()), ..url(text) }
}

fn plain(text: &str) -> EndpointSettings {
    EndpointSettings { allow_plain_http: Some(true), ..url(text) }
}

fn some(path: &str) -> Option<PathBuf> {
    Some(path.into())
}

fn errors(settings: &EndpointSettings) -> Vec<ConfigError> {
    EndpointConfig::new("here", settings).err().unwrap_or_default()
}

#[test]
fn what_can_be_written() {
    let everything = EndpointSettings {
        token_file: some("/var/run/token"),
        client_certificate_file: some("/etc/client.pem"),
        client_key_file: some("/etc/client.pem"),
        server_name: Some("node-1".to_owned()),
        methods: Some(["GET", "HEAD", "POST"].map(str::to_owned).to_vec()),
        paths: Some(["/pods", "/containers/*/json", "/api/**", "/"].map(str::to_owned).to_vec()),
        timeout_ms: Some(30_000),
        max_response_kib: Some(1),
        concurrency: Some(64),
        ..https("https://127.0.0.1:10250")
    };
    for settings in [
        unix(),
        everything,
        EndpointSettings { token_file: some("/token"), ..unix() },
        https("https://127.0.0.1"),
        https("https://127.0.0.1/"),
        https("https://[::1]:10250"),
        https("https://kubernetes.default.svc"),
        https("https://node_1:10250"),
        plain("http://127.0.0.1:10255"),
        plain("http://127.8.8.8"),
        plain("http://[::1]:1"),
    ] {
        assert_eq!(errors(&settings), [], "{settings:?}");
    }
}

/// Each of these is one mistake: the key that is named, and words that are said.
fn check<const N: usize>(mistakes: [(EndpointSettings, &str, &str); N]) {
    for (settings, key, words) in mistakes {
        let errors = errors(&settings);
        let [error] = &errors[..] else { panic!("{settings:?}: {errors:?}") };
        assert_eq!(error.key(), key, "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains(&format!("`{key}`")), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_place_is_said() {
    check([
        (pods(), "unix", "name a Unix socket, or an origin"),
        (
            EndpointSettings { unix: some("/x"), ..https("https://127.0.0.1") },
            "url",
            "in one place",
        ),
        (EndpointSettings { unix: some("run/x.sock"), ..unix() }, "unix", "absolute path"),
        (
            EndpointSettings { unix: some(&format!("/{}", "x".repeat(107))), ..unix() },
            "unix",
            "107",
        ),
        (EndpointSettings { unix: some("/a\0b"), ..unix() }, "unix", "none of them zero"),
        (EndpointSettings { ca_file: some("/ca"), ..unix() }, "ca_file", "no TLS on it"),
        (EndpointSettings { server_name: Some("x".into()), ..unix() }, "server_name", "no TLS"),
        (
            EndpointSettings { allow_plain_http: Some(true), ..unix() },
            "allow_plain_http",
            "does not go with `unix`",
        ),
        (url("https://127.0.0.1"), "ca_file", "those of the system are not trusted"),
        (https("127.0.0.1:10250"), "url", "write https://HOST"),
        (https("ftp://127.0.0.1"), "url", "write https://HOST"),
        (https("https://"), "url", "write https://HOST"),
        (https("https://127.0.0.1/api"), "url", "write https://HOST"),
        (https("https://127.0.0.1//"), "url", "write https://HOST"),
        (https("https://127.0.0.1?x"), "url", "write https://HOST"),
        (https("https://127.0.0.1#x"), "url", "write https://HOST"),
        (https("https://127.0.0.1\\@evil.example"), "url", "write https://HOST"),
        (https("https://user:hush@127.0.0.1"), "url", "without user"),
        (https("https://127.0.0.1:0"), "url", "port"),
        (https("https://127.0.0.1:"), "url", "port"),
        (https("https://127.0.0.1:65536"), "url", "port"),
        (https("https://a b"), "url", "write https://HOST"),
        (https("https://-x-:1"), "url", "DNS name"),
        (url("http://127.0.0.1"), "url", "`allow_plain_http = true`"),
        (plain("http://10.0.0.1"), "url", "only a loopback address"),
        (plain("http://0.0.0.0"), "url", "only a loopback address"),
        (plain("http://localhost"), "url", "only a loopback address"),
        (plain("http://127.0.0.1.example.org"), "url", "only a loopback address"),
        (
            EndpointSettings { token_file: some("/token"), ..plain("http://127.0.0.1") },
            "token_file",
            "would be sent the token",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_the_rest_is_said() {
    check([
        (
            EndpointSettings { ca_file: some("/ca"), ..plain("http://127.0.0.1") },
            "ca_file",
            "no TLS on it",
        ),
        (EndpointSettings { ca_file: some("ca.pem"), ..https("https://x") }, "ca_file", "absolute"),
        (EndpointSettings { token_file: some("token"), ..unix() }, "token_file", "absolute"),
        (
            EndpointSettings { server_name: Some("a b".into()), ..https("https://127.0.0.1") },
            "server_name",
            "DNS name",
        ),
        (
            EndpointSettings { client_key_file: some("/k"), ..https("https://x") },
            "client_certificate_file",
            "come together",
        ),
        (
            EndpointSettings { client_certificate_file: some("/c"), ..https("https://x") },
            "client_key_file",
            "come together",
        ),
        (EndpointSettings { paths: None, ..unix() }, "paths", "list what plugins may ask for"),
        (EndpointSettings { paths: Some(vec![]), ..unix() }, "paths", "list what plugins may ask"),
        (
            EndpointSettings { paths: Some(vec!["/a/../b".into()]), ..unix() },
            "paths",
            "`..` segment",
        ),
        (EndpointSettings { paths: Some(vec!["/a".into(); 65]), ..unix() }, "paths", "at most 64"),
        (EndpointSettings { methods: Some(vec![]), ..unix() }, "methods", "at least \"GET\""),
        (
            EndpointSettings { methods: Some(vec!["DELETE".into()]), ..unix() },
            "methods",
            "changes nothing",
        ),
        (EndpointSettings { methods: Some(vec!["get".into()]), ..unix() }, "methods", "GET"),
        (EndpointSettings { timeout_ms: Some(0), ..unix() }, "timeout_ms", "from 1 to 30000"),
        (EndpointSettings { timeout_ms: Some(30_001), ..unix() }, "timeout_ms", "30001"),
        (
            EndpointSettings { max_response_kib: Some(16_385), ..unix() },
            "max_response_kib",
            "16384",
        ),
        (EndpointSettings { concurrency: Some(0), ..unix() }, "concurrency", "no limit can be"),
    ]);
}

#[test]
fn a_name_that_cannot_be_granted_is_said_so() {
    for name in ["", "Docker", "a b", "a/b", "a_b", &"a".repeat(65)] {
        let errors = EndpointConfig::new(name, &unix()).unwrap_err();
        assert!(matches!(&errors[..], [ConfigError::Name { .. }]), "{name:?}: {errors:?}");
    }
    assert_eq!(EndpointConfig::new("docker-2", &unix()).unwrap().name(), "docker-2");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let settings = EndpointSettings {
        url: Some("http://example.org".to_owned()),
        ca_file: some("ca"),
        methods: Some(vec!["PUT".to_owned(), "BREW".to_owned()]),
        paths: Some(vec!["x".to_owned(), "/a//b".to_owned()]),
        timeout_ms: Some(0),
        concurrency: Some(1000),
        ..EndpointSettings::default()
    };
    let keys: Vec<_> = errors(&settings).iter().map(ConfigError::key).collect();
    assert_eq!(keys, ["methods", "methods", "paths", "paths", "timeout_ms", "concurrency", "url"]);
}
