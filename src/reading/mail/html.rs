//! The text of HTML, as far as a notice needs it: tags gone, lines where blocks end, the usual entities undone.

/// Elements whose end, or beginning, breaks a line.
const BLOCKS: [&str; 14] = ["br", "p", "div", "tr", "table", "li", "ul", "ol", "h1", "h2", "h3", "h4", "hr", "pre"];
/// Elements whose content nobody reads.
const UNREAD: [&str; 3] = ["style", "script", "title"];

/// The text that a reader of `html` sees, at most `limit` octets of it.
pub(super) fn text(html: &str, limit: usize) -> String {
    let mut text = String::with_capacity(html.len().min(limit) / 2);
    let mut rest = html;
    while !rest.is_empty() && text.len() < limit {
        let stop = memchr::memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        words(&rest[..stop], &mut text);
        rest = &rest[stop..];
        if rest.starts_with('<') {
            rest = tag(rest, &mut text);
        } else if rest.starts_with('&') {
            rest = entity(rest, &mut text);
        }
    }
    text
}

/// Adds running text; line ends in it are blanks.
fn words(piece: &str, text: &mut String) {
    text.extend(piece.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }));
}

/// What follows the tag at the beginning.
fn tag<'a>(html: &'a str, text: &mut String) -> &'a str {
    if html.starts_with("<!--") {
        return html.find("-->").map_or("", |end| &html[end + 3..]);
    }
    let name = html[1..].trim_start_matches('/');
    let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
    if name.is_empty() && !html.starts_with("<!") && !html.starts_with("<?") {
        text.push('<');
        return &html[1..];
    }
    let Some(end) = memchr::memchr(b'>', html.as_bytes()) else { return "" };
    // Addresses in angle brackets that were not coded.
    if html[1..end].contains('@') && !html[1..end].contains(['=', ' ']) {
        text.push_str(&html[..=end]);
        return &html[end + 1..];
    }
    let rest = &html[end + 1..];
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is(&UNREAD) && !html.starts_with("</") {
        return memchr::memmem::find(rest.as_bytes(), b"</").map_or("", |end| &rest[end..]);
    }
    text.push(if is(&BLOCKS) { '\n' } else { ' ' });
    rest
}

/// What follows the entity at the beginning.
fn entity<'a>(html: &'a str, text: &mut String) -> &'a str {
    const NAMES: [(&str, char); 6] = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    let end = html.bytes().take(12).position(|b| b == b';');
    let known = end.and_then(|end| {
        let name = html.get(1..end)?;
        let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
        let c = number.and_then(char::from_u32).or_else(|| NAMES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c))?;
        Some((c, &html[end + 1..]))
    });
    let (c, rest) = known.unwrap_or(('&', &html[1..]));
    text.push(c);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_sees_is_left() {
        for (html, seen) in [
            (
                "<html><head><style>a { color: #555 }</style></head><b>550</b> 5.1.1 &lt;anna@example.com&gt;<br>no",
                "550 5.1.1 <anna@example.com> no",
            ),
            ("a<p>b<!-- c -->d</p>&#64;&#x41;&nbsp;&unknown;&", "a bd @A &unknown;&"),
            ("<anna@example.com> < 5", "<anna@example.com> < 5"),
            ("<a href='x'>anna@example.com</a>because", "anna@example.com because"),
            ("<style>a", ""),
            ("<b", ""),
            ("&é;<é>", "&é;<é>"),
        ] {
            assert_eq!(text(html, 1000).split_whitespace().collect::<Vec<_>>().join(" "), seen, "{html}");
        }
        assert!(text(&"<br>".repeat(1000), 100).len() <= 101);
    }
}
