//! Cutting a stream into packets, as pure functions over bytes.
//!
//! Two framings: lines (TCP; all whole lines of a read are one packet) and 4-byte little-endian lengths
//! (DogStatsD's Unix streams; each frame is a packet). A line beyond the limit is skipped up to its end
//! and the stream lives on; an impossible length ends the stream, since nothing after it can be trusted.

/// How packets are told apart on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Lines,
    Lengths,
}

/// Bytes of a length.
const LENGTH: usize = 4;

/// Cuts one stream.
#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    largest: usize,
    /// Inside a line that was too long: everything up to its end is dropped.
    skipping: bool,
}

/// The packets at the front of what a stream has brought. What it leaves is read by `Framer::settle`.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    data: &'a [u8],
    framing: Framing,
    largest: usize,
    /// Bytes of `data` that are done with.
    pub(super) taken: usize,
    pub(super) packets: u64,
    impossible: bool,
}

/// What is to be done with the bytes that a look left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// They begin a packet that is not whole yet.
    Keep,
    /// They begin a line beyond the limit: dropped, as will be what follows up to its end.
    Oversized,
    /// They begin with a length of 0, or beyond the limit: the stream is lost.
    Impossible,
}

impl Framer {
    pub(super) fn new(framing: Framing, largest: usize) -> Self {
        Framer { framing, largest: largest.max(1), skipping: false }
    }

    /// Room that a look needs, so that the largest packet shows whole and a larger line as too long.
    pub(super) fn room(framing: Framing, largest: usize) -> usize {
        match framing {
            Framing::Lines => largest.max(1) + 1,
            Framing::Lengths => largest.max(1) + LENGTH,
        }
    }

