//! Signatures. A coordinator signs what it sends to agents, and an agent runs only what is signed by a key that it trusts.
//!
//! Keys are NKeys of users, as NATS has them: the public key begins with `U`, and the secret seed with `SU`.

use std::{fs, io, path::PathBuf};

use nkeys::{KeyPair, KeyPairType};
use serde::{Serialize, de::DeserializeOwned};

use super::protocol::{Assignment, Signature, Signed, ToAgent};

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("cannot read the signing key `{}`: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "`{}` contains no seed of a user's NKey, which begins with `SU`; `molotov --generate key` makes one",
        .0.display()
    )]
    NoSeed(PathBuf),
    /// The text is not repeated, because it may be secret.
    #[error("a seed, which is secret, was given as the key to trust; give the public key, which begins with `U`")]
    Secret,
    #[error("`{0}` is not the public NKey of a user, which begins with `U`; `molotov --generate key` makes a pair")]
    NotPublic(String),
    #[error("cannot sign a message: {0}")]
    Sign(nkeys::error::Error),
}

/// Why an agent refuses a message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error(
        "the run is not signed, and this agent runs only what is signed by a key that it trusts; start the run with \
         `--signing-key`"
    )]
    Unsigned,
    #[error(
        "the run is signed by the key {0}, which this agent does not trust; sign it with the key that the agent trusts, or \
         start the agent with `--trust {0}`"
    )]
    Unknown(String),
    #[error("the signature of a message does not match its contents, so it was changed on its way")]
    Changed,
    #[error("cannot decode a message: {0}; the coordinator and the agent must be the same version of Molotov")]
    Undecodable(postcard::Error),
}

/// A message that is signed.
pub(super) trait SignedMessage: Serialize + DeserializeOwned {
    /// What the signature is for: a signed message is valid as no other kind of message.
    const PURPOSE: &'static [u8];
}

impl SignedMessage for Assignment {
    const PURPOSE: &'static [u8] = b"molotov assignment 1\0";
}

impl SignedMessage for ToAgent {
    const PURPOSE: &'static [u8] = b"molotov order 1\0";
}

/// The secret key that a coordinator signs with.
pub(crate) struct SigningKey(KeyPair);

impl SigningKey {
    /// Reads a file with a seed, as `molotov --generate key` and `nk -gen user` write it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or contains no seed.
    pub(crate) fn read(path: &std::path::Path) -> Result<SigningKey, KeyError> {
        let text = fs::read_to_string(path).map_err(|error| KeyError::Read { path: path.to_owned(), error })?;
        let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
        let pair = seed.and_then(|seed| KeyPair::from_seed(seed).ok());
        pair.map(SigningKey).ok_or_else(|| KeyError::NoSeed(path.to_owned()))
    }

    /// The public key, which agents trust.
    pub(crate) fn public(&self) -> String {
        self.0.public_key()
    }
}

/// Encodes a message, and signs it if there is a key.
///
/// # Errors
///
/// If signing fails.
pub(super) fn sign<T: SignedMessage>(message: &T, key: Option<&SigningKey>) -> Result<Signed, KeyError> {
    #[allow(clippy::expect_used, reason = "the messages have no type that cannot be encoded")]
    let payload = postcard::to_stdvec(message).expect("the message can be encoded");
    let signature = key.map(|key| {
        let bytes = key.0.sign(&[T::PURPOSE, &payload].concat()).map_err(KeyError::Sign)?;
        Ok(Signature { key: key.public(), bytes })
    });
    Ok(Signed { signature: signature.transpose()?, payload })
}

/// The public keys whose messages an agent accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trust(Vec<String>);

impl Trust {
    /// Trusts these public keys; without any, all messages.
    ///
    /// # Errors
    ///
    /// If one is not the public key of a user.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Trust, KeyError> {
        let check = |key: &str| {
            let key = key.trim();
            if key.starts_with('S') && KeyPair::from_seed(key).is_ok() {
                return Err(KeyError::Secret);
            }
            match KeyPair::from_public_key(key) {
                Ok(pair) if pair.key_pair_type() == KeyPairType::User => Ok(key.to_owned()),
                _ => Err(KeyError::NotPublic(key.to_owned())),
            }
        };
        keys.into_iter().map(check).collect::<Result<_, _>>().map(Trust)
    }

    /// Whether messages need a signature.
    pub(crate) fn needs_signature(&self) -> bool {
        !self.0.is_empty()
    }

    /// Decodes a message that is signed by a trusted key.
    ///
    /// # Errors
    ///
    /// If the signature is missing, invalid or of another key, or the message cannot be decoded.
    pub(super) fn open<T: SignedMessage>(&self, signed: &Signed) -> Result<T, Distrust> {
        if self.needs_signature() {
            let signature = signed.signature.as_ref().ok_or(Distrust::Unsigned)?;
            if !self.0.contains(&signature.key) {
                // A text of another machine that is no key is not repeated.
                let key = KeyPair::from_public_key(&signature.key).map(|key| key.public_key());
                return Err(key.map_or(Distrust::Changed, Distrust::Unknown));
            }
            let verified = KeyPair::from_public_key(&signature.key)
                .and_then(|key| key.verify(&[T::PURPOSE, &signed.payload].concat(), &signature.bytes));
            verified.map_err(|_| Distrust::Changed)?;
        }
        postcard::from_bytes(&signed.payload).map_err(Distrust::Undecodable)
    }
}

