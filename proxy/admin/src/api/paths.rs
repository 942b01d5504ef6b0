//! What can be asked, and by which method.

use hyper::Method;
use hyper::header::HeaderValue;

/// One thing that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Help,
    Ready,
    Live,
    Overview,
    Services,
    Connections,
    Control,
    Confirm,
    Drain,
    Reload,
}

/// Every path, what it leads to, and its line in the help; none for a second name of the same.
const PATHS: [(&str, Path, &str); 13] = [
    ("/", Path::Help, ""),
    ("/help", Path::Help, "this list"),
    ("/healthz/ready", Path::Ready, "200 while it accepts and does not drain, else 503 and why"),
    ("/ready", Path::Ready, ""),
    ("/healthz/live", Path::Live, "200 as long as it answers and no worker hangs, else 503"),
    ("/live", Path::Live, ""),
    ("/api/v1/overview", Path::Overview, "how it is: phase, counts, limits, memory, drain"),
    (
        "/api/v1/services",
        Path::Services,
        "its services and their endpoints; ?limit= (1 to 1000), ?after=NAME",
    ),
    (
        "/api/v1/connections",
        Path::Connections,
        "open connections, oldest first; ?limit= (1 to 1000), ?after=ID",
    ),
    (
        "/api/v1/control",
        Path::Control,
        "the stream of configuration: server, version, refusals, what is held back",
    ),
    ("/control/confirm", Path::Confirm, "puts in force the removals that the stream's guard holds back"),
    ("/drain", Path::Drain, "drains and ends, as SIGTERM does"),
    ("/reload", Path::Reload, "reads the configuration and its files anew, as SIGHUP does"),
];

impl Path {
    pub(super) fn of(text: &str) -> Option<Self> {
        PATHS.iter().find(|(path, ..)| *path == text).map(|(_, path, _)| *path)
    }

    pub(super) fn takes(self, method: &Method) -> bool {
        match self {
            Self::Drain | Self::Reload | Self::Confirm => *method == Method::POST,
            _ => *method == Method::GET || *method == Method::HEAD,
        }
    }

    pub(super) fn methods(self) -> HeaderValue {
        HeaderValue::from_static(if self.takes(&Method::POST) { "POST" } else { "GET, HEAD" })
    }

    pub(super) fn methods_in_words(self) -> &'static str {
        if self.takes(&Method::POST) { "POST: this changes something" } else { "GET or HEAD" }
    }

    /// The parameters that its query may have.
    pub(super) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Services | Self::Connections => &["limit", "after"],
            _ => &[],
        }
    }
}

/// What can be asked, for people.
pub(super) fn help() -> String {
    let listed = PATHS.iter().filter(|(.., line)| !line.is_empty());
    let lines = listed.map(|(path, what, line)| {
        let method = if what.takes(&Method::POST) { "POST" } else { "GET" };
        format!("{method:<4}  {path:<20}  {line}\n")
    });
    let list: String = lines.collect();
    format!(
        "landbridge: administration\n\n{list}\nPOST needs the header \"x-landbridge-admin: 1\", or the unix socket.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_takes_either_get_or_post_and_stands_in_the_help() {
        let help = help();
        for (text, path, _) in PATHS {
            assert_eq!(Path::of(text), Some(path));
            assert_ne!(path.takes(&Method::GET), path.takes(&Method::POST), "{text}");
            assert!(!path.takes(&Method::PUT) && !path.takes(&Method::DELETE), "{text}");
        }
        assert!(help.contains("POST  /drain") && help.contains("GET   /api/v1/overview"), "{help}");
        assert_eq!(Path::of("/drain/"), None);
    }
}