    /// The packets in `data`: what the last look kept, then what came since.
    pub(super) fn frames<'a>(&mut self, data: &'a [u8]) -> Frames<'a> {
        let mut taken = 0;
        if self.skipping {
            let end = memchr::memchr(b'\n', data);
            self.skipping = end.is_none();
            taken = end.map_or(data.len(), |end| end + 1);
        }
        Frames { data, framing: self.framing, largest: self.largest, taken, packets: 0, impossible: false }
    }

    /// After the last packet: what the bytes behind `taken` are.
    pub(super) fn settle(&mut self, frames: &Frames<'_>) -> Rest {
        if frames.impossible {
            return Rest::Impossible;
        }
        let left = frames.data.len() - frames.taken;
        match self.framing {
            Framing::Lines if left > self.largest => {
                self.skipping = true;
                Rest::Oversized
            }
            Framing::Lines | Framing::Lengths => Rest::Keep,
        }
    }

    /// Whether `rest`, followed by the end of the stream, is a packet: a last line needs no newline,
    /// a frame needs all its bytes.
    pub(super) fn ends_whole(&self, rest: &[u8]) -> bool {
        match self.framing {
            Framing::Lines => true,
            Framing::Lengths => rest.is_empty(),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let left = &self.data[self.taken..];
        let packet = match self.framing {
            Framing::Lines => {
                let end = memchr::memrchr(b'\n', left)? + 1;
                self.taken += end;
                &left[..end]
            }
            Framing::Lengths => {
                let (length, left) = left.split_first_chunk::<LENGTH>()?;
                let length = u32::from_le_bytes(*length) as usize;
                if length == 0 || length > self.largest {
                    self.impossible = true;
                    return None;
                }
                let packet = left.get(..length)?;
                self.taken += LENGTH + length;
                packet
            }
        };
        self.packets += 1;
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds a stream in pieces of the given lengths, as `stream.rs` does: packets, oversized lines,
    /// what is left over at the end, and whether the stream stayed sound.
    fn feed(
        framing: Framing,
        largest: usize,
        stream: &[u8],
        pieces: &[usize],
    ) -> (Vec<Vec<u8>>, u64, Vec<u8>, bool) {
        let mut framer = Framer::new(framing, largest);
        let (mut packets, mut oversized, mut data) = (Vec::new(), 0, Vec::new());
        let (mut at, mut pieces) = (0, pieces.iter().cycle());
        while at < stream.len() {
            let room = Framer::room(framing, largest) - data.len();
            let piece = (*pieces.next().unwrap()).clamp(1, room).min(stream.len() - at);
            data.extend_from_slice(&stream[at..at + piece]);
            at += piece;
            let mut frames = framer.frames(&data);
            packets.extend(frames.by_ref().map(<[u8]>::to_vec));
            let (rest, taken) = (framer.settle(&frames), frames.taken);
            match rest {
                Rest::Keep => drop(data.drain(..taken)),
                Rest::Oversized => {
                    oversized += 1;
                    data.clear();
                }
                Rest::Impossible => return (packets, oversized, data, false),
            }
        }
        (packets, oversized, data, true)
    }

    fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
        packets.iter().flat_map(|p| [&(p.len() as u32).to_le_bytes()[..], p].concat()).collect()
    }

    #[test]
    fn lines_are_cut_where_they_end() {
        let text = b"a:1|c\nb:2|c\n\nc:3";
        let (packets, oversized, rest, _) = feed(Framing::Lines, 100, text, &[100]);
        assert_eq!((packets, oversized), (vec![b"a:1|c\nb:2|c\n\n".to_vec()], 0));
        assert_eq!(rest, b"c:3");
    }

    #[test]
    fn a_line_beyond_the_limit_is_dropped_alone() {
        for (length, lost) in [(5, 0), (6, 1), (7, 1), (12, 1), (13, 1), (40, 1)] {
            let text = [b"a\n".to_vec(), vec![b'x'; length], b"\nb\n".to_vec()].concat();
            for piece in 1..12 {
                let (packets, oversized, rest, _) = feed(Framing::Lines, 5, &text, &[piece]);
                let all = packets.concat();
                assert_eq!(oversized, lost, "{length} bytes in pieces of {piece}");
                assert_eq!(all.len(), if lost == 1 { 4 } else { 4 + length + 1 }, "{length} {piece}");
                assert!(rest.is_empty() && all.starts_with(b"a\n") && all.ends_with(b"b\n"));
            }
        }
    }

    #[test]
    fn an_impossible_length_ends_the_stream_after_the_good_frames() {
        for bad in [0u32, 6, u32::MAX] {
            let stream = [framed(&[b"12345".to_vec()]), bad.to_le_bytes().to_vec(), b"xyz".to_vec()].concat();
            let (packets, _, _, sound) = feed(Framing::Lengths, 5, &stream, &[3]);
            assert_eq!((packets, sound), (vec![b"12345".to_vec()], false), "{bad}");
        }
    }

    #[test]
    fn only_a_line_ends_whole_without_its_end() {
        assert!(Framer::new(Framing::Lines, 9).ends_whole(b"a:1|c"));
        assert!(!Framer::new(Framing::Lengths, 9).ends_whole(b"\x05\x00"));
        assert!(Framer::new(Framing::Lengths, 9).ends_whole(b""));
    }

    proptest! {
        #[test]
        fn property_pieces_make_no_difference_to_frames(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
            pieces in prop::collection::vec(1usize..60, 1..20),
        ) {
            let (seen, _, rest, sound) = feed(Framing::Lengths, 40, &framed(&packets), &pieces);
            prop_assert!(sound && rest.is_empty());
            prop_assert_eq!(seen, packets);
        }

        #[test]
        fn property_pieces_make_no_difference_to_lines(
            text in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..300),
            pieces in prop::collection::vec(1usize..60, 1..20),
        ) {
            let (seen, oversized, rest, _) = feed(Framing::Lines, 8, &text, &pieces);
            let end = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
            let whole = text[..end].split_inclusive(|b| *b == b'\n');
            let expected: Vec<u8> = whole.clone().filter(|line| line.len() <= 9).flatten().copied().collect();
            let long = whole.filter(|line| line.len() > 9).count() + usize::from(text.len() - end > 8);
            prop_assert_eq!(seen.concat(), expected);
            prop_assert_eq!(oversized as usize, long);
            prop_assert_eq!(rest, if text.len() - end > 8 { vec![] } else { text[end..].to_vec() });
        }

        #[test]
        fn property_no_stream_panics(stream in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
            feed(Framing::Lengths, 16, &stream, &[piece]);
            feed(Framing::Lines, 16, &stream, &[piece]);
        }
    }
}
