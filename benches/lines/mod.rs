//! Messages as apps send them: names of 12 to 60 bytes, 2 to 8 tags of 8 to 32 bytes, as in the default corpus of
//! `benches/rig`. Deterministic.

/// SplitMix64, so that every run decodes the same bytes.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(crate) fn word(&mut self, length: u64) -> String {
        (0..length)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789_"[self.range(0, 36) as usize]))
            .collect()
    }

    pub(crate) fn name(&mut self) -> String {
        let length = self.range(12, 60) as usize;
        let mut name = self.word(6);
        while name.len() < length {
            let part = self.range(3, 9);
            name = name + "." + &self.word(part);
        }
        name
    }

    pub(crate) fn tags(&mut self) -> String {
        let tags: Vec<_> = (0..self.range(2, 8))
            .map(|_| {
                let half = self.range(4, 16);
                self.word(half) + ":" + &self.word(half)
            })
            .collect();
        tags.join(",")
    }
}

/// The rig's default mix: 60 % counters, 20 gauges, 10 timers, 2 histograms, 6 distributions, 2 sets;
/// a tenth of those that can be are sampled.
pub(crate) fn mixed(r: &mut Random) -> String {
    let (name, tags) = (r.name(), r.tags());
    let rate = if r.range(0, 9) == 0 { "|@0.5" } else { "" };
    let (whole, cents) = (r.range(0, 900), r.range(0, 99));
    match r.range(0, 99) {
        0..60 => format!("{name}:{}|c{rate}|#{tags}", r.range(1, 9)),
        60..80 => format!("{name}:{}|g|#{tags}", r.range(0, 100_000)),
        80..90 => format!("{name}:{whole}.{cents:02}|ms{rate}|#{tags}"),
        90..92 => format!("{name}:{whole}.{cents:02}|h{rate}|#{tags}"),
        92..98 => format!("{name}:{whole}.{cents:02}|d{rate}|#{tags}"),
        _ => format!("{name}:u{}|s|#{tags}", r.range(0, 999)),
    }
}
