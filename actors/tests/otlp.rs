//! What an OTLP receiver gets from a real run, decoded; and what one that never answers costs.

mod support;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use support::exchange::Simulator;
use support::installation::Installation;
use support::receiver::{Manner, Received, Receiver};
use support::{Bot, SOON, START, STOP, http, run};

fn start(place: &Installation, receiver: &Receiver) -> Bot {
    place.configure(&format!(
        "OBSERVABILITY_METRICS_EXPORTER=otlp\nOBSERVABILITY_OTLP_ENDPOINT={}\n",
        receiver.url()
    ));
    place.start()
}

fn of_path(receiver: &Receiver, path: &str) -> Vec<Received> {
    let mut received = receiver.received();
    received.retain(|request| request.path == path);
    received
}

fn pushed_metrics(receiver: &Receiver) -> Option<ExportMetricsServiceRequest> {
    let last = of_path(receiver, "/v1/metrics").pop()?;
    assert_eq!(last.header("content-type"), Some("application/x-protobuf"));
    Some(ExportMetricsServiceRequest::decode(last.body.as_slice()).expect("OTLP"))
}

/// The histogram of submits, which has one series.
fn submits(metrics: &[Metric]) -> HistogramDataPoint {
    let submits = metrics
        .iter()
        .find(|metric| metric.name == "order_submit_latency_ms")
        .and_then(|metric| metric.data.as_ref());
    let Some(Data::Histogram(submits)) = submits else {
        panic!("no histogram: {submits:?}");
    };
    submits.data_points[0].clone()
}

fn pushed_spans(receiver: &Receiver) -> Vec<Span> {
    let bodies = of_path(receiver, "/v1/traces").into_iter();
    let requests = bodies
        .map(|request| ExportTraceServiceRequest::decode(request.body.as_slice()).expect("OTLP"));
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// The names that `/metrics` shows.
fn shown(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == name);
    let value = found.and_then(|one| one.value.as_ref()?.value.clone());
    match value {
        Some(Value::StringValue(text)) => text,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn figures_have_the_names_of_the_scrape_and_an_order_has_its_steps() {
    let simulator = Simulator::with_own_account(21, &[]);
    let place = Installation::armed(&simulator);
    let receiver = Receiver::start(Manner::Answers, &[]);
    let mut bot = start(&place, &receiver);
    let plane = bot.plane();
    let (metrics, point) = bot.wait("a submit's latency", SOON * 2, |_| {
        let mut request = pushed_metrics(&receiver)?;
        let metrics = request.resource_metrics[0].scope_metrics.remove(0).metrics;
        let point = submits(&metrics);
        (point.count > 0).then_some((metrics, point))
    });
    let (_, text) = http::get(plane, "/metrics").expect("the plane answers as well");
    let names: BTreeSet<String> = metrics.iter().map(|metric| metric.name.clone()).collect();
    assert_eq!(names, shown(&text));
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);

    let whole = bot.wait("an order that was sent and answered", SOON * 2, |_| {
        let mut traces: BTreeMap<Vec<u8>, Vec<Span>> = BTreeMap::new();
        for span in pushed_spans(&receiver) {
            traces.entry(span.trace_id.clone()).or_default().push(span);
        }
        traces.into_values().find(|spans| spans.len() == 6)
    });
    let names: Vec<&str> = whole.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["order", "decide", "risk", "journal", "submit", "ack"]
    );
    let starts: Vec<u64> = whole[1..]
        .iter()
        .map(|span| span.start_time_unix_nano)
        .collect();
    assert!(starts.is_sorted(), "{starts:?}");
    assert!(
        whole[1..]
            .iter()
            .all(|span| span.parent_span_id == whole[0].span_id)
    );
    assert!(
        whole
            .iter()
            .all(|span| span.end_time_unix_nano >= span.start_time_unix_nano)
    );
    assert_eq!(attribute(&whole[0], "symbol"), "BTCTRY");
    let id = attribute(&whole[0], "client_order_id");
    let posts = simulator.posts();
    assert!(
        posts
            .iter()
            .any(|post| post.client_id.as_deref() == Some(id.as_str())),
        "{id} is no order of ours"
    );
    let status = bot.status(plane);
    assert_eq!(
        status["run_id"].as_str(),
        Some(attribute(&whole[0], "run_id").as_str())
    );
    for name in ["mode", "cycle_id"] {
        assert!(!attribute(&whole[0], name).is_empty());
    }
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_receiver_that_never_answers_costs_counted_pushes_and_no_order() {
    let simulator = Simulator::process(22);
    let place = Installation::dry(&simulator);
    let receiver = Receiver::start(Manner::BlackHole, &[]);
    let mut bot = start(&place, &receiver);
    let plane = bot.plane();
    let figure = |series: &str| -> Option<f64> {
        let (_, text) = http::get(plane, "/metrics").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line?.trim().parse().ok()
    };
    bot.wait(
        "lost pushes and spans, and fills beside them",
        SOON * 3,
        |_| {
            let lost =
                |signal: &str| figure(&format!("btcbot_otlp_dropped_total{{signal=\"{signal}\"}}"));
            let fills = figure("btcbot_fills_total")?;
            (lost("metrics")? > 0.0 && lost("traces")? > 0.0 && fills > 0.0).then_some(())
        },
    );
    let resident = figure("btcbot_process_resident_memory_bytes").expect("a figure");
    assert!(resident < 256.0 * 1024.0 * 1024.0, "{resident} bytes");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn without_an_address_it_is_a_mistake_that_names_the_key() {
    let place = Installation::empty();
    let mut command = place.command(&["run"]);
    command.env("OBSERVABILITY_METRICS_EXPORTER", "otlp");
    let ended = run(command, START);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(text.contains("observability.otlp_endpoint"), "{text}");
}

#[test]
fn none_shows_no_metrics_and_keeps_the_probes() {
    let simulator = Simulator::process(23);
    let place = Installation::dry(&simulator);
    place.configure("OBSERVABILITY_METRICS_EXPORTER=none\n");
    let mut bot = place.start();
    let plane = bot.plane();
    let code = |path: &str| http::get(plane, path).expect("an answer").0;
    // It lives from its first picture on.
    bot.wait("a life", SOON, |_| (code("/livez") == 200).then_some(()));
    assert_eq!(code("/metrics"), 404);
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
