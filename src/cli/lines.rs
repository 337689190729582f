//! Lines on a terminal that are drawn anew in their place, on standard error, with something that turns as long as they stand.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use unicode_width::UnicodeWidthChar as _;

/// What turns, and how fast.
const TURNS: [char; 8] = ['⠁', '⠃', '⠇', '⡇', '⣇', '⣧', '⣷', '⣿'];
const TURN: Duration = Duration::from_millis(120);

/// The lines, each known by its key, in the order in which they first appeared.
pub(crate) struct Lines<K> {
    shared: Arc<Shared<K>>,
    turning: Option<JoinHandle<()>>,
}

struct Shared<K> {
    screen: Mutex<Screen<K>>,
    over: Condvar,
}

struct Screen<K> {
    lines: Vec<(K, String)>,
    /// How many lines stand on the terminal. The cursor is at the beginning of the first, so that whatever else is written takes their
    /// place, and they stand below it the next time.
    drawn: usize,
    turn: usize,
    is_over: bool,
}

impl<K: PartialEq + Send + 'static> Lines<K> {
    pub(crate) fn new() -> Self {
        let screen = Screen { lines: Vec::new(), drawn: 0, turn: 0, is_over: false };
        let shared = Arc::new(Shared { screen: Mutex::new(screen), over: Condvar::new() });
        let turning = Arc::clone(&shared);
        // Without a thread nothing turns, and that is all.
        let turning = thread::Builder::new().name("lines".to_owned()).spawn(move || turning.turn()).ok();
        Self { shared, turning }
    }

    /// Shows `words` in the line that is known by `key`.
    pub(crate) fn show(&self, key: K, words: String) {
        let mut screen = self.shared.lock();
        match screen.lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, line)) => *line = words,
            None => screen.lines.push((key, words)),
        }
        screen.draw();
    }

    /// Takes a line away.
    pub(crate) fn remove(&self, key: &K) {
        let mut screen = self.shared.lock();
        screen.lines.retain(|(known, _)| known != key);
        screen.draw();
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, Screen<K>> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) {
        let mut screen = self.lock();
        while !screen.is_over {
            screen = self.over.wait_timeout(screen, TURN).unwrap_or_else(PoisonError::into_inner).0;
            screen.turn += 1;
            screen.draw();
        }
    }
}

impl<K> Screen<K> {
    fn draw(&mut self) {
        if self.lines.is_empty() && self.drawn == 0 {
            return;
        }
        let (columns, rows) = terminal_size::terminal_size().map_or((80, 24), |(columns, rows)| (columns.0.into(), rows.0.into()));
        let text = self.text(columns, rows);
        // A terminal that cannot be written to shows nothing.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// What makes the terminal show the lines in place of those that stand there.
    fn text(&mut self, columns: usize, rows: usize) -> String {
        let turning = TURNS[self.turn % TURNS.len()];
        let mut text = "\x1b[J".to_owned();
        self.drawn = self.lines.len().min(rows.saturating_sub(1));
        for (place, (_, words)) in self.lines.iter().take(self.drawn).enumerate() {
            let _ = write!(text, "{}{turning} {}", if place == 0 { "" } else { "\n" }, cut(words, columns.saturating_sub(3)));
        }
        if self.drawn > 1 {
            let _ = write!(text, "\x1b[{}A", self.drawn - 1);
        }
        text.push('\r');
        text
    }
}

/// As much of `words` as fits: a line that wraps could not be taken away.
fn cut(words: &str, columns: usize) -> &str {
    let mut left = columns;
    let end = words.char_indices().find(|(_, c)| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        !fits
    });
    end.map_or(words, |(at, _)| words.get(..at).unwrap_or(words))
}

impl<K> Drop for Lines<K> {
    /// Takes all lines away.
    fn drop(&mut self) {
        let mut screen = self.shared.lock();
        screen.is_over = true;
        screen.lines.clear();
        screen.draw();
        drop(screen);
        self.shared.over.notify_all();
        if let Some(turning) = self.turning.take() {
            let _ = turning.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_place_of_those_that_stand() {
        let line = |key: u8, words: &str| (key, words.to_owned());
        let mut screen = Screen { lines: vec![line(1, "one"), line(2, "two words")], drawn: 0, turn: 0, is_over: false };
        assert_eq!(screen.text(80, 24), "\x1b[J⠁ one\n⠁ two words\x1b[1A\r");
        (screen.turn, screen.lines[1].1) = (1, "日本語".to_owned());
        assert_eq!(screen.text(8, 24), "\x1b[J⠃ one\n⠃ 日本\x1b[1A\r", "cut where it would wrap");
        assert_eq!(screen.text(80, 2), "\x1b[J⠃ one\r", "no more than there are rows");
        screen.lines.clear();
        assert_eq!((screen.text(80, 24).as_str(), screen.drawn), ("\x1b[J\r", 0));
    }
}
