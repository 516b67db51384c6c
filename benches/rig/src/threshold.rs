//! From tries at a ladder of rates to the highest rate that a server takes, and how sure that is.
//!
//! Whether one try loses something is chance on a shared machine, so nothing here rests on one try. Pure
//! functions over tries: no clock, no socket.

use crate::corpus::Rng;

/// One try: what was sent at one rate to one target, and what of it was dropped.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// Index into the ladder.
    pub step: usize,
    /// Messages a second that the sender reached.
    pub reached: f64,
    pub messages: u64,
    /// Messages in the datagrams that the kernel dropped.
    pub dropped: f64,
    /// Datagrams in the sender's fullest millisecond.
    pub fullest_millisecond: u64,
}

/// All tries of one pass over the ladder, both targets': the unit that is drawn anew.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub targets: [Vec<Try>; 2],
}

/// All tries at one rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub tries: u64,
    pub with_drop: u64,
    pub messages: u64,
    pub dropped: f64,
    /// Mean of what the sender reached, in messages a second.
    pub reached: f64,
    pub fullest_millisecond: u64,
}

impl Step {
    pub fn share(&self) -> f64 {
        self.with_drop as f64 / self.tries.max(1) as f64
    }
}

/// The tries to one target, summed up by step.
pub fn steps<'a>(rounds: impl IntoIterator<Item = &'a Round>, target: usize, count: usize) -> Vec<Step> {
    let mut steps = vec![Step::default(); count];
    for t in rounds.into_iter().flat_map(|round| &round.targets[target]) {
        let step = &mut steps[t.step];
        step.tries += 1;
        step.with_drop += u64::from(t.dropped > 0.0);
        step.messages += t.messages;
        step.dropped += t.dropped;
        step.reached += (t.reached - step.reached) / step.tries as f64;
        step.fullest_millisecond = step.fullest_millisecond.max(t.fullest_millisecond);
    }
    steps
}

/// What both targets' tries say together.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    /// For each target the messages a second at which the set share of the tries loses something.
    pub thresholds: [f64; 2],
    /// Whether each lies between the lowest and the highest rate that was tried. What is beyond is a guess.
    pub inside: [bool; 2],
}

impl Fit {
    /// The first target's threshold as a multiple of the second's.
    pub fn ratio(&self) -> f64 {
        self.thresholds[0] / self.thresholds[1]
    }

    pub fn all_inside(&self) -> bool {
        self.inside == [true, true]
    }
}

/// Fits one curve to the shares of both targets, shifted for the second: the logistic one over the logarithm
/// of the rate, `logit(share) = level + slope * ln(rate) + shift`. None where the share does not rise.
pub fn fit(steps: [&[Step]; 2], share: f64) -> Option<Fit> {
    let mut cells: Vec<Cell> = Vec::new();
    for (steps, second) in steps.iter().zip([0.0, 1.0]) {
        let tried = steps.iter().filter(|step| step.tries > 0);
        cells.extend(tried.map(|step| Cell::new(step, second)));
    }
    let rates = cells.iter().map(|cell| cell.at[1]);
    let (low, high) =
        rates.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let middle = rates.sum::<f64>() / cells.len() as f64;
    for cell in &mut cells {
        cell.at[1] -= middle;
    }
    let [level, slope, shift] = logistic(&cells)?;
    if slope <= 0.0 {
        return None;
    }
    let wanted = (share / (1.0 - share)).ln();
    let logarithms = [level, level + shift].map(|level| (wanted - level) / slope + middle);
    Some(Fit {
        thresholds: logarithms.map(f64::exp),
        inside: logarithms.map(|at| (low..=high).contains(&at)),
    })
}

/// The tries of one target at one rate.
struct Cell {
    /// 1, the logarithm of the rate, and 1 for the second target.
    at: [f64; 3],
    with_drop: f64,
    tries: f64,
}

impl Cell {
    /// With half a try more, of which half lost something: a ladder without a drop has a fit too, far above.
    fn new(step: &Step, second: f64) -> Cell {
        Cell {
            at: [1.0, step.reached.ln(), second],
            with_drop: step.with_drop as f64 + 0.25,
            tries: step.tries as f64 + 0.5,
        }
    }
}

/// The likeliest level, slope and shift, by Newton's method.
fn logistic(cells: &[Cell]) -> Option<[f64; 3]> {
    let mut fitted = [0.0; 3];
    for _ in 0..100 {
        let mut gradient = [0.0; 3];
        let mut curvature = [[0.0; 3]; 3];
        for cell in cells {
            let logit: f64 = cell.at.iter().zip(&fitted).map(|(x, by)| x * by).sum();
            let share = 1.0 / (1.0 + (-logit).exp());
            for i in 0..3 {
                gradient[i] += cell.at[i] * (cell.with_drop - cell.tries * share);
                for (j, to) in curvature[i].iter_mut().enumerate() {
                    *to += cell.at[i] * cell.at[j] * cell.tries * share * (1.0 - share);
                }
            }
        }
        // From far away Newton's steps are too long.
        let step = solve(curvature, gradient)?.map(|step| step.clamp(-1.0, 1.0));
        for (value, step) in fitted.iter_mut().zip(step) {
            *value += step;
        }
        if step.iter().all(|step| step.abs() < 1e-9) {
            return Some(fitted);
        }
    }
    None
}

