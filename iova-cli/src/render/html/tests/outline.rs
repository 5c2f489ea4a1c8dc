//! What a page is made of, without what fills pages: one line per text or picture, indented as deep as it is nested.

/// Elements without an end tag; those whose end HTML leaves to the reader are in tables.
const VOID: [&str; 5] = ["meta", "link", "img", "input", "!doctype"];
const IMPLIED: [&str; 6] = ["td", "th", "tr", "thead", "tbody", "table"];

pub(super) fn of(html: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0_usize);
    let body = &html[html.find("<body>").unwrap()..html.find("<script>").unwrap()];
    // What every metric is stands in the table of metrics.
    let body = &body[..body.find("<h3>How to read").unwrap()];
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        let mut lead = format!("\n{:indent$}", "", indent = 2 * depth);
        if let Some(name) = name.strip_prefix('/') {
            depth = if IMPLIED.contains(&name) { depth } else { depth.saturating_sub(1) };
        } else if matches!(name, "td" | "th") {
            lead = " | ".to_owned();
        } else if !IMPLIED.contains(&name) || name == "table" {
            out += &format!("{lead}<{}>", short(tag));
            lead = " ".to_owned();
            depth += usize::from(!VOID.contains(&name) && !IMPLIED.contains(&name));
        } else if name == "tr" {
            out += &lead;
        }
        let text: String = text.trim().chars().take(90).collect();
        out += &if text.is_empty() && lead != " | " { String::new() } else { format!("{lead}{text}") };
    }
    out
}

/// Values of attributes are cut: pictures and packed figures are in them.
fn short(tag: &str) -> String {
    let mut parts = tag.split('"');
    let mut out = String::new();
    while let Some(outside) = parts.next() {
        out += outside;
        if let Some(value) = parts.next() {
            let cut: String = value.chars().take(40).collect();
            out += &format!("\"{cut}{}\"", if cut.len() < value.len() { "..." } else { "" });
        }
    }
    out
}
