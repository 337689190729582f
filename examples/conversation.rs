//! A conversation without a socket: the session says what it needs, a table plays the server, and a five-minute tarpit takes no
//! time at all.
//!
//! `cargo run --example conversation`

use std::time::Duration;

use smtpprobe::annotation::annotate;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::smtp::{
    Connected, Dialogue, Elapsed, FailureKind, Handling, Handshake, Need, Protocol, Purpose, Session, Stage, StageTimes, TlsUse,
    Transaction,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let times = StageTimes { greeting: Duration::from_secs(300), ..StageTimes::default() };
    let dialogue = Dialogue {
        protocol: Protocol::Smtp,
        proxy_header: None,
        xclient: None,
        hello: Some("probe.example.net".parse()?),
        tls: TlsUse::Never,
        until: Stage::Rcpt,
        handshake: Handshake::Usual,
        pipelining: true,
        login: None,
        times,
    };
    let mut session = Session::new(dialogue, Elapsed::default());
    session.enqueue(Transaction {
        from: None,
        recipients: vec!["anna@example.com".parse()?],
        via: None,
        size: None,
        handling: Handling::default(),
        message: None,
        purpose: Purpose::Target,
    });

    // What the server sends, and after how many seconds.
    let mut server = [
        (240, "220 mx1.example.com ESMTP\r\n"),
        (1, "250-mx1.example.com\r\n250 PIPELINING\r\n"),
        (1, "250 2.1.0 Ok\r\n552 5.2.2 <anna@example.com>: mailbox is over quota\r\n"),
        (0, "221 2.0.0 Bye\r\n"),
    ]
    .into_iter();

    let mut now = Elapsed::default();
    session.connected(now, Connected { local: "192.0.2.9:40000".parse()?, peer: "192.0.2.1:25".parse()? });
    loop {
        match session.need() {
            Need::Write(bytes) => {
                print!("{:>4} s -> {}", now.0.as_secs(), String::from_utf8_lossy(&bytes).replace("\r\nR", "\n       -> R"));
                session.sent(now);
            }
            Need::Read(patience) => match server.next() {
                Some((seconds, text)) if Duration::from_secs(seconds) <= patience => {
                    now.0 += Duration::from_secs(seconds);
                    session.received(now, text.as_bytes());
                }
                _ => session.broke(now, FailureKind::TimedOut(patience).into()),
            },
            Need::WriteSecret(line) => unreachable!("nobody logs in: {line:?}"),
            Need::WriteSome(..) | Need::Handshake(_) | Need::Survey(_) | Need::Rest(_) => session.broke(now, FailureKind::Closed.into()),
            Need::Close => break,
        }
    }

    let knowledge = Knowledge::english();
    for answer in session.transcript().replies() {
        let annotation = annotate(&knowledge, Some(answer.verb), answer.reply);
        println!("{} to {}: {}", answer.reply.code, answer.verb.as_str(), annotation.title);
    }
    Ok(())
}