/// Three equations by Cramer's rule; none where they have not one answer.
fn solve(left: [[f64; 3]; 3], right: [f64; 3]) -> Option<[f64; 3]> {
    let determinant = |m: [[f64; 3]; 3]| {
        let minor = |a: usize, b: usize| m[1][a] * m[2][b] - m[1][b] * m[2][a];
        m[0][0] * minor(1, 2) - m[0][1] * minor(0, 2) + m[0][2] * minor(0, 1)
    };
    let whole = determinant(left);
    if !whole.is_normal() {
        return None;
    }
    Some([0, 1, 2].map(|column| {
        let mut replaced = left;
        for (row, right) in replaced.iter_mut().zip(right) {
            row[column] = right;
        }
        determinant(replaced) / whole
    }))
}

/// How far the ratio can be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// Between these lie 95 of 100 ratios of rounds drawn anew.
    pub low: f64,
    pub high: f64,
    /// Share of the draws that had no fit, or a threshold beyond the rates that were tried.
    pub outside: f64,
}

/// A bootstrap: `draws` times as many rounds as there are, each as often as chance has it, and a fit of them.
pub fn interval(rounds: &[Round], ladder: usize, share: f64, draws: usize, seed: u64) -> Option<Interval> {
    let mut rng = Rng::new(seed);
    let mut outside = 0;
    let mut ratios = Vec::new();
    for _ in 0..draws {
        let drawn: Vec<&Round> =
            rounds.iter().map(|_| &rounds[rng.range(0, rounds.len() as u64 - 1) as usize]).collect();
        let fit = fit_rounds(&drawn, ladder, share);
        outside += usize::from(!fit.is_some_and(|fit| fit.all_inside()));
        ratios.extend(fit.map(|fit| fit.ratio()));
    }
    ratios.sort_by(f64::total_cmp);
    let at = |part: f64| ratios.get((ratios.len().saturating_sub(1) as f64 * part).round() as usize).copied();
    Some(Interval { low: at(0.025)?, high: at(0.975)?, outside: outside as f64 / draws as f64 })
}

fn fit_rounds(rounds: &[&Round], ladder: usize, share: f64) -> Option<Fit> {
    let steps = [0, 1].map(|target| steps(rounds.iter().copied(), target, ladder));
    fit([&steps[0], &steps[1]], share)
}

/// Pairs of tries (one rate, one round) in which only the first target lost something, and only the second.
pub fn only_one(rounds: &[Round]) -> (u64, u64) {
    let mut only = (0, 0);
    for round in rounds {
        for first in &round.targets[0] {
            let Some(second) = round.targets[1].iter().find(|t| t.step == first.step) else { continue };
            only.0 += u64::from(first.dropped > 0.0 && second.dropped == 0.0);
            only.1 += u64::from(first.dropped == 0.0 && second.dropped > 0.0);
        }
    }
    only
}

/// What can be said of a wanted ratio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Met,
    Missed,
    /// The interval holds the wanted ratio: more rounds may tell.
    Open,
    /// A threshold was too often beyond the rates that were tried: others may tell.
    OutsideLadder,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Open => "open",
            Verdict::OutsideLadder => "outside the ladder",
        }
    }
}

/// With more draws than this outside the ladder an end of the interval is a guess.
const OUTSIDE: f64 = 0.025;

