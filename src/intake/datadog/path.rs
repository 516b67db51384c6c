//! Which paths there are, what may be done there, and why others are not served.

use http::Method;

/// Versions of the protocol for traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V03,
    V04,
    V05,
    V07,
    V1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Info,
    Traces(Version),
    Stats,
    Statsd,
    /// Taken and forgotten, as by the Datadog agent itself.
    Services,
    /// Answered so that tracers are at ease.
    Acknowledged,
    /// With its name on metrics.
    NotCarried(&'static str),
}

/// The numbers that the server hands back with a body stand for these.
const READ: [Path; 7] = [
    Path::Traces(Version::V03),
    Path::Traces(Version::V04),
    Path::Traces(Version::V05),
    Path::Traces(Version::V07),
    Path::Traces(Version::V1),
    Path::Stats,
    Path::Statsd,
];

/// What else Datadog's clients ask an agent for: the beginning of the path and its name.
const NOT_CARRIED: [(&str, &str); 7] = [
    ("/profiling/", "profiling"),
    ("/evp_proxy/", "evp_proxy"),
    ("/debugger/", "debugger"),
    ("/symdb/", "symdb"),
    ("/tracer_flare/", "tracer_flare"),
    ("/v0.1/pipeline_stats", "pipeline_stats"),
    ("/openlineage/", "openlineage"),
];

impl Path {
    pub(super) fn of(path: &str) -> Path {
        match path {
            "/info" => Path::Info,
            "/v0.3/traces" => Path::Traces(Version::V03),
            "/v0.4/traces" => Path::Traces(Version::V04),
            "/v0.5/traces" => Path::Traces(Version::V05),
            "/v0.7/traces" => Path::Traces(Version::V07),
            "/v1.0/traces" => Path::Traces(Version::V1),
            "/v0.6/stats" => Path::Stats,
            "/dogstatsd/v2/proxy" => Path::Statsd,
            "/services" | "/v0.1/services" | "/v0.2/services" | "/v0.3/services" | "/v0.4/services" => {
                Path::Services
            }
            "/v0.7/config" => Path::Acknowledged,
            _ if path.starts_with("/telemetry/proxy/") => Path::Acknowledged,
            // `/evp_proxy/v2/…` as well as `/evp_proxy/v4/…`.
            _ => {
                let known = NOT_CARRIED.iter().find(|(beginning, _)| path.starts_with(beginning));
                Path::NotCarried(known.map_or("other", |(_, label)| label))
            }
        }
    }

    pub(super) fn number(self) -> u16 {
        READ.iter().position(|path| *path == self).map_or(u16::MAX, |at| at as u16)
    }

    pub(super) fn numbered(number: u16) -> Option<Path> {
        READ.get(usize::from(number)).copied()
    }

    pub(super) fn allows(self, method: &Method) -> bool {
        match self {
            Path::Traces(_) | Path::Stats | Path::Statsd | Path::Services => {
                *method == Method::PUT || *method == Method::POST
            }
            // Whoever asks with a body is answered too, as by the agent.
            Path::Info | Path::Acknowledged | Path::NotCarried(_) => true,
        }
    }

    /// As the header `Allow` has them.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Path::Traces(_) | Path::Stats | Path::Statsd | Path::Services => "POST, PUT",
            Path::Info | Path::Acknowledged | Path::NotCarried(_) => "GET, HEAD, POST, PUT",
        }
    }
}

/// Why a path is not served, by its name on metrics.
pub(super) fn why(label: &str) -> &'static str {
    match label {
        "profiling" => "profiles go nowhere from here",
        "evp_proxy" => "events of other Datadog products go nowhere from here",
        "debugger" | "symdb" => "the live debugger is not supported",
        "tracer_flare" => "flares go nowhere from here",
        "pipeline_stats" => "data streams are not monitored",
        "openlineage" => "lineage events go nowhere from here",
        _ => "no such path",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_paths() {
        for path in READ {
            assert_eq!(Path::numbered(path.number()), Some(path));
        }
        assert_eq!(Path::numbered(Path::Info.number()), None);
    }

    #[test]
    fn what_is_not_carried_has_a_name() {
        for (path, wanted) in [
            ("/profiling/v1/input", "profiling"),
            ("/evp_proxy/v4/api/v2/citestcycle", "evp_proxy"),
            ("/debugger/v1/diagnostics", "debugger"),
            ("/symdb/v1/input", "symdb"),
            ("/tracer_flare/v1", "tracer_flare"),
            ("/v0.1/pipeline_stats", "pipeline_stats"),
            ("/v9/traces", "other"),
        ] {
            assert_eq!(Path::of(path), Path::NotCarried(wanted), "{path}");
            assert!(!why(wanted).is_empty());
        }
    }
}
