//! Families and spans as OTLP's messages.

use super::exposition::{Family, Kind, Labels, Sample};
use super::trace::Span;
use engine::time::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{self, ResourceSpans, ScopeSpans};

/// Who pushes.
#[derive(Clone, Debug)]
pub struct Resource {
    /// This process start.
    pub run_id: String,
    /// The account's tag in client ids.
    pub account: String,
    /// Where orders go.
    pub venue: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// When the process started.
    pub started: Timestamp,
}

/// Makes the request of one push of metrics.
pub(super) fn metrics(
    from: &Resource,
    families: Vec<Family>,
    now: Timestamp,
) -> ExportMetricsServiceRequest {
    let (started, now) = (nanos(from.started), nanos(now));
    let metrics = families
        .into_iter()
        .map(|family| metric(family, started, now))
        .collect();
    let scope_metrics = ScopeMetrics {
        scope: Some(scope(from)),
        metrics,
        ..ScopeMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(from)),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    }
}

/// Makes the request of one push of spans.
pub(super) fn spans(from: &Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans {
        scope: Some(scope(from)),
        spans: spans.into_iter().map(span).collect(),
        ..ScopeSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(from)),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    }
}

fn resource(from: &Resource) -> resource::v1::Resource {
    let attributes = [
        ("service.name", "btcbot"),
        ("service.version", from.version),
        ("service.instance.id", &from.run_id),
        ("btcbot.account", &from.account),
        ("btcbot.venue", from.venue),
    ];
    resource::v1::Resource {
        attributes: attributes.map(|(name, value)| text(name, value)).into(),
        ..resource::v1::Resource::default()
    }
}

fn scope(from: &Resource) -> InstrumentationScope {
    InstrumentationScope {
        name: "btcbot".to_owned(),
        version: from.version.to_owned(),
        ..InstrumentationScope::default()
    }
}

fn text(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    (labels.iter())
        .map(|(name, value)| text(name, value))
        .collect()
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000)
}

fn metric(family: Family, started: u64, now: u64) -> Metric {
    let cumulative = AggregationTemporality::Cumulative as i32;
    let points = |samples: &[Sample]| {
        // OTLP has no figure that is not known: such a series has no point.
        let known = samples.iter().filter(|sample| !sample.value.is_nan());
        known.map(|sample| point(sample, started, now)).collect()
    };
    let data = match family.kind {
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: points(&family.samples),
        }),
        Kind::Counter => Data::Sum(Sum {
            data_points: points(&family.samples),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: vec![histogram(&family.samples, started, now)],
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        name: family.name,
        description: family.help,
        data: Some(data),
        ..Metric::default()
    }
}

fn point(sample: &Sample, started: u64, now: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(&sample.labels),
        start_time_unix_nano: started,
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsDouble(sample.value)),
        ..NumberDataPoint::default()
    }
}

/// Our histograms have no label beside `le`, so one family is one point. Prometheus adds buckets up, OTLP does not.
fn histogram(samples: &[Sample], started: u64, now: u64) -> HistogramDataPoint {
    let mut made = HistogramDataPoint {
        start_time_unix_nano: started,
        time_unix_nano: now,
        ..HistogramDataPoint::default()
    };
    let mut below = 0;
    for sample in samples {
        match sample.suffix.as_str() {
            "_bucket" => {
                let total = whole(sample.value);
                made.bucket_counts.push(total.saturating_sub(below));
                below = total;
                let bound = sample.labels.iter().find(|(name, _)| name == "le");
                let bound = bound.and_then(|(_, bound)| bound.parse::<f64>().ok());
                made.explicit_bounds
                    .extend(bound.filter(|bound| bound.is_finite()));
            }
            "_sum" => made.sum = Some(sample.value),
            "_count" => made.count = whole(sample.value),
            _ => {}
        }
    }
    made
}

/// A count that was shown as a number with a point.
fn whole(value: f64) -> u64 {
    // Saturates; counts are whole and far below 2^53.
    value as u64
}

fn span(span: Span) -> v1::Span {
    v1::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        parent_span_id: span.parent_id.map_or_else(Vec::new, |id| id.to_vec()),
        name: span.name.to_owned(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: (span.attributes.iter())
            .map(|(name, value)| text(name, value))
            .collect(),
        ..v1::Span::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::exposition::read;

    #[test]
    fn buckets_are_taken_apart_and_bounds_end_before_infinity() {
        let text = "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"5\"} 5\nh_bucket{le=\"+Inf\"} 6\nh_sum 20\nh_count 6\n";
        let family = read(text).remove(0);
        let point = histogram(&family.samples, 1, 2);
        assert_eq!(point.bucket_counts, [2, 3, 1]);
        assert_eq!(point.explicit_bounds, [1.0, 5.0]);
        assert_eq!((point.count, point.sum), (6, Some(20.0)));
    }

    #[test]
    fn a_figure_that_is_not_known_has_no_point_and_keeps_its_name() {
        let family = read("# TYPE g gauge\ng NaN\n").remove(0);
        let made = metric(family, 1, 2);
        assert_eq!(made.name, "g");
        let Some(Data::Gauge(gauge)) = made.data else {
            panic!("a gauge");
        };
        assert!(gauge.data_points.is_empty());
    }
}
