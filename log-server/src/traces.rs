//! Diagnostics on standard error, and traces to an OpenTelemetry collector where one is configured.
//!
//! Owns the subscriber, the exporter (OTLP over HTTP, JSON) and the span of a request. Nothing
//! confidential goes into a span: route, method, status, counts. A collector that is down costs
//! spans and nothing else. Does not own metrics (`metrics`).

use crate::config::TraceConfig;
use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::io::IsTerminal as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// Environment variable with the filter of the diagnostics.
const FILTER: &str = "CAIRN_LOG";

/// What the service is called in traces.
const SERVICE: &str = "cairn-server";

/// Spans of these crates are exported; those of libraries would drown them, and those of the
/// exporter's own HTTP client would feed on themselves.
const EXPORTED: &str = "cairn_server";

/// Why traces are not sent. Fatal for the start: an operator who configured them relies on them.
#[derive(Debug, thiserror::Error)]
#[error("the exporter of traces was not made")]
pub struct TracesError(#[from] ExporterBuildError);

/// Sends what is left when it is dropped.
#[derive(Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take() {
            // A collector that is down must not keep the process from ending.
            let _ = provider.shutdown();
        }
    }
}

/// Sets up diagnostics, and traces when they are configured. Once in a process, before any runtime.
///
/// # Errors
/// [`TracesError`]; diagnostics work all the same.
pub fn init(config: Option<&TraceConfig>) -> Result<Traces, TracesError> {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // Diagnostics usually go to a file or a journal.
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(filter);
    let registry = tracing_subscriber::registry().with(lines);
    let Some(config) = config else {
        registry.init();
        return Ok(Traces::default());
    };
    let provider = match provider(config) {
        Ok(provider) => provider,
        Err(error) => {
            registry.init();
            return Err(error.into());
        }
    };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_filter(Targets::new().with_target(EXPORTED, tracing::Level::INFO));
    registry.with(spans).init();
    Ok(Traces(Some(provider)))
}

fn provider(config: &TraceConfig) -> Result<SdkTracerProvider, ExporterBuildError> {
    let endpoint = format!("{}/v1/traces", config.otlp.trim_end_matches('/'));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(endpoint)
        .build()?;
    let share = 1.0 / config.one_in as f64;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(Resource::builder().with_service_name(SERVICE).build())
        .build())
}

/// The span of one request, a child of the caller's where it names one (W3C Trace Context).
#[must_use]
pub fn request_span(method: &'static str, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
    );
    if headers.contains_key("traceparent") {
        let caller = TraceContextPropagator::new().extract(&Headers(headers));
        // Fails only where no traces are exported, when there is no parent to set.
        let _ = span.set_parent(caller);
    }
    span
}

/// Headers as the propagator reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
