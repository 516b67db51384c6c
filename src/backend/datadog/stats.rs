//! What a client counted itself, in the envelope of the agent: a msgpack `StatsPayload`. Pure.
//!
//! The client's own `ClientStatsPayload` stands in it as its bytes came: it was checked at the intake, and
//! merging it with others would only lose detail. Source: `pkg/proto/datadog/trace/stats.proto`.

use super::payload::Agent;

/// The payload with the one of one client inside.
pub(super) fn body(agent: &Agent, client: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(client.len() + 160);
    // A map of six.
    body.push(0x86);
    for (key, value) in
        [("AgentHostname", &*agent.hostname), ("AgentEnv", &*agent.env), ("AgentVersion", agent.version)]
    {
        text(&mut body, key);
        text(&mut body, value);
    }
    text(&mut body, "ClientComputed");
    body.push(0xc3);
    text(&mut body, "SplitPayload");
    body.push(0xc2);
    text(&mut body, "Stats");
    // An array of one.
    body.push(0x91);
    body.extend_from_slice(client);
    body
}

fn text(body: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    // The texts are the agent's own and short; what is longer is cut.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    match length {
        0..32 => body.push(0xa0 | length as u8),
        _ => {
            body.push(0xda);
            body.extend_from_slice(&length.to_be_bytes());
        }
    }
    body.extend_from_slice(&text[..length.into()]);
}
