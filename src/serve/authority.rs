//! Hosts that are paths: what gRPC clients call a server at a Unix socket, made a name that HTTP allows.
//!
//! Clients on gRPC's C core (Python, Ruby, C++, PHP) and those in Java send the path of the socket as the
//! `:authority` of HTTP/2, percent-encoded or as it is, and hyper answers that with PROTOCOL_ERROR. At a Unix
//! socket the name of a host means nothing, so what must not stand in one is replaced, byte for byte: no length
//! changes, and nothing is kept. Of the frames (RFC 9113) only heads of requests are read, of their fields
//! (HPACK, RFC 7541) only where they begin and end. A value in Huffman's code passes as it is. Never for TCP.

/// What HTTP/2 begins with; whatever else is not touched.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const NAME: &[u8] = b":authority";
/// Its place in HPACK's static table.
const INDEX: u8 = 1;

/// Kinds of frames, and their flags.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// Bytes of a stream's priority before the fields.
const PRIORITY_BYTES: usize = 5;

/// Where one connection's bytes are.
#[derive(Debug)]
pub(super) struct Authority {
    frame: Frame,
    field: Field,
}

#[derive(Clone, Copy, Debug)]
enum Frame {
    Preface(usize),
    /// Not HTTP/2.
    Other,
    Head {
        have: usize,
        head: [u8; 9],
    },
    /// The byte that tells how much padding is at the end of what is left.
    PadLength {
        priority: usize,
        left: usize,
    },
    /// `left` bytes, the first `skip` of which are no fields, and then padding.
    Fields {
        skip: usize,
        left: usize,
        padding: usize,
    },
    Skip(usize),
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Begin,
    /// The rest of a number, and whether a value follows.
    Number {
        value_follows: bool,
    },
    /// The length of a text, which is the field's name or its value; `authority` is whether it is this field's.
    Length {
        is_name: bool,
        authority: bool,
    },
    LengthRest {
        is_name: bool,
        authority: bool,
        length: usize,
        shift: u32,
    },
    Text {
        is_name: bool,
        authority: bool,
        at: usize,
        length: usize,
    },
}

impl Authority {
    pub(super) fn new() -> Self {
        Authority { frame: Frame::Preface(0), field: Field::Begin }
    }

    /// Takes the next bytes of the connection and replaces what has to be.
    pub(super) fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = match self.frame {
                Frame::Other => return,
                Frame::Skip(left) => {
                    let taken = left.min(bytes.len());
                    self.frame = skip(left - taken);
                    taken
                }
                _ => {
                    self.byte(&mut bytes[0]);
                    1
                }
            };
            bytes = &mut bytes[taken..];
        }
    }

    fn byte(&mut self, byte: &mut u8) {
        self.frame = match self.frame {
            Frame::Preface(at) if PREFACE[at] != *byte => Frame::Other,
            Frame::Preface(at) if at + 1 < PREFACE.len() => Frame::Preface(at + 1),
            Frame::Preface(_) => skip(0),
            Frame::Head { have, mut head } => {
                head[have] = *byte;
                if have + 1 < head.len() { Frame::Head { have: have + 1, head } } else { self.begin(head) }
            }
            Frame::PadLength { priority, left } => {
                let padding = usize::from(*byte);
                fields(priority, left.saturating_sub(padding), padding)
            }
            Frame::Fields { skip: 0, left, padding } => {
                self.field = self.field.next(byte);
                fields(0, left - 1, padding)
            }
            Frame::Fields { skip, left, padding } => fields(skip - 1, left - 1, padding),
            frame @ (Frame::Other | Frame::Skip(_)) => frame,
        }
    }

    fn begin(&mut self, [a, b, c, kind, flags, ..]: [u8; 9]) -> Frame {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS => {
                self.field = Field::Begin;
                let priority = if flags & PRIORITY == 0 { 0 } else { PRIORITY_BYTES };
                match length.checked_sub(1) {
                    Some(left) if flags & PADDED != 0 => Frame::PadLength { priority, left },
                    _ => fields(priority, length, 0),
                }
            }
            CONTINUATION => fields(0, length, 0),
            _ => skip(length),
        }
    }
}

fn fields(skipped: usize, left: usize, padding: usize) -> Frame {
    if left == 0 { skip(padding) } else { Frame::Fields { skip: skipped, left, padding } }
}

fn skip(left: usize) -> Frame {
    if left == 0 { Frame::Head { have: 0, head: [0; 9] } } else { Frame::Skip(left) }
}

impl Field {
    fn next(self, byte: &mut u8) -> Field {
        match self {
            Field::Begin => Field::begin(*byte),
            Field::Number { .. } if *byte & 0x80 != 0 => self,
            Field::Number { value_follows: true } => Field::Length { is_name: false, authority: false },
            Field::Number { value_follows: false } => Field::Begin,
            Field::Length { is_name, authority } => {
                let authority = authority && *byte & 0x80 == 0;
                match usize::from(*byte & 0x7f) {
                    length @ 0x7f => Field::LengthRest { is_name, authority, length, shift: 0 },
                    length => Field::text(is_name, authority, 0, length),
                }
            }
            Field::LengthRest { is_name, authority, length, shift } => {
                let part = usize::from(*byte & 0x7f).checked_shl(shift).unwrap_or(usize::MAX);
                let length = length.saturating_add(part);
                match *byte & 0x80 {
                    0 => Field::text(is_name, authority, 0, length),
                    _ => Field::LengthRest { is_name, authority, length, shift: shift + 7 },
                }
            }
            Field::Text { is_name: true, authority, at, length } => {
                let authority = authority && NAME.get(at) == Some(byte);
                Field::text(true, authority, at + 1, length)
            }
            Field::Text { is_name: false, authority, at, length } => {
                if authority && !byte.is_ascii_alphanumeric() && !b"-._~".contains(byte) {
                    *byte = b'-';
                }
                Field::text(false, authority, at + 1, length)
            }
        }
    }

