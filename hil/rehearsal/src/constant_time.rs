//! `rehearsal constant-time`: whether the time of comparing a code's hash tells where it differs, after the manner of dudect.
//!
//! Two kinds of pairs are compared in random order: such that differ in the first byte, and such that differ in none. Welch's t says
//! whether their times have different means; above 4.5 they do. A plain comparison is measured beside it, to show that a leak would be
//! seen here.

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

/// Measure whether comparing codes takes a time that tells anything about them
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Measurements of each kind
    #[arg(long, default_value_t = 200_000)]
    measurements: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command: 1 when the time tells something, or when this machine is too noisy to say.
pub fn command(arguments: &Arguments) -> ExitCode {
    let ours = t(arguments.measurements, same_hash).abs();
    let plain = t(arguments.measurements, plainly_same).abs();
    if arguments.json {
        println!("{{\"t\":{ours:.2},\"t_of_a_plain_comparison\":{plain:.2},\"t_max\":{T_MAX}}}");
    } else {
        println!(
            "comparing code hashes: |t| = {ours:.2} over 2 x {} measurements (above {T_MAX}: it leaks)",
            arguments.measurements
        );
        println!("a comparison that stops at the first difference, for contrast: |t| = {plain:.2}");
    }
    if ours > T_MAX {
        eprintln!(
            "constant-time: the time tells where a code differs, or the machine is busy; run it alone, several times"
        );
        return ExitCode::FAILURE;
    }
    if plain <= T_MAX {
        eprintln!("constant-time: not even the plain comparison can be told here; raise --measurements");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn plainly_same(a: &KeyedHash, b: &KeyedHash) -> bool {
    a.0.iter().zip(&b.0).all(|(a, b)| black_box(a) == black_box(b))
}

/// Welch's t of both kinds' times.
fn t(measurements: usize, same: impl Fn(&KeyedHash, &KeyedHash) -> bool) -> f64 {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..2 * measurements {
        let kind = (dice.next_u32() & 1) as usize;
        let mut hash = [0; 16];
        dice.fill_bytes(&mut hash);
        let other = KeyedHash(hash);
        hash[0] ^= kind as u8;
        let hash = KeyedHash(hash);
        let begun = Instant::now();
        for _ in 0..REPEATED {
            black_box(same(black_box(&hash), black_box(&other)));
        }
        times[kind].push(begun.elapsed().as_nanos() as f64);
    }
    let bound = bound(&times);
    let [first, second] = times.map(|times| Moments::of(times.into_iter().filter(|time| *time <= bound)));
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
