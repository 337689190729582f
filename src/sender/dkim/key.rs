//! A key record, read: tags (RFC 6376 §3.2, §3.6.1), and the key in it (RFC 8017 A.1.1, RFC 8463 §4.2).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{RSA_ADVISED, RSA_LEAST, RSA_MOST};
use crate::sender::tags::{self, Part, Value, is_blank, shown};

/// Tags, and items of a list, are kept up to this many.
const KEPT: usize = 50;
/// The kind of key that a frame names (RFC 8410 §3).
const ED25519: &str = "1.3.101.112";
/// Base64 with or without its padding, as some leave it out.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// A key record that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key itself.
    pub material: Material,
    /// `h=`: the hashes that signatures may use, in small letters; none if any may be.
    pub hashes: Option<Vec<String>>,
    /// `s=`: the services that it is for, in small letters; none if for all.
    pub services: Option<Vec<String>>,
    /// `t=y`: the domain is still trying DKIM out, and its mail is not to be treated otherwise for a signature that fails.
    pub testing: bool,
    /// `t=s`: the user's domain (`i=`) has to be the signing domain itself, and none below it.
    pub exact: bool,
    /// `n=`: a note for people, as it stands there.
    pub note: Option<String>,
    /// What is odd in the record, in its order, and then in the key; at most 50.
    pub remarks: Vec<Remark>,
}

impl Key {
    /// Whether signatures can be verified with it, and how well.
    #[must_use]
    pub fn strength(&self) -> Strength {
        let is_for_mail = self.services.as_ref().is_none_or(|list| list.iter().any(|name| name == "*" || name == "email"));
        // Of the two hashes, SHA-1 is not to be used (RFC 8301 section 3.1).
        let takes_sha256 = self.hashes.as_ref().is_none_or(|list| list.iter().any(|name| name == "sha256"));
        match self.material {
            _ if !is_for_mail || !takes_sha256 => Strength::Unusable,
            Material::Revoked | Material::Rsa { bits: ..RSA_LEAST } => Strength::Unusable,
            Material::Rsa { bits: RSA_LEAST..RSA_ADVISED } => Strength::Weak,
            Material::Rsa { .. } | Material::Ed25519 => Strength::Good,
        }
    }
}

/// What a record gives as key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Material {
    /// An RSA key.
    Rsa {
        /// The bits of its modulus.
        bits: usize,
    },
    /// An Ed25519 key (RFC 8463).
    Ed25519,
    /// An empty `p=`: the key was revoked.
    Revoked,
}

impl Material {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa { .. } => "rsa",
            Self::Ed25519 => "ed25519",
            Self::Revoked => "revoked",
        }
    }
}

/// How well a key verifies signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Not at all: it was revoked, is too short, is not for mail or for no hash that may be used.
    Unusable,
    /// It does, but is shorter than it should be.
    Weak,
    /// It does.
    Good,
}

impl Strength {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::Weak => "weak",
            Self::Good => "good",
        }
    }
}

/// Something odd in a record, or in the key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} at octet {at}: {kind}")]
pub struct Remark {
    /// Where it begins, in octets counted from 0.
    pub at: usize,
    /// What stands there, or its beginning.
    pub text: String,
    /// What is odd.
    pub kind: RemarkKind,
}

/// What is odd in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RemarkKind {
    /// A tag that nobody knows. It is ignored.
    #[error("nobody knows this tag")]
    UnknownTag,
    /// `g=`: part of RFC 4871, not of RFC 6376.
    #[error("it is obsolete since RFC 6376, and does nothing any more")]
    Obsolete,
    /// A flag in `t=` other than `y` and `s`. It is ignored.
    #[error("nobody knows this flag")]
    UnknownFlag,
    /// Only SHA-1 in `h=`, which may not be used any more.
    #[error("signatures with SHA-1 alone are taken from nobody (RFC 8301)")]
    Sha1Only,
    /// `s=` leaves mail out.
    #[error("the key is not for mail: s= has neither * nor email in it")]
    NotForMail,
    /// The RSA key has fewer than 1024 bits.
    #[error("the RSA key is shorter than {RSA_LEAST} bits, and verifies nothing")]
    TooShort,
    /// The RSA key has fewer than 2048 bits.
    #[error("the RSA key should have at least {RSA_ADVISED} bits")]
    Short,
    /// The RSA key has more than 4096 bits.
    #[error("not everybody can use an RSA key of more than {RSA_MOST} bits")]
    Long,
    /// The RSA key stands there without the frame that names its kind.
    #[error("the RSA key has no frame that names its kind (SubjectPublicKeyInfo); not everybody can use it")]
    Bare,
}

