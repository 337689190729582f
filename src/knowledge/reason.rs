//! Why something happened, who must act, and for how long it holds: the closed sets that data maps words to and rules decide on.

use serde::{Deserialize, Serialize};

/// The only bridge from words to decisions: data maps what a server said to a reason, rules branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The command or message was accepted.
    Accepted,
    /// No mailbox with that local part exists, or so the server says.
    UserUnknown,
    /// The mailbox exists but is disabled, suspended or closed.
    UserDisabled,
    /// The recipient has moved away.
    UserMoved,
    /// The recipient's own quota is used up.
    MailboxFull,
    /// This one recipient is getting mail faster than its limit allows.
    RecipientRateLimited,
    /// The recipient, group or tenant refuses this sender.
    RecipientRestricted,
    /// The recipient's domain does not exist.
    DomainUnknown,
    /// Host or domain states that it takes no mail, or has nobody to take it.
    NoMailService,
    /// The server is not responsible for this domain and the client may not relay.
    RelayDenied,
    /// An address in MAIL or RCPT is malformed.
    AddressSyntax,
    /// The message exceeds a size limit.
    MessageTooBig,
    /// More recipients in one transaction than the server takes.
    TooManyRecipients,
    /// The sender sends too fast or too much.
    RateLimited,
    /// Too many connections or sessions.
    TooManyConnections,
    /// A first contact is deliberately deferred.
    Greylisted,
    /// The client's address or network is on a block list.
    IpBlocklisted,
    /// A domain is on a block list.
    DomainBlocklisted,
    /// The receiver scores the address or domain too low.
    BadReputation,
    /// No PTR, or one that does not fit.
    RdnsMissing,
    /// The name in EHLO is refused.
    HeloRejected,
    /// SPF, DKIM, DMARC or ARC failed or is absent.
    AuthChecksFailed,
    /// The envelope or header sender is refused.
    SenderRejected,
    /// A local rule refused it and no closer reason is given.
    PolicyRejected,
    /// The content was scored as spam or phishing.
    SpamContent,
    /// A malware scanner matched.
    VirusDetected,
    /// An attachment, link or part of the body is not allowed.
    ContentRejected,
    /// The message's structure breaks a rule.
    MessageFormat,
    /// The server wants a login first.
    AuthRequired,
    /// The login failed.
    CredentialsInvalid,
    /// The server demands TLS, or a newer one.
    TlsRequired,
    /// TLS could not be brought up or did not satisfy a policy.
    TlsFailed,
    /// The sender's own provider stops the account.
    SenderAccountBlocked,
    /// Too many hops.
    MailLoop,
    /// The receiver could not route on or look something up.
    RoutingError,
    /// The queue's lifetime ended.
    Expired,
    /// An open session fell silent.
    Timeout,
    /// The receiver's disk, queue or memory is short.
    SystemFull,
    /// Internal error or misconfiguration at the receiver.
    SystemError,
    /// The server is busy, shutting down or not accepting now.
    ServiceUnavailable,
    /// A command was unknown, out of order or malformed.
    ProtocolError,
    /// An extension that is needed is not offered.
    FeatureUnsupported,
    /// The sending service did not even try.
    Suppressed,
    /// The reply gives too little to name a reason.
    Undetermined,
    /// The domain's name servers gave no usable answer.
    DnsFailure,
    /// The zone is signed and the signatures do not verify.
    DnssecBogus,
    /// Every MX points to nothing.
    MxUnusable,
    /// This machine's resolver does not answer.
    ResolverUnusable,
    /// This network lets nobody out on the port.
    PortBlockedHere,
    /// Nothing comes back, and whose filter it is cannot be told.
    PortFiltered,
    /// The host answered with a reset: nothing listens.
    ConnectionRefused,
    /// A firewall said no.
    ConnectionRejected,
    /// The network says that the host is not there.
    HostUnreachable,
    /// There is no route from here.
    NetworkUnreachable,
    /// The proxy on this side made no connection.
    ProxyFailed,
    /// One address family of a host works and the other does not.
    FamilyBroken,
    /// The connection was torn down after it was accepted.
    ConnectionReset,
    /// The peer closed without a greeting or in the middle.
    ConnectionClosed,
    /// Connected, but no greeting came in time.
    NoGreeting,
    /// Replies come so slowly that it must be meant.
    Tarpit,
    /// Something answers, but it does not speak SMTP.
    NotSmtp,
    /// TLS was spoken to a plain port, or plain text to a TLS port.
    WrongTlsMode,
    /// The server knows only TLS that no current client offers.
    TlsTooOld,
    /// Something on the path rewrites SMTP.
    MiddleboxInterference,
    /// Replies break RFC 5321 so that strict clients give up.
    ReplyMalformed,
}

impl Reason {
    /// The name used in data files and JSON.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

/// Who acts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Nothing has to be done.
    Nobody,
    /// Time will do it.
    Wait,
    /// The person who sends.
    SenderUser,
    /// Who runs the sending server or domain.
    SenderAdmin,
    /// The owner of the mailbox.
    Recipient,
    /// Who runs the receiving server or domain.
    RecipientAdmin,
    /// Who runs the network, firewall or resolver on this side.
    NetworkAdmin,
    /// One of both sides; which, cannot be told.
    EitherSide,
}

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The mailbox asked for.
    Mailbox,
    /// Whoever sends: address, host, domain, account.
    Sender,
    /// The message.
    Message,
    /// The recipient's domain.
    Domain,
    /// The receiving server.
    Server,
    /// The network between.
    Network,
    /// The conversation itself.
    Session,
    /// Nothing is wrong.
    Nothing,
    /// It cannot be told.
    Unknown,
}

/// How long something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permanence {
    /// Until somebody changes something; a queue does not retry.
    Permanent,
    /// It may pass; a queue retries.
    Temporary,
    /// It occurs in both forms.
    Either,
    /// It is a yes.
    Success,
}

/// How sure a conclusion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// One of several explanations.
    Unsure,
    /// Most probably.
    Likely,
    /// It is said plainly, or was seen.
    Certain,
}

/// What somebody can do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Who.
    pub actor: Actor,
    /// What, in the imperative.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_name() {
        for reason in [Reason::Accepted, Reason::MailboxFull, Reason::MxUnusable, Reason::NotSmtp, Reason::PortBlockedHere] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