    fn begin(byte: u8) -> Field {
        let literal = |mask: u8| match byte & mask {
            // Whether it is this field, its name will tell.
            0 => Field::Length { is_name: true, authority: true },
            index if index == mask => Field::Number { value_follows: true },
            index => Field::Length { is_name: false, authority: index == INDEX },
        };
        let number = |mask: u8| match byte & mask {
            all if all == mask => Field::Number { value_follows: false },
            _ => Field::Begin,
        };
        match byte {
            0x80.. => number(0x7f),
            0x40.. => literal(0x3f),
            0x20.. => number(0x1f),
            _ => literal(0x0f),
        }
    }

    fn text(is_name: bool, authority: bool, at: usize, length: usize) -> Field {
        match (at == length, is_name) {
            (false, _) => Field::Text { is_name, authority, at, length },
            (true, true) => Field::Length { is_name: false, authority: authority && length == NAME.len() },
            (true, false) => Field::Begin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
        [&length[..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A connection with these frames, passed in pieces of every size.
    fn passed(frames: &[Vec<u8>]) -> Vec<u8> {
        let whole = [PREFACE.to_vec(), frame(4, 0, &[0; 6]), frames.concat()].concat();
        let in_pieces = |size: usize| {
            let mut bytes = whole.clone();
            let mut authority = Authority::new();
            bytes.chunks_mut(size).for_each(|piece| authority.pass(piece));
            bytes
        };
        let all = in_pieces(whole.len());
        (1..whole.len()).for_each(|size| assert_eq!(in_pieces(size), all, "in pieces of {size}"));
        all[PREFACE.len() + 15..].to_vec()
    }

    /// As grpcio sends it, with the name spelled out.
    const SPELLED: &[u8] =
        b"@\x05:path\x04/a/b@\n:authority\x12tmp%2Fuds%2Fs.sock\x83\x86@\x02te\x08trailers";
    const MENDED: &[u8] = b"@\x05:path\x04/a/b@\n:authority\x12tmp-2Fuds-2Fs.sock\x83\x86@\x02te\x08trailers";

    #[test]
    fn a_path_becomes_a_name_and_nothing_else_changes() {
        let data = frame(0, 0, SPELLED);
        let sent = [frame(HEADERS, 4, SPELLED), data.clone(), frame(HEADERS, 4, SPELLED)];
        assert_eq!(passed(&sent), [frame(HEADERS, 4, MENDED), data, frame(HEADERS, 4, MENDED)].concat());
    }

    #[test]
    fn every_form_of_a_field_is_followed() {
        let long = [b"\x0f\x80\x01\x7f\x05".as_slice(), &[b'/'; 132]].concat();
        let before: [&[u8]; 8] = [
            b"",
            b"\x82\x84",
            b"\xff\x80\x01",
            b"\x3f\xe1\x1f",
            b"\x04\x02/x",
            b"\x10\x01/\x01%",
            b"@\0\0",
            &long,
        ];
        for before in before {
            let sent = |value: &[u8]| [before, b"\x41\x0a", value, b"\x44\x02%/"].concat();
            let all = passed(&[frame(HEADERS, 4, &sent(b"/run/a.b:1"))]);
            assert_eq!(all, frame(HEADERS, 4, &sent(b"-run-a.b-1")), "{before:x?}");
        }
        // In Huffman's code it means something else.
        let huffman = frame(HEADERS, 4, b"\x41\x83/%/");
        assert_eq!(passed(std::slice::from_ref(&huffman)), huffman);
    }

    #[test]
    fn padding_priority_and_continuations_are_followed() {
        let (first, rest) = SPELLED.split_at(30);
        let padded = [b"\x03", first, b"%%%"].concat();
        let prior = [b"\x03\0\0\0\x01\x0f", first, b"%%%"].concat();
        for (flags, payload) in [(PADDED, padded), (PADDED | PRIORITY, prior)] {
            let sent = [frame(HEADERS, flags, &payload), frame(CONTINUATION, 4, rest)];
            let all = passed(&sent);
            let text = String::from_utf8_lossy(&all).into_owned();
            assert!(text.contains("/a/b@") && text.contains("%%%") && !text.contains("%2F"), "{text:?}");
            assert_eq!(all.len(), sent.concat().len());
        }
    }

    #[test]
    fn other_protocols_pass() {
        let sent = b"POST /v1/traces HTTP/1.1\r\nhost: %2F\r\n\r\n@\n:authority\x03%2F";
        let mut bytes = sent.to_vec();
        Authority::new().pass(&mut bytes);
        assert_eq!(bytes, sent);
    }

    proptest! {
        #[test]
        fn any_bytes_pass(bytes in proptest::collection::vec(any::<u8>(), 0..200), pieces in 1_usize..50) {
            let mut whole = [PREFACE, &bytes].concat();
            let mut authority = Authority::new();
            whole.chunks_mut(pieces).for_each(|piece| authority.pass(piece));
            prop_assert!(whole.starts_with(PREFACE));
        }
    }
}
