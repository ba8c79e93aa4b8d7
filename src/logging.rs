//! The log: one line per change of state, on stderr.

/// The `[log]` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How a line looks.
    pub format: Format,
    /// What is worth a line.
    pub level: tracing::Level,
    /// Whether the output of builds goes to the log too, besides its file.
    pub build_output: BuildOutput,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, else JSON.
    Auto,
    /// For a person.
    Text,
    /// One flat object a line.
    Json,
}

/// Where the output of a build goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildOutput {
    /// To its file.
    File,
    /// To its file, and as `build_output` events to the log.
    Log,
}
