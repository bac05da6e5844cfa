//! Looks for secrets in whatever a run has left behind: each in every form in which a program might have written it, and each allowed
//! in no file but its own.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use sha2::{Digest as _, Sha256};

/// What a form is recognised by at first sight; no form is shorter than twice that.
const BEGIN: usize = 4;

/// A secret in one of its forms.
struct Form {
    secret: usize,
    name: &'static str,
    bytes: Vec<u8>,
    /// Decimal digits: in the middle of a longer hexadecimal number they are chance.
    digits: bool,
}

struct Secret {
    what: String,
    fingerprint: [u8; 32],
    homes: Vec<PathBuf>,
}

/// A secret where none should be. It says which, and never what it reads like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{what} ({form}) is in {place}")]
pub struct Leak {
    /// Which secret.
    pub what: String,
    /// How it is written there.
    pub form: &'static str,
    /// The file, or the page.
    pub place: String,
}

/// Everything that is looked for. No `Debug`.
#[derive(Default)]
pub struct Search {
    secrets: Vec<Secret>,
    forms: Vec<Form>,
    begins: HashMap<[u8; BEGIN], Vec<usize>>,
}

impl Search {
    /// How many secrets there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.secrets.len()
    }

    /// A text of at least eight letters.
    pub fn text(&mut self, what: &str, text: &str) {
        if let Some(secret) = self.secret(what, text.as_bytes(), None) {
            self.form(secret, "as it is", text.as_bytes().to_vec(), false);
            self.encoded(secret, text.as_bytes());
        }
    }

    /// At least eight decimal digits.
    pub fn digits(&mut self, what: &str, digits: &str) {
        if let Some(secret) = self.secret(what, digits.as_bytes(), None) {
            self.form(secret, "as it is", digits.as_bytes().to_vec(), true);
            self.encoded(secret, digits.as_bytes());
        }
    }

    /// The text in this file, which may be in no other.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text_kept_in(&mut self, what: &str, home: &Path) -> io::Result<()> {
        let text = std::fs::read_to_string(home)?;
        let text = text.trim();
        if let Some(secret) = self.secret(what, text.as_bytes(), Some(home)) {
            self.form(secret, "as it is", text.as_bytes().to_vec(), false);
            self.encoded(secret, text.as_bytes());
        }
        Ok(())
    }

    /// The keys in this file, which may be in no other: as `KIND:BASE64`, or PEM.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key.
    pub fn keys_kept_in(&mut self, what: &str, home: &Path) -> io::Result<()> {
        let keys = keys(&std::fs::read_to_string(home)?);
        if keys.is_empty() {
            let problem = format!("{} holds no key that is understood", home.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        for key in keys {
            self.bytes(what, &key, Some(home));
        }
        Ok(())
    }

    /// Secret bytes, which may be in no file but their own.
    pub fn bytes(&mut self, what: &str, bytes: &[u8], home: Option<&Path>) {
        let Some(secret) = self.secret(what, bytes, home) else {
            return;
        };
        self.form(secret, "as it is", bytes.to_vec(), false);
        self.encoded(secret, bytes);
        let listed = |separator: &str, one: fn(&u8) -> String| {
            bytes
                .iter()
                .map(one)
                .collect::<Vec<_>>()
                .join(separator)
                .into_bytes()
        };
        self.form(secret, "as a list", listed(",", |byte| format!("{byte}")), false);
        self.form(
            secret,
            "as a list, spaced",
            listed(", ", |byte| format!("{byte}")),
            false,
        );
        self.form(
            secret,
            "as a hexadecimal list",
            listed(", ", |byte| format!("{byte:02x}")),
            false,
        );
    }

    fn encoded(&mut self, secret: usize, bytes: &[u8]) {
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.form(
            secret,
            "in capital hexadecimal",
            hexadecimal.to_uppercase().into_bytes(),
            false,
        );
        self.form(secret, "in hexadecimal", hexadecimal.into_bytes(), false);
        for before in 0..3 {
            self.form(secret, "in base64", in_base64(&STANDARD, before, bytes), false);
            self.form(secret, "in base64url", in_base64(&URL_SAFE, before, bytes), false);
        }
    }

    /// A secret that was not known yet. One that was may be in this file as well.
    fn secret(&mut self, what: &str, bytes: &[u8], home: Option<&Path>) -> Option<usize> {
        let fingerprint: [u8; 32] = Sha256::digest(bytes).into();
        let home = home.map(Path::to_owned);
        if let Some(known) = self
            .secrets
            .iter_mut()
            .find(|known| known.fingerprint == fingerprint)
        {
            known.homes.extend(home);
            return None;
        }
        self.secrets.push(Secret {
            what: what.to_owned(),
            fingerprint,
            homes: home.into_iter().collect(),
        });
        Some(self.secrets.len() - 1)
    }

    fn form(&mut self, secret: usize, name: &'static str, bytes: Vec<u8>, digits: bool) {
        assert!(
            bytes.len() >= 2 * BEGIN,
            "{}: too short to be found",
            self.secrets[secret].what
        );
        if self
            .forms
            .iter()
            .any(|form| form.secret == secret && form.bytes == bytes)
        {
            return;
        }
        let mut begin = [0; BEGIN];
        begin.copy_from_slice(&bytes[..BEGIN]);
        self.begins.entry(begin).or_default().push(self.forms.len());
        self.forms.push(Form {
            secret,
            name,
            bytes,
            digits,
        });
    }

    /// What is found in these bytes.
    #[must_use]
    pub fn in_bytes(&self, bytes: &[u8], place: &str) -> Vec<Leak> {
        let leak = |form: &Form| Leak {
            what: self.secrets[form.secret].what.clone(),
            form: form.name,
            place: place.to_owned(),
        };
        self.found(bytes).map(leak).collect()
    }

    fn found<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a Form> {
        let at = move |(index, begin): (usize, &'a [u8])| {
            let begins = self.begins.get(begin).map_or(&[][..], Vec::as_slice);
            begins.iter().map(move |form| (index, &self.forms[*form]))
        };
        bytes
            .windows(BEGIN)
            .enumerate()
            .flat_map(at)
            .filter(|(index, form)| form.is_at(bytes, *index))
            .map(|(_, form)| form)
    }

    /// What is found in the files below a directory, outside of the secrets' own; and how many files were looked at.
    ///
    /// # Errors
    /// A directory or file cannot be read. One that goes away meanwhile is none.
    pub fn below(&self, directory: &Path) -> io::Result<(usize, Vec<Leak>)> {
        let (mut looked, mut leaks) = (0, Vec::new());
        for path in files(directory)? {
            let bytes = match std::fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read?,
            };
            looked += 1;
            let astray = |form: &&Form| !self.secrets[form.secret].homes.contains(&path);
            leaks.extend(self.found(&bytes).filter(astray).map(|form| Leak {
                what: self.secrets[form.secret].what.clone(),
                form: form.name,
                place: path.display().to_string(),
            }));
        }
        leaks.sort();
        leaks.dedup();
        Ok((looked, leaks))
    }
}