impl Interval {
    pub fn verdict(&self, wanted: f64) -> Verdict {
        if self.outside > OUTSIDE {
            Verdict::OutsideLadder
        } else if self.low >= wanted {
            Verdict::Met
        } else if self.high < wanted {
            Verdict::Missed
        } else {
            Verdict::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: [f64; 6] = [200e3, 300e3, 400e3, 550e3, 700e3, 900e3];

    /// Tries of two servers, of which each loses something with the chance that `chances` gives for a rate.
    fn tries(rounds: usize, seed: u64, chances: [&dyn Fn(f64) -> f64; 2]) -> Vec<Round> {
        let mut rng = Rng::new(seed);
        let mut one = |step: usize, chance: f64| Try {
            step,
            reached: LADDER[step],
            messages: 1000,
            dropped: if (rng.range(0, 999_999) as f64) < chance * 1e6 { 7.0 } else { 0.0 },
            fullest_millisecond: 0,
        };
        let mut round = || Round {
            targets: chances
                .map(|chance| (0..LADDER.len()).map(|step| one(step, chance(LADDER[step]))).collect()),
        };
        std::iter::repeat_with(&mut round).take(rounds).collect()
    }

    /// Half of the tries at `threshold` lose something, 12 % at half of it, 88 % at twice.
    fn curve(threshold: f64) -> impl Fn(f64) -> f64 {
        move |rate| 1.0 / (1.0 + (rate / threshold).powf(-2.9))
    }

    fn judge(rounds: &[Round]) -> (f64, Interval) {
        let fit = fit_rounds(&rounds.iter().collect::<Vec<_>>(), LADDER.len(), 0.5).unwrap();
        (fit.ratio(), interval(rounds, LADDER.len(), 0.5, 300, 1).unwrap())
    }

    #[test]
    fn exact_shares_give_exact_thresholds() {
        let steps = |threshold: f64| -> Vec<Step> {
            let step = |rate: &f64| Step {
                tries: 1_000_000,
                with_drop: (curve(threshold)(*rate) * 1e6).round() as u64,
                reached: *rate,
                ..Step::default()
            };
            LADDER.iter().map(step).collect()
        };
        let (first, second) = (steps(320e3), steps(400e3));
        let half = fit([&first, &second], 0.5).unwrap();
        assert!((half.thresholds[0] / 320e3 - 1.0).abs() < 1e-3, "{half:?}");
        assert!((half.thresholds[1] / 400e3 - 1.0).abs() < 1e-3, "{half:?}");
        assert!(half.all_inside());
        let tenth = fit([&first, &second], 0.1).unwrap();
        assert!((tenth.ratio() - 0.8).abs() < 1e-3, "{tenth:?}");
        assert_eq!(tenth.inside, [false, false], "{tenth:?}");
    }

    #[test]
    fn the_same_server_twice_meets_nine_tenths() {
        let (ratio, interval) = judge(&tries(300, 1, [&curve(450e3), &curve(450e3)]));
        assert!((ratio - 1.0).abs() < 0.06, "{ratio} {interval:?}");
        assert_eq!(interval.verdict(0.9), Verdict::Met, "{interval:?}");
    }

    #[test]
    fn a_slower_server_misses_them() {
        let (ratio, interval) = judge(&tries(300, 1, [&curve(330e3), &curve(450e3)]));
        assert!((0.68..0.79).contains(&ratio), "{ratio} {interval:?}");
        assert_eq!(interval.verdict(0.9), Verdict::Missed, "{interval:?}");
    }

    #[test]
    fn few_rounds_leave_it_open() {
        let (_, interval) = judge(&tries(10, 1, [&curve(450e3), &curve(450e3)]));
        assert!(interval.low < 0.9 && interval.high > 1.0, "{interval:?}");
        assert_eq!(Interval { outside: 0.0, ..interval }.verdict(0.9), Verdict::Open);
    }

    /// The interval holds the truth about 95 times in 100, also when the machine pauses at any rate, in half
    /// of the rounds: these are both servers' and no reason for another ratio.
    #[test]
    fn intervals_hold_the_truth() {
        let mut held = 0;
        for seed in 0..100 {
            let mut rounds = tries(30, seed, [&curve(500e3), &curve(500e3)]);
            let paused = |rate: f64| 0.3 + 0.7 * curve(500e3)(rate);
            rounds.extend(tries(30, seed + 1000, [&paused, &paused]));
            let (_, interval) = judge(&rounds);
            held += u32::from(interval.low <= 1.0 && 1.0 <= interval.high);
        }
        assert!((88..=100).contains(&held), "{held}");
    }

    #[test]
    fn beyond_the_ladder_nothing_is_said() {
        let never = tries(50, 1, [&|_| 0.0, &|_| 0.0]);
        let always = tries(50, 1, [&|_| 1.0, &|_| 1.0]);
        let far = tries(50, 1, [&curve(2e6), &curve(2e6)]);
        for rounds in [never, always, far] {
            let verdict = interval(&rounds, LADDER.len(), 0.5, 100, 1).map(|i| i.verdict(0.9));
            assert!(matches!(verdict, None | Some(Verdict::OutsideLadder)), "{verdict:?}");
        }
        assert!(interval(&[], LADDER.len(), 0.5, 100, 1).is_none());
    }

    #[test]
    fn a_share_that_falls_has_no_threshold() {
        let rounds = tries(50, 1, [&|rate| 2e5 / rate, &|rate| 2e5 / rate]);
        assert!(fit_rounds(&rounds.iter().collect::<Vec<_>>(), LADDER.len(), 0.5).is_none());
    }

    #[test]
    fn tries_are_summed_up_by_step_and_compared_in_pairs() {
        let one =
            |step, dropped, reached| Try { step, reached, messages: 100, dropped, fullest_millisecond: 3 };
        let rounds = [
            Round {
                targets: [
                    vec![one(1, 5.0, 90.0), one(0, 0.0, 50.0)],
                    vec![one(0, 0.0, 50.0), one(1, 0.0, 95.0)],
                ],
            },
            Round {
                targets: [
                    vec![one(0, 0.0, 50.0), one(1, 1.0, 98.0)],
                    vec![one(0, 2.0, 50.0), one(1, 4.0, 99.0)],
                ],
            },
        ];
        let steps = steps(&rounds, 0, 3);
        assert_eq!((steps[1].tries, steps[1].with_drop, steps[1].messages), (2, 2, 200));
        assert_eq!((steps[1].dropped, steps[1].reached, steps[1].share()), (6.0, 94.0, 1.0));
        assert_eq!((steps[0].tries, steps[0].with_drop, steps[2].tries), (2, 0, 0));
        assert_eq!(only_one(&rounds), (1, 1));
    }
}
