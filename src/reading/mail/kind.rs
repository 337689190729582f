//! By what a mail that a program wrote is known (RFC 3464, RFC 3834, RFC 5321 §4.5.5), where it carries no report.
//!
//! A notice comes from a program and says that something failed; one of these alone is not enough. What a person quotes or forwards
//! is that person's mail.

use super::letter::Letter;
use super::{prose, words};
use crate::reading::Action;

/// What a mail looks like.
#[derive(Debug)]
pub(super) struct Looks {
    subject: String,
    /// The notice's own words, in lower case.
    text: String,
    /// A person answers or forwards.
    by_hand: bool,
    /// Its sender is a mail system.
    from_system: bool,
    /// Its sender is no person at all.
    from_daemon: bool,
    /// It has the null sender, so that no notice about it is wanted.
    null_sender: bool,
    /// It must not be answered: the null sender, or a field that says so.
    from_program: bool,
    /// A field asks programs for no reply.
    bulk: bool,
    automatic: bool,
    failed_recipients: bool,
}

/// Subjects of notices; in lower case.
const FAILED_SUBJECTS: [&str; 71] = [
    "undeliver",
    "delivery fail",
    "delivery status",
    "delivery notification",
    "delivery has failed",
    "delivery problem",
    "delivery error",
    "delivery report",
    "delivery delay",
    "delivery warning",
    "failure notice",
    "failure delivery",
    "mail failure",
    "returned mail",
    "returned to sender",
    "returning message",
    "returned email",
    "mail failed",
    "message failed",
    "failed mail",
    "failed to deliver",
    "could not be delivered",
    "couldn't be delivered",
    "could not deliver",
    "could not send",
    "cannot send",
    "can't be delivered",
    "not delivered",
    "unable to deliver",
    "non delivery",
    "non-delivery",
    "nondeliver",
    "non remis",
    "non recapitabile",
    "mail system error",
    "error sending",
    "delayed mail",
    "mail delayed",
    "message delayed",
    "message you sent",
    "mail error",
    "message status",
    "loop alert",
    "unsolicited bulk",
    "blocked by",
    "errors from",
    "smtp server: errors",
    "bounce",
    "rejected",
    "unzustellbar",
    "nicht zugestellt",
    "unzustellbarkeit",
    "zustellung",
    "mancato recapito",
    "messaggio non",
    "no se puede entregar",
    "no entregado",
    "no se pudo",
    "não entregue",
    "falha",
    "échec",
    "onbestelbaar",
    "niet bezorgd",
    "недостав",
    "не доставлено",
    "送信でき",
    "配信でき",
    "エラー",
    "退信",
    "无法",
    "未送達",
];

/// Sentences of notices; in lower case.
const FAILED_WORDS: [&str; 52] = [
    "could not be delivered",
    "couldn't be delivered",
    "not be delivered",
    "wasn't delivered",
    "was not delivered",
    "were not delivered",
    "not delivered",
    "not been delivered",
    "unable to deliver",
    "failed to deliver",
    "wasn't able to deliver",
    "could not deliver",
    "cannot be delivered",
    "can't be delivered",
    "delivery failed",
    "delivery has failed",
    "delivery failure",
    "deliver failed",
    "undeliverable",
    "fatal error",
    "had delivery",
    "had permanent",
    "delivery to the following",
    "delevery to the following",
    "did not reach",
    "not relayed",
    "error delivering",
    "error occurred while trying to deliver",
    "trouble delivering",
    "returned to sender",
    "has been delayed",
    "still being retried",
    "not yet received",
    "rejected your message",
    "user unknown",
    "no such user",
    "transcript of session",
    "mail delivery system",
    "mail delivery software",
    "failed addresses",
    "mailbox exceeds",
    "invalid final delivery",
    "duplicated message-id",
    "mailbox is full",
    "mailbox full",
    "送信できません",
    "送信に失敗",
    "配信できません",
    "お届けできません",
    "nicht zugestellt",
    "não pôde ser entregue",
    "no se pudo entregar",
];