/// A new key.
#[cfg_attr(not(feature = "command"), allow(dead_code, reason = "the command generates keys"))]
#[derive(Debug)]
pub(crate) struct NewKey {
    /// The contents of a file for `--signing-key`.
    pub(crate) file: String,
    /// The public key.
    pub(crate) public: String,
}

/// Makes a key from random numbers of the system.
#[cfg_attr(not(feature = "command"), allow(dead_code, reason = "the command generates keys"))]
pub(crate) fn new_key() -> NewKey {
    let pair = KeyPair::new_user();
    #[allow(clippy::expect_used, reason = "a new key is complete")]
    let seed = pair.seed().expect("the key has a seed");
    let public = pair.public_key();
    let file = format!(
        "# Secret: whoever has this seed can run code on all agents that trust it.\n\
         #   molotov --cluster URL --signing-key FILE ...\n\
         {seed}\n\
         # The public key, for agents:\n\
         #   molotov --join URL --trust {public}\n"
    );
    NewKey { file, public }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::Path;

    use super::{
        super::protocol::{AgentId, Order, RunId},
        *,
    };

    fn order() -> ToAgent {
        ToAgent { run: RunId("run".to_owned()), agent: AgentId("agent".to_owned()), sequence: 7, message: Order::Leave }
    }

    /// A key as it is read from a file.
    fn key() -> SigningKey {
        let file = tempfile::NamedTempFile::new().unwrap();
        let NewKey { file: text, public } = new_key();
        fs::write(file.path(), text).unwrap();
        let key = SigningKey::read(file.path()).unwrap();
        assert_eq!(key.public(), public);
        key
    }

    fn opened(trust: &Trust, signed: &Signed) -> Result<u64, Distrust> {
        trust.open::<ToAgent>(signed).map(|order| order.sequence)
    }

    #[test]
    fn only_signatures_of_trusted_keys_are_accepted() {
        let (ours, theirs) = (key(), key());
        let trust = Trust::new([ours.public().as_str()]).unwrap();
        assert!(trust.needs_signature());
        assert_eq!(opened(&trust, &sign(&order(), Some(&ours)).unwrap()), Ok(7));

        let refused = opened(&trust, &sign(&order(), Some(&theirs)).unwrap()).unwrap_err();
        assert_eq!(refused, Distrust::Unknown(theirs.public()));
        assert!(refused.to_string().contains(&format!("start the agent with `--trust {}`", theirs.public())));
        assert_eq!(opened(&trust, &sign(&order(), None).unwrap()), Err(Distrust::Unsigned));

        let both = Trust::new([ours.public().as_str(), &theirs.public()]).unwrap();
        assert_eq!(opened(&both, &sign(&order(), Some(&theirs)).unwrap()), Ok(7));
        assert_eq!(opened(&Trust::default(), &sign(&order(), None).unwrap()), Ok(7));
    }

    #[test]
    fn changed_messages_are_refused() {
        let (ours, theirs) = (key(), key());
        let trust = Trust::new([ours.public().as_str()]).unwrap();
        let mut changed = sign(&order(), Some(&ours)).unwrap();
        let last = changed.payload.len() - 2;
        changed.payload[last] ^= 1;
        assert_eq!(opened(&trust, &changed), Err(Distrust::Changed));

        // The name of a trusted key on another's signature.
        let mut forged = sign(&order(), Some(&theirs)).unwrap();
        forged.signature.as_mut().unwrap().key = ours.public();
        assert_eq!(opened(&trust, &forged), Err(Distrust::Changed));
        forged.signature = Some(Signature { key: ours.public(), bytes: vec![1, 2] });
        assert_eq!(opened(&trust, &forged), Err(Distrust::Changed));
        forged.signature = Some(Signature { key: "\x1b[2J".to_owned(), bytes: Vec::new() });
        assert_eq!(opened(&trust, &forged), Err(Distrust::Changed));
    }

    #[test]
    fn signatures_are_valid_for_one_kind_of_message() {
        let ours = key();
        let trust = Trust::new([ours.public().as_str()]).unwrap();
        let signed = sign(&order(), Some(&ours)).unwrap();
        assert_eq!(trust.open::<Assignment>(&signed).unwrap_err(), Distrust::Changed);
    }

    #[test]
    fn unusable_keys_are_refused() {
        let seed = KeyPair::new_user().seed().unwrap();
        let error = Trust::new([seed.as_str()]).unwrap_err().to_string();
        assert!(error.starts_with("a seed, which is secret, was given") && !error.contains(&seed), "{error}");
        for wrong in ["U123".to_owned(), KeyPair::new_account().public_key(), String::new()] {
            let error = Trust::new([wrong.as_str()]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{wrong}` is not the public NKey of a user")), "{error}");
        }
        assert!(matches!(SigningKey::read(Path::new("/none")), Err(KeyError::Read { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["", "SUxyz", &KeyPair::new_user().public_key(), &KeyPair::new_account().seed().unwrap()] {
            fs::write(file.path(), text).unwrap();
            assert!(matches!(SigningKey::read(file.path()), Err(KeyError::NoSeed(_))), "{text}");
        }
    }
}