impl RemarkKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTag => "unknown_tag",
            Self::Obsolete => "obsolete",
            Self::UnknownFlag => "unknown_flag",
            Self::Sha1Only => "sha1_only",
            Self::NotForMail => "not_for_mail",
            Self::TooShort => "too_short",
            Self::Short => "short",
            Self::Long => "long",
            Self::Bare => "bare",
        }
    }
}

/// What is wrong with a record, so that verifiers pass it over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} at octet {at}: {kind}")]
pub struct Fault {
    /// Where it begins, in octets counted from 0.
    pub at: usize,
    /// What stands there, or its beginning.
    pub text: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What makes a key record void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FaultKind {
    /// No equals sign between two semicolons, or no name before it.
    #[error("it is no tag: a name, an equals sign and a value")]
    NotATag,
    /// A tag for the second time, which makes the whole record void (§3.2).
    #[error("it stands there a second time, which makes the record void")]
    Repeated,
    /// `v=` that is not `DKIM1`.
    #[error("the version can only be DKIM1")]
    Version,
    /// `v=` that is not the first tag.
    #[error("the version has to stand first")]
    VersionPlace,
    /// A `k=` that is neither `rsa` nor `ed25519`.
    #[error("nobody knows this kind of key: it is rsa or ed25519")]
    Kind,
    /// No `p=`.
    #[error("the key is missing: there is no p=")]
    NoKey,
    /// `p=` is no base64.
    #[error("the key is no base64: something is missing, or does not belong there")]
    Base64,
    /// What `p=` holds is no RSA key.
    #[error("the key is no RSA key: it may be cut off")]
    Rsa,
    /// What `p=` holds is no Ed25519 key.
    #[error("the key is no Ed25519 key, which has 32 octets")]
    Ed25519,
    /// What `p=` holds is an Ed25519 key in a frame that does not belong there.
    #[error("the Ed25519 key stands in a frame (SubjectPublicKeyInfo): only its last 32 octets belong there (RFC 8463)")]
    FramedEd25519,
}

impl FaultKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotATag => "not_a_tag",
            Self::Repeated => "repeated",
            Self::Version => "version",
            Self::VersionPlace => "version_place",
            Self::Kind => "kind",
            Self::NoKey => "no_key",
            Self::Base64 => "base64",
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
            Self::FramedEd25519 => "framed_ed25519",
        }
    }
}

impl Key {
    /// Reads a record.
    ///
    /// # Errors
    /// What makes it void, with its place.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let parts: Vec<Part<'_>> = tags::parts(text).collect();
        let tags = checked(&parts)?;
        let find = |name: &str| tags.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
        if let Some(version) = find("v") {
            let first = tags.first().is_some_and(|(name, _)| *name == "v");
            let kind = if version.text == "DKIM1" { FaultKind::VersionPlace } else { FaultKind::Version };
            if !first || version.text != "DKIM1" {
                return Err(fault(version.at, version.text, kind));
            }
        }
        let value = find("p").ok_or_else(|| fault(0, text, FaultKind::NoKey))?;
        let kind = find("k");
        let (material, bare) = material(kind, value)?;
        let list =
            |name| find(name).map(|value: Value<'_>| value.items(':').take(KEPT).map(|item| item.text.to_ascii_lowercase()).collect());
        let flags: Vec<Value<'_>> = find("t").into_iter().flat_map(|value| value.items(':')).take(KEPT).collect();
        let has_flag = |flag: &str| flags.iter().any(|item| item.text == flag);
        let mut key = Self {
            material,
            hashes: list("h"),
            services: list("s"),
            testing: has_flag("y"),
            exact: has_flag("s"),
            note: find("n").map(|value| shown(value.text)),
            remarks: Vec::new(),
        };
        for (name, value) in &tags {
            match *name {
                "v" | "p" | "k" | "h" | "s" | "n" => {}
                "t" => {
                    let odd = flags.iter().filter(|flag| !matches!(flag.text, "y" | "s" | ""));
                    key.remarks.extend(odd.map(|flag| remark(*flag, RemarkKind::UnknownFlag)));
                }
                "g" => key.remarks.push(remark(*value, RemarkKind::Obsolete)),
                _ => key.remarks.push(remark(*value, RemarkKind::UnknownTag)),
            }
        }
        key.remarks.truncate(KEPT);
        key.measure(value, bare, find("h"), find("s"));
        Ok(key)
    }

