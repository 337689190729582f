//! The files of rules that come with the program. Those of one kind are asked in this order.

use std::ops::Range;

/// Each file by its name without ending.
pub(super) const BUILT_IN: &[(&str, &str)] = &[
    ("wording", include_str!("data/wording.toml")),
    ("generic", include_str!("data/generic.toml")),
    ("languages", include_str!("data/languages.toml")),
    ("vague", include_str!("data/vague.toml")),
    ("alibaba", include_str!("data/providers/alibaba.toml")),
    ("amavis", include_str!("data/providers/amavis.toml")),
    ("apple", include_str!("data/providers/apple.toml")),
    ("att", include_str!("data/providers/att.toml")),
    ("au", include_str!("data/providers/au.toml")),
    ("barracuda", include_str!("data/providers/barracuda.toml")),
    ("cisco", include_str!("data/providers/cisco.toml")),
    ("comcast", include_str!("data/providers/comcast.toml")),
    ("courier", include_str!("data/providers/courier.toml")),
    ("cox", include_str!("data/providers/cox.toml")),
    ("dnsbl", include_str!("data/providers/dnsbl.toml")),
    ("docomo", include_str!("data/providers/docomo.toml")),
    ("domino", include_str!("data/providers/domino.toml")),
    ("exim", include_str!("data/providers/exim.toml")),
    ("facebook", include_str!("data/providers/facebook.toml")),
    ("fastmail", include_str!("data/providers/fastmail.toml")),
    ("fireeye", include_str!("data/providers/fireeye.toml")),
    ("fortimail", include_str!("data/providers/fortimail.toml")),
    ("freefr", include_str!("data/providers/freefr.toml")),
    ("godaddy", include_str!("data/providers/godaddy.toml")),
    ("google", include_str!("data/providers/google.toml")),
    ("greylisting", include_str!("data/providers/greylisting.toml")),
    ("haraka", include_str!("data/providers/haraka.toml")),
    ("hmailserver", include_str!("data/providers/hmailserver.toml")),
    ("improvmx", include_str!("data/providers/improvmx.toml")),
    ("iua", include_str!("data/providers/iua.toml")),
    ("james", include_str!("data/providers/james.toml")),
    ("kerio", include_str!("data/providers/kerio.toml")),
    ("kumomta", include_str!("data/providers/kumomta.toml")),
    ("laposte", include_str!("data/providers/laposte.toml")),
    ("listmanagers", include_str!("data/providers/listmanagers.toml")),
    ("mailenable", include_str!("data/providers/mailenable.toml")),
    ("mailgun", include_str!("data/providers/mailgun.toml")),
    ("mailru", include_str!("data/providers/mailru.toml")),
    ("mdaemon", include_str!("data/providers/mdaemon.toml")),
    ("microsoft", include_str!("data/providers/microsoft.toml")),
    ("mimecast", include_str!("data/providers/mimecast.toml")),
    ("mixer", include_str!("data/providers/mixer.toml")),
    ("mxroute", include_str!("data/providers/mxroute.toml")),
    ("naver", include_str!("data/providers/naver.toml")),
    ("netease", include_str!("data/providers/netease.toml")),
    ("opensmtpd", include_str!("data/providers/opensmtpd.toml")),
    ("openwave", include_str!("data/providers/openwave.toml")),
    ("orange", include_str!("data/providers/orange.toml")),
    ("outlookcom", include_str!("data/providers/outlookcom.toml")),
    ("postfix", include_str!("data/providers/postfix.toml")),
    ("proofpoint", include_str!("data/providers/proofpoint.toml")),
    ("protonmail", include_str!("data/providers/protonmail.toml")),
    ("qmail", include_str!("data/providers/qmail.toml")),
    ("qq", include_str!("data/providers/qq.toml")),
    ("rackspace", include_str!("data/providers/rackspace.toml")),
    ("rambler", include_str!("data/providers/rambler.toml")),
    ("sendgrid", include_str!("data/providers/sendgrid.toml")),
    ("sendmail", include_str!("data/providers/sendmail.toml")),
    ("ses", include_str!("data/providers/ses.toml")),
    ("sfr", include_str!("data/providers/sfr.toml")),
    ("softbank", include_str!("data/providers/softbank.toml")),
    ("sophos", include_str!("data/providers/sophos.toml")),
    ("spectrum", include_str!("data/providers/spectrum.toml")),
    ("stalwart", include_str!("data/providers/stalwart.toml")),
    ("symantec", include_str!("data/providers/symantec.toml")),
    ("titan", include_str!("data/providers/titan.toml")),
    ("tonline", include_str!("data/providers/tonline.toml")),
    ("trendmicro", include_str!("data/providers/trendmicro.toml")),
    ("unitedinternet", include_str!("data/providers/unitedinternet.toml")),
    ("yahoo", include_str!("data/providers/yahoo.toml")),
    ("yandex", include_str!("data/providers/yandex.toml")),
    ("zoho", include_str!("data/providers/zoho.toml")),
];

/// What the build has made of one, for the first look.
pub(super) struct Scan {
    /// The lines before its rules.
    pub(super) head: &'static str,
    /// Where each rule is.
    pub(super) rules: &'static [Place],
}

/// Where a rule is in its file.
#[derive(Debug)]
pub(super) struct Place {
    begin: u32,
    end: u32,
    /// Where it begins that tells what its pattern needs, and its length.
    needs: (u32, u32),
}

impl Place {
    pub(super) fn rule(&self) -> Range<usize> {
        self.begin as usize..self.end as usize
    }

    /// What its pattern needs ([`needs`](super::needs)).
    pub(super) fn needs(&self) -> &'static str {
        let (at, length) = self.needs;
        NEEDS.get(at as usize..at as usize + length as usize).unwrap_or_default()
    }
}

/// A word that is in a text before a rule fits, or that marks a book. There are many, so they are small.
#[derive(Clone, Copy)]
pub(super) struct Word {
    at: u32,
    length: u16,
    book: u16,
    /// The largest number for a mark of the book itself.
    rule: u16,
}

impl Word {
    pub(super) fn octets(self) -> &'static [u8] {
        let at = self.at as usize;
        &TEXT.as_bytes()[at..at + usize::from(self.length)]
    }

    pub(super) fn book(self) -> usize {
        self.book.into()
    }

    /// The rule that it leads to; none for a mark of the book itself.
    pub(super) fn rule(self) -> Option<usize> {
        (self.rule < u16::MAX).then_some(self.rule.into())
    }
}

/// `SCANS`, `WORDS` with their `TEXT`, `FILTER`, `HEADS` and `NEXT` of the words' index, `WORDLESS` rules as (book, rule), and `NEEDS` of all patterns.
#[allow(clippy::unreadable_literal, reason = "nobody reads them")]
mod condensed {
    use super::{Place, Scan, Word};
    include!(concat!(env!("OUT_DIR"), "/condensed.rs"));
}

pub(super) use condensed::{FILTER, HEADS, NEXT, SCANS, WORDLESS, WORDS};
use condensed::{NEEDS, TEXT};
