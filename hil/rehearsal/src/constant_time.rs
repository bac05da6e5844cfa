//! `rehearsal constant-time`: whether the time that a code takes tells anything about the codes that are live, after the manner of dudect.
//!
//! Two kinds of things are measured in random order; Welch's t says whether their times have different means: above 4.5 they do. Measured
//! are the comparison of two hashes, and all that a cabinet does with what is typed or scanned, from the input to the screen. Beside
//! each stands the same with a plain comparison, to show that a leak would be seen here.

mod look_up;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use lockerd::cabinet::same_hash;
use office_protocol::event::KeyedHash;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// From here on a difference is sure.
const T_MAX: f64 = 4.5;
/// Comparisons that are timed as one, because one is shorter than the clock's step.
const REPEATED: usize = 64;
/// What takes longer than this percentile was interrupted by something else.
const KEPT_PERCENT: usize = 90;

/// Measure whether looking codes up takes a time that tells anything about them
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Measurements of each kind
    #[arg(long, default_value_t = 200_000)]
    measurements: usize,
    /// So many pickup codes are live
    #[arg(long, default_value_t = 200)]
    codes: u16,
    /// One JSON object for each
    #[arg(long)]
    json: bool,
}

/// One thing that was measured, and the same with a leak in it.
struct Finding {
    /// What was done.
    what: &'static str,
    /// In which way both kinds differ.
    kinds: &'static str,
    t: f64,
    t_with_a_leak: f64,
}

/// Runs the command: 1 when a time tells something, or when this machine is too noisy to say.
pub fn command(arguments: &Arguments) -> ExitCode {
    let mut findings = vec![Finding {
        what: "comparing two hashes",
        kinds: "the same or different in the first byte",
        t: of_hashes(arguments.measurements, same_hash),
        t_with_a_leak: of_hashes(arguments.measurements, plainly_same),
    }];
    findings.extend(look_up::measure(arguments.codes, arguments.measurements));
    let mut code = ExitCode::SUCCESS;
    for finding in &findings {
        finding.print(arguments);
        if let Some(problem) = finding.problem() {
            eprintln!("constant-time: {}: {problem}", finding.what);
            code = ExitCode::FAILURE;
        }
    }
    code
}

impl Finding {
    fn print(&self, arguments: &Arguments) {
        let Self {
            what,
            kinds,
            t,
            t_with_a_leak,
        } = self;
        if arguments.json {
            println!(
                "{{\"measured\":\"{what}\",\"kinds\":\"{kinds}\",\"t\":{t:.2},\"t_with_a_leak\":{t_with_a_leak:.2},\"t_max\":{T_MAX}}}"
            );
        } else {
            println!(
                "{what}, {kinds}: |t| = {t:.2} over 2 x {} measurements; with a plain comparison {t_with_a_leak:.2} (above {T_MAX}: it \
                 leaks)",
                arguments.measurements
            );
        }
    }

    fn problem(&self) -> Option<&'static str> {
        if self.t > T_MAX {
            return Some("the time tells something, or the machine is busy; run it alone, several times");
        }
        let blind = "not even a plain comparison can be told here; raise --measurements";
        (self.t_with_a_leak <= T_MAX).then_some(blind)
    }
}

fn plainly_same(a: &KeyedHash, b: &KeyedHash) -> bool {
    plainly_equal(&a.0, &b.0)
}

/// Stops where they differ.
fn plainly_equal(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| black_box(a) == black_box(b))
}

fn of_hashes(measurements: usize, same: impl Fn(&KeyedHash, &KeyedHash) -> bool) -> f64 {
    t(measurements, |kind, dice| {
        let mut hash = [0; 16];
        dice.fill_bytes(&mut hash);
        let other = KeyedHash(hash);
        hash[0] ^= u8::from(kind);
        let hash = KeyedHash(hash);
        timed(|| {
            for _ in 0..REPEATED {
                black_box(same(black_box(&hash), black_box(&other)));
            }
        })
    })
}

/// In nanoseconds.
fn timed(deed: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    deed();
    begun.elapsed().as_nanos() as f64
}

/// |t| of two kinds of measurements, taken in random order.
fn t(measurements: usize, mut measured: impl FnMut(bool, &mut ChaCha8Rng) -> f64) -> f64 {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..2 * measurements {
        let kind = dice.next_u32() & 1 == 1;
        times[usize::from(kind)].push(measured(kind, &mut dice));
    }
    welch(&times).abs()
}

/// Welch's t of both kinds' times, without those that were interrupted.
fn welch(times: &[Vec<f64>; 2]) -> f64 {
    let bound = bound(times);
    let kept = |times: &Vec<f64>| Moments::of(times.iter().copied().filter(|time| *time <= bound));
    let [first, second] = [kept(&times[0]), kept(&times[1])];
    (first.mean - second.mean) / (first.variance / first.count + second.variance / second.count).sqrt()
}

/// The same for both kinds, else cutting would make a difference.
fn bound(times: &[Vec<f64>; 2]) -> f64 {
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    all[all.len() * KEPT_PERCENT / 100]
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut sum) = (0.0, 0.0, 0.0);
        for time in times {
            count += 1.0;
            let off = time - mean;
            mean += off / count;
            sum += off * (time - mean);
        }
        Self {
            count,
            mean,
            variance: sum / (count - 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of which the first kind's are longer by so much, in noise of up to a hundred.
    fn t_of(longer: f64) -> f64 {
        t(10_000, |kind, dice| {
            let noise = f64::from(dice.next_u32() % 101);
            let interrupted = if dice.next_u32().is_multiple_of(50) {
                10_000.0
            } else {
                0.0
            };
            1_000.0 + noise + interrupted + if kind { 0.0 } else { longer }
        })
    }

    #[test]
    fn a_small_difference_is_found_in_noise_and_none_where_there_is_none() {
        assert!(
            t_of(0.0) < T_MAX && t_of(5.0) > T_MAX,
            "{} {}",
            t_of(0.0),
            t_of(5.0)
        );
    }
}
