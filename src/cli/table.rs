//! Tables of at most 100 columns.

use super::style::{Style, Tone, harmless, shorten};

/// How wide a line may be.
const WIDTH: usize = 100;

/// What stands between two columns.
const GAP: &str = "  ";

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[(String, Tone); N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(super) fn new(headings: [&'static str; N]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    /// One more row, as it is.
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.toned_row(cells.map(|text| (text, Tone::Plain)));
    }

    /// One more row, with what its cells are worth.
    pub(super) fn toned_row(&mut self, cells: [(String, Tone); N]) {
        self.rows.push(cells.map(|(text, tone)| (harmless(&text), tone)));
    }

    /// The table as text; nothing if it has no rows.
    pub(super) fn render(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths = self.widths();
        let headings = self.headings.map(|heading| (heading.to_owned(), Tone::Title));
        std::iter::once(&headings).chain(&self.rows).map(|cells| line(cells, widths, style)).collect()
    }

    /// As wide as the cells need; the widest give way until the line fits.
    fn widths(&self) -> [usize; N] {
        let mut widths = self.headings.map(|heading| heading.chars().count());
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.chars().count()).min(WIDTH);
            }
        }
        let gaps = GAP.len() * N.saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > WIDTH {
            match widths.iter_mut().max() {
                Some(widest) if *widest > 1 => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

fn line<const N: usize>(cells: &[(String, Tone); N], widths: [usize; N], style: Style) -> String {
    let mut line = String::new();
    let mut padding = 0;
    for ((text, tone), width) in cells.iter().zip(widths) {
        let text = shorten(text, width);
        line.extend(std::iter::repeat_n(' ', padding));
        line.push_str(&style.paint(*tone, &text));
        padding = width.saturating_sub(text.chars().count()) + GAP.len();
    }
    line.push('\n');
    line
}
