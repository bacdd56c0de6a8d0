//! HTTPS: what is asked, of whom, and through what.

use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::config::RedirectAuthHeaders;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::atomic::WriteError;

/// How the network is reached. The default goes there directly and trusts the
/// certificate authorities that Mozilla trusts.
#[derive(Clone, Debug)]
pub struct Network {
    /// What everything goes through.
    pub proxy: Option<Proxy>,
    /// The authorities to trust instead, a PEM file.
    pub certificates: Option<PathBuf>,
    /// How long a server may say nothing. How long the whole takes is nobody's
    /// limit.
    pub silence: Duration,
}

impl Default for Network {
    fn default() -> Network {
        Network { proxy: None, certificates: None, silence: Duration::from_secs(30) }
    }
}

/// A proxy, and who is reached without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// `http://host:port`.
    pub url: String,
    /// Hosts; `.example.com` is all below it, `*` is everybody.
    pub except: Vec<String>,
}

/// A download that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The authorities can't be read.
    #[error("cannot read {}", path.display())]
    Certificates { path: PathBuf, source: std::io::Error },
    /// There are none in the file.
    #[error("{} holds no certificates of authorities", path.display())]
    NoCertificates { path: PathBuf },
    /// The proxy has no address.
    #[error("the proxy {url:?} has no address that can be used, such as http://host:3128")]
    Proxy { url: String },
    /// No answer.
    #[error("cannot reach {url}")]
    Unreachable { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// An answer that isn't the file.
    #[error("{url} is answered with HTTP status {status}")]
    Status { url: String, status: u16 },
    /// The answer is not of the part that was asked for.
    #[error("{url} is answered with another part of the file than was asked for")]
    Range { url: String },
    /// The connection broke, and again each time it was taken up.
    #[error("the connection broke after {done} bytes of {}{url}", total.map_or(String::new(), |t| format!("{t} of ")))]
    Cut { url: String, done: u64, total: Option<u64> },
    /// More than a model can be.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    /// Another process is at it.
    #[error("another graft is downloading {} now", path.display())]
    Busy { path: PathBuf },
    /// The data folder can't be written.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// The sink said stop.
    #[error("stopped")]
    Cancelled,
}

/// An address that is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Whoever is between could read what is fetched, and hold it back.
    #[error("must begin with https://")]
    Scheme,
    /// No host in it.
    #[error("names no host")]
    Host,
    /// It would be printed, and written into files.
    #[error("must not hold a user or a password")]
    User,
    /// Not of the letters that addresses are written in.
    #[error("has a blank, or a letter that must be written as %XX")]
    Letter,
}

/// Whether an address may be asked: HTTPS; or HTTP of this very machine, which
/// nobody can listen to, for mirrors and tests.
pub(crate) fn check_url(url: &str) -> Result<(), UrlProblem> {
    if url.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(UrlProblem::Letter);
    }
    let (plain, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err(UrlProblem::Scheme),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlProblem::User);
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    match host {
        "" => Err(UrlProblem::Host),
        "localhost" | "127.0.0.1" | "[::1]" => Ok(()),
        _ if plain => Err(UrlProblem::Scheme),
        _ => Ok(()),
    }
}

/// Asks as `check_url` allows: an address by HTTPS is never led to one without.
pub(super) fn agent(network: &Network, url: &str) -> Result<Agent, HttpError> {
    let of_this_machine = url.starts_with("http://");
    let proxy = match &network.proxy {
        Some(proxy) if !of_this_machine => Some(through(proxy)?),
        _ => None,
    };
    let roots = match &network.certificates {
        Some(path) => authorities(path)?,
        None => RootCerts::WebPki,
    };
    let config = Agent::config_builder()
        .https_only(!of_this_machine)
        .max_redirects(5)
        .redirect_auth_headers(RedirectAuthHeaders::Never)
        .http_status_as_error(false)
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .user_agent(concat!("graft/", env!("CARGO_PKG_VERSION")))
        // What is resumed are the bytes of the file, not of a packed form.
        .accept_encoding("identity")
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_per_read(Some(network.silence))
        .build();
    Ok(config.into())
}

fn through(proxy: &Proxy) -> Result<ureq::Proxy, HttpError> {
    let fail = |_| HttpError::Proxy { url: proxy.url.clone() };
    let parsed = ureq::Proxy::new(&proxy.url).map_err(fail)?;
    let mut builder =
        ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    proxy.except.iter().fold(builder, |b, host| b.no_proxy(host)).build().map_err(fail)
}

fn authorities(path: &std::path::Path) -> Result<RootCerts, HttpError> {
    let pem = std::fs::read(path)
        .map_err(|source| HttpError::Certificates { path: path.to_path_buf(), source })?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(HttpError::NoCertificates { path: path.to_path_buf() });
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for good in [
            "https://example.com/net.onnx",
            "https://example.com:8443/net.onnx?raw=true",
            "http://127.0.0.1:8000/net.onnx",
            "http://localhost/net.onnx",
            "http://[::1]:8000/net.onnx",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for (bad, problem) in [
            ("http://example.com/net.onnx", UrlProblem::Scheme),
            ("http://localhost.example.com/net.onnx", UrlProblem::Scheme),
            ("http://127.0.0.1.example.com/", UrlProblem::Scheme),
            ("http://127.0.0.1:80@example.com/", UrlProblem::User),
            ("https://me:secret@example.com/net.onnx", UrlProblem::User),
            ("ftp://example.com/net.onnx", UrlProblem::Scheme),
            ("file:///etc/passwd", UrlProblem::Scheme),
            ("net.onnx", UrlProblem::Scheme),
            ("", UrlProblem::Scheme),
            ("https:///net.onnx", UrlProblem::Host),
            ("https://example.com/a net.onnx", UrlProblem::Letter),
            ("https://example.com/\r\nHost: other", UrlProblem::Letter),
        ] {
            assert_eq!(check_url(bad), Err(problem), "{bad}");
        }
    }

    #[test]
    fn a_proxy_without_an_address_is_named() {
        let proxy = Some(Proxy { url: "gopher://x".into(), except: Vec::new() });
        let network = Network { proxy, ..Network::default() };
        let error = agent(&network, "https://example.com/").unwrap_err();
        assert!(matches!(error, HttpError::Proxy { .. }), "{error}");
    }
}
