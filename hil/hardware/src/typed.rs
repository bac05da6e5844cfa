//! What a person types: arguments, and lines while a program runs (IO).

use std::ffi::OsString;

use tokio::sync::mpsc;

/// Lines of standard input until it ends, from a thread of their own: reading them blocks.
#[must_use]
pub fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Arguments without the `--` behind the command: cargo leaves it there when it stands behind an alias, as in `cargo demo -- --scenario`,
/// although it takes it away from its own commands.
pub fn typed_after_an_alias(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments
        .enumerate()
        .filter(|(place, argument)| *place != 2 || argument != "--")
        .map(|(_, argument)| argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_separator_behind_the_command_is_left_out() {
        for (typed, meant) in [
            ("rehearsal demo -- --scenario", "rehearsal demo --scenario"),
            ("rehearsal demo --scenario", "rehearsal demo --scenario"),
            ("hardware check bench.toml -- x", "hardware check bench.toml -- x"),
        ] {
            let words = typed_after_an_alias(typed.split(' ').map(OsString::from));
            let words: Vec<String> = words.map(|word| word.into_string().unwrap_or_default()).collect();
            assert_eq!(words.join(" "), meant);
        }
    }
}