/// What notices say and others say as well; in lower case.
const WEAK_WORDS: [&str; 14] = [
    "were unable to",
    "was unable to",
    "permanent error",
    "permanent failure",
    "was rejected",
    "been rejected",
    "was blocked",
    "unknown user",
    "unknown host",
    "account is disabled",
    "no valid recipients",
    "not listed in",
    "quota",
    "存在しない",
];

/// Subjects of automatic replies; in lower case, at the beginning.
const AUTOMATIC_SUBJECTS: [&str; 24] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "automatic response",
    "auto response",
    "auto-response",
    "autorespons",
    "autoresponder",
    "auto:",
    "automatische antwort",
    "réponse automatique",
    "reponse automatique",
    "respuesta automática",
    "respuesta automatica",
    "risposta automatica",
    "resposta automática",
    "automatisch antwoord",
    "automatiskt svar",
    "automaattinen vastaus",
    "autosvar",
    "自動応答",
    "自動返信",
    "自动回复",
];

/// What a person may write as well; in lower case, at the beginning.
const AWAY_SUBJECTS: [&str; 16] = [
    "out of office",
    "out-of-office",
    "out of the office",
    "on vacation",
    "vacation",
    "away from my mail",
    "away from",
    "holiday",
    "abwesenheit",
    "abwesend",
    "absence",
    "fuera de la oficina",
    "fuori ufficio",
    "ausência",
    "frånvaro",
    "автоответ",
];

/// What an automatic reply says of an address that nobody reads any more; in lower case.
const DEAD: [&str; 10] = [
    "is no longer in use",
    "no longer in use",
    "is no longer valid",
    "is no longer active",
    "is no longer used",
    "no longer works here",
    "no longer employed",
    "no longer with the company",
    "this mailbox has been closed",
    "this account has been closed",
];

impl Looks {
    /// Looks at a letter.
    pub(super) fn of(letter: &Letter<'_>) -> Self {
        let subject = letter.subject.trim().to_lowercase();
        let return_path = letter.field("Return-Path").map(str::trim);
        let submitted = letter.field("Auto-Submitted").map(str::to_ascii_lowercase).unwrap_or_default();
        let local = |address: &str| address.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let from = letter.from.as_deref().map(local).unwrap_or_default();
        let null = return_path.is_some_and(|path| path == "<>" || path.is_empty() || is_system(&local(path.trim_matches(['<', '>', ' ']))));
        let from_system =
            is_system(&from) || is_system_name(&letter.from_name) || letter.from.is_none() && return_path.is_none_or(|_| null);
        let by_hand = is_by_hand(&subject) && !from_system;
        let text = if by_hand { String::new() } else { prose::own_words(&letter.prose).0.to_lowercase() };
        let responder =
            ["X-Amazon-Auto-Reply", "X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Vacation", "X-Apple-Action"];
        let automatic = submitted.starts_with("auto-replied")
            || responder.iter().any(|name| letter.field(name).is_some_and(|value| !value.eq_ignore_ascii_case("no")))
            || letter.field("Precedence").is_some_and(|value| words::starts(value.trim(), "auto"))
            || letter.field("X-Autogenerated").is_some_and(|value| words::starts(value.trim(), "reply"));
        Self {
            by_hand,
            from_system,
            from_daemon: from.contains("daemon"),
            null_sender: null || is_list(&from) && letter.field("X-MLServer").is_some(),
            bulk: letter.field("X-Auto-Response-Suppress").is_some()
                || letter.field("Precedence").is_some_and(|value| ["bulk", "junk"].iter().any(|name| words::starts(value.trim(), name))),
            from_program: null || submitted.starts_with("auto-") || (is_list(&from) && letter.field("X-MLServer").is_some()),
            automatic,
            failed_recipients: letter.field("X-Failed-Recipients").is_some(),
            text,
            subject,
        }
    }

