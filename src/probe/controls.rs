//! Control questions: asked only where the answer changes the verdict, after the target's own RCPT, in a transaction of their own.
//!
//! An accepted mailbox is worth nothing where every address is accepted, and a refusal without a clear reason may be about the
//! sender. What a server answers to a control is never charged to the mailbox.

use crate::knowledge::{Confidence, Reading, Reason};
use crate::settings::Controls;
use crate::smtp::{CodeClass, Purpose, ReplyCode, Stage};
use crate::target::Mailbox;

/// Which questions to add after the target's RCPT was answered with `code`, read as `reading`.
pub(super) fn wanted(controls: Controls, until: Stage, code: ReplyCode, reading: &Reading) -> Vec<Purpose> {
    // DATA needs the transaction that the mailbox was accepted in; another one would take it away.
    if until > Stage::Rcpt {
        return Vec::new();
    }
    match (controls, code.class()) {
        (Controls::Always, _) => vec![Purpose::CatchAll, Purpose::Postmaster],
        (Controls::Auto, CodeClass::Success) => vec![Purpose::CatchAll],
        (Controls::Auto, CodeClass::Permanent) if unclear(reading) => vec![Purpose::Postmaster],
        (Controls::Auto | Controls::Off, _) => Vec::new(),
    }
}

/// Whether the refusal may just as well be about the sender.
fn unclear(reading: &Reading) -> bool {
    reading.confidence == Confidence::Unsure || matches!(reading.reason, Reason::PolicyRejected | Reason::Undetermined)
}

/// Whom to ask for beside `mailbox` as a control; none if that is the mailbox itself, or `purpose` is no control.
#[must_use]
pub fn recipient(purpose: Purpose, mailbox: &Mailbox) -> Option<Mailbox> {
    let local = match purpose {
        Purpose::Target | Purpose::Relay | Purpose::Injection => return None,
        Purpose::CatchAll => random_local_part(),
        Purpose::Postmaster if mailbox.local().eq_ignore_ascii_case("postmaster") => return None,
        Purpose::Postmaster => "postmaster".to_owned(),
    };
    mailbox.sibling(&local).ok()
}

/// Twelve characters that nobody has chosen for a mailbox, without vowels so that they form no word.
fn random_local_part() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz0123456789";
    let mut local: String = (0..12).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect();
    local.insert(4, '-');
    local
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::{Basis, Knowledge};
    use crate::smtp::{Reply, Verb};

    #[test]
    fn controls_are_asked_where_they_change_the_verdict() {
        let knowledge = Knowledge::english();
        for (reply, expected) in [
            ("250 2.1.5 Ok", &[Purpose::CatchAll][..]),
            ("251 will forward", &[Purpose::CatchAll]),
            ("550 5.1.1 <a@example.com>: User unknown", &[]),
            ("552 5.2.2 mailbox is over quota", &[]),
            ("554 5.7.1 Service unavailable; client [192.0.2.9] blocked using zen.spamhaus.org", &[]),
            ("550 no", &[Purpose::Postmaster]),
            ("550 5.7.1 no", &[Purpose::Postmaster]),
            ("554 5.0.0 Denied", &[Purpose::Postmaster]),
            ("450 4.7.1 try again", &[]),
            ("421 4.3.2 closing", &[]),
        ] {
            let parsed = Reply::parse(reply).unwrap();
            let reading = knowledge.read(&parsed, Some(Verb::Rcpt));
            assert_eq!(wanted(Controls::Auto, Stage::Rcpt, parsed.code, &reading), expected, "{reply}: {reading:?}");
            assert_eq!(wanted(Controls::Off, Stage::Rcpt, parsed.code, &reading), [], "{reply}");
            assert_eq!(wanted(Controls::Auto, Stage::Data, parsed.code, &reading), [], "{reply}");
        }
        let clear =
            Reading { reason: Reason::UserUnknown, confidence: Confidence::Certain, basis: Basis::Enhanced, conflict: None, said: None };
        let code = ReplyCode::new(550).unwrap();
        assert_eq!(wanted(Controls::Always, Stage::Rcpt, code, &clear), [Purpose::CatchAll, Purpose::Postmaster]);
    }

    #[test]
    fn a_control_is_never_the_mailbox_itself() {
        let postmaster: Mailbox = "Postmaster@example.com".parse().unwrap();
        assert_eq!(recipient(Purpose::Postmaster, &postmaster), None);
        assert_eq!(recipient(Purpose::Target, &postmaster), None);
        let (one, two) = (recipient(Purpose::CatchAll, &postmaster).unwrap(), recipient(Purpose::CatchAll, &postmaster).unwrap());
        assert_eq!((one.domain(), one.local().len()), (postmaster.domain(), 13));
        assert_ne!(one, two);
    }
}
