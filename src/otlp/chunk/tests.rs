//! Halves of chunks, and the sample chunk of other tests.

use super::*;
use crate::otlp::protobuf::Writer;
use crate::otlp::{view, walk};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

/// A chunk whose scopes have so many spans, named by their place.
pub(crate) fn chunk(scopes: &[usize]) -> Chunk {
    let mut names = 0..;
    let mut span = || Span { name: names.next().unwrap_or(0).to_string(), ..Span::default() };
    let scope = |(at, spans): (usize, &usize)| ScopeSpans {
        scope: Some(InstrumentationScope { name: format!("scope {at}"), ..Default::default() }),
        spans: (0..*spans).map(|_| span()).collect(),
        schema_url: "https://scope".into(),
    };
    let message = ResourceSpans {
        resource: Some(Resource { dropped_attributes_count: 7, ..Default::default() }),
        scope_spans: scopes.iter().enumerate().map(scope).collect(),
        schema_url: "https://resource".into(),
    };
    let spans = scopes.iter().sum::<usize>() as u32;
    let bytes = message.encode_to_vec();
    Chunk {
        signal: Signal::Traces,
        items: spans,
        identity: identity(&bytes),
        bytes: bytes.into(),
        hold: None,
    }
}

fn names(chunk: &Chunk) -> Vec<String> {
    let scopes = view::ResourceSpans::read(&chunk.bytes);
    scopes
        .scopes()
        .flat_map(|scope| scope.spans().map(|span| span.name.to_owned()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn one_span_cannot_be_halved() {
    assert!(chunk(&[1]).halves().is_none());
    assert!(chunk(&[0, 1, 0]).halves().is_none());
}

#[test]
fn a_scope_goes_where_its_spans_go() {
    let [first, second] = chunk(&[2, 4, 0, 1]).halves().unwrap();
    let read = |chunk: &Chunk| ResourceSpans::decode(&chunk.bytes[..]).unwrap();
    let shape = |chunk: &Chunk| -> Vec<(String, usize)> {
        let scopes = read(chunk).scope_spans;
        scopes.into_iter().map(|scope| (scope.scope.unwrap().name, scope.spans.len())).collect()
    };
    assert_eq!(shape(&first), [("scope 0".to_owned(), 2), ("scope 1".to_owned(), 1)]);
    assert_eq!(shape(&second), [("scope 1".to_owned(), 3), ("scope 3".to_owned(), 1)]);
    assert_eq!(read(&first).schema_url, "https://resource");
    assert_eq!(read(&second).scope_spans[0].schema_url, "https://scope");
}

proptest! {
    #[test]
    fn halves_hold_the_same_spans_in_order(scopes in proptest::collection::vec(0_usize..5, 1..5)) {
        let whole = chunk(&scopes);
        prop_assume!(whole.items > 1);
        let halves = whole.halves().unwrap();
        prop_assert_eq!(halves.iter().flat_map(names).collect::<Vec<_>>(), names(&whole));
        for half in &halves {
            prop_assert_eq!(names(half).len(), half.items as usize);
            prop_assert_eq!(identity(&half.bytes), whole.identity);
            let mut request = Writer::new();
            request.bytes(1, &half.bytes);
            let request = Bytes::from(request.into_inner());
            prop_assert_eq!(walk::request(Signal::Traces, &request).unwrap().resources[0].items, half.items);
            prop_assert!(ExportTraceServiceRequest::decode(&request[..]).is_ok());
        }
    }
}
