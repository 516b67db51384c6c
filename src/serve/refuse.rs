//! The answer to a connection for which there is no place.

use super::End;
use super::stream::Stream;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a refused client may take to send what it has to say before it is cut off.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells a client that there are too many, and closes. What it sends is read first, for a while: closing
/// over unread bytes would take the answer away with a reset.
pub(super) async fn refuse(mut stream: Stream, option: &str) -> End {
    let why = format!("too many connections are open, none of them idle; `{option}` is the limit\n");
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{why}",
        why.len()
    );
    let talk = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // Nothing depends on whether the refused client hears it.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
    End::Refused
}
