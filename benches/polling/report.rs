//! The figures, as a table, as JSON, and against what they should be.

use std::fmt::Write as _;

use serde::Serialize;

/// How much more CPU than the bare loop a check may take.
const MOST_CPU: f64 = 1.5;
/// The most memory with [`MANY`] tags or fewer: 40 MB.
const MOST_MEMORY: u64 = 40_000_000;
const MANY: usize = 10_000;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) sizes: Vec<Size>,
    pub(crate) instructions: Option<Instructions>,
}

/// With one number of tags.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    pub(crate) tags: usize,
    /// The looks of the counted rounds, and what the registry was asked in them.
    pub(crate) checks: u64,
    pub(crate) heads: u64,
    /// Those of the running daemon's polls too.
    pub(crate) gets: u64,
    pub(crate) other_requests: u64,
    /// The checks over which the journal grew by so much.
    pub(crate) unchanged_checks: u64,
    pub(crate) journal_bytes: u64,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) first_poll_ms: f64,
    /// From the start until each tag was looked at three times.
    pub(crate) three_rounds_ms: f64,
}

/// A turn of the daemon and one of the bare loop.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Pair {
    pub(crate) daemon_ns: u64,
    pub(crate) daemon_checks: u64,
    pub(crate) bare_ns: u64,
    pub(crate) bare_checks: u64,
}

/// Instructions per check.
#[derive(Debug, Serialize)]
pub(crate) struct Instructions {
    pub(crate) tags: usize,
    pub(crate) daemon: f64,
    pub(crate) bare: f64,
}

impl Pair {
    /// Microseconds per check.
    fn daemon(self) -> f64 {
        self.daemon_ns as f64 / 1e3 / self.daemon_checks as f64
    }

    /// Microseconds per check.
    fn bare(self) -> f64 {
        self.bare_ns as f64 / 1e3 / self.bare_checks as f64
    }

    fn ratio(self) -> f64 {
        self.daemon() / self.bare()
    }
}

impl Size {
    fn median(&self, of: impl Fn(Pair) -> f64) -> f64 {
        self.sorted(of).get(self.pairs.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self, of: impl Fn(Pair) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.pairs.iter().copied().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn rows(&self) -> Vec<(String, String)> {
        let ratios = self.sorted(Pair::ratio);
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        let per_check = |count: u64| format!("{:.2}", count as f64 / self.checks as f64);
        vec![
            ("HEADs per check".into(), per_check(self.heads)),
            ("GETs".into(), self.gets.to_string()),
            ("other requests".into(), self.other_requests.to_string()),
            (
                format!("journal bytes over {} unchanged checks", self.unchanged_checks),
                self.journal_bytes.to_string(),
            ),
            ("CPU per check, daemon".into(), format!("{:.1} µs", self.median(Pair::daemon))),
            ("CPU per check, bare reqwest".into(), format!("{:.1} µs", self.median(Pair::bare))),
            (
                format!("CPU ratio, median of {} (least, most)", ratios.len()),
                format!(
                    "{:.2} ({:.2}, {:.2})",
                    self.median(Pair::ratio),
                    end(ratios.first()),
                    end(ratios.last())
                ),
            ),
            ("peak memory".into(), format!("{:.1} MB", self.peak_rss_bytes as f64 / 1e6)),
            ("start to first poll".into(), format!("{:.0} ms", self.first_poll_ms)),
            ("start to the end of three rounds".into(), format!("{:.0} ms", self.three_rounds_ms)),
        ]
    }

    /// What is not as it should be.
    fn missed(&self) -> Vec<String> {
        let ratio = self.median(Pair::ratio);
        let rules = [
            (self.heads == self.checks, format!("{} HEADs for {} checks", self.heads, self.checks)),
            (self.gets == 0, format!("{} GETs", self.gets)),
            (self.other_requests == 0, format!("{} other requests", self.other_requests)),
            (
                self.journal_bytes == 0,
                format!("{} bytes of journal where nothing changed", self.journal_bytes),
            ),
            (ratio <= MOST_CPU, format!("{ratio:.2} times the CPU of a bare loop, not {MOST_CPU}")),
            (
                self.tags > MANY || self.peak_rss_bytes <= MOST_MEMORY,
                format!("{:.1} MB of memory", self.peak_rss_bytes as f64 / 1e6),
            ),
        ];
        let missed = rules.into_iter().filter(|(holds, _)| !holds);
        missed.map(|(_, missed)| format!("with {} tags: {missed}", self.tags)).collect()
    }
}

impl Report {
    /// For a person.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        // Writing to a string cannot fail.
        for size in &self.sizes {
            let _ = writeln!(table, "\n{} tags", size.tags);
            write_rows(&mut table, size.rows());
        }
        if let Some(Instructions { tags, daemon, bare }) = self.instructions {
            let _ = writeln!(table, "\n{tags} tags, under callgrind");
            let rows = vec![
                ("instructions per check, daemon".into(), format!("{daemon:.0}")),
                ("instructions per check, bare reqwest".into(), format!("{bare:.0}")),
                ("ratio".into(), format!("{:.2}", daemon / bare)),
            ];
            write_rows(&mut table, rows);
        }
        table
    }

    /// What is not as it should be.
    pub(crate) fn missed(&self) -> Vec<String> {
        self.sizes.iter().flat_map(Size::missed).collect()
    }
}

fn write_rows(table: &mut String, rows: Vec<(String, String)>) {
    for (name, value) in rows {
        let _ = writeln!(table, "  {name:<52} {value}");
    }
}