    /// Remarks on what the key is and what it is for.
    fn measure(&mut self, value: Value<'_>, bare: bool, hashes: Option<Value<'_>>, services: Option<Value<'_>>) {
        let of_key = match self.material {
            Material::Rsa { bits: ..RSA_LEAST } => Some(RemarkKind::TooShort),
            Material::Rsa { bits: RSA_LEAST..RSA_ADVISED } => Some(RemarkKind::Short),
            Material::Rsa { bits } if bits > RSA_MOST => Some(RemarkKind::Long),
            _ => None,
        };
        self.remarks.extend(of_key.map(|kind| remark(value, kind)));
        if bare {
            self.remarks.push(remark(value, RemarkKind::Bare));
        }
        let lacks = |list: &Option<Vec<String>>, wanted: &[&str]| {
            list.as_ref().is_some_and(|list| !list.iter().any(|name| wanted.contains(&name.as_str())))
        };
        if let Some(value) = hashes.filter(|_| lacks(&self.hashes, &["sha256"])) {
            self.remarks.push(remark(value, RemarkKind::Sha1Only));
        }
        if let Some(value) = services.filter(|_| lacks(&self.services, &["*", "email"])) {
            self.remarks.push(remark(value, RemarkKind::NotForMail));
        }
    }
}

/// The tags of a record, each of which may stand there once.
fn checked<'a>(parts: &[Part<'a>]) -> Result<Vec<(&'a str, Value<'a>)>, Fault> {
    let mut tags: Vec<(&str, Value<'_>)> = Vec::new();
    for part in parts {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let (name, value) = part.tag.filter(|(name, _)| is_name(name)).ok_or_else(|| fault(part.at, part.text, FaultKind::NotATag))?;
        if tags.iter().any(|(other, _)| *other == name) {
            return Err(fault(part.at, part.text, FaultKind::Repeated));
        }
        tags.push((name, value));
    }
    Ok(tags)
}

/// The key in `p=`, and whether it is an RSA key without a frame.
fn material(kind: Option<Value<'_>>, value: Value<'_>) -> Result<(Material, bool), Fault> {
    let is_ed25519 = match kind {
        None => false,
        Some(kind) if kind.text.eq_ignore_ascii_case("rsa") => false,
        Some(kind) if kind.text.eq_ignore_ascii_case("ed25519") => true,
        Some(kind) => return Err(fault(kind.at, kind.text, FaultKind::Kind)),
    };
    let wrong = |kind| Err(fault(value.at, value.text, kind));
    let text: String = value.text.chars().filter(|c| !is_blank(*c)).collect();
    if text.is_empty() {
        return Ok((Material::Revoked, false));
    }
    let Ok(octets) = BASE64.decode(text) else { return wrong(FaultKind::Base64) };
    let framed = SubjectPublicKeyInfo::from_der(&octets).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, framed)| framed);
    if is_ed25519 {
        return match (octets.len(), framed) {
            (32, _) => Ok((Material::Ed25519, false)),
            (_, Some(framed)) if framed.algorithm.algorithm.to_id_string() == ED25519 => wrong(FaultKind::FramedEd25519),
            _ => wrong(FaultKind::Ed25519),
        };
    }
    if let Some(framed) = framed {
        return match framed.parsed() {
            Ok(PublicKey::RSA(key)) => Ok((Material::Rsa { bits: bits(&key) }, false)),
            _ => wrong(FaultKind::Rsa),
        };
    }
    match RSAPublicKey::from_der(&octets) {
        Ok(([], key)) => Ok((Material::Rsa { bits: bits(&key) }, true)),
        _ => wrong(FaultKind::Rsa),
    }
}

/// The bits of an RSA key's modulus, leading zeros not counted.
fn bits(key: &RSAPublicKey<'_>) -> usize {
    let mut octets = key.modulus.iter().skip_while(|octet| **octet == 0);
    let Some(first) = octets.next() else { return 0 };
    let partial = usize::try_from(u8::BITS - first.leading_zeros()).unwrap_or(0);
    partial + octets.count() * 8
}

fn fault(at: usize, text: &str, kind: FaultKind) -> Fault {
    Fault { at, text: shown(text), kind }
}

fn remark(value: Value<'_>, kind: RemarkKind) -> Remark {
    Remark { at: value.at, text: shown(value.text), kind }
}
