//! What a run of the command came to, and checks of it.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

/// What a run of the command came to.
pub(crate) struct Probed {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON report.
    pub(crate) report: Value,
    /// How long it took.
    pub(crate) took: Duration,
    shown: String,
}

impl Probed {
    /// Reads what the command printed when it was run with these arguments.
    pub(crate) fn new(arguments: &[&str], output: &Output, took: Duration) -> Self {
        let (text, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let shown = format!("smtpprobe {}\n{text}{complaints}", arguments.join(" "));
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {shown}"));
        Self { code: output.status.code().expect("it ended by itself"), report, took, shown }
    }

    /// The value at a JSON pointer; null if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.report.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Checks exit code, outcome, reason and confidence.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, verdict: &str) -> &Self {
        let words = ["outcome", "reason", "confidence"].map(|part| self.at(&format!("/verdict/{part}")).as_str().unwrap_or("-"));
        assert_eq!((self.code, words.join(" ").as_str()), (code, verdict), "{}", self.shown);
        self
    }

    /// Checks the reply that decided: code, enhanced code (`-` for none), and that its text holds `words`.
    #[track_caller]
    pub(crate) fn by(&self, code: u64, enhanced: &str, words: &str) -> &Self {
        let verdict = self.at("/verdict");
        assert_eq!((verdict["code"].as_u64(), verdict["enhanced"].as_str().unwrap_or("-")), (Some(code), enhanced), "{}", self.shown);
        assert!(verdict["text"].as_str().is_some_and(|text| text.contains(words)), "{words:?} in {}", self.shown);
        self
    }

    /// Checks that there is such a finding.
    #[track_caller]
    pub(crate) fn finds(&self, id: &str) -> &Self {
        assert!(self.has_finding(id), "no {id} in {}", self.shown);
        self
    }

    pub(crate) fn has_finding(&self, id: &str) -> bool {
        self.at("/findings").as_array().is_some_and(|findings| findings.iter().any(|finding| finding["id"] == id))
    }

    /// What a session said and was answered: verbs (`EHLO`) and reply codes in order.
    pub(crate) fn exchange(&self, session: usize) -> String {
        let events = self.at(&format!("/sessions/{session}/events")).as_array().cloned().unwrap_or_default();
        let word = |event: &Value| match event["kind"].as_str() {
            Some("sent") => event["command"].as_str().and_then(|command| command.split(' ').next()).map(str::to_owned),
            Some("reply") => event["code"].as_u64().map(|code| code.to_string()),
            Some("secured") => Some("TLS".to_owned()),
            Some("failed") => event["failure"].as_str().map(|failure| format!("({failure})")),
            _ => None,
        };
        events.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    }

