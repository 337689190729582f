//! Replies that mislead: what a careful reader concludes from each, by number of the trap.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use smtpprobe::annotation::annotate_from;
use smtpprobe::knowledge::{Actor, Confidence, Knowledge, Permanence, Reason, Speaker};
use smtpprobe::reading::{Input, mail, read};
use smtpprobe::report::explanation::{InputKind, explain};
use smtpprobe::smtp::{Flaw, Reply, Verb};

/// What else must be true of a row.
#[derive(Clone, Copy, Debug)]
enum Also {
    Permanent,
    Temporary,
    Success,
    Certain,
    /// Anything but certain.
    Doubted,
    Unsure,
    By(Actor),
    /// Whether the address is to be given up.
    Hard(bool),
    /// What the numbers say is something else, and that is noted.
    Against(Reason),
    /// The enhanced code that was read; empty for none.
    Enhanced(&'static str),
    Flawed(Flaw),
    /// This is in the title, the meaning, the occasion or the advice.
    Tells(&'static str),
    /// This is not.
    Omits(&'static str),
}

/// One reply, and what is to be concluded.
struct Row(u8, &'static str, Option<Verb>, Option<&'static str>, Reason, &'static [Also]);

use Actor::*;
use Also::*;
use Reason::*;
use Verb::*;

const GOOGLE: Option<&str> = Some("aspmx.l.google.com");
const MICROSOFT: Option<&str> = Some("example-com.mail.protection.outlook.com");
const YAHOO: Option<&str> = Some("mta7.am0.yahoodns.net");

const TEXTS: &[Row] = &[
    // 552: quota, size or recipients.
    Row(1, "552 Not today", Some(Mail), None, MessageTooBig, &[Unsure]),
    Row(1, "552 5.5.3 Too many recipients", Some(Rcpt), None, TooManyRecipients, &[Temporary, Hard(false)]),
    Row(1, "552 Too many recipients", Some(Rcpt), None, TooManyRecipients, &[Temporary, Hard(false)]),
    Row(1, "552 5.2.2 Not today", Some(Rcpt), None, MailboxFull, &[Permanent, Hard(false)]),
    Row(1, "552 <anna@example.com>: over quota", Some(Rcpt), None, MailboxFull, &[Certain]),
    Row(1, "552 5.3.4 Not today", Some(DataEnd), None, MessageTooBig, &[]),
    Row(1, "552 5.2.3 Not today", Some(DataEnd), None, MessageTooBig, &[]),
    Row(1, "552 5.2.2 Not today", Some(DataEnd), None, MailboxFull, &[]),
    Row(1, "552 5.7.0 Not today", Some(DataEnd), GOOGLE, ContentRejected, &[]),
    Row(1, "552", Some(Rcpt), None, MailboxFull, &[Unsure]),
    // 550 5.7.1 has ten meanings.
    Row(2, "550 5.7.1 Relaying denied", Some(Rcpt), None, RelayDenied, &[]),
    Row(2, "550 5.7.1 Host [192.0.2.10] is on the block list bl.example.org", Some(Rcpt), None, IpBlocklisted, &[]),
    Row(2, "550 5.7.1 SPF check failed for example.net", Some(Mail), None, AuthChecksFailed, &[]),
    Row(2, "550 5.7.1 No valid DKIM signature", Some(DataEnd), None, AuthChecksFailed, &[]),
    Row(2, "550 5.7.1 Refused by the DMARC policy of example.net", Some(DataEnd), None, AuthChecksFailed, &[]),
    Row(2, "550 5.7.1 This message looks like spam", Some(DataEnd), None, SpamContent, &[]),
    Row(2, "550 5.7.1 <anna@example.com>: Recipient address rejected: Access denied", Some(Rcpt), None, PolicyRejected, &[Doubted]),
    Row(2, "550 5.7.1 This group takes mail from members only", Some(Rcpt), None, RecipientRestricted, &[]),
    Row(2, "550 5.7.1 The message has no From header", Some(DataEnd), None, MessageFormat, &[]),
    Row(2, "550 5.7.1 Client was not authenticated", Some(Mail), None, AuthRequired, &[]),
    Row(2, "550 5.7.1 An unusual rate of unsolicited mail comes from [192.0.2.10]", Some(DataEnd), GOOGLE, RateLimited, &[]),
    Row(2, "550 5.7.1 No such user", Some(Rcpt), Some("mx.yandex.ru"), UserUnknown, &[]),
    Row(
        2,
        "550 5.7.1 <anna@example.com>: Recipient address rejected: user anna@example.com does not exist",
        Some(Rcpt),
        None,
        UserUnknown,
        &[],
    ),
    Row(2, "550 5.7.1 Service unavailable, client host [192.0.2.10] blocked using Spamhaus", Some(Rcpt), MICROSOFT, IpBlocklisted, &[]),
    Row(2, "550 5.7.1 Not today", Some(Rcpt), None, PolicyRejected, &[Unsure, Hard(false)]),
    // 550 by itself.
    Row(3, "550 Not today", Some(Rcpt), None, UserUnknown, &[Doubted]),
    Row(3, "550 No such user here", Some(Rcpt), None, UserUnknown, &[Certain, Hard(true)]),
    Row(3, "550 Refused by policy", Some(Rcpt), None, PolicyRejected, &[Hard(false)]),
    Row(3, "550 Not today", Some(Connect), None, PolicyRejected, &[Unsure, Hard(false)]),
    Row(3, "550 Not today", Some(Ehlo), None, PolicyRejected, &[Unsure, Hard(false)]),
    Row(3, "550 Not today", Some(Mail), None, PolicyRejected, &[Unsure, Hard(false)]),
    Row(3, "550 Not today", Some(DataEnd), None, PolicyRejected, &[Unsure, Hard(false)]),
    // 554 depends on its place.
    Row(4, "554 Not today", Some(Connect), None, PolicyRejected, &[Unsure, Hard(false), Tells("your IP address")]),
    Row(4, "554 Not today", Some(DataEnd), None, ContentRejected, &[Unsure]),
    Row(4, "554 5.5.1 Error: no valid recipients", Some(Data), None, ProtocolError, &[Tells("RCPT")]),
    // 421 may come at any time.
    Row(5, "421 mx1.example.com is shutting down", Some(Rcpt), None, ServiceUnavailable, &[Temporary]),
    Row(5, "421 4.4.2 mx1.example.com: idle for too long, closing", Some(Mail), None, Timeout, &[Temporary]),
    Row(5, "421 4.7.0 Too many messages from your host, slow down", Some(Rcpt), None, RateLimited, &[Temporary]),
    Row(5, "421 4.7.0 192.0.2.10 has a poor reputation", Some(Mail), None, BadReputation, &[Temporary]),
    Row(5, "421 4.7.1 Greylisted, try again later", Some(Rcpt), None, Greylisted, &[Temporary]),
    Row(5, "421 4.7.0 STARTTLS is required", Some(Mail), None, TlsRequired, &[Temporary]),
    Row(5, "421 mx1.example.com closing", Some(Rcpt), None, ServiceUnavailable, &[Temporary, Hard(false)]),
    // Greylisting behind several codes.
    Row(7, "451 4.7.1 Greylisting in action, please wait", Some(Rcpt), None, Greylisted, &[Temporary, By(Wait)]),
    Row(7, "450 4.2.0 Come back in 300 seconds", Some(Rcpt), None, Greylisted, &[Doubted, By(Wait)]),
    Row(
        7,
        "450 4.7.1 <anna@example.com>: Recipient address rejected: see http://postgrey.example.org/help",
        Some(Rcpt),
        None,
        Greylisted,
        &[],
    ),
    Row(7, "450 4.3.2 Service unavailable - try again later", Some(Rcpt), None, Greylisted, &[Doubted]),
    Row(7, "451 4.7.1 Client host [192.0.2.10] blocked using bl.example.org", Some(Rcpt), None, IpBlocklisted, &[Temporary]),
    Row(7, "451 4.7.1 Service unavailable - milter error", Some(DataEnd), None, SystemError, &[Temporary]),
    // 450 for what 550 would say.
    Row(
        8,
        "450 4.1.1 <anna@example.com>: Recipient address rejected: User unknown in local recipient table",
        Some(Rcpt),
        None,
        UserUnknown,
        &[Temporary, Hard(false)],
    ),
    Row(8, "450 <anna@example.com>: User unknown", Some(Rcpt), None, UserUnknown, &[Temporary, Hard(false)]),
    // 4yz that heals never by itself.
    Row(
        9,
        "450 4.1.8 <info@example.net>: Sender address rejected: Domain not found",
        Some(Rcpt),
        None,
        SenderRejected,
        &[Temporary, By(SenderAdmin)],
    ),
    Row(
        9,
        "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.10]",
        Some(Rcpt),
        None,
        RdnsMissing,
        &[Temporary, By(SenderAdmin)],
    ),
    Row(9, "421 4.7.26 Not authenticated by SPF or DKIM", Some(DataEnd), GOOGLE, AuthChecksFailed, &[Temporary, By(SenderAdmin)]),
    Row(9, "451 4.7.24 Not today", Some(Mail), None, AuthChecksFailed, &[Temporary, By(SenderAdmin)]),
    Row(9, "459 Not today", Some(Etrn), None, PolicyRejected, &[Temporary, Tells("asking again changes nothing")]),
    // 5yz that passes.
    Row(10, "550 5.2.1 This user is receiving mail too quickly", Some(Rcpt), GOOGLE, RecipientRateLimited, &[Permanent, Hard(false)]),
    Row(10, "550 5.2.1 This user is receiving mail too quickly", Some(Rcpt), None, RecipientRateLimited, &[Permanent, Hard(false)]),
    Row(10, "550 5.4.5 Daily sending limit exceeded", Some(DataEnd), GOOGLE, SenderAccountBlocked, &[Permanent, Hard(false)]),
    Row(10, "550 5.4.5 Daily sending limit exceeded", Some(DataEnd), None, SenderAccountBlocked, &[Permanent, Hard(false)]),
    Row(10, "550 Connection frequency limited", Some(Rcpt), Some("mx3.qq.com"), TooManyConnections, &[Permanent, Hard(false)]),
    Row(
        10,
        "550 Domain example.net has exceeded the max emails per hour (100/100) allowed",
        Some(Rcpt),
        None,
        SenderAccountBlocked,
        &[Permanent, Hard(false)],
    ),
    Row(10, "552 5.2.2 Not today", Some(DataEnd), None, MailboxFull, &[Permanent, Hard(false)]),
    Row(10, "554 5.2.122 Not today", Some(DataEnd), MICROSOFT, RecipientRateLimited, &[Permanent, Hard(false)]),
    Row(
        10,
        "554 IB504 Connection refused, too much from 192.0.2.10",
        Some(Connect),
        Some("mailstore1.secureserver.net"),
        RateLimited,
        &[Permanent, Hard(false)],
    ),
    Row(10, "550 5.5.3 Too many recipients", Some(Rcpt), None, TooManyRecipients, &[Permanent, Hard(false)]),
    // Classes that disagree.
    Row(11, "452 5.2.2 Over quota", Some(Rcpt), None, MailboxFull, &[Temporary, Flawed(Flaw::ClassMismatch)]),
    Row(11, "451 5.1.1 User unknown", Some(Rcpt), None, UserUnknown, &[Temporary, Hard(false), Flawed(Flaw::ClassMismatch)]),
    Row(11, "550 4.2.2 Over quota", Some(Rcpt), None, MailboxFull, &[Permanent, Flawed(Flaw::ClassMismatch)]),
    Row(
        11,
        "421 5.7.32 The From header is not aligned",
        Some(DataEnd),
        GOOGLE,
        AuthChecksFailed,
        &[Temporary, Flawed(Flaw::ClassMismatch)],
    ),
    // Enhanced codes in a private sense.
    Row(12, "550 5.1.10 Not today", Some(Rcpt), None, NoMailService, &[]),
    Row(12, "550 5.1.10 Not today", Some(Rcpt), MICROSOFT, UserUnknown, &[]),
    Row(12, "451 4.4.1 Not today", Some(Rcpt), None, RoutingError, &[]),
    Row(12, "550 5.4.1 Not today", Some(Rcpt), MICROSOFT, UserUnknown, &[]),
    Row(12, "550 5.7.27 Not today", Some(DataEnd), None, SenderRejected, &[]),
    Row(12, "550 5.7.27 Not today", Some(DataEnd), GOOGLE, AuthChecksFailed, &[]),
    Row(12, "550 5.7.29 Not today", Some(DataEnd), None, AuthChecksFailed, &[]),
    Row(12, "550 5.7.29 Not today", Some(DataEnd), GOOGLE, TlsRequired, &[]),
    Row(12, "550 5.7.30 Not today", Some(DataEnd), None, FeatureUnsupported, &[]),
    Row(12, "550 5.7.30 Not today", Some(DataEnd), GOOGLE, AuthChecksFailed, &[]),
    Row(12, "421 4.7.23 Not today", Some(DataEnd), None, AuthChecksFailed, &[]),
    Row(12, "421 4.7.23 Not today", Some(DataEnd), GOOGLE, RdnsMissing, &[]),
    Row(12, "554 5.7.9 Not today", Some(DataEnd), YAHOO, PolicyRejected, &[]),
    Row(12, "553 5.7.2 Not today", Some(Connect), YAHOO, BadReputation, &[]),
    Row(12, "550 5.2.2 Submission quota exceeded", Some(DataEnd), MICROSOFT, SenderAccountBlocked, &[]),
    Row(12, "552 5.1.1 The mailbox is full", Some(Rcpt), Some("mx1.comcast.net"), MailboxFull, &[Against(UserUnknown), Hard(false)]),
    Row(12, "552 5.1.1 The mailbox is full", Some(Rcpt), Some("smtp-in.orange.fr"), MailboxFull, &[Against(UserUnknown), Hard(false)]),
    Row(12, "452 4.2.2 Greylisted, try again in 60 seconds", Some(Rcpt), None, Greylisted, &[Against(MailboxFull)]),
    Row(12, "550 5.1.2 Mailbox does not exist", Some(Rcpt), None, UserUnknown, &[Hard(true)]),
    // Codes as vendors print them.
    Row(13, "504 5.7.40 Not today", Some(Auth), GOOGLE, FeatureUnsupported, &[]),
    Row(13, "504 5.7.4 Not today", Some(Auth), GOOGLE, FeatureUnsupported, &[]),
    Row(13, "535 5.7.80 Not today", Some(Auth), GOOGLE, CredentialsInvalid, &[]),
    Row(13, "535 5.7.8 Not today", Some(Auth), GOOGLE, CredentialsInvalid, &[]),
    Row(13, "534 5.7.90 Not today", Some(Auth), GOOGLE, CredentialsInvalid, &[]),
    Row(13, "534 5.7.9 Not today", Some(Auth), GOOGLE, CredentialsInvalid, &[]),
    Row(13, "550 7.7.1 Not today", Some(Mail), GOOGLE, PolicyRejected, &[Enhanced("")]),
    Row(13, "550 5.7.38 Not today", Some(Mail), None, PolicyRejected, &[Unsure]),
    // 551 is a move only with another address.
    Row(14, "551 Not local, please try <anna.k@example.org>", Some(Rcpt), None, UserMoved, &[]),
    Row(14, "551 User not local", Some(Rcpt), None, UserUnknown, &[Unsure]),
    Row(14, "551 Not today", Some(Rcpt), None, Undetermined, &[Unsure]),
    Row(14, "551 5.7.1 Relaying is not allowed", Some(Rcpt), None, RelayDenied, &[]),
    Row(14, "551 5.7.1 DMARC check failed for example.net", Some(DataEnd), None, AuthChecksFailed, &[]),
    Row(14, "551 This message was classified as spam", Some(DataEnd), None, SpamContent, &[]),
    Row(14, "551 Forwarding loop detected", Some(DataEnd), None, MailLoop, &[]),
    // 553, by its words.
    Row(15, "553 Mailbox name not allowed", Some(Rcpt), None, AddressSyntax, &[]),
    Row(15, "553 sorry, that domain is not in my list of allowed rcpthosts (#5.7.1)", Some(Rcpt), None, RelayDenied, &[]),
    Row(15, "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", Some(Rcpt), None, SenderRejected, &[]),
    Row(15, "553 5.7.1 <info@example.net>: Sender address rejected: not owned by user anna", Some(Rcpt), None, SenderRejected, &[]),
    Row(
        15,
        "553 5.7.1 [BL21] Connections are not taken from 192.0.2.10 as it is on a block list",
        Some(Connect),
        YAHOO,
        IpBlocklisted,
        &[],
    ),
    Row(15, "553 Relaying denied to example.com", Some(Rcpt), Some("cluster1.us.messagelabs.com"), RelayDenied, &[]),
    // 521, by its words.
    Row(16, "521 Host does not accept mail", Some(Connect), None, NoMailService, &[]),
    Row(16, "521 mx1.example.com", Some(Connect), None, NoMailService, &[Unsure]),
    Row(16, "521 5.7.1 Service unavailable; client [192.0.2.10] blocked using bl.example.org", Some(Rcpt), None, IpBlocklisted, &[]),
    Row(16, "521 192.0.2.10 is blocked, see https://www.example.com/block", Some(Connect), None, IpBlocklisted, &[]),
    Row(16, "521 5.5.1 Protocol error", Some(Ehlo), None, ProtocolError, &[]),
    Row(16, "521 Command line too long", Some(Mail), None, ProtocolError, &[]),
    // 530: STARTTLS, login or a closed connector.
    Row(18, "530 5.7.0 Issue a STARTTLS command first", Some(Mail), None, TlsRequired, &[]),
    Row(18, "530 5.7.0 Authentication required", Some(Mail), None, AuthRequired, &[]),
    Row(18, "530 5.7.1 Client was not authenticated", Some(Mail), None, AuthRequired, &[Tells("connector")]),
    // 535: password or policy.
    Row(
        19,
        "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria",
        Some(Auth),
        MICROSOFT,
        CredentialsInvalid,
        &[Tells("policy"), Omits("new password")],
    ),
    Row(19, "535 5.7.139 Authentication unsuccessful, SMTP AUTH is disabled for the tenant", Some(Auth), None, CredentialsInvalid, &[]),
    Row(19, "535 5.7.8 Wrong user name or password", Some(Auth), None, CredentialsInvalid, &[Tells("password")]),
    Row(19, "535 5.7.3 Authentication unsuccessful", Some(Auth), None, CredentialsInvalid, &[]),
    // Unknown 2yz.
    Row(20, "222 Fine", Some(Rcpt), None, Accepted, &[Success]),
    Row(20, "224 Fine", Some(Mail), None, Accepted, &[Success, Tells("2")]),
    // What a yes proves.
    Row(21, "250 2.1.5 Ok", Some(Rcpt), None, Accepted, &[Success, Tells("no proof that the mailbox exists")]),
    // No proof of absence.
    Row(22, "550 Unknown user anna@example.com", Some(Rcpt), Some("mfsmax.docomo.ne.jp"), UserUnknown, &[Tells("filter"), Doubted]),
    Row(22, "550 Mailbox unavailable or access denied", Some(Rcpt), Some("mx3.qq.com"), RecipientRateLimited, &[Hard(false)]),
    // VRFY.
    Row(23, "252 Cannot verify, but will take it", Some(Vrfy), None, Accepted, &[]),
    Row(23, "502 VRFY is switched off", Some(Vrfy), None, FeatureUnsupported, &[Hard(false)]),
    // The reply of the host behind.
    Row(
        24,
        "450 4.1.1 <anna@example.com>: Recipient address rejected: unverified address: Address verification in progress",
        Some(Rcpt),
        None,
        Greylisted,
        &[Temporary, Doubted],
    ),
    Row(
        24,
        "550 5.1.1 <anna@example.com>: Recipient address rejected: undeliverable address: host mx2.example.com[192.0.2.2] said: 552 5.2.2 Over quota (in reply to RCPT TO command)",
        Some(Rcpt),
        None,
        MailboxFull,
        &[Against(UserUnknown), Hard(false)],
    ),
    Row(
        24,
        "450 4.1.1 <anna@example.com>: Recipient address rejected: unverified address: connect to mx2.example.com[192.0.2.2]:25: Connection timed out",
        Some(Rcpt),
        None,
        RoutingError,
        &[Temporary],
    ),
    Row(
        24,
        "550 5.1.1 <anna@example.com>: Recipient address rejected: undeliverable address: host mx2.example.com[192.0.2.2] said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
        Some(Rcpt),
        None,
        UserUnknown,
        &[Hard(true)],
    ),
    // The empty sender.
    Row(25, "550 5.7.1 Bounces are not accepted here", Some(Mail), None, SenderRejected, &[By(RecipientAdmin), Tells("every bounce")]),
    // A yes that may come back.
    Row(27, "250 2.0.0 Queued as 4F2A", Some(DataEnd), None, Accepted, &[Tells("come back later as a bounce")]),
    // Errors of a list read as listings.
    Row(
        28,
        "550 5.7.1 Client [192.0.2.10] blocked using zen.spamhaus.org; 127.255.255.254",
        Some(Rcpt),
        None,
        SystemError,
        &[By(RecipientAdmin)],
    ),
    Row(
        28,
        "554 5.7.1 Client [192.0.2.10] blocked using zen.spamhaus.org; Error: open resolver",
        Some(Rcpt),
        None,
        SystemError,
        &[By(RecipientAdmin), Tells("resolver")],
    ),
    Row(28, "554 5.7.1 Client [192.0.2.10] blocked using zen.spamhaus.org", Some(Rcpt), None, IpBlocklisted, &[Tells("resolver")]),
    // Dead lists.
    Row(
        29,
        "554 5.7.1 Client [192.0.2.10] blocked using dnsbl.sorbs.net",
        Some(Rcpt),
        None,
        IpBlocklisted,
        &[By(RecipientAdmin), Tells("2024")],
    ),
    Row(
        29,
        "554 5.7.1 Client [192.0.2.10] blocked using dnsbl.njabl.org",
        Some(Rcpt),
        None,
        IpBlocklisted,
        &[By(RecipientAdmin), Tells("closed")],
    ),
    // A range is listed.
    Row(30, "554 5.7.1 Client [192.0.2.10] blocked using pbl.spamhaus.org", Some(Rcpt), None, IpBlocklisted, &[Tells("range")]),
    Row(30, "554 5.7.1 Client [192.0.2.10] blocked using dnsbl-3.uceprotect.net", Some(Rcpt), None, IpBlocklisted, &[Tells("range")]),
    Row(
        30,
        "550 5.7.1 Messages from [192.0.2.10] were not sent, part of their network is on our block list (S3150)",
        Some(Mail),
        MICROSOFT,
        IpBlocklisted,
        &[Tells("network")],
    ),
    Row(30, "421 4.7.0 Too much unsolicited mail comes from your IP Netblock", Some(DataEnd), GOOGLE, RateLimited, &[Tells("range")]),
    // What is listed may be something else.
    Row(31, "550 5.7.1 The HELO name is on our block list (S8001)", Some(Mail), MICROSOFT, DomainBlocklisted, &[]),
    Row(31, "550 5.7.1 The sender's domain is on our block list (S8002)", Some(Mail), MICROSOFT, DomainBlocklisted, &[]),
    Row(
        31,
        "554 5.7.1 A link in the message is listed by dbl.spamhaus.org",
        Some(DataEnd),
        Some("mx01.mail.icloud.com"),
        DomainBlocklisted,
        &[],
    ),
    Row(31, "554 5.7.1 Helo command [mail.example.net] blocked using rhsbl.example.org", Some(Rcpt), None, DomainBlocklisted, &[]),
    Row(31, "554 5.7.1 Sender address [info@example.net] blocked using rhsbl.example.org", Some(Rcpt), None, DomainBlocklisted, &[]),
    Row(
        31,
        "554 Blocked, a Received line names 192.0.2.77, see http://www.barracudanetworks.com/reputation/?pr=1&ip=192.0.2.77",
        Some(DataEnd),
        None,
        IpBlocklisted,
        &[Tells("Received")],
    ),
    // Masks.
    Row(
        32,
        "554 mx1.example.com 192.0.2.10 found on one or more DNSBLs. BL000111",
        Some(Connect),
        Some("mx1.comcast.net"),
        IpBlocklisted,
        &[Tells("Spamhaus ZEN, Cloudmark CSI and Sender Score list")],
    ),
    Row(
        32,
        "554 mx1.example.com 192.0.2.10 rejected. AUP#IPBL1011",
        Some(Connect),
        Some("cxr.mx.a.cloudfilter.net"),
        IpBlocklisted,
        &[Tells("Spamhaus ZEN, Return Path and Cloudmark CSI list")],
    ),
    // SPF and forwards.
    Row(
        33,
        "550 5.7.23 SPF check failed: 192.0.2.10 may not send for example.net",
        Some(Mail),
        None,
        AuthChecksFailed,
        &[Tells("forward")],
    ),
    // DMARC of a domain that is not yours.
    Row(
        34,
        "550-5.7.26 Unauthenticated mail from example.net is not taken by its DMARC\r\n550 5.7.26 policy.",
        Some(DataEnd),
        GOOGLE,
        AuthChecksFailed,
        &[Tells("put your own domain there")],
    ),
    // Alignment.
    Row(35, "550 5.7.32 Not today", Some(DataEnd), GOOGLE, AuthChecksFailed, &[Tells("align")]),
    Row(35, "421 4.7.32 Not today", Some(DataEnd), GOOGLE, AuthChecksFailed, &[Tells("align"), Temporary]),
    Row(
        35,
        "550 5.7.515 Access denied, sending domain example.net does not meet the level. Spf= Pass , Dkim= Pass , DMARC= Fail",
        Some(DataEnd),
        MICROSOFT,
        AuthChecksFailed,
        &[Tells("align")],
    ),
    // The wire.
    Row(36, "451-Not now\r\n550 No such user here", Some(Rcpt), None, UserUnknown, &[Permanent, Flawed(Flaw::MixedCodes)]),
    Row(
        37,
        "550-5.7.26 Not signed by\r\n550-5.7.26 DKIM, and\r\n550 5.7.26 no SPF record",
        Some(DataEnd),
        None,
        AuthChecksFailed,
        &[Enhanced("5.7.26")],
    ),
    Row(37, "550 #5.1.0 Address rejected", Some(Rcpt), None, UserUnknown, &[Enhanced("5.1.0")]),
    Row(37, "553 sorry, no relaying for you (#5.7.1)", Some(Rcpt), None, RelayDenied, &[Enhanced("5.7.1")]),
    Row(37, "550-5.1.1 No such user here\r\n550 More at https://www.example.com/", Some(Rcpt), None, UserUnknown, &[Enhanced("5.1.1")]),
    Row(38, "552-5.2.2 The  mailbox\r\n552-5.2.2 IS over\r\n552 5.2.2   QUOTA", Some(Rcpt), None, MailboxFull, &[Certain]),
    Row(
        39,
        "554-Transaction failed\r\n554-Refused.\r\n554 For more see https://www.gmx.net/mail/senderguidelines?c=rdns&i=192.0.2.10",
        Some(Connect),
        Some("mx00.gmx.net"),
        RdnsMissing,
        &[],
    ),
    Row(39, "550-Not delivered.\r\n550-Please read on.\r\n550 The mailbox is full", Some(Rcpt), None, MailboxFull, &[]),
    Row(40, "550 No such user here", Some(Rcpt), None, UserUnknown, &[Enhanced("")]),
    Row(
        40,
        "554-Transaction failed\r\n554 Reject due to policy restrictions. See https://www.gmx.net/?c=hi",
        Some(DataEnd),
        Some("mx00.gmx.net"),
        PolicyRejected,
        &[Enhanced("")],
    ),
    // Talking too early.
    Row(46, "521 5.5.1 Protocol error", Some(Ehlo), None, ProtocolError, &[]),
    Row(46, "550 5.5.1 Protocol error", Some(Rcpt), None, ProtocolError, &[Hard(false)]),
    // Odd words of a yes.
    Row(49, "250 2.6.0 Queued as 4F2A", Some(DataEnd), None, Accepted, &[Success]),
    Row(49, "250 2.7.1 Discarded", Some(DataEnd), None, Accepted, &[Success]),
    Row(49, "250 2.0.0 Taken and quarantined as spam", Some(DataEnd), None, Accepted, &[Success]),
    // Words against the class.
    Row(50, "550 5.2.0 Mail from you is refused, try again later", Some(Rcpt), None, Undetermined, &[Permanent, Hard(false)]),
    Row(
        50,
        "421 4.7.1 [TS03] All messages from 192.0.2.10 will be permanently deferred",
        Some(Connect),
        YAHOO,
        BadReputation,
        &[Temporary],
    ),
    // The noun beats the command.
    Row(52, "550 5.7.1 <mail.example.net>: Helo command rejected: Host not found", Some(Rcpt), None, HeloRejected, &[]),
    Row(52, "554 5.7.1 <unknown[192.0.2.10]>: Client host rejected: cannot find your reverse hostname", Some(Rcpt), None, RdnsMissing, &[]),
    Row(52, "554 5.7.1 <unknown[192.0.2.10]>: Client host rejected: Access denied", Some(Rcpt), None, IpBlocklisted, &[Hard(false)]),
    Row(52, "450 4.1.8 <info@example.net>: Sender address rejected: Domain not found", Some(Rcpt), None, SenderRejected, &[]),
    // Answers from a cache.
    Row(
        53,
        "550 5.1.1 <anna@example.com>: cuda_nsu Recipient address rejected: User unknown",
        Some(Rcpt),
        None,
        UserUnknown,
        &[Tells("repeat an old answer")],
    ),
    // Numbers that are enhanced codes without dots.
    Row(54, "534 Not today", Some(Mail), None, MessageTooBig, &[Doubted]),
    Row(54, "534 Not today", Some(Auth), None, CredentialsInvalid, &[]),
    Row(54, "511 Not today", Some(Rcpt), None, UserUnknown, &[Doubted]),
    Row(54, "517 Not today", Some(Mail), None, SenderRejected, &[Doubted]),
    Row(54, "531 Not today", Some(DataEnd), None, Undetermined, &[Doubted, Tells("5.3.1")]),
    Row(54, "546 Not today", Some(DataEnd), None, MailLoop, &[Doubted]),
    Row(54, "571 Not today", Some(Rcpt), None, PolicyRejected, &[Doubted]),
    Row(54, "522 Not today", Some(Rcpt), None, MailboxFull, &[Unsure]),
    Row(54, "556 Address unavailable", Some(Rcpt), None, UserDisabled, &[Doubted]),
    Row(54, "417 Not today", Some(Mail), None, SenderRejected, &[Temporary]),
    // Verdicts follow.
    Row(55, "353 One answer for each recipient follows", Some(DataEnd), None, Undetermined, &[Doubted, Tells("neither a yes nor a no")]),
];

/// Traps that are no matter of one reply's words: each with the file that holds it, and what to look for there.
const ELSEWHERE: &[(u8, &str, &str)] = &[
    (1, "src/demo/scenarios/message-too-big.toml", "552 is about the message here"),
    (6, "tests/scenarios/farewell-421.toml", "After a yes to the question, nothing takes it back"),
    (7, "src/demo/scenarios/greylisted.toml", "the same sender is let in when it comes back"),
    (17, "tests/scenarios/empty-sender-refused.toml", "a 503 behind it is only its echo"),
    (20, "src/smtp/session/tests.rs", "fn only_the_right_class_is_a_yes"),
    (21, "src/demo/scenarios/catch-all.toml", "A 250 says nothing of a mailbox where a random name gets the same"),
    (21, "src/demo/scenarios/will-attempt-delivery.toml", "252"),
    (23, "src/knowledge/data/codes.toml", "[252.at.VRFY]"),
    (25, "tests/scenarios/empty-sender-refused.toml", "Who refuses <> turns bounces away"),
    (26, "tests/scenarios/no-postmaster.toml", "postmaster"),
    (27, "tests/mails/postfix.eml", "5.1.1"),
    (36, "src/smtp/reply.rs", "MixedCodes"),
    (37, "src/smtp/reply.rs", "fn what_servers_really_send_is_read"),
    (41, "src/smtp/reply.rs", "NotUtf8"),
    (42, "src/report/safe.rs", "fn escapes_are_shown_not_obeyed"),
    (42, "src/report/json.rs", "fn what_a_terminal_would_obey_is_written_as_an_escape_of_the_same_meaning"),
    (43, "src/smtp/session/tests.rs", "fn what_is_unread_before_the_handshake_is_kept_and_dropped"),
    (43, "src/demo/scenarios/injected.toml", "must not count inside TLS"),
    (43, "tests/scenarios/injectable.toml", "injection_answered"),
    (44, "tests/scenarios/masked-there.toml", "masked_there"),
    (44, "tests/scenarios/masked-everywhere.toml", "masked_here"),
    (45, "src/demo/scenarios/intercepted.toml", "says nothing about anna"),
    (46, "src/smtp/session/tests.rs", "fn the_last_line_of_a_greeting_is_waited_for"),
    (47, "src/demo/scenarios/slow-greeting.toml", "RFC 5321 allows five minutes"),
    (47, "tests/scenarios/dripping.toml", "Slow is not down"),
    (47, "tests/scenarios/tarpit.toml", "tarpit"),
    (48, "tests/scenarios/silent-after-mail.toml", "nothing is known about the mailbox"),
    (51, "src/reading/transcript/tests.rs", "<- LMTP-DATA #8: 552 two"),
];

fn first(text: &str) -> Reply {
    match read(text).expect(text) {
        Input::Replies(replies) => replies.into_iter().next().expect(text),
        _ => Reply::parse(text).expect(text),
    }
}

#[test]
fn no_reply_misleads() {
    let knowledge = Knowledge::english();
    let mut wrong = Vec::new();
    for Row(trap, text, verb, host, reason, also) in TEXTS {
        let reply = first(text);
        let found = annotate_from(&knowledge, Speaker { host: *host, ..Speaker::default() }, *verb, &reply);
        if host.is_none() {
            let parts = explain(&knowledge, &read(text).expect(text), *verb).explanations;
            assert_eq!(parts[0].reason, found.reason, "trap {trap}: {text}");
        }
        let mut complain = |what: String| {
            wrong.push(format!(
                "trap {trap}, {text:?} to {verb:?}: {what}; {:?} {:?}",
                found.basis,
                found.said.as_ref().map(|said| (&said.words, &said.provider))
            ));
        };
        if found.reason != *reason {
            complain(format!("{:?} ({:?}), not {reason:?}", found.reason, found.confidence));
        }
        let advice = found.fix.iter().map(|fix| fix.text.as_str());
        let texts = [found.title.as_str(), &found.meaning, &found.when].into_iter().chain(advice).collect::<Vec<_>>().join("\n");
        let hard = found.permanence != Permanence::Temporary && knowledge.reason(found.reason).hard;
        for also in *also {
            let holds = match also {
                Permanent => found.permanence == Permanence::Permanent,
                Temporary => found.permanence == Permanence::Temporary,
                Success => found.permanence == Permanence::Success,
                Certain => found.confidence == Confidence::Certain,
                Doubted => found.confidence != Confidence::Certain,
                Unsure => found.confidence == Confidence::Unsure,
                By(actor) => found.actor == *actor,
                Hard(wanted) => hard == *wanted,
                Against(other) => found.conflict == Some(*other),
                Enhanced(code) => reply.enhanced.map(|code| code.to_string()).unwrap_or_default() == *code,
                Flawed(flaw) => reply.flaws.contains(flaw),
                Tells(words) => texts.contains(words),
                Omits(words) => !texts.contains(words),
            };
            if !holds {
                complain(format!("not {also:?}; {:?} {:?} {:?}\n    {texts}", found.confidence, found.actor, found.conflict));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
}

#[test]
fn a_session_that_may_have_ended_well_is_not_called_a_failure() {
    let knowledge = Knowledge::english();
    let line = "Nov 22 10:00:00 mx postfix/smtp[1234]: 4F2A1B3C5D: to=<anna@example.com>, relay=mx1.example.com[192.0.2.1]:25, delay=300, \
                delays=0.1/0/0.2/300, dsn=4.4.2, status=deferred (lost connection with mx1.example.com[192.0.2.1] while sending end of data \
                -- message may be sent more than once)";
    let parts = explain(&knowledge, &read(line).expect("a line"), None).explanations;
    assert_eq!((parts[0].reason, parts[0].permanence, parts[0].hard), (Timeout, Permanence::Temporary, false));
    let texts = parts[0].fix.iter().map(|fix| fix.text.as_str()).chain([parts[0].meaning.as_str(), &parts[0].when]).collect::<String>();
    assert!(texts.contains("twice"), "{texts}");
}

#[test]
fn a_bounce_counts_though_the_session_ended_in_250() {
    let knowledge = Knowledge::english();
    let bytes = include_bytes!("mails/postfix.eml");
    let explanation = explain(&knowledge, &Input::Mail(Box::new(mail::read(bytes))), None);
    assert_eq!(explanation.kind, InputKind::Bounce);
    assert_eq!((explanation.explanations[0].reason, explanation.explanations[0].hard), (UserUnknown, true));
}

#[test]
fn each_recipient_of_lmtp_has_a_verdict_of_its_own() {
    let knowledge = Knowledge::english();
    let verdicts = ["250 2.1.5 Ok", "552 5.2.2 Over quota"]
        .map(|text| annotate_from(&knowledge, Speaker::default(), Some(LmtpData), &first(text)).reason);
    assert_eq!(verdicts, [Accepted, MailboxFull]);
}

#[test]
fn every_trap_is_held_somewhere() {
    let held: BTreeSet<u8> = TEXTS.iter().map(|row| row.0).chain(ELSEWHERE.iter().map(|row| row.0)).collect();
    assert_eq!((1..=55).filter(|trap| !held.contains(trap)).collect::<Vec<_>>(), Vec::<u8>::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (trap, place, mark) in ELSEWHERE {
        let text = fs::read_to_string(root.join(place)).unwrap_or_default();
        assert!(text.contains(mark), "trap {trap}: {mark:?} in {place}");
    }
}
