//! What makes a scanner scan, for models that wait to be told so (pure).

use serde::Deserialize;

/// The command that a scanner is started with, each time its port opens and after each code.
///
/// The scanner's own time for one reading must be set to "without end": it is not told again before it has read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartCommand {
    /// It scans by itself.
    #[default]
    None,
    /// The GM65 and its relatives in command mode: a write to register 0002, checksum not checked.
    Gm65,
    /// Honeywell's serial trigger.
    Honeywell,
}

impl StartCommand {
    /// The bytes, as the makers' manuals have them; none for a scanner that needs no command.
    #[must_use]
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => &[],
            Self::Gm65 => &[0x7E, 0x00, 0x08, 0x01, 0x00, 0x02, 0x01, 0xAB, 0xCD],
            Self::Honeywell => &[0x16, 0x54, 0x0D],
        }
    }
}