    /// Checks exit code, outcome and reason.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, verdict: &str) -> &Self {
        let words = ["outcome", "reason"].map(|part| self.at(&format!("/verdict/{part}")).as_str().unwrap_or("-"));
        assert_eq!((self.code, words.join(" ").as_str()), (code, verdict), "{}", self.shown);
        self
    }

    /// Checks which findings there are, by their ids. Certificates are another matter.
    #[track_caller]
    pub(crate) fn finds_just(&self, ids: &[&str]) -> &Self {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        let all = self.at("/findings").as_array().cloned().unwrap_or_default();
        let mut found: Vec<&str> = all.iter().filter_map(|finding| finding["id"].as_str()).collect();
        found.retain(|id| !id.starts_with("certificate_"));
        found.sort_unstable();
        assert_eq!(found, wanted, "{}", self.shown);
        self
    }

    /// Checks what is wrong of that whose ids begin like this: the ids, with spaces between.
    #[track_caller]
    pub(crate) fn finds_of(&self, beginning: &str, ids: &str) -> &Self {
        let all = self.at("/findings").as_array().into_iter().flatten();
        let wrong = all.filter(|finding| matches!(finding["severity"].as_str(), Some("warning" | "failure")));
        let found = wrong.filter_map(|finding| finding["id"].as_str()).filter(|id| id.starts_with(beginning));
        assert_eq!(found.collect::<Vec<_>>().join(" "), ids, "{}", self.shown);
        self
    }

    /// Checks what a sender that goes by the rules of `sender` would do at the first host.
    #[track_caller]
    pub(crate) fn is_delivered(&self, sender: &str, delivery: &str) -> &Self {
        let all = self.at("/route/delivery").as_array().into_iter().flatten();
        let found = all.filter(|row| row["sender"] == sender).find_map(|row| row["delivery"].as_str());
        assert_eq!(found, Some(delivery), "{sender} in {}", self.shown);
        self
    }

    /// What comes of the first session's certificate by DANE; `no_records` if nothing.
    pub(crate) fn dane(&self) -> &str {
        self.at("/sessions/0/dane/verdict").as_str().unwrap_or("no_records")
    }

    /// Checks what became of the connections that were asked for: of each address, the states of its ports in their order.
    #[track_caller]
    pub(crate) fn shows(&self, wanted: &[(&str, &str)]) -> &Self {
        let mut shown: Vec<(&str, Vec<(u64, &str)>)> = Vec::new();
        for session in self.sessions(None) {
            let cell = (session["port"].as_u64().unwrap_or(0), session["state"].as_str().unwrap_or("-"));
            let address = session["address"].as_str().unwrap_or("-");
            match shown.iter_mut().find(|(other, _)| *other == address) {
                Some((_, cells)) => cells.push(cell),
                None => shown.push((address, vec![cell])),
            }
        }
        let row = |(address, mut cells): (_, Vec<(u64, _)>)| {
            cells.sort_unstable();
            (address, cells.into_iter().map(|(_, state)| state).collect::<Vec<_>>().join(" "))
        };
        let shown: Vec<(&str, String)> = shown.into_iter().map(row).collect();
        let wanted: Vec<(&str, String)> = wanted.iter().map(|(address, states)| (*address, (*states).to_owned())).collect();
        assert_eq!(shown, wanted, "{}", self.shown);
        self
    }

    /// Checks the ICMP error of the connection to this address and port, as `type/code from address`, and `here` if it is ours;
    /// `-` for none.
    #[track_caller]
    pub(crate) fn tells(&self, address: &str, port: u64, icmp: &str) -> &Self {
        let session = self.sessions(None).into_iter().find(|session| session["address"] == address && session["port"] == port);
        let session = session.unwrap_or_else(|| panic!("no {address}:{port} in {}", self.shown));
        let events = session["events"].as_array().map_or(&[][..], Vec::as_slice);
        let error = events.iter().find(|event| event["kind"] == "failed").map_or(&Value::Null, |event| &event["icmp"]);
        let told = error["from"].as_str().map_or("-".to_owned(), |from| {
            let here = if error["here"] == true { " here" } else { "" };
            format!("{}/{} from {from}{here}", error["type"], error["code"])
        });
        assert_eq!(told, icmp, "{address}:{port} in {}", self.shown);
        self
    }

    /// Checks what became of the connections made in a `role` beside those that were asked for: `198.51.100.25 25 greeted`.
    #[track_caller]
    pub(crate) fn also_tried(&self, role: &str, tries: &[&str]) -> &Self {
        let words = |session: &Value| {
            let words = ["address", "port", "state"].map(|part| session[part].to_string().replace('"', ""));
            words.join(" ")
        };
        let mut all: Vec<String> = self.sessions(Some(role)).into_iter().map(words).collect();
        all.sort_unstable();
        assert_eq!(all, tries, "{role} in {}", self.shown);
        self
    }

    /// The sessions with this role; without a role, those that were asked for.
    pub(crate) fn sessions(&self, role: Option<&str>) -> Vec<&Value> {
        let sessions = self.at("/sessions").as_array().into_iter().flatten();
        sessions.filter(|session| session["role"].as_str() == role).collect()
    }

    /// Checks that it was over within `limit`.
    #[track_caller]
    pub(crate) fn within(&self, limit: Duration) -> &Self {
        assert!(self.took < limit, "{:?} for {}", self.took, self.shown);
        self
    }
}
