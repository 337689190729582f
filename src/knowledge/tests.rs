//! The data held to their word: every entry, example, pattern, reference and text, and the replies that mislead.

use std::collections::BTreeSet;
use std::path::Path;

use super::needs::Text;
use super::private::Private;
use super::rule::EnhancedRange;
use super::*;
use crate::diagnosis::rules;
use crate::smtp::Reply;

const FILES: [(&str, &str); 9] = [
    ("codes", include_str!("data/codes.toml")),
    ("enhanced", include_str!("data/enhanced.toml")),
    ("reasons", include_str!("data/reasons.toml")),
    ("findings", include_str!("data/findings.toml")),
    ("phrases", include_str!("data/phrases.toml")),
    ("wording", include_str!("data/wording.toml")),
    ("software", include_str!("data/software.toml")),
    ("private", include_str!("data/private.toml")),
    ("lists", include_str!("data/lists.toml")),
];

fn file(name: &str) -> toml::Table {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name).expect(name);
    text.parse().expect(name)
}

fn entries<T: DeserializeOwned>(name: &str) -> BTreeMap<String, T> {
    file(name)
        .into_iter()
        .map(|(key, value)| {
            let entry = T::deserialize(value).unwrap_or_else(|error| panic!("{name}, {key}: {error}"));
            (key, entry)
        })
        .collect()
}

/// Every entry with its places: (what it is, the entry, its meaning there).
fn all_meanings() -> Vec<(String, Meaning)> {
    let mut all = Vec::new();
    for name in ["codes", "enhanced"] {
        for (key, entry) in entries::<Entry>(name) {
            all.push((key.clone(), entry.meaning(None)));
            all.extend(entry.at.keys().map(|place| (format!("{key} at {place}"), entry.meaning(Some(place)))));
        }
    }
    all
}

fn reply(text: &str) -> Reply {
    Reply::parse(&text.replace('\n', "\r\n")).unwrap_or_else(|| panic!("no reply: {text}"))
}

#[test]
fn every_entry_is_what_its_type_says() {
    // The types refuse keys that they do not know.
    assert!(entries::<Entry>("codes").len() > 70 && entries::<Entry>("enhanced").len() > 70);
    assert!(entries::<ReasonText>("reasons").len() > 50);
    entries::<FindingText>("findings");
    entries::<toml::Table>("phrases");
    assert!(software::built_in().len() > 50);
    assert!("[x]\ntitle = \"a\"\nsays = \"b\"\nodd = 1".parse::<toml::Table>().unwrap()["x"].clone().try_into::<Entry>().is_err());
}

#[test]
fn a_shelf_gives_what_the_whole_file_holds() {
    let knowledge = Knowledge::english();
    let Knowledge { codes, enhanced, reasons, findings, phrases, private, lists, .. } = &knowledge;
    for (name, shelf) in [
        ("codes", codes),
        ("enhanced", enhanced),
        ("reasons", reasons),
        ("findings", findings),
        ("phrases", phrases),
        ("private", private),
        ("lists", lists),
    ] {
        let whole = file(name);
        assert_eq!(shelf.keys().collect::<BTreeSet<_>>(), whole.keys().map(String::as_str).collect(), "{name}");
        for (key, entry) in &whole {
            assert_eq!(shelf.entry::<toml::Value>(key).as_ref(), Some(entry), "{name}, {key}");
        }
    }
}

#[test]
fn keys_are_codes() {
    for (key, entry) in entries::<Entry>("codes") {
        assert!(key.parse::<ReplyCode>().is_ok() || ["2yz", "3yz", "4yz", "5yz"].contains(&key.as_str()), "{key}");
        assert!(!entry.commands.is_empty(), "{key}");
        let verb = |name: &String| name == "ANY" || Verb::ALL.iter().any(|verb| verb.as_str() == name);
        assert!(entry.commands.iter().all(verb) && entry.at.keys().all(verb), "{key}");
        let answers = |place: &String| entry.commands.contains(place) || entry.commands.contains(&"ANY".to_owned());
        assert!(entry.at.keys().all(answers), "{key}: a place that it does not answer");
        for enhanced in &entry.enhanced {
            let code: EnhancedCode = enhanced.parse().unwrap_or_else(|()| panic!("{key}: {enhanced}"));
            assert_eq!(key.parse::<ReplyCode>().unwrap().number() / 100, u16::from(code.class), "{key}: {enhanced}");
        }
    }
    for (key, entry) in entries::<Entry>("enhanced") {
        let detail = key.strip_prefix("X.").is_some_and(|rest| !rest.ends_with('X'));
        assert_eq!(!entry.classes.is_empty(), detail, "{key}");
        let class = |place: &String| place.parse().is_ok_and(|class: u8| entry.classes.contains(&class));
        assert!(entry.at.keys().all(class), "{key}: a class that does not occur");
    }
}

