//! Secrets and personal data are in no file but those that are kept for them: looked for, in every form, in all that a run left behind
//! and in all that the office serves.

use std::path::Path;

use super::{Failed, PHONE, PIN, Story};
use crate::finger::Sight;
use crate::secrecy::{Leak, Search};
use crate::site::{Brokerage, Site};

/// Where private keys are kept. Each may be in its own file only.
const KEY_FILES: [(&str, &[&str]); 3] = [
    ("secrets", &["identity.key", "codes.key"]),
    (
        "office/keys",
        &[
            "root.key",
            "passes.key",
            "commands.key",
            "documents.key",
            "positions.key",
            "sealing.key",
            "ca.key",
        ],
    ),
    ("certificates", &["server.key", "office.key"]),
];
/// What the simulated hands were told to hold before the scanner is said here, by them.
const SAID_BY_HANDS: &str = "logs/hardware.log";
/// What is asked of the office's API.
const SERVED: [&str; 6] = [
    "/health",
    "/cabinets",
    "/cabinets/DEMO-1",
    "/events?limit=1000",
    "/alarms",
    "/consignments",
];

impl Story {
    /// All that is a secret from the beginning.
    pub(super) fn hide_first_secrets(&mut self) -> Result<(), Failed> {
        self.secrets.text("the phone number", PHONE);
        self.secrets.digits("the courier's PIN", PIN);
        self.secrets.text("the courier's badge", super::BADGE);
        for name in ["token", "password"] {
            let home = self.site.path("office").join(name);
            self.secrets.text_kept_in("a credential of the office", &home)?;
        }
        let home = self.site.path("approval.secret");
        self.secrets
            .text_kept_in("what deliveries are signed with", &home)?;
        self.hide_keys()
    }

    /// A pass that was given out.
    pub(super) fn hide_pass(&mut self, text: &str) {
        let pass = text.strip_prefix(office_protocol::pass::PREFIX).unwrap_or(text);
        self.secrets.text("a pass", pass);
    }

    /// What a slip says for taking back.
    pub(super) fn hide_slip(&mut self, slip: &Sight) -> Result<(), Failed> {
        let digits = slip.digits();
        let digits = digits.ok_or_else(|| Failed::Wrong("a slip without digits".into()))?;
        self.secrets.digits("a slip's digits", &digits);
        Ok(())
    }

    /// The keys that there are now; also those that are about to go.
    pub(super) fn hide_keys(&mut self) -> Result<(), Failed> {
        for (place, names) in KEY_FILES {
            let directory = self.site.path(place);
            for file in std::fs::read_dir(&directory).into_iter().flatten() {
                let path = file?.path();
                if path.extension().is_none_or(|extension| extension != "key") {
                    continue;
                }
                if !names.iter().any(|name| path == directory.join(name)) {
                    return Err(Failed::Wrong(format!("{} holds keys of whom?", path.display())));
                }
                self.secrets.keys_kept_in("a private key", &path)?;
            }
        }
        Ok(())
    }

    /// What the citizens were told.
    fn hide_codes(&mut self) {
        for told in self.deliveries.heard().borrow().iter() {
            if let Some(code) = &told.code {
                let token = code.qr.rsplit(':').next().unwrap_or(&code.qr);
                self.secrets.text("a pickup code's token", token);
                self.secrets.digits("a pickup code's digits", &code.digits);
            }
        }
    }

    /// Looks for every code, phone number, PIN, badge, pass and key of the run: in what the running office serves, and in journal,
    /// documents, database, the broker's store, settings, exports and logs, while the programs hold them open.
    pub(super) async fn no_secret_anywhere(&mut self) -> Result<(), Failed> {
        self.hide_keys()?;
        self.hide_codes();
        for path in SERVED {
            let answer = self.approval.ask("GET", path, None).await?.to_string();
            none(self.secrets.in_bytes(answer.as_bytes(), path))?;
        }
        self.no_secret_on_disk().map(drop)
    }

    /// Looks for them in all that is left when everything has ended.
    pub(super) fn no_secret_left(&self) -> Result<(), Failed> {
        let looked = self.no_secret_on_disk()?;
        for (place, word) in readable(&self.site) {
            self.is_readable(&self.site.path(place), word)?;
        }
        let count = self.secrets.count();
        self.step(
            &format!("在 {looked} 个文件里查找 {count} 个密钥、取件码、凭证、密码和手机号:一个都没有"),
            &format!(
                "{count} codes, passes, PINs, keys and phone numbers looked for in {looked} files: none found"
            ),
        );
        Ok(())
    }

    fn no_secret_on_disk(&self) -> Result<usize, Failed> {
        let said_by_hands = self.site.path(SAID_BY_HANDS).display().to_string();
        let (looked, mut leaks) = self.secrets.below(&self.site.plan().directory)?;
        leaks.retain(|leak| leak.place != said_by_hands);
        none(leaks)?;
        Ok(looked)
    }

    /// What is no secret is found there by the same search.
    fn is_readable(&self, place: &Path, word: &str) -> Result<(), Failed> {
        let mut search = Search::default();
        search.text(word, word);
        let (_, found) = search.below(place)?;
        if found.is_empty() {
            let place = place.display();
            return Err(Failed::Wrong(format!(
                "{word} is not found in {place}, so that no secret would be"
            )));
        }
        Ok(())
    }
}

/// Words that are no secrets, and where they are written.
fn readable(site: &Site) -> Vec<(&'static str, &'static str)> {
    let mut places = vec![
        ("cabinet/journal", "PERMIT-2"),
        ("cabinet/documents", "argon2id"),
        ("office", "PERMIT-2"),
        ("exports", "PERMIT-2"),
        ("logs/lockerd.log", "office_link"),
        ("logs/office.log", "office::mqtt"),
    ];
    if site.plan().brokerage == Brokerage::Mosquitto {
        places.push(("mosquitto.db", "compartments"));
    }
    places
}

fn none(leaks: Vec<Leak>) -> Result<(), Failed> {
    if leaks.is_empty() {
        return Ok(());
    }
    let all: Vec<String> = leaks.iter().map(ToString::to_string).collect();
    Err(Failed::Wrong(all.join("; ")))
}
