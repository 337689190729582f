//! A page of one file: charts as inline SVG with their numbers below, in dark and light; no script, and nothing from elsewhere.
//!
//! The template (Askama) is compiled with the crate and escapes whatever it fills in; what could reorder or hide text is made
//! visible before that ([`safe`]). The page forbids its reader's browser to load anything, should an escape fail all the same.

use askama::Template;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::View;
use crate::bulk::Settled;
use crate::bulk::summary::{Counts, Summary, TimeRow};
use crate::knowledge::Knowledge;
use crate::report::{Table, name, safe};

/// The charts' width, and what of it the bars have and their names, in the units of the drawing.
const WIDTH: u64 = 900;
const BAR: u64 = 480;
const LABEL: u64 = 300;
/// The height of a row, and of the columns over time.
const ROW: u64 = 26;
const TALL: u64 = 160;
/// So many characters of a name fit beside its bar; it is whole in the numbers below.
const NAME: usize = 38;
/// So many reasons are drawn; all of them are in the numbers.
const REASONS: usize = 20;

/// One coloured part of a bar.
struct Part {
    /// The outcome's name, and the class that colours it.
    class: String,
    title: String,
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

/// A bar with its name before and its count behind it.
struct Row {
    label: String,
    count: u64,
    /// Where its texts stand.
    baseline: u64,
    end: u64,
    parts: Vec<Part>,
}

/// One section of the page.
struct Chart {
    title: String,
    caption: String,
    height: u64,
    rows: Vec<Row>,
    /// Columns over time.
    columns: Vec<Part>,
    numbers: Table,
}

/// One entry of the legend.
struct Key {
    class: String,
    label: String,
    count: u64,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{{ title }}: {{ list }}</title>
<style>
:root { --paper: #ffffff; --ink: #1d2129; --soft: #5a6270; --line: #d7dbe2;
  --accepted: #2e7d4f; --rejected: #b3261e; --deferred: #b26a00; --unreachable: #4f53a0; --inconclusive: #6b7280; --invalid: #8e4585; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --ink: #e6e9ef; --soft: #a3abba; --line: #353b47;
    --accepted: #5fbf87; --rejected: #f2847c; --deferred: #f0b452; --unreachable: #a3a8e8; --inconclusive: #a1a8b3; --invalid: #d59ad0; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
.soft, summary { color: var(--soft); }
svg { width: 100%; height: auto; display: block; }
svg text { fill: currentColor; font-size: 14px; }
.accepted { fill: var(--accepted); } .rejected { fill: var(--rejected); } .deferred { fill: var(--deferred); }
.unreachable { fill: var(--unreachable); } .inconclusive { fill: var(--inconclusive); } .invalid { fill: var(--invalid); }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
li svg { width: .8em; height: .8em; display: inline-block; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
details { margin-top: .5rem; overflow-x: auto; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p class="soft">{{ list }}</p>
<p>{{ total }}</p>
{%- for note in notes %}
<p>{{ note }}</p>
{%- endfor %}
{%- if !overall.is_empty() %}
<svg viewBox="0 0 {{ width }} 28" role="img" aria-label="{{ total }}">
{%- for part in overall %}
<rect class="{{ part.class }}" x="{{ part.x }}" y="{{ part.y }}" width="{{ part.width }}" height="{{ part.height }}"><title>{{ part.title }}</title></rect>
{%- endfor %}
</svg>
<ul>
{%- for key in legend %}
<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{{ key.class }}" width="10" height="10"/></svg> {{ key.label }}: {{ key.count }}</li>
{%- endfor %}
</ul>
{%- endif %}
{%- for chart in charts %}
<section>
<h2>{{ chart.title }}</h2>
{%- if !chart.caption.is_empty() %}
<p class="soft">{{ chart.caption }}</p>
{%- endif %}
<svg viewBox="0 0 {{ width }} {{ chart.height }}" role="img" aria-label="{{ chart.title }}">
{%- for row in chart.rows %}
<text x="{{ label }}" y="{{ row.baseline }}" text-anchor="end">{{ row.label }}</text>
{%- for part in row.parts %}
<rect class="{{ part.class }}" x="{{ part.x }}" y="{{ part.y }}" width="{{ part.width }}" height="{{ part.height }}"><title>{{ part.title }}</title></rect>
{%- endfor %}
<text x="{{ row.end }}" y="{{ row.baseline }}">{{ row.count }}</text>
{%- endfor %}
{%- for part in chart.columns %}
<rect class="{{ part.class }}" x="{{ part.x }}" y="{{ part.y }}" width="{{ part.width }}" height="{{ part.height }}"><title>{{ part.title }}</title></rect>
{%- endfor %}
</svg>
<details>
<summary>{{ numbers }}</summary>
<table>
<thead><tr>{% for cell in chart.numbers.head %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in chart.numbers.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
</details>
</section>
{%- endfor %}
</body>
</html>
"##
)]
struct Page {
    title: String,
    list: String,
    total: String,
    notes: Vec<String>,
    overall: Vec<Part>,
    legend: Vec<Key>,
    charts: Vec<Chart>,
    numbers: String,
    width: u64,
    label: u64,
}

/// A page about the list called `list`.
#[must_use]
pub fn html(summary: &Summary, knowledge: &Knowledge, list: &str) -> String {
    let view = View::new(summary, knowledge);
    let notes = [view.catch_all(), view.between()].into_iter().flatten().collect();
    let key = |(outcome, count): (Settled, u64)| Key { class: name(outcome), label: view.outcome(outcome), count };
    let charts = [by_reason(&view), by_destination(&view), by_time(&view)];
    let page = Page {
        title: view.words.title.clone(),
        list: safe(list),
        total: if summary.total == 0 { view.words.nothing.clone() } else { view.total() },
        notes,
        overall: across(&view, &summary.outcomes, &Strip { start: 0, length: WIDTH, max: summary.total, y: 0, height: 28 }, ""),
        legend: summary.outcomes.each().into_iter().filter(|(_, count)| *count > 0).map(key).collect(),
        charts: charts.into_iter().flatten().collect(),
        numbers: view.words.numbers.clone(),
        width: WIDTH,
        label: LABEL - 8,
    };
    // Memory does not refuse what is written to it.
    page.render().unwrap_or_default()
}

fn by_reason(view: &View<'_>) -> Option<Chart> {
    let rows = &view.summary.reasons;
    let max = rows.first()?.count;
    let drawn = rows.iter().take(REASONS).zip(0..).map(|(row, at)| {
        let label = view.knowledge.reason(row.reason).title.clone();
        let counts = single(row.outcome, row.count);
        bar(view, &label, &counts, max, at)
    });
    let drawn: Vec<Row> = drawn.collect();
    Some(Chart {
        title: view.words.by_reason.clone(),
        caption: String::new(),
        height: ROW * drawn.len() as u64,
        rows: drawn,
        columns: Vec::new(),
        numbers: shown(view.reasons()),
    })
}

fn by_destination(view: &View<'_>) -> Option<Chart> {
    let rows = view.destinations();
    let max = rows.iter().map(|row| row.counts.total()).max()?;
    let drawn: Vec<Row> = rows.iter().zip(0..).map(|(row, at)| bar(view, &row.destination, &row.counts, max, at)).collect();
    let numbers = view.counted(&view.words.settled, &view.words.destination, rows.into_iter().map(|row| (row.destination, row.counts)));
    Some(Chart {
        title: view.words.by_destination.clone(),
        caption: String::new(),
        height: ROW * drawn.len() as u64,
        rows: drawn,
        columns: Vec::new(),
        numbers: shown(numbers),
    })
}

fn by_time(view: &View<'_>) -> Option<Chart> {
    let rows = &view.summary.times;
    let (first, last) = (rows.first()?, rows.last()?);
    let start = seconds(first)?;
    let place = |row: &TimeRow| u64::try_from((seconds(row)? - start).checked_div(view.summary.seconds)?).ok();
    let stretches = place(last)? + 1;
    let max = rows.iter().map(|row| row.counts.total()).max()?;
    let mut columns = Vec::new();
    for row in rows {
        let at = place(row)?;
        let (left, right) = (scaled(at, stretches, WIDTH), scaled(at + 1, stretches, WIDTH));
        // One unit stays free, so that columns stand apart.
        columns.extend(upwards(view, row, max, left, (right - left).saturating_sub(1).max(1)));
    }
    let caption = &view.words.per;
    let caption = caption.replace("{stretch}", &stretch(view.summary.seconds)).replace("{max}", &max.to_string());
    let caption = caption.replace("{first}", &first.from).replace("{last}", &last.from);
    Some(Chart {
        title: view.words.by_time.clone(),
        caption,
        height: TALL,
        rows: Vec::new(),
        columns,
        numbers: shown(view.counted(&view.words.settled, &view.words.time, rows.iter().map(|row| (row.from.clone(), row.counts)))),
    })
}

/// A bar with its name and its count, in this row.
fn bar(view: &View<'_>, label: &str, counts: &Counts, max: u64, row: u64) -> Row {
    let label = safe(label);
    let parts = across(view, counts, &Strip { start: LABEL, length: BAR, max, y: row * ROW + 4, height: ROW - 8 }, &label);
    let short = match label.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}...", label.get(..end).unwrap_or_default().trim_end()),
        None => label,
    };
    let end = parts.last().map_or(LABEL, |part| part.x + part.width) + 8;
    Row { label: short, count: counts.total(), baseline: row * ROW + 18, end, parts }
}

/// Where a bar lies, and the count that would fill its length.
struct Strip {
    start: u64,
    length: u64,
    max: u64,
    y: u64,
    height: u64,
}

/// The parts of a bar from left to right; none is too small to be seen.
fn across(view: &View<'_>, counts: &Counts, strip: &Strip, of: &str) -> Vec<Part> {
    let mut before = 0;
    let mut parts = Vec::new();
    for (outcome, count) in counts.each().into_iter().filter(|(_, count)| *count > 0) {
        let (from, to) = (scaled(before, strip.max, strip.length), scaled(before + count, strip.max, strip.length));
        before += count;
        parts.push(Part {
            class: name(outcome),
            title: title(view, of, outcome, count),
            x: strip.start + from.min(strip.length - 1),
            y: strip.y,
            width: (to - from).max(1),
            height: strip.height,
        });
    }
    parts
}

/// The parts of a column from the ground up.
fn upwards(view: &View<'_>, row: &TimeRow, max: u64, x: u64, width: u64) -> Vec<Part> {
    let mut before = 0;
    let mut parts = Vec::new();
    for (outcome, count) in row.counts.each().into_iter().filter(|(_, count)| *count > 0) {
        let (from, to) = (scaled(before, max, TALL), scaled(before + count, max, TALL));
        before += count;
        let height = (to - from).max(1);
        let y = TALL.saturating_sub(from + height);
        parts.push(Part { class: name(outcome), title: title(view, &row.from, outcome, count), x, y, width, height });
    }
    parts
}

fn title(view: &View<'_>, of: &str, outcome: Settled, count: u64) -> String {
    let said = format!("{}: {count}", view.outcome(outcome));
    if of.is_empty() { said } else { format!("{of}, {said}") }
}

/// `count` of `max` as a part of `length`.
fn scaled(count: u64, max: u64, length: u64) -> u64 {
    let part = u128::from(count) * u128::from(length) / u128::from(max.max(1));
    u64::try_from(part).unwrap_or(length).min(length)
}

fn single(outcome: Settled, count: u64) -> Counts {
    let mut counts = Counts::default();
    *match outcome {
        Settled::Accepted => &mut counts.accepted,
        Settled::Rejected => &mut counts.rejected,
        Settled::Deferred => &mut counts.deferred,
        Settled::Unreachable => &mut counts.unreachable,
        Settled::Inconclusive => &mut counts.inconclusive,
        Settled::Invalid => &mut counts.invalid,
    } = count;
    counts
}

/// The table with what a stranger wrote made safe.
fn shown(mut table: Table) -> Table {
    for cell in table.rows.iter_mut().flatten() {
        *cell = safe(cell);
    }
    table
}

fn seconds(row: &TimeRow) -> Option<i64> {
    OffsetDateTime::parse(&row.from, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// How long a stretch is, in the largest unit that it is a multiple of.
fn stretch(seconds: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let unit = units.into_iter().find(|(length, _)| seconds % length == 0);
    unit.map(|(length, name)| format!("{} {name}", seconds / length)).unwrap_or_default()
}
