//! Two servers in turn at the same rates, in one run: what the machine does to one it does to the other.
//!
//! Single searches for a lossless rate on a shared machine differ by a factor of ten; only many short tries
//! side by side can be compared. What they add up to is in `threshold.rs`.

use crate::corpus::{self, Corpus, Rng};
use crate::pace::Pace;
use crate::process;
use crate::threshold::{self, Fit, Round, Step, Try, Verdict};
use crate::wire::{self, Target};
use serde_json::{Value, json};
use std::error::Error;
use std::thread;
use std::time::Duration;

#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// With --beside: messages a second of each step of the ladder
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "200000,300000,400000,500000,600000,800000,1000000,1300000",
        requires = "beside"
    )]
    rates: Vec<f64>,
    /// With --beside: a rate is lossless when at most this share of its tries lost something
    #[arg(long, default_value_t = 0.5, requires = "beside")]
    share: f64,
    /// With --beside: seconds of silence after a try
    #[arg(long, default_value_t = 0.1, requires = "beside")]
    pause: f64,
    /// With --beside: the multiple of the other's rate that is wanted
    #[arg(long, default_value_t = 0.9, requires = "beside")]
    at_least: f64,
}

/// How often the rounds are drawn anew for the interval.
const DRAWS: usize = 2_000;

/// Tries each rate `tries` times with either target and reports what was lost, and the ratio of the two.
pub fn lossless(
    corpus: &corpus::Options,
    targets: [&Target; 2],
    seconds: f64,
    tries: u32,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let seed = corpus.seed;
    let corpus = corpus::build(corpus);
    if targets[0].port() == targets[1].port() {
        return Err("drops are counted by port: the two targets need different ones".into());
    }
    let lowest = options.rates.iter().copied().fold(f64::INFINITY, f64::min);
    if !(lowest > 0.0 && lowest.is_finite() && options.share > 0.0 && options.share < 1.0) {
        return Err("want rates above 0, and a share between 0 and 1".into());
    }
    // Every series is known before it counts.
    for target in targets {
        wire::send(&corpus, target, corpus.messages, Pace::Even(lowest))?;
        thread::sleep(Duration::from_secs_f64(options.pause));
    }
    let mut rng = Rng::new(seed);
    let mut rounds = Vec::new();
    for number in 0..tries.max(1) as usize {
        let mut round = Round::default();
        for step in shuffled(options.rates.len(), &mut rng) {
            // Each target is the first of the two as often as the other, at each rate.
            let first = (number + step) % 2;
            for which in [first, 1 - first] {
                let to = targets[which];
                let (rate, pause) = (options.rates[step], Duration::from_secs_f64(options.pause));
                let one = once(&corpus, to, step, rate, seconds, pause)?;
                eprintln!(
                    "{}",
                    json!({"round": number, "to": to.to_string(), "rate": rate, "reached": one.reached,
                        "dropped_messages": one.dropped, "fullest_millisecond": one.fullest_millisecond})
                );
                round.targets[which].push(one);
            }
        }
        rounds.push(round);
    }
    println!("{}", report(&rounds, targets, options, seed));
    Ok(())
}

fn shuffled(count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, rng.range(0, i as u64) as usize);
    }
    order
}

fn once(
    corpus: &Corpus,
    to: &Target,
    step: usize,
    rate: f64,
    seconds: f64,
    pause: Duration,
) -> Result<Try, Box<dyn Error>> {
    let port = to.port().ok_or("lossless is for udp")?;
    let drops = || process::udp_drops(port).ok_or(format!("no socket here has the UDP port {port}"));
    let before = drops()?;
    let sent = wire::send(corpus, to, (rate * seconds) as u64, Pace::Even(rate))?;
    thread::sleep(pause);
    let dropped = drops()?.checked_sub(before).ok_or("the server began anew")?;
    Ok(Try {
        step,
        reached: sent.messages as f64 / sent.seconds,
        messages: sent.messages,
        dropped: dropped as f64 * sent.messages as f64 / sent.datagrams.max(1) as f64,
        fullest_millisecond: sent.fullest_millisecond,
    })
}

fn report(rounds: &[Round], targets: [&Target; 2], options: &Options, seed: u64) -> Value {
    let ladder = options.rates.len();
    let steps = [0, 1].map(|target| threshold::steps(rounds, target, ladder));
    let fit = threshold::fit([&steps[0], &steps[1]], options.share);
    let interval = threshold::interval(rounds, ladder, options.share, DRAWS, seed);
    let of = |target: usize| {
        let rates = options.rates.iter().zip(&steps[target]).map(|(rate, step)| row(*rate, step));
        json!({"to": targets[target].to_string(), "rates": rates.collect::<Vec<_>>(),
            "lossless_per_second": fit.filter(|fit| fit.inside[target]).map(|fit| fit.thresholds[target].round())})
    };
    let (only_to, only_beside) = threshold::only_one(rounds);
    json!({"share": options.share, "targets": [of(0), of(1)],
        "pairs_lost_by_one": {"to": only_to, "beside": only_beside}, "ratio": fit.filter(Fit::all_inside).map(|fit| fit.ratio()),
        "ratio_low": interval.map(|i| i.low), "ratio_high": interval.map(|i| i.high),
        "outside_ladder": interval.map(|i| i.outside), "at_least": options.at_least,
        "verdict": interval.map_or(Verdict::OutsideLadder, |i| i.verdict(options.at_least)).name()})
}

fn row(rate: f64, step: &Step) -> Value {
    json!({"rate": rate, "reached": step.reached.round(), "tries": step.tries, "with_drop": step.with_drop,
        "share": step.share(), "messages": step.messages, "dropped_messages": step.dropped.round(),
        "dropped_share": step.dropped / step.messages.max(1) as f64,
        "fullest_millisecond": step.fullest_millisecond})
}
