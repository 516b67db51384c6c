//! The listeners for requests (OTLP, Datadog, Zipkin): bound together, served together, closed together before what they fed.
//!
//! Here a protocol meets its addresses; a new one is one more `add` and one more arm.

use crate::clock;
use crate::config::{Config, ListenAddress};
use crate::intake::datadog::{Datadog, Statsd};
use crate::intake::http::{self, BindError, Limits, Origin, Protocol, Server, Watch};
use crate::intake::otlp::Otlp;
use crate::intake::zipkin::Zipkin;
use crate::otlp::{Batcher, Budget};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// An answer that no byte leaves of for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// Sockets that listen and are not served yet.
#[derive(Debug)]
pub(super) struct Bound(Vec<(Kind, http::Bound)>);

/// Which protocol is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Otlp,
    Datadog,
    Zipkin,
}

/// The running listeners.
#[derive(Debug)]
pub(super) struct Intakes(Vec<Server>);

/// Takes all addresses.
pub(super) fn bind(config: &Config) -> Result<Bound, BindError> {
    let mode = config.intake.socket_mode;
    let mut bound = Vec::new();
    let mut add = |kind: Kind, origin: Origin, addresses: &[ListenAddress]| {
        addresses.iter().try_for_each(|address| {
            bound.push((kind, http::bind(origin, address, mode)?));
            Ok(())
        })
    };
    let origin = |what, option, variable| Origin { what, option, variable };
    add(Kind::Otlp, origin("OTLP over gRPC", "otlp.grpc", "PILLION_OTLP_GRPC"), &config.otlp.grpc)?;
    add(Kind::Otlp, origin("OTLP over HTTP", "otlp.http", "PILLION_OTLP_HTTP"), &config.otlp.http)?;
    add(
        Kind::Datadog,
        origin("Datadog's tracers", "datadog.listen", "PILLION_DATADOG_LISTEN"),
        &config.datadog.listen,
    )?;
    add(Kind::Zipkin, origin("Zipkin", "zipkin.listen", "PILLION_ZIPKIN_LISTEN"), &config.zipkin.listen)?;
    Ok(Bound(bound))
}

impl Bound {
    /// Begins to answer.
    pub(super) fn serve(
        self,
        config: &Config,
        budget: &Budget,
        batcher: &Batcher,
        statsd: Option<Statsd>,
    ) -> io::Result<Intakes> {
        let limits = Limits {
            connections: config.intake.max_connections,
            request: config.intake.request_timeout,
            idle: config.intake.idle_timeout,
            stall: STALL,
        };
        let otlp: Arc<dyn Protocol> = Arc::new(Otlp::new(batcher.clone(), &config.otlp));
        let datadog: Arc<dyn Protocol> =
            Arc::new(Datadog::new(batcher.clone(), &config.datadog, statsd, clock::now_ns));
        let zipkin: Arc<dyn Protocol> = Arc::new(Zipkin::new(batcher.clone(), &config.zipkin));
        let serve = |(kind, bound): (Kind, http::Bound)| {
            let protocol = match kind {
                Kind::Otlp => Arc::clone(&otlp),
                Kind::Datadog => Arc::clone(&datadog),
                Kind::Zipkin => Arc::clone(&zipkin),
            };
            tracing::info!(listener = %bound.address(), protocol = protocol.name(), "listening");
            bound.serve(protocol, budget, limits.clone())
        };
        self.0.into_iter().map(serve).collect::<io::Result<_>>().map(Intakes)
    }
}

impl Intakes {
    pub(super) fn watches(&self) -> Vec<Watch> {
        self.0.iter().map(|server| server.watch().clone()).collect()
    }

    /// Takes no more requests; those under way are answered until `deadline`.
    pub(super) async fn shutdown(self, deadline: Instant) {
        let mut ending = JoinSet::new();
        for server in self.0 {
            ending.spawn(server.shutdown(deadline));
        }
        while ending.join_next().await.is_some() {}
    }
}
