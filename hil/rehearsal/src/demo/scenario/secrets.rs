//! Secrets and personal data are in no file but those that are kept for them: looked for, text by text, in all that a run left behind.

use std::path::{Path, PathBuf};

use super::{Failed, PHONE, PIN, Story};

/// Where secrets belong: keys and credentials of both ends, the broker's certificates, what signs deliveries; and what the simulated
/// hands were told to hold before the scanner.
const KEPT_FOR_SECRETS: [&str; 7] = [
    "secrets",
    "office/keys",
    "office/token",
    "office/password",
    "certificates",
    "approval.secret",
    "logs/hardware.log",
];

impl Story {
    /// Looks for every code, phone number, PIN, pass and key of the run in journal, index, database, broker's store, settings and logs.
    pub(super) fn no_secret_on_disk(&self) -> Result<(), Failed> {
        let mut secrets = vec![("the phone number", PHONE.to_owned())];
        for told in self.deliveries.heard().borrow().iter() {
            if let Some(code) = &told.code {
                let token = code.qr.rsplit(':').next().unwrap_or(&code.qr);
                secrets.push(("a pickup code's token", token.to_owned()));
                secrets.push(("a pickup code's digits", code.digits.clone()));
            }
        }
        for name in ["token", "password"] {
            secrets.push(("a credential of the office", self.site.office_secret(name)?));
        }
        for place in ["secrets", "office/keys"] {
            for path in files(&self.site.path(place))? {
                let key = path.extension().is_some_and(|extension| extension == "key");
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let longest = text.split_whitespace().max_by_key(|word| word.len());
                if let Some(word) = longest.filter(|word| key && word.len() >= 32) {
                    secrets.push(("a private key", word.to_owned()));
                }
            }
        }
        let kept = KEPT_FOR_SECRETS.map(|name| self.site.path(name));
        let mut looked = 0_u32;
        for path in files(&self.site.path("."))? {
            if kept.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            let bytes = std::fs::read(&path)?;
            looked += 1;
            let found = secrets.iter().find(|(_, secret)| contains(&bytes, secret));
            if let Some((what, _)) = found {
                return Err(Failed::Wrong(format!("{what} is in {}", path.display())));
            }
            if path.starts_with(self.site.path("logs")) {
                let credentials = ["LK1:", "LP1:", &format!("\"{PIN}\"")];
                if let Some(found) = credentials.iter().find(|text| contains(&bytes, text)) {
                    return Err(Failed::Wrong(format!("{found} is in {}", path.display())));
                }
            }
        }
        self.step(
            &format!(
                "在 {looked} 个文件里查找 {} 个密钥、取件码和手机号:一个都没有",
                secrets.len()
            ),
            &format!(
                "{} codes, keys and phone numbers looked for in {looked} files: none found",
                secrets.len()
            ),
        );
        Ok(())
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    // Journal segments are blank far beyond what was written.
    let written = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    bytes[..written]
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// All plain files below a directory, or the one file that it is.
fn files(place: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let about = std::fs::symlink_metadata(place)?;
    if about.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    if about.is_dir() {
        for entry in std::fs::read_dir(place)? {
            let path = entry?.path();
            found.extend(files(&path.components().collect::<PathBuf>())?);
        }
    }
    Ok(found)
}