#[test]
fn every_example_is_a_reply_with_its_code() {
    for (key, entry) in entries::<Entry>("codes") {
        let general = entry.example.as_ref().map(|example| ("", example));
        let special = entry.at.iter().filter_map(|(place, variant)| Some((place.as_str(), variant.example.as_ref()?)));
        for (place, example) in general.into_iter().chain(special) {
            assert!(example.starts_with(&key), "{key} {place}: {example}");
            let reply = reply(example);
            assert_eq!((reply.code.to_string(), reply.flaws), (key.clone(), vec![crate::smtp::Flaw::BareLineFeed]), "{key} {place}");
        }
        assert_eq!(entry.example.is_some(), key.parse::<ReplyCode>().is_ok(), "{key}");
    }
    for (key, entry) in entries::<Entry>("enhanced") {
        let general = entry.example.as_ref().map(|example| (None, example));
        let special = entry.at.iter().filter_map(|(class, variant)| Some((Some(class), variant.example.as_ref()?)));
        for (class, example) in general.into_iter().chain(special) {
            let code = reply(example).enhanced.unwrap_or_else(|| panic!("{key}: {example}"));
            assert_eq!(Knowledge::english().detail_entry(code.subject, code.detail).as_deref(), Some(&entry), "{key}: {example}");
            assert!(class.is_none_or(|class| *class == code.class.to_string()) && entry.classes.contains(&code.class), "{key}: {example}");
        }
    }
}

#[test]
fn every_text_reads_as_one() {
    for (what, meaning) in all_meanings() {
        for text in [&meaning.meaning, &meaning.when].into_iter().chain(meaning.fix.iter().map(|fix| &fix.text)) {
            let whole = text.ends_with('.') && !text.contains("  ") && !text.contains("..") && !text.contains(['\n', '{', '}']);
            assert!(whole, "{what}: {text}");
        }
        assert!(!meaning.title.ends_with('.') && meaning.title.chars().count() <= 48, "{what}: {}", meaning.title);
        // It stands in the middle of sentences.
        let first = meaning.says.split([' ', '\'']).next().unwrap_or_default();
        let start = !first.starts_with(char::is_uppercase) || first.chars().all(|c| !c.is_lowercase());
        assert!(start && !meaning.says.ends_with('.') && !meaning.says.contains(';'), "{what}: {}", meaning.says);
        if !what.contains(" at ") || what.starts_with('X') {
            assert!(!meaning.says.contains(": "), "{what}: two colons in one sentence: {}", meaning.says);
        }
    }
    for (key, reason) in entries::<ReasonText>("reasons") {
        let texts = [Some(&reason.meaning), reason.unknown.as_ref()].into_iter().flatten().chain(reason.fix.iter().map(|fix| &fix.text));
        for text in texts {
            assert!(text.ends_with('.') && !text.contains("  ") && !text.contains(".."), "{key}: {text}");
        }
        assert!(!reason.fix.is_empty(), "{key}");
    }
}

#[test]
fn references_can_be_looked_up() {
    let good = |reference: &str| {
        let rfc = reference.strip_prefix("RFC ").is_some_and(|rest| {
            let (number, section) = rest.split_once(" section ").unwrap_or((rest, "1"));
            let dotted = section.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
            number.parse::<u16>().is_ok() && dotted
        });
        rfc || (reference.starts_with("https://") && !reference.contains(' '))
    };
    for (what, meaning) in all_meanings() {
        assert!(!meaning.references.is_empty(), "{what} has no source");
        assert_eq!(meaning.references.iter().find(|reference| !good(reference)), None, "{what}");
    }
    for rule in rules() {
        assert!(rule.reference.split(", ").all(good), "{}: {}", rule.id, rule.reference);
    }
}

