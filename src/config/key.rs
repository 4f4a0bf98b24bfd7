//! The keys of the masks' hashes and of signed links: kept beside the store, so that marks match and
//! links hold over restarts.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::mask::Key;

const MASK: &str = "mask.key";
const LINK: &str = "link.key";

/// The masks' key of a store; a new one, for this process only, when the store has none.
pub(super) fn mask(store: &Path) -> Key {
    read(store, MASK).map_or_else(Key::random, Key::from_bytes)
}

/// The links' key of a store; a new one, for this process only, when the store has none.
pub(super) fn link(store: &Path) -> [u8; 32] {
    read(store, LINK).unwrap_or_else(rand::random)
}

fn read(store: &Path, name: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut file = fs::File::open(store.join(name)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Makes the keys of a store that has none. The folder must exist; only its owner may read them.
pub fn ensure_keys(store: &Path) -> io::Result<()> {
    ensure(&store.join(MASK))?;
    ensure(&store.join(LINK))
}

fn ensure(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 32) {
        return Ok(());
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&rand::random::<[u8; 32]>())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MaskConfig, Masker};

    #[test]
    fn marks_match_over_restarts_and_the_key_is_private() {
        let store = tempfile::tempdir().unwrap();
        let mark = || {
            let masker = Masker::try_new(&MaskConfig::default(), mask(store.path())).unwrap();
            masker.mask("--password Hunter2").into_owned()
        };
        assert_ne!(
            mark(),
            mark(),
            "without a store, marks of two processes do not match"
        );
        ensure_keys(store.path()).unwrap();
        let first = mark();
        ensure_keys(store.path()).unwrap();
        assert_eq!(mark(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for name in [MASK, LINK] {
                let file = fs::metadata(store.path().join(name)).unwrap();
                assert_eq!(file.permissions().mode() & 0o777, 0o600);
            }
        }
    }
}
