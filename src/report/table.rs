//! Rows of cells: for a spreadsheet (RFC 4180), and aligned for a terminal.

use unicode_width::UnicodeWidthStr;

use super::safe;

/// A head and rows of as many cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub head: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with no rows.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// As comma-separated values, with or without the head.
    ///
    /// A cell that a spreadsheet would take for a formula gets an apostrophe before it: a stranger wrote it.
    #[must_use]
    pub fn csv(&self, head: bool) -> String {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for row in head.then_some(&self.head).into_iter().chain(&self.rows) {
            // Memory does not refuse what is written to it.
            let _ = writer.write_record(row.iter().map(|cell| of_a_spreadsheet(cell)));
        }
        writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Columns side by side; those of numbers to the right. The last one is cut where the line ends.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let lines: Vec<Vec<String>> =
            std::iter::once(&self.head).chain(&self.rows).map(|row| row.iter().map(|cell| safe(cell)).collect()).collect();
        let widths: Vec<usize> =
            (0..self.head.len()).map(|at| lines.iter().map(|line| line[at].width()).max().unwrap_or_default()).collect();
        let numeric = |at: usize| self.rows.iter().all(|row| row[at].parse::<u64>().is_ok());
        let mut text = String::new();
        for line in &lines {
            let mut drawn = String::new();
            for (at, cell) in line.iter().enumerate() {
                let room = " ".repeat(widths[at] - cell.width());
                let (before, after) = if numeric(at) { (room.as_str(), "") } else { ("", room.as_str()) };
                drawn.extend([before, cell, after, "  "]);
            }
            let cut: String = drawn.trim_end().chars().take(width).collect();
            text += cut.trim_end();
            text.push('\n');
        }
        text
    }
}

fn of_a_spreadsheet(cell: &str) -> String {
    let text = safe(cell);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["count", "what"]);
        table.rows = vec![vec!["7".to_owned(), "a, \"b\"".to_owned()], vec!["120".to_owned(), "=1+1\u{1b}".to_owned()]];
        table
    }

    #[test]
    fn a_spreadsheet_gets_cells_and_no_formulas() {
        assert_eq!(table().csv(true), "count,what\n7,\"a, \"\"b\"\"\"\n120,'=1+1\\x1b\n");
        assert_eq!(table().csv(false).lines().count(), 2);
        assert_eq!(Table::new(&["a"]).csv(false), "");
    }

    #[test]
    fn a_terminal_gets_columns_within_its_width() {
        assert_eq!(table().text(80), "count  what\n    7  a, \"b\"\n  120  =1+1\\x1b\n");
        assert_eq!(table().text(9), "count  wh\n    7  a,\n  120  =1\n");
    }
}