#[test]
fn what_code_asks_for_by_name_is_there() {
    let knowledge = Knowledge::english();
    for key in file("reasons").keys() {
        let reason: Reason = serde_json::from_value(key.as_str().into()).unwrap_or_else(|_| panic!("no reason is called {key}"));
        assert!(!knowledge.reason(reason).title.is_empty());
    }
    let schema = serde_json::to_value(schemars::schema_for!(Reason)).unwrap();
    let names: Vec<&str> = schema["oneOf"].as_array().unwrap().iter().filter_map(|one| one["const"].as_str()).collect();
    assert!(names.len() > 50);
    for name in names {
        let reason: Reason = serde_json::from_value(name.into()).unwrap();
        assert_eq!((reason.name().as_str(), knowledge.reason(reason).title.is_empty()), (name, false));
    }
    for rule in rules() {
        assert!(!knowledge.finding(rule.id).title.is_empty());
    }
    for table in asked(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        assert!(!knowledge.phrases::<toml::Table>(&table).is_empty(), "{table}");
    }
}

/// The tables that some source file names in `phrases("...")`.
fn asked(directory: &Path) -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            tables.extend(asked(&entry.path()));
        } else if entry.path().extension().is_some_and(|extension| extension == "rs")
            && entry.path().file_stem().is_some_and(|n| n != "tests")
        {
            let source = std::fs::read_to_string(entry.path()).unwrap();
            let names = source.split("phrases(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            tables.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    tables
}

#[test]
fn every_rule_takes_its_own_example_by_a_word_that_leads_to_it_with_either_engine() {
    let knowledge = Knowledge::english();
    let (mut ids, mut wrong) = (BTreeSet::new(), Vec::new());
    for book in knowledge.library().books() {
        assert!(book.len() > 0, "{}", book.key);
        for number in 0..book.len() {
            let rule = book.rule(number).unwrap_or_else(|| panic!("{}: rule number {number} is wrong", book.key));
            let reply = Reply::parse(&rule.example).unwrap_or_else(|| panic!("{}: {}", rule.id, rule.example));
            let (verb, text) = (rule.first_place(), super::words::without_addresses(&reply.text()));
            let low = text.to_lowercase();
            let fits = |rule: &super::rule::Rule| {
                let word = rule.words.iter().find_map(|word| low.find(word.as_str()).map(|at| at..at + word.len()));
                (word.is_some() || rule.words.is_empty()) && rule.fits(&reply) && rule.is_for(verb) && rule.place(&text, word).is_some()
            };
            let all: Vec<usize> = (0..book.len()).filter(|number| book.rule(*number).is_some_and(fits)).collect();
            // What is worked out of a pattern beforehand keeps nothing from it that it matches.
            let held = Text::new(low.clone());
            if let Some(number) = all.iter().find(|number| !book.may_match(**number, &held)) {
                wrong.push(format!("{}: rule number {number} needs what is not in {text:?}, and matches", book.key));
            }
            let first = all.first().and_then(|number| book.rule(*number)).map(|rule| &rule.id);
            if first != Some(&rule.id) {
                wrong.push(format!("{} {}: {first:?} takes {}", book.key, rule.id, rule.example));
            }
            // A rule is found by its words, which are in small letters as the text is then.
            if rule.words.iter().any(|word| *word != word.to_lowercase())
                || rule.pattern.as_ref().is_some_and(|pattern| !pattern.is_valid())
            {
                wrong.push(format!("{} {}: words or pattern are wrong", book.key, rule.id));
            }
            if let Some(pattern) = rule.pattern.as_ref().filter(|pattern| pattern.find_once(&text) != pattern.find_often(&text)) {
                wrong.push(format!("{}: the engines do not find the same by {pattern:?}", rule.id));
            }
            if !ids.insert(rule.id.clone()) {
                wrong.push(format!("{} is there twice", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mark_takes_its_own_example() {
    let knowledge = Knowledge::english();
    for mark in knowledge.software_marks() {
        assert!(mark.regex().is_some(), "{}: the pattern is none", mark.software);
        let found = knowledge.software(mark.place, &mark.example).map(|software| software.name);
        assert_eq!(found.as_ref(), Some(&mark.software), "{}", mark.example);
    }
}

#[test]
fn another_language_replaces_texts_by_their_keys() {
    let german = "
        [codes.552]
        title = 'Kein Platz'
        [codes.552.at.RCPT]
        title = 'Postfach voll'
        [enhanced.'X.2.2']
        title = 'Postfach voll'
        [reasons.mailbox_full]
        title = 'Postfach ist voll'
        [phrases.actor]
        recipient = 'der Empfänger'
    ";
    let knowledge = Knowledge::english().with_texts(german).unwrap();
    let code: ReplyCode = "552".parse().unwrap();
    let title = |verb| knowledge.code(code, verb).unwrap().title;
    assert_eq!(
        (title(None), title(Some(Verb::Rcpt)), title(Some(Verb::Mail))),
        ("Kein Platz".into(), "Postfach voll".into(), "Message too large".into())
    );
    assert_eq!(knowledge.enhanced("5.2.2".parse().unwrap()).unwrap().title, "Postfach voll");
    assert_eq!(knowledge.reason(Reason::MailboxFull).title, "Postfach ist voll");
    assert_eq!(knowledge.phrases::<BTreeMap<String, String>>("actor")["recipient"], "der Empfänger");
    let english = Knowledge::english();
    assert_eq!(knowledge.code(code, None).unwrap().meaning, english.code(code, None).unwrap().meaning, "what is not replaced stays");
    for wrong in ["[wordings.x]\ntitle = 'a'", "no toml", "[codes]\n552 = 'a'"] {
        assert!(Knowledge::english().with_texts(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn unlisted_codes_get_what_their_first_digits_tell() {
    let knowledge = Knowledge::english();
    for (code, class) in [("299", "250"), ("399", "354"), ("499", "450"), ("599", "550")] {
        let code: ReplyCode = code.parse().unwrap();
        let class = crate::annotation::permanence(class.parse().unwrap());
        assert!(!knowledge.knows_code(code) && knowledge.code(code, None).is_some(), "{code}");
        assert_eq!(crate::annotation::permanence(code), class, "{code}");
    }
    for code in ["000", "199", "699", "999"] {
        assert!(knowledge.code(code.parse().unwrap(), None).is_none(), "{code}");
    }
    for (code, key) in [("5.7.515", "X.7.X"), ("4.9.1", "4.X.X"), ("5.1.1", "X.1.1")] {
        let entry: Entry = entries::<Entry>("enhanced").remove(key).unwrap();
        assert_eq!(knowledge.enhanced_entry(code.parse().unwrap()).as_deref(), Some(&entry), "{code}");
    }
}

#[test]
fn what_a_code_means_to_one_provider_is_whole() {
    let knowledge = Knowledge::english();
    let books: BTreeSet<&str> = knowledge.library().books().iter().map(|book| book.key.as_ref()).collect();
    for key in knowledge.private.keys() {
        assert!(key.parse::<EnhancedRange>().is_ok(), "{key}");
        let meanings: BTreeMap<String, Private> = knowledge.private.entry(key).unwrap();
        for (provider, private) in meanings {
            assert!(books.contains(provider.as_str()), "{key}: {provider}");
            assert!(!private.title.is_empty() && !private.title.ends_with('.'), "{key}: {}", private.title);
            assert!(private.meaning.ends_with('.') && private.fix.ends_with('.'), "{key}: {private:?}");
            assert!(!private.source.is_empty(), "{key}");
        }
    }
}

#[test]
fn what_a_code_means_to_one_provider_counts_where_it_speaks() {
    let knowledge = Knowledge::english();
    let google = Speaker { host: Some("aspmx.l.google.com"), ..Speaker::default() };
    let microsoft = Speaker { greeting: Some("220 mx1.example.com Microsoft ESMTP MAIL Service ready"), ..Speaker::default() };
    for (text, speaker, verb, reason, basis) in [
        ("550 5.7.29 no", Speaker::default(), Verb::DataEnd, Reason::AuthChecksFailed, Basis::Enhanced),
        ("550 5.7.29 no", google, Verb::DataEnd, Reason::TlsRequired, Basis::Enhanced),
        ("550 5.7.29 no - gsmtp", Speaker::default(), Verb::DataEnd, Reason::TlsRequired, Basis::Enhanced),
        // The narrowest range that holds it.
        ("451 4.7.600 no", microsoft, Verb::Mail, Reason::RateLimited, Basis::Enhanced),
        ("550 5.7.703 no", microsoft, Verb::DataEnd, Reason::PolicyRejected, Basis::Enhanced),
        ("550 5.7.704 no", microsoft, Verb::DataEnd, Reason::SenderAccountBlocked, Basis::Enhanced),
        // Where it cannot be meant, the number says what it says to all.
        ("504 5.7.40 no", google, Verb::Auth, Reason::FeatureUnsupported, Basis::Code),
    ] {
        let reading = knowledge.hear(speaker, &reply(text)).answering(Some(verb));
        assert_eq!((reading.reason, reading.basis), (reason, basis), "{text}");
    }
    // Words beat it, and what it says is noted.
    let reading = knowledge.hear(google, &reply("550 5.7.29 The mailbox is full")).answering(Some(Verb::DataEnd));
    assert_eq!((reading.reason, reading.conflict), (Reason::MailboxFull, Some(Reason::TlsRequired)));
}

#[test]
fn the_recipients_domain_tells_whose_words_they_are_where_nothing_else_does() {
    let knowledge = Knowledge::english();
    let domain = Speaker { domain: Some("Docomo.ne.jp"), ..Speaker::default() };
    let google = Speaker { host: Some("aspmx.l.google.com"), ..domain };
    let relay = Speaker { host: Some("mx1.example.net"), ..domain };
    for (text, speaker, reason, provider) in [
        ("552 Too much mail data", Speaker::default(), Reason::MessageTooBig, None),
        ("552 Too much mail data", domain, Reason::MailboxFull, Some("NTT docomo")),
        ("552 Too much mail data", relay, Reason::MailboxFull, Some("NTT docomo")),
        ("552 Too much mail data", google, Reason::MessageTooBig, None),
        ("552 Too much mail data anna@docomo.ne.jp", Speaker::default(), Reason::MailboxFull, Some("NTT docomo")),
        ("552 Too much mail data anna@docomo.ne.jp.example.com", Speaker::default(), Reason::MessageTooBig, None),
        // Whose domain that of the sender is tells nothing of the server.
        ("552 Too much mail data of the sender <anna@docomo.ne.jp>", Speaker::default(), Reason::MessageTooBig, None),
    ] {
        let reply = reply(text);
        let reading = knowledge.hear(speaker, &reply).answering(Some(Verb::Rcpt));
        let named = reading.said.and_then(|said| said.provider);
        assert_eq!((reading.reason, named.as_deref()), (reason, provider), "{text} from {speaker:?}");
    }
}

#[test]
fn a_host_is_told_by_what_stands_around_the_star() {
    let knowledge = Knowledge::english();
    for (host, provider) in [
        ("inbound-smtp.eu-west-1.amazonaws.com", Some("Amazon SES")),
        ("Inbound-SMTP.eu-west-1.amazonaws.com", Some("Amazon SES")),
        ("inbound-smtp.amazonaws.com", None),
        ("mx.inbound-smtp.eu-west-1.amazonaws.com", None),
    ] {
        let reply = reply("454 Temporary service failure");
        let reading = knowledge.hear(Speaker { host: Some(host), ..Speaker::default() }, &reply).answering(Some(Verb::Rcpt));
        assert_eq!(reading.said.and_then(|said| said.provider).as_deref(), provider, "{host}");
    }
}

/// What servers really answer to AUTH.
#[test]
fn logins_are_read_as_their_servers_mean_them() {
    use Reason::{
        Accepted, AuthRequired, CredentialsInvalid, FeatureUnsupported, ProtocolError, SenderAccountBlocked, SystemError, TlsRequired,
    };
    let knowledge = Knowledge::english();
    for (text, reason) in [
        ("235 2.7.0 Authentication successful", Accepted),
        ("334 VXNlcm5hbWU6", Accepted),
        ("421 4.7.0 Too many bad auth attempts, closing connection", CredentialsInvalid),
        ("421 4.7.0 mx.example.com Error: too many errors", ProtocolError),
        ("432 4.7.12 A password transition is needed", CredentialsInvalid),
        ("435 Unable to authenticate at present", SystemError),
        ("454 4.7.0 Temporary authentication failure: Connection lost to authentication server", SystemError),
        ("454 4.7.0 Too many login attempts, please try again later. a1-2025abc.7 - gsmtp", CredentialsInvalid),
        ("500 5.5.6 Authentication exchange line too long", ProtocolError),
        ("501 5.7.0 Authentication aborted", ProtocolError),
        ("501 5.5.2 Cannot Base64-decode client responses", ProtocolError),
        ("502 5.5.1 Error: command not implemented", ProtocolError),
        ("503 5.5.1 Error: authentication not enabled", ProtocolError),
        ("503 AUTH command used when not advertised", ProtocolError),
        ("504 5.5.4 Unrecognized authentication type", FeatureUnsupported),
        ("504 5.7.4 Unrecognized authentication type", FeatureUnsupported),
        ("504 5.5.4 Unsupported authentication mechanism", FeatureUnsupported),
        ("530 5.7.0 Must issue a STARTTLS command first", TlsRequired),
        ("530 5.7.0 Authentication required", AuthRequired),
        ("534 5.7.9 Authentication mechanism is too weak", CredentialsInvalid),
        (
            "534-5.7.9 Application-specific password required. Learn more at\r\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor a1-2025abc.7 - gsmtp",
            CredentialsInvalid,
        ),
        (
            "535-5.7.8 Username and Password not accepted. For more information, go to\r\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials a1-2025abc.7 - gsmtp",
            CredentialsInvalid,
        ),
        ("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", CredentialsInvalid),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [FR0P281CA0001.DEUP281.PROD.OUTLOOK.COM]",
            CredentialsInvalid,
        ),
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [FR0P281CA0001.DEUP281.PROD.OUTLOOK.COM]",
            CredentialsInvalid,
        ),
        ("535 5.7.3 Authentication unsuccessful [FR0P281CA0001.DEUP281.PROD.OUTLOOK.COM]", CredentialsInvalid),
        ("535 5.7.0 (#AUTH005) Too many bad auth attempts.", CredentialsInvalid),
        ("525 5.7.13 User account disabled", SenderAccountBlocked),
        ("538 5.7.11 Encryption required for requested authentication mechanism", TlsRequired),
    ] {
        let reading = knowledge.read(&reply(text), Some(Verb::Auth));
        assert_eq!(reading.reason, reason, "{text}: {reading:?}");
    }
}

/// Replies that mislead, and what is to be concluded from them.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn misleading_replies_are_read_with_care() {
    use Confidence::{Certain, Likely, Unsure};
    use Verb::{Connect, Data, DataEnd, Ehlo, Mail, Rcpt};
    let knowledge = Knowledge::english();
    let table: &[(&str, Option<Verb>, Reason, &[Confidence])] = &[
        // 552 is quota, size, or the number of recipients.
        ("552 5.3.4 Message size exceeds fixed limit", Some(Mail), Reason::MessageTooBig, &[Certain]),
        ("552 limit", Some(Mail), Reason::MessageTooBig, &[Unsure]),
        ("552 too many recipients", Some(Rcpt), Reason::TooManyRecipients, &[Certain, Likely]),
        ("552 5.2.2 <anna@example.com>: over quota", Some(Rcpt), Reason::MailboxFull, &[Certain]),
        ("552 sorry", Some(Rcpt), Reason::MailboxFull, &[Unsure]),
        ("552 5.2.3 Message exceeds the maximum size of this mailbox", Some(DataEnd), Reason::MessageTooBig, &[Certain]),
        ("552 5.2.2 Requested mail action aborted", Some(DataEnd), Reason::MailboxFull, &[Certain, Likely]),
        (
            "552-5.7.0 This message was blocked because its content presents a potential\n552 5.7.0 security issue.",
            Some(DataEnd),
            Reason::ContentRejected,
            &[Certain, Likely],
        ),
        // An address that is echoed is not the server's own words.
        ("550 5.1.1 <greylist@example.com>: Recipient address rejected: User unknown", Some(Rcpt), Reason::UserUnknown, &[Certain]),
        ("550 5.1.1 <full@spamhaus.org>: User unknown in virtual mailbox table", Some(Rcpt), Reason::UserUnknown, &[Certain]),
        ("550 <reputation@blacklist.example> No such user here", Some(Rcpt), Reason::UserUnknown, &[Certain, Likely]),
        ("551 5.1.6 moved, please try <anna@example.net>", Some(Rcpt), Reason::UserMoved, &[Certain, Likely]),
        // Before a recipient was named, no reply is about a mailbox.
        ("550 No such user here", Some(Connect), Reason::PolicyRejected, &[Unsure]),
        ("550 unknown user", Some(Ehlo), Reason::PolicyRejected, &[Unsure]),
        // A detail that nobody has registered still has a subject.
        ("550 5.7.511 not in the list of allowed senders", Some(Rcpt), Reason::PolicyRejected, &[Unsure]),
        ("550 5.4.310 xyzzy", Some(Rcpt), Reason::Undetermined, &[Unsure]),
        // A code of no class decides nothing.
        ("999 odd", Some(Rcpt), Reason::Undetermined, &[Unsure]),
        // The recipient's limit is not the sender's.
        (
            "554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour",
            Some(Rcpt),
            Reason::RecipientRateLimited,
            &[Certain],
        ),
        ("553 5.3.0 flpd575 DNSBL:RBL 521< 192.0.2.9 >_is_blocked. BLOCKED 192.0.2.9", Some(Mail), Reason::IpBlocklisted, &[Certain]),
        (
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
            Some(Rcpt),
            Reason::RecipientRestricted,
            &[Certain],
        ),
        ("550 5.7.29 This message was sent without TLS", Some(DataEnd), Reason::TlsRequired, &[Certain]),
        // 550 5.7.1 has ten meanings, and none of its own.
        ("550 5.7.1 Unable to relay", Some(Rcpt), Reason::RelayDenied, &[Certain, Likely]),
        ("550 5.7.1 Service unavailable; client [192.0.2.9] blocked using zen.spamhaus.org", Some(Rcpt), Reason::IpBlocklisted, &[Certain]),
        ("550 5.7.1 SPF check failed", Some(Mail), Reason::AuthChecksFailed, &[Certain, Likely]),
        ("550 5.7.1 Message rejected as spam", Some(DataEnd), Reason::SpamContent, &[Certain, Likely]),
        ("550 5.7.1 No such user!", Some(Rcpt), Reason::UserUnknown, &[Certain, Likely]),
        ("550 5.7.1 xyzzy", Some(Rcpt), Reason::PolicyRejected, &[Unsure]),
        ("550 5.7.1 xyzzy", Some(DataEnd), Reason::PolicyRejected, &[Unsure]),
        // 550 by itself is the mailbox only where a recipient was named.
        ("550 xyzzy", Some(Rcpt), Reason::UserUnknown, &[Unsure]),
        ("550 xyzzy", Some(Connect), Reason::PolicyRejected, &[Unsure]),
        ("550 xyzzy", Some(Ehlo), Reason::PolicyRejected, &[Unsure]),
        ("550 xyzzy", Some(Mail), Reason::PolicyRejected, &[Unsure]),
        ("550 xyzzy", Some(DataEnd), Reason::PolicyRejected, &[Unsure]),
        ("550 xyzzy", None, Reason::Undetermined, &[Unsure]),
        // 554 depends on its place.
        ("554 5.5.1 Error: no valid recipients", Some(Data), Reason::ProtocolError, &[Certain, Likely, Unsure]),
        // 421 may come at any time, and is about the session.
        ("421 4.3.2 Service shutting down", Some(Rcpt), Reason::ServiceUnavailable, &[Certain, Likely]),
        ("421 4.7.0 Too many connections from your host", Some(Connect), Reason::TooManyConnections, &[Certain, Likely]),
        ("421 4.4.2 mx1.example.com Error: timeout exceeded", Some(Mail), Reason::Timeout, &[Certain, Likely]),
        // Temporary codes for what never heals by itself, and permanent ones for what passes.
        ("450 4.1.8 <a@example.net>: Sender address rejected: Domain not found", Some(Rcpt), Reason::SenderRejected, &[Certain, Likely]),
        ("450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.9]", Some(Rcpt), Reason::RdnsMissing, &[Certain]),
        ("450 4.1.1 <anna@example.com>: Recipient address rejected: User unknown", Some(Rcpt), Reason::UserUnknown, &[Certain, Likely]),
        (
            "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
            Some(Rcpt),
            Reason::RecipientRateLimited,
            &[Certain, Likely],
        ),
        // Where the numbers contradict each other, the words decide.
        ("452 5.2.2 mailbox full", Some(Rcpt), Reason::MailboxFull, &[Certain]),
        ("452 5.1.1 Quota exceeded", Some(Rcpt), Reason::MailboxFull, &[Certain, Likely]),
        // Greylisting hides behind several codes.
        ("450 4.2.0 <anna@example.com>: Recipient address rejected: Greylisted", Some(Rcpt), Reason::Greylisted, &[Certain]),
        ("451 4.7.1 Greylisting in action, please come back later", Some(Rcpt), Reason::Greylisted, &[Certain]),
        // 553 and 551 are used for other things than the address.
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Some(Rcpt), Reason::RelayDenied, &[Certain, Likely]),
        (
            "553 5.7.1 <a@example.net>: Sender address rejected: not owned by user b@example.net",
            Some(Mail),
            Reason::SenderRejected,
            &[Certain, Likely],
        ),
        ("551 5.7.1 Relaying denied", Some(Rcpt), Reason::RelayDenied, &[Certain, Likely]),
        ("550 5.1.7 No such domain example.net", Some(Mail), Reason::SenderRejected, &[Certain, Unsure]),
        ("550 5.1.8 <a@example.net>: unknown user", None, Reason::SenderRejected, &[Certain]),
        ("550 5.1.2 No such domain example.net", Some(Rcpt), Reason::DomainUnknown, &[Certain]),
        // 521: the host takes no mail, unless it names a list or an address.
        ("521 mx1.example.com does not accept mail", Some(Connect), Reason::NoMailService, &[Certain, Likely, Unsure]),
        (
            "521 5.7.1 Service unavailable; client [192.0.2.9] blocked using bl.example.org",
            Some(Connect),
            Reason::IpBlocklisted,
            &[Certain, Likely],
        ),
        // 503 after a refused command is a consequence.
        ("503 5.5.1 Error: need RCPT command", Some(Data), Reason::ProtocolError, &[Certain, Likely]),
        // 530 is STARTTLS or login, by its words.
        ("530 5.7.0 Must issue a STARTTLS command first", Some(Mail), Reason::TlsRequired, &[Certain, Likely]),
        ("530 5.7.0 Authentication required", Some(Mail), Reason::AuthRequired, &[Certain, Likely]),
        ("530 5.7.1 Client was not authenticated", Some(Mail), Reason::AuthRequired, &[Certain, Likely]),
        // A refusal in words is none where the code says yes.
        ("250 2.1.5 user unknown, but accepted", Some(Rcpt), Reason::Accepted, &[Certain]),
        // Lines with different codes; enhanced codes in odd places; words wrapped anywhere.
        (
            "220-mx1.example.com\n554 5.7.1 No SMTP service for you: blocked using bl.example.org",
            Some(Connect),
            Reason::IpBlocklisted,
            &[Certain, Likely],
        ),
        ("550 #5.1.1 no", Some(Rcpt), Reason::UserUnknown, &[Certain, Likely]),
        (
            "550-5.1.1 The email account that you tried to reach does\n550-5.1.1 not exist. Please try\n550 5.1.1 double-checking.",
            Some(Rcpt),
            Reason::UserUnknown,
            &[Certain],
        ),
        // The noun in the words beats the command.
        ("554 5.7.1 <unknown[192.0.2.9]>: Client host rejected: Access denied", Some(Rcpt), Reason::IpBlocklisted, &[Likely]),
        ("504 5.5.2 <probe>: Helo command rejected: need fully-qualified hostname", Some(Rcpt), Reason::HeloRejected, &[Certain, Likely]),
        (
            "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.9]",
            Some(Rcpt),
            Reason::RdnsMissing,
            &[Certain, Likely],
        ),
    ];
    let mut wrong = Vec::new();
    for (text, verb, reason, confidence) in table {
        let reading = knowledge.read(&reply(text), *verb);
        if reading.reason != *reason || !confidence.contains(&reading.confidence) {
            wrong.push(format!("{text:?} at {verb:?}: {reading:?}, not {reason:?} {confidence:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