impl Form {
    fn is_at(&self, bytes: &[u8], index: usize) -> bool {
        let hexadecimal = |at: Option<usize>| {
            let byte = at.and_then(|at| bytes.get(at));
            byte.is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let within =
            self.digits && hexadecimal(index.checked_sub(1)) && hexadecimal(Some(index + self.bytes.len()));
        bytes[index..].starts_with(&self.bytes) && !within
    }
}

/// The letters that these bytes always have in base64, whatever follows them and with so many bytes of something else before.
fn in_base64(alphabet: &Alphabet, before: usize, bytes: &[u8]) -> Vec<u8> {
    let all = [&vec![0; before], bytes].concat();
    let text = GeneralPurpose::new(alphabet, NO_PAD).encode(&all).into_bytes();
    let (first, whole) = ((before * 8).div_ceil(6), all.len() * 8 / 6);
    text[first..whole].to_vec()
}

/// The keys in a key file.
fn keys(text: &str) -> Vec<Vec<u8>> {
    let plain = GeneralPurpose::new(&STANDARD, NO_PAD);
    let decoded = |text: &str| {
        let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
        plain.decode(text).ok().filter(|key| key.len() >= 32)
    };
    if text.contains("-----BEGIN") {
        let body = text.split_once("PRIVATE KEY-----").map_or("", |(_, body)| body);
        let body: String = body
            .lines()
            .take_while(|line| !line.starts_with("-----"))
            .collect();
        // The octets that are the key itself, within PKCS#8.
        let scalar = |der: Vec<u8>| {
            let at = der.windows(2).position(|tag| tag == [4, 32])?;
            der.get(at + 2..at + 34).map(<[u8]>::to_vec)
        };
        return decoded(&body).and_then(scalar).into_iter().collect();
    }
    text.split_whitespace()
        .filter_map(|word| decoded(word.rsplit(':').next()?))
        .collect()
}

/// All plain files below a directory, or the one that it is.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    if directory.is_file() {
        return Ok(vec![directory.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        match std::fs::symlink_metadata(&path) {
            Ok(about) if about.is_dir() => found.extend(files(&path)?),
            Ok(about) if about.is_file() => found.push(path),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use lockerd::cabinet::label;
    use office_protocol::SigningKey;

    const SECRET: [u8; 32] =
        *b"\xfb\xef\xffk\x9d\xe2\x33\xb7\x41\x5c\x88\xf0\x1d\x2e\xaa\x07 and 15 letters.";

    fn names(leaks: &[Leak]) -> Vec<(&str, &str)> {
        leaks.iter().map(|leak| (leak.what.as_str(), leak.form)).collect()
    }

    fn finds(search: &Search, planted: impl AsRef<[u8]>, form: &str) {
        let noise = b"{\"seq\":\"4711\",\"at\":1234";
        let around = [&noise[..], planted.as_ref(), b"\"} and on"].concat();
        let found = search.in_bytes(&around, "a file");
        assert!(found.iter().any(|leak| leak.form == form), "{form}: {found:?}");
    }

    #[test]
    fn a_key_is_found_in_every_form_that_a_program_gives_it() {
        let mut search = Search::default();
        search.bytes("a key", &SECRET, None);
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        finds(&search, SECRET, "as it is");
        finds(&search, hexadecimal(&SECRET), "in hexadecimal");
        finds(
            &search,
            hexadecimal(&SECRET).to_uppercase(),
            "in capital hexadecimal",
        );
        finds(&search, format!("{SECRET:?}"), "as a list, spaced");
        finds(&search, serde_json::to_string(&SECRET).unwrap(), "as a list");
        finds(&search, format!("{SECRET:02x?}"), "as a hexadecimal list");
        finds(
            &search,
            &*SigningKey::from_secret(&SECRET).to_secret_text(),
            "in base64url",
        );
        for (before, after) in (0..5).flat_map(|before| (0..4).map(move |after| (before, after))) {
            let within = [&vec![b'x'; before], &SECRET[..], &vec![b'y'; after]].concat();
            let text = base64::engine::general_purpose::STANDARD.encode(&within);
            finds(&search, text, "in base64");
        }
        assert!(search.in_bytes(&SECRET[1..], "a file").is_empty());
    }

    #[test]
    fn digits_are_found_between_columns_but_not_within_a_digest() {
        let mut search = Search::default();
        search.digits("a code", "58203947");
        for planted in [
            "PERMIT-158203947T",
            "\"58203947\"",
            "ed58203947\0",
            "158203947\n",
            "code=58203947",
        ] {
            let found = search.in_bytes(planted.as_bytes(), "a file");
            assert_eq!(names(&found), [("a code", "as it is")], "{planted}");
        }
        assert!(search.in_bytes(b"sha256:0a582039475c", "a file").is_empty());
        finds(&search, "NTgyMDM5NDc=", "in base64");
    }

    #[test]
    fn a_secret_may_be_in_its_own_files_and_no_other_may() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::create_dir(path("keys")).unwrap();
        let key = SigningKey::from_secret(&SECRET);
        std::fs::write(path("keys/one.key"), &*key.to_secret_text()).unwrap();
        std::fs::write(path("keys/codes.key"), &*key.to_secret_text()).unwrap();
        std::fs::write(path("token"), "only-here-and-nowhere\n").unwrap();
        let mut search = Search::default();
        search.keys_kept_in("a key", &path("keys/one.key")).unwrap();
        search.keys_kept_in("a key", &path("keys/codes.key")).unwrap();
        search.text_kept_in("the token", &path("token")).unwrap();
        assert_eq!(search.count(), 2);
        assert_eq!(search.below(place.path()).unwrap(), (3, Vec::new()));

        std::fs::write(path("keys/one.key"), "ed25519-secret:x only-here-and-nowhere").unwrap();
        std::fs::copy(path("keys/codes.key"), path("keys/copy.key")).unwrap();
        let (looked, leaks) = search.below(place.path()).unwrap();
        assert_eq!(looked, 4);
        assert_eq!(
            names(&leaks),
            [("a key", "in base64url"), ("the token", "as it is")]
        );
        assert!(
            leaks[0].place.ends_with("copy.key") && !leaks[0].to_string().contains("--__"),
            "{}",
            leaks[0]
        );
    }

    #[test]
    fn keys_are_read_from_all_kinds_of_key_files() {
        let place = tempfile::tempdir().unwrap();
        let office = office::keys::Keys::create(&place.path().join("keys")).unwrap();
        let issued = office.authority.client("office").unwrap();
        let board = format!(
            "current lockerd-bus-1:{}",
            base64::engine::general_purpose::STANDARD.encode(SECRET)
        );
        let label = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(SECRET);
        assert_eq!(keys(&board), [SECRET]);
        assert_eq!(
            keys(&format!("{}{}:{label}", label::PREFIX, "53455249414c3031")),
            [SECRET]
        );
        assert_eq!(keys(&issued.key).len(), 1);
        for entry in std::fs::read_dir(place.path().join("keys")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let wanted = usize::from(path.extension().is_some_and(|end| end == "key"));
            assert_eq!(keys(&text).len(), wanted, "{}", path.display());
        }
        assert!(keys("nothing of the kind").is_empty());
    }
}
