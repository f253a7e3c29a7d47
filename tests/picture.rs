//! Draws colored terminal output as an SVG: the picture in the README.

use std::fmt::Write;

/// Columns of the drawn terminal. A longer line continues on the next row, as in a terminal.
const COLUMNS: usize = 94;
const CELL_WIDTH: f64 = 8.4;
const ROW_HEIGHT: usize = 20;
const MARGIN: usize = 20;
const FONT: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";

/// How text looks after the escape sequences before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    bold: bool,
    dim: bool,
    color: Option<Color>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    Red,
    Green,
    Yellow,
}

impl Look {
    /// Applies one parameter of a "select graphic rendition" sequence.
    fn apply(&mut self, parameter: &str) {
        match parameter {
            "" | "0" => *self = Self::default(),
            "1" => self.bold = true,
            "2" => self.dim = true,
            "31" => self.color = Some(Color::Red),
            "32" => self.color = Some(Color::Green),
            "33" => self.color = Some(Color::Yellow),
            _ => panic!("the picture has no look for the parameter {parameter}"),
        }
    }

    fn fill(self) -> &'static str {
        match (self.color, self.dim) {
            (Some(Color::Red), _) => "#ff7b72",
            (Some(Color::Green), _) => "#3fb950",
            (Some(Color::Yellow), _) => "#d29922",
            (None, true) => "#8b949e",
            (None, false) => "#e6edf3",
        }
    }
}

/// The text as rows of cells, each with its look.
fn rows(text: &str) -> Vec<Vec<(char, Look)>> {
    let mut look = Look::default();
    let mut rows = Vec::new();
    for line in text.lines() {
        let mut row = Vec::new();
        let mut rest = line;
        while let Some(next) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\u{1b}[") {
                let (parameters, after) = sequence.split_once('m').unwrap();
                parameters.split(';').for_each(|parameter| look.apply(parameter));
                rest = after;
                continue;
            }
            assert!(!next.is_control(), "a control character in {line:?}");
            if row.len() == COLUMNS {
                rows.push(std::mem::take(&mut row));
            }
            row.push((next, look));
            rest = &rest[next.len_utf8()..];
        }
        rows.push(row);
    }
    rows
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An SVG of a dark terminal that shows this text. `title` is what a screen reader says first.
pub(crate) fn svg(title: &str, text: &str) -> String {
    let rows = rows(text);
    let width = 2 * MARGIN + (COLUMNS as f64 * CELL_WIDTH).ceil() as usize;
    let height = 2 * MARGIN + rows.len() * ROW_HEIGHT;
    let plain: Vec<String> =
        rows.iter().map(|row| row.iter().map(|(cell, _)| *cell).collect()).collect();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d1117\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"14\" xml:space=\"preserve\">\n",
        escaped(title),
        escaped(&plain.join("\n")),
    );
    for (at, row) in rows.iter().enumerate() {
        let y = MARGIN + at * ROW_HEIGHT + 14;
        let mut column = 0;
        for cells in row.chunk_by(|(_, left), (_, right)| left == right) {
            let words: String = cells.iter().map(|(cell, _)| *cell).collect();
            let (x, look) = (MARGIN as f64 + column as f64 * CELL_WIDTH, cells[0].1);
            // The length keeps the columns in place, whatever font the reader has.
            let length = cells.len() as f64 * CELL_WIDTH;
            column += cells.len();
            if words.trim().is_empty() {
                continue;
            }
            let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{length:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{weight}>{}</text>",
                look.fill(),
                escaped(&words),
            );
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

#[test]
fn a_picture_keeps_columns_and_colors_and_escapes_markup() {
    let drawn = svg("A & B", "\u{1b}[1m\u{1b}[31mFAIL\u{1b}[0m <b>\n");
    assert!(drawn.contains("<title>A &amp; B</title>"), "{drawn}");
    assert!(
        drawn.contains("textLength=\"33.6\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#ff7b72\"")
    );
    assert!(
        drawn.contains("x=\"53.6\" y=\"34\"") && drawn.contains("> &lt;b&gt;</text>"),
        "{drawn}"
    );
    let long = svg("", &"x".repeat(COLUMNS + 1));
    assert_eq!(long.matches("<text ").count(), 2, "{long}");
}
