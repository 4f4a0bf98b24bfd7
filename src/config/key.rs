//! The key of the masks' hashes: kept beside the store, so that marks match over restarts.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::mask::Key;

/// The key of a store; a new one, for this process only, when the store has none.
pub(super) fn read(store: &Path) -> Key {
    let mut bytes = [0; 32];
    let read =
        fs::File::open(store.join("mask.key")).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_or_else(|_| Key::random(), |()| Key::from_bytes(bytes))
}

/// Makes the key of a store that has none. The folder must exist; only its owner may read the key.
pub fn ensure_mask_key(store: &Path) -> io::Result<()> {
    let path = store.join("mask.key");
    if fs::metadata(&path).is_ok_and(|file| file.len() == 32) {
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
            let masker = Masker::try_new(&MaskConfig::default(), read(store.path())).unwrap();
            masker.mask("--password Hunter2").into_owned()
        };
        assert_ne!(
            mark(),
            mark(),
            "without a store, marks of two processes do not match"
        );
        ensure_mask_key(store.path()).unwrap();
        let first = mark();
        ensure_mask_key(store.path()).unwrap();
        assert_eq!(mark(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(store.path().join("mask.key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