    /// Whether it tells of a delivery that failed, or has not succeeded yet.
    pub(super) fn is_notice(&self) -> bool {
        if self.by_hand {
            return false;
        }
        if self.failed_recipients {
            return true;
        }
        let subject = words::any(&self.subject, &FAILED_SUBJECTS);
        let strong = || words::any(&self.text, &FAILED_WORDS);
        if self.from_system {
            // People write as postmaster, too.
            return subject || (self.from_daemon || self.from_program) && (strong() || words::any(&self.text, &WEAK_WORDS));
        }
        if self.is_away_subject() || (self.automatic && !subject) {
            return false;
        }
        self.null_sender && (subject || strong()) || self.from_program && subject && strong()
    }

    fn is_away_subject(&self) -> bool {
        let subject = without_reply_mark(&self.subject);
        let begins = |all: &[&str]| all.iter().any(|known| subject.starts_with(known));
        begins(&AUTOMATIC_SUBJECTS) || (self.from_program || self.bulk) && begins(&AWAY_SUBJECTS)
    }

    /// Whether it is an automatic reply of a person.
    pub(super) fn is_automatic_reply(&self) -> bool {
        !self.from_system && (self.automatic || self.is_away_subject())
    }

    /// Whether an automatic reply says that nobody uses the address any more, so that it is as good as a bounce.
    pub(super) fn address_is_dead(&self) -> bool {
        words::any(words::cut(&self.text, 1000), &DEAD)
    }

    /// What was done with the message, where nobody says it in a field.
    pub(super) fn action(&self) -> Action {
        const DELAYED: [&str; 14] = [
            "delayed",
            "(delay)",
            "warning: could not send",
            "warning--could not send",
            "still being retried",
            "will be retried",
            "not yet been delivered",
            "do not need to resend",
            "has been delayed",
            "will continue trying",
            "attempts will continue",
            "no action is required",
            "will keep trying",
            "temporary failure",
        ];
        const FINAL: [&str; 4] = ["permanent", "given up", "giving up", "returned to sender"];
        let own = words::cut(&self.text, 2000);
        let delayed = words::any(&self.subject, &DELAYED) || (words::any(own, &DELAYED) && !words::any(own, &FINAL));
        if delayed { Action::Delayed } else { Action::Failed }
    }
}

/// Whether mail systems write under that local part, in lower case.
fn is_system(local: &str) -> bool {
    const NAMES: [&str; 14] = [
        "mailer-daemon",
        "mailer_daemon",
        "mailerdaemon",
        "postmaster",
        "poostmaster",
        "mail-daemon",
        "maildaemon",
        "daemon",
        "mail.delivery.system",
        "mail-delivery",
        "mdaemon",
        "mailsystem",
        "mail-system",
        "double-bounce",
    ];
    NAMES.contains(&local) || local.ends_with("mailer-daemon") || local.starts_with("mailer-daemon")
}

/// Whether a mailing list's software writes under that local part.
fn is_list(local: &str) -> bool {
    ["-admin", "-owner", "-request", "-bounces"].iter().any(|end| local.ends_with(end)) || local.starts_with("owner-")
}

fn is_system_name(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "mail delivery",
        "mail deliver",
        "delivery system",
        "delivery subsystem",
        "delivery service",
        "mailer-daemon",
        "mailer daemon",
        "mail system",
        "postmaster",
        "mail administrator",
        "system administrator",
        "ndr administrator",
        "mail server",
        "interscan",
    ];
    words::any(&name.to_lowercase(), &NAMES)
}

/// Marks of an answer or a forwarded mail, in many languages.
const MARKS: [&str; 16] =
    ["re:", "fwd:", "fw:", "aw:", "wg:", "tr:", "rv:", "antw:", "sv:", "vs:", "enc:", "i:", "odp:", "转发:", "答复:", "转发："];

fn is_by_hand(subject: &str) -> bool {
    MARKS.iter().any(|mark| subject.starts_with(mark))
}

fn without_reply_mark(subject: &str) -> &str {
    let mut subject = subject;
    while let Some(rest) = MARKS.iter().find_map(|mark| subject.strip_prefix(mark)) {
        subject = rest.trim_start();
    }
    subject
}
