//! A pasted conversation: who said what, in order.
//!
//! Three kinds of text are told apart. Where a tool marks who speaks (swaks, curl, Exim, Sendmail, ourselves), the marks decide and
//! all else is passed over, save what the tool says about connection and TLS. Where Postfix logs verbosely, its prelude is taken
//! off first. Where nothing is marked (telnet, openssl), a line is the server's if it begins with a code, and the client's if it is
//! a command that stands for nothing else.

mod course;
mod line;
mod note;
mod own;

use self::course::Course;
use self::line::{Form, Line};
use self::note::Note;
use self::own::Own;
use super::{Conversation, LIMIT};

/// Reads the conversations in `text`, in order.
///
/// None if it is longer than [`LIMIT`], or holds no conversation: at least a command and a reply, or a connection with what came of
/// it.
#[must_use]
pub fn read(text: &str) -> Option<Vec<Conversation>> {
    if text.len() > LIMIT {
        return None;
    }
    let unquoted =
        line::is_quoted(text).then(|| text.lines().map(|line| line.trim_start().trim_start_matches('>')).collect::<Vec<_>>().join("\n"));
    let text = unquoted.as_deref().unwrap_or(text);
    let form = Form::of(text);
    let mut course = Course::new(form);
    let mut own = Own::new(text);
    // Without the dot that ends it, a message ends where the server speaks again.
    let last_dot = text.lines().filter(|line| line.trim() == ".").count();
    let mut dots = 0;
    for line in text.lines() {
        if course.is_full() {
            break;
        }
        dots += usize::from(line.trim() == ".");
        course.message_goes_on = form == Form::Bare && dots < last_dot;
        if form == Form::Postfix
            && let Some((host, peer)) = line::peer(line)
        {
            course.place(Some(host), Some(peer));
        }
        let read = line::read(line, form);
        if let Line::Other(line) = read {
            other(line, form, &mut course, &mut own);
            continue;
        }
        own.marked();
        match read {
            Line::Server { text, mark } => course.server(text, mark),
            Line::Client { text, mark } => course.client(text, mark),
            Line::Note(words) => match (note::read(words), own.introduces(words)) {
                (Some(note), _) => course.note(note),
                (None, Some(purpose)) => course.purpose = purpose,
                (None, None) => {}
            },
            Line::Odd(words) if own.is_ours() => course.odd(words),
            Line::Odd(_) | Line::Other(_) => {}
        }
    }
    course.finish()
}

/// A line that shows not who speaks.
fn other(line: &str, form: Form, course: &mut Course, own: &mut Own) {
    if let Some(head) = own.head(line).filter(|_| form == Form::Marked) {
        course.note(Note::Begins { host: head.host, peer: Some(head.peer), stands: false });
        course.asked(head.asked);
        if let Some(failure) = head.failure {
            course.broke(failure);
        }
    } else if let Some((asked, failure)) = own.about(line) {
        course.asked(asked);
        if let Some(failure) = failure {
            course.broke(failure);
        }
    } else if let Some(more) = own.folded(line, course.open()) {
        course.folded(more);
    } else {
        match note::read(line) {
            // Without marks, anything may be the tool's; beside marks, the beginning of a connection alone.
            Some(note) if form == Form::Bare || matches!(note, Note::Begins { .. }) => course.note(note),
            _ if form == Form::Bare => course.other(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
